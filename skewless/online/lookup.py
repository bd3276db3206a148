"""What a reader asks the server for one view, and what it makes of the answers. No input or output here.

One MGET is one instant of the server: pointer, alive and rows in it belong together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from skewless.errors import NotPublishedError, UsageError
from skewless.online.codec import pack_int
from skewless.online.keys import ViewKeys, entity_key
from skewless.online.records import Meta, Pointer, Row, row_at

CHUNK = 500


@dataclass(frozen=True, slots=True)
class Pin:
    """The epoch that a reader saw last, and how to read it; an epoch's meta never changes."""

    epoch: int
    meta: Meta


@dataclass
class Lookup:
    """The rows of one view for some entities: send `commands()`, `accept` the replies, until it is settled.

    Raises NotPublishedError when nothing is live, UsageError when the entities lack a join key.
    """

    keys: ViewKeys
    entities: Sequence[Mapping[str, Any]]
    pin: Pin | None = None
    pointer: Pointer | None = None
    live: bool = False
    rows: list[Row] = field(default_factory=list)
    settled: bool = False
    _wanted: int | None = None

    def commands(self) -> list[tuple[str, ...]]:
        """What to ask next: the pointer; or an epoch's meta; or the rows, in chunks."""
        state = ("MGET", self.keys.pointer, self.keys.alive)
        if self._wanted is not None:
            return [(*state, self.keys.meta(self._wanted))]
        if self.pin is None:
            return [state]
        names = self._row_keys(self.pin)
        chunks = [names[start : start + CHUNK] for start in range(0, len(names), CHUNK)] or [[]]
        return [(*state, *chunk) for chunk in chunks]

    def accept(self, replies: Sequence[Sequence[bytes | None]]) -> None:
        """Take the replies, one for each command."""
        pointer = self._pointer(replies[0][0])
        if self._wanted is not None:
            self._accept_meta(pointer, replies[0][2])
        elif self.pin is None or self.pin.epoch != pointer.epoch:
            self._wanted = pointer.epoch
        elif len({(reply[0], _vouches(reply, pointer)) for reply in replies}) == 1:
            self._settle(pointer, self.pin.meta, replies)

    def _accept_meta(self, pointer: Pointer, raw: bytes | None) -> None:
        if raw is not None and self._wanted is not None:
            self.pin, self._wanted = Pin(self._wanted, Meta.decode(raw)), None
        elif pointer.epoch == self._wanted:
            raise self._not_published()
        else:
            self._wanted = pointer.epoch

    def _settle(self, pointer: Pointer, meta: Meta, replies: Sequence[Sequence[bytes | None]]) -> None:
        self.pointer, self.live, self.settled = pointer, _vouches(replies[0], pointer), True
        if not self.live:
            self.rows = [meta.expired] * len(self.entities)
            return
        raws = iter([raw for reply in replies for raw in reply[2:]])
        present = [next(raws) if key is not None else None for key in self._entity_keys(meta)]
        self.rows = [row_of(meta, raw, pointer.generation) for raw in present]

    def _row_keys(self, pin: Pin) -> list[str]:
        return [self.keys.entity(pin.epoch, key) for key in self._entity_keys(pin.meta) if key is not None]

    def _entity_keys(self, meta: Meta) -> list[str | None]:
        names = [name for name, _ in meta.keys]
        for entity in self.entities:
            missing = [name for name in names if name not in entity]
            if missing:
                raise UsageError(
                    f"{self.keys.view!r} is looked up by {', '.join(names)}; an entity row lacks "
                    f"{', '.join(missing)}: {dict(entity)!r}"
                )
        return [entity_key([entity[name] for name in names], meta.kinds) for entity in self.entities]

    def _pointer(self, raw: bytes | None) -> Pointer:
        if raw is None:
            raise self._not_published()
        return Pointer.decode(raw)

    def _not_published(self) -> NotPublishedError:
        return NotPublishedError(
            f"{self.keys.view!r} is not published in namespace {self.keys.namespace!r}; run "
            f"`skewless publish {self.keys.view}`, or check SKEWLESS_NAMESPACE and SKEWLESS_REDIS_URL"
        )


def row_of(meta: Meta, raw: bytes | None, generation: int) -> Row:
    """An entity's row in a generation as Python values; the absent row where it has none."""
    row = row_at(raw, generation)
    return meta.absent if row is None else meta.to_python(row)


def _vouches(reply: Sequence[bytes | None], pointer: Pointer) -> bool:
    return reply[1] == pack_int(pointer.flip)
