"""Every key of the live epoch against the rows of its revision; by reading alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow as pa

from skewless.online.codec import NIL
from skewless.online.columns import COMMAND_ROWS, commands, hashes
from skewless.online.connection import Session
from skewless.online.keys import ViewKeys
from skewless.online.records import Meta, Pointer
from skewless.online.rows import Piece
from skewless.online.state import OnlineState
from skewless.online.verification import Entities

_FIRST = 5  # of each kind are told by name
_SCANNED = 250

_SLOTS = msgspec.msgpack.Decoder(tuple[int, msgspec.Raw, int, msgspec.Raw])


class Moved(Exception):
    """What is live changed meanwhile."""


class _Asked(NamedTuple):
    """Keys whose values are on their way by so many commands, and the rows that should be there."""

    names: pa.LargeBinaryArray
    rows: pa.LargeBinaryArray
    commands: int


@dataclass
class Finding:
    """Entities of one kind."""

    count: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, tell: Callable[..., str], *what: bytes | None) -> None:
        """Count one more, and have it told where it is among the first."""
        self.count += 1
        if len(self.first) < _FIRST:
            self.first.append(tell(*what))

    @property
    def entities(self) -> Entities:
        """What was found."""
        return Entities(self.count, tuple(self.first))


@dataclass
class Examination:
    """One comparison; Moved where the flip is another one at its end, or on the way."""

    session: Session
    keys: ViewKeys
    state: OnlineState
    pointer: Pointer
    meta: Meta
    told: Callable[[int], None]
    rows: int = 0
    missing: Finding = field(default_factory=Finding)
    different: Finding = field(default_factory=Finding)
    stray: Finding = field(default_factory=Finding)
    left_over: Finding = field(default_factory=Finding)
    left_epochs: set[int] = field(default_factory=set)
    _hashes: list[np.ndarray] = field(default_factory=list)

    @property
    def prefix(self) -> str:
        """What the key of every entity begins with."""
        return self.keys.entity(self.pointer.epoch, "")

    def compare(self, parts: Iterable[Piece]) -> None:
        """Look every row up, a part on its way while the one before is compared and the next one packed."""
        before: _Asked | None = None
        for piece in parts:
            names, rows = piece.packed_keys(self.prefix), piece.packed_rows()
            self._hashes.append(hashes(names))
            raws = self._answer(before)
            asked = _Asked(names, rows, self._ask(names))
            self._judge(before, raws)
            before = asked
            del piece  # which would keep a whole batch while the next is read
        self._judge(before, self._answer(before))

    def look_for_more(self) -> None:
        """Find keys that the revision does not have."""
        known = np.sort(np.concatenate([np.empty(0, np.uint64), *self._hashes]))
        prefix = self.prefix.encode()
        seen: set[bytes] = set()
        for found in self._scanned():
            here = [key for key in found if key.startswith(prefix)]
            self.left_epochs |= self._of_nobody(key for key in found if not key.startswith(prefix))
            more = set(_lacking(here, known)) - seen
            seen |= self._judge_more(sorted(more))
        self._demand_live(self.session.call("GET", self.keys.pointer))

    def _ask(self, names: pa.LargeBinaryArray) -> int:
        packed, starts = commands("MGET", names)
        self.session.send(packed + self.session.packed(("GET", self.keys.pointer)))
        return len(starts)

    def _answer(self, asked: _Asked | None) -> list[bytes | None]:
        if asked is None:
            return []
        *replies, pointer = self.session.replies(asked.commands + 1)
        self._demand_live(pointer)
        return [raw for reply in replies for raw in reply]

    def _demand_live(self, pointer: bytes | None) -> None:
        """Flips only grow: where it is the same after something was read, it was so all the while."""
        if pointer is None or Pointer.decode(pointer) != self.pointer:
            raise Moved

    def _judge(self, asked: _Asked | None, raws: Sequence[bytes | None]) -> None:
        if asked is None:
            return
        for place, (raw, row) in enumerate(zip(raws, asked.rows.to_pylist(), strict=True)):
            found = self._seen(raw)
            if found == row:
                continue
            name = asked.names[place].as_py()
            if found == NIL:
                self.missing.add(self._name, name)
            else:
                self.different.add(self._compared, name, found, row)
        self.rows += len(raws)
        self.told(self.rows)

    def _judge_more(self, names: list[bytes]) -> set[bytes]:
        """Judge keys of entities that the revision lacks; give those that are not just tombstones."""
        told = set()
        for start in range(0, len(names), COMMAND_ROWS):
            asked = names[start : start + COMMAND_ROWS]
            for name, raw in zip(asked, self.session.call("MGET", *asked), strict=True):
                found = self._seen(raw)
                if found != NIL:
                    self.stray.add(self._described, name, found)
                    told.add(name)
                elif raw is not None and self._is_left_over(raw):
                    self.left_over.add(self._name, name)
                    told.add(name)
        return told

    def _seen(self, raw: bytes | None) -> bytes | None:
        """The row that readers of the live generation get, as it is packed; nil: none; None: they cannot read it."""
        if raw is None:
            return NIL
        try:
            newest, row, earlier, earlier_row = _SLOTS.decode(raw)
            shown, hidden = (row, earlier_row) if newest <= self.pointer.generation else (earlier_row, row)
            if bytes(hidden) != NIL:
                self.meta.read_slots(raw)
        except (msgspec.DecodeError, RecursionError):
            return None
        return bytes(shown) if min(newest, earlier) <= self.pointer.generation else NIL

    def _is_left_over(self, raw: bytes) -> bool:
        """Whether a publish wrote it that has ended without a flip."""
        newest, row, *_ = _SLOTS.decode(raw)
        ended = self.pointer.generation < newest <= self.state.top and newest != self.state.writing
        return ended and bytes(row) != NIL

    def _of_nobody(self, names: Iterable[bytes]) -> set[int]:
        """The epochs, of some keys, that neither readers nor a rollback nor a publish on its way may want."""
        previous = self.state.previous
        wanted = {self.pointer.epoch, self.state.writing, previous.epoch if previous else 0}
        epochs = {self.keys.epoch_of(name.decode()) for name in names}
        return {
            number
            for number in epochs
            if number is not None and number <= self.state.top and number not in wanted
        }

    def _scanned(self) -> Iterator[list[bytes]]:
        cursor = b"0"
        while True:
            cursor, found = self.session.call("SCAN", cursor, "MATCH", self.keys.tag + "*", "COUNT", _SCANNED)
            yield found
            if cursor == b"0":
                return

    def _name(self, key: bytes) -> str:
        return key.decode(errors="backslashreplace").removeprefix(self.prefix) or "''"

    def _described(self, key: bytes, row: bytes | None) -> str:
        return f"{self._name(key)} ({self._shown(row)})"

    def _compared(self, key: bytes, online: bytes | None, revision: bytes | None) -> str:
        return f"{self._name(key)} (online {self._shown(online)}, in the revision {self._shown(revision)})"

    def _shown(self, row: bytes | None) -> str:
        if row is None:
            return "not readable"
        try:
            return str(list(self.meta.to_python(msgspec.msgpack.decode(row))))
        except (ValueError, OverflowError, RecursionError, TypeError, LookupError):  # msgspec's are the first
            return row.hex()


def _lacking(keys: list[bytes], known: np.ndarray) -> list[bytes]:
    """Those of the keys whose hash is not among the known ones, which are sorted."""
    if not keys or not len(known):
        return keys
    asked = hashes(pa.array(keys, pa.large_binary()))
    places = np.searchsorted(known, asked) % len(known)
    return [key for key, there in zip(keys, known[places] == asked, strict=True) if not there]
