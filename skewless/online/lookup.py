"""What a reader asks the server for one view, and what it makes of the answers. No input or output here.

One MGET is one instant of the server: pointer, alive and rows in it belong together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from skewless.errors import NotPublishedError, OnlineError, UsageError
from skewless.online.codec import pack_int
from skewless.online.entities import Entities, entity_keys
from skewless.online.keys import ViewKeys
from skewless.online.records import Meta, Pointer, decode_alive
from skewless.online.slots import Slots

CHUNK = 500

Command = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """The pointer that a reader saw last, as bytes and as what they say, and what alive mostly is."""

    raw: bytes
    pointer: Pointer
    alive: bytes

    @classmethod
    def of(cls, raw: bytes) -> Seen:
        """Read it; OnlineError where the format is not ours."""
        pointer = Pointer.decode(raw)
        return cls(raw, pointer, pack_int(pointer.flip))

    def again(self, raw: bytes) -> Seen:
        """What is seen now: mostly the same."""
        return self if self.raw == raw else Seen.of(raw)

    def is_live(self, key: str, alive: bytes | None) -> bool:
        """Whether alive, which is under the key, has the pointer's flip, in whatever width."""
        return alive == self.alive or (alive is not None and decode_alive(key, alive) == self.pointer.flip)


@dataclass(frozen=True, slots=True)
class Pin:
    """The pointer that a reader saw last, what its entities' keys begin with, and how to read them.

    A meta is good for the pointer beside which it was read, and confirmed where that is another: a store that was
    emptied, or lost a flip, may count its epochs anew, with another meta.
    """

    seen: Seen
    prefix: str
    raw_meta: bytes
    meta: Meta


@dataclass(frozen=True, slots=True)
class Naming:
    """How entities are looked up under a name.

    keys  of an alias: by join key the entities' column; None: a view's own name, whose keys are called as they are
    """

    name: str
    keys: Mapping[str, str] | None = None

    def column_of(self, key: str) -> str:
        """The entities' column for a join key."""
        if self.keys is None:
            return key
        return self.keys[key]

    def columns(self, meta: Meta, entities: Entities) -> list[list[object]]:
        """The join keys of the entities; UsageError where one lacks a key, OnlineError for an alias by others."""
        joined = [key for key, _ in meta.keys]
        if self.keys is not None and self.keys.keys() != {*joined}:
            raise OnlineError(
                f"alias {self.name!r} is by {', '.join(self.keys) or 'no keys'}, and the published view by "
                f"{', '.join(joined)}: it has another definition; publish the view again"
            )
        names = [self.column_of(key) for key in joined]
        columns = entities.columns_of(names)
        if columns is None:
            raise UsageError(
                f"{self.name!r} is looked up by {', '.join(names)}, and an entity lacks one of them: "
                f"{entities.first_without(names)}"
            )
        return columns


@dataclass
class Lookup:
    """The rows of one view for some entities: send `commands()`, `accept` the replies, until it is settled.

    namings  the view's own name, its aliases, or both: all are answered from one generation

    Raises NotPublishedError when nothing is live, UsageError when the entities lack a join key.
    """

    keys: ViewKeys
    entities: Entities
    namings: Sequence[Naming]
    pin: Pin | None = None
    slots: Slots | None = None
    _wanted: int | None = None
    _fresh: bool = False
    _names: list[str | None] = field(default_factory=list)

    @property
    def settled(self) -> bool:
        """Whether all is there."""
        return self.slots is not None

    @property
    def settled_slots(self) -> Slots:
        """What was found; the lookup is settled."""
        assert self.slots is not None, "a lookup that has settled"
        return self.slots

    def commands(self) -> list[Command]:
        """What to ask next: the pointer; or an epoch's meta; or the rows, in chunks."""
        state = ("MGET", self.keys.pointer, self.keys.alive)
        if self._wanted is not None:
            return [(*state, self.keys.meta(self._wanted))]
        if self.pin is None:
            return [state]
        try:
            self._names = self._row_keys(self.pin)
        except (UsageError, OnlineError):
            if self._fresh:
                raise
            self.pin = None  # the view may have other join keys now than it had
            return [state]
        names = self._names if None not in self._names else [name for name in self._names if name is not None]
        if len(names) <= CHUNK:
            return [(*state, *names)]
        return [(*state, *names[start : start + CHUNK]) for start in range(0, len(names), CHUNK)]

    def accept(self, replies: Sequence[Sequence[bytes | None]]) -> None:
        """Take the replies, one for each command."""
        seen, alive = self._seen(replies[0][0]), self.keys.alive
        if self._wanted is not None:
            self._accept_meta(seen, replies[0][2])
        elif self.pin is None or self.pin.seen is not seen:
            self._wanted = seen.pointer.epoch
        elif len(replies) == 1 or len({(reply[0], seen.is_live(alive, reply[1])) for reply in replies}) == 1:
            self._settle(seen, self.pin, replies)

    def _accept_meta(self, seen: Seen, raw: bytes | None) -> None:
        epoch = seen.pointer.epoch
        if epoch != self._wanted:
            self._wanted = epoch
        elif raw is None:
            raise self._not_published()
        else:
            meta = self.pin.meta if self.pin and self.pin.raw_meta == raw else Meta.decode(raw)
            self.pin = Pin(seen, self.keys.entity(epoch, ""), raw, meta)
            self._wanted, self._fresh = None, True

    def _settle(self, seen: Seen, pin: Pin, replies: Sequence[Sequence[bytes | None]]) -> None:
        live = seen.is_live(self.keys.alive, replies[0][1])
        raws = replies[0][2:] if len(replies) == 1 else [*chain.from_iterable(reply[2:] for reply in replies)]
        if len(raws) < len(self._names):
            found = iter(raws)
            raws = [None if name is None else next(found) for name in self._names]
        self.slots = Slots(pin.meta, seen.pointer, live, self._names, raws)

    def _row_keys(self, pin: Pin) -> list[str | None]:
        columns = [naming.columns(pin.meta, self.entities) for naming in self.namings]
        keys = [entity_keys(pin.prefix, column, pin.meta.kinds) for column in columns]
        return keys[0] if len(keys) == 1 else [*chain.from_iterable(keys)]

    def _seen(self, raw: bytes | None) -> Seen:
        if raw is None:
            raise self._not_published()
        return self.pin.seen.again(raw) if self.pin else Seen.of(raw)

    def _not_published(self) -> NotPublishedError:
        return NotPublishedError(
            f"{self.keys.view!r} is not published in namespace {self.keys.namespace!r}; run "
            f"`skewless publish {self.keys.view}`, or check SKEWLESS_NAMESPACE and SKEWLESS_REDIS_URL"
        )
