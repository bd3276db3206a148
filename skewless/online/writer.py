"""Writing the keys of a generation: each once, every write acknowledged, a part on its way while the next is made."""

from __future__ import annotations

from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from skewless.errors import DataError
from skewless.online.columns import commands
from skewless.online.connection import Session
from skewless.online.contents import Part
from skewless.online.keys import ViewKeys
from skewless.online.scripts import refusal

_DONE = {"MSETNX": 1, "MSET": b"OK"}


class _Sent(NamedTuple):
    """A part that is on its way, the first row of each of its commands, and what the server says to them."""

    part: Part
    starts: list[int]
    replies: Future[list[Any]]


@dataclass
class Writer:
    """Writes what a publish of one generation adds.

    PublishRefused (superseded) once somebody else has opened a later generation; DataError where a new key is there
    already; StoreUnavailable. A writer that has failed is over: no write is ever sent twice.

    rows  of the revision, that are acknowledged or came with what is
    """

    session: Session
    keys: ViewKeys
    generation: int
    rows: int = 0
    _sent: _Sent | None = None
    # Sending takes as long as the server takes to read: it has a thread, so that packing goes on beside it.
    _thread: Executor = field(default_factory=partial(ThreadPoolExecutor, 1))

    def send(self, part: Part) -> None:
        """Send a part; the one before must be settled."""
        assert self._sent is None, "one part at a time"
        _demand_distinct(part.keys)
        arguments = [part.keys] if part.values is None else [part.keys, part.values]
        packed, starts = commands(part.command, *arguments)
        packed += self.session.packed(self._looking)
        replies = self._thread.submit(self._exchanged, packed, len(starts) + 1)
        self._sent = _Sent(part, starts, replies)

    def settle(self) -> bool:
        """Wait until what was sent is acknowledged; false where nothing was."""
        if self._sent is None:
            return False
        (part, starts, replies), self._sent = self._sent, None
        *acknowledged, writing = replies.result()
        self._demand_ours(writing)
        for start, end, reply in zip(starts, [*starts[1:], len(part.keys)], acknowledged, strict=True):
            if reply != _DONE.get(part.command, reply):
                self._tell_twice(part.keys[start:end])
        self.rows += part.rows
        return True

    def demand_ours(self) -> None:
        """PublishRefused unless this generation may still flip."""
        self._demand_ours(self.session.call(*self._looking))

    def _exchanged(self, packed: bytes, count: int) -> list[Any]:
        self.session.send(packed)
        return self.session.replies(count)

    @property
    def _looking(self) -> tuple[str, ...]:
        return "HGET", self.keys.state, "writing"

    def _demand_ours(self, writing: bytes | None) -> None:
        if writing != str(self.generation).encode():
            raise refusal("superseded", "publish", self.keys.view)

    def _tell_twice(self, keys: pa.LargeBinaryArray) -> None:
        """Of the keys of a command that wrote nothing, tell one that was there."""
        names = keys.to_pylist()
        there = self.session.pipeline([("EXISTS", name) for name in names])
        raise _twice(next((name for name, found in zip(names, there, strict=True) if found), names[0]))


def _demand_distinct(keys: pa.LargeBinaryArray) -> None:
    """One command would write a key twice without a word."""
    counted = pc.value_counts(keys)
    if len(counted) != len(keys):
        counts = counted.field("counts")
        raise _twice(counted.field("values")[pc.index(counts, pc.max(counts)).as_py()].as_py())


def _twice(key: bytes) -> DataError:
    return DataError(
        f"{key.decode()} was written twice: two rows of one entity? Build again. Nothing was published"
    )
