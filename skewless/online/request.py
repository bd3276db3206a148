"""One request for features, as a conversation: it yields commands, is sent their replies, and returns an answer.

No input or output here, so that readers with threads and with asyncio are the same reader.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any, TypeVar

from skewless.errors import StoreUnavailable, UsageError, did_you_mean
from skewless.model.checks import NAME
from skewless.online.answer import Answer, Part
from skewless.online.entities import Entities
from skewless.online.keys import KeyKind, ViewKeys, service_key
from skewless.online.lookup import Command, Lookup, Naming, Pin
from skewless.online.services import no_service, unpack_features
from skewless.online.slots import Slots
from skewless.online.steady import Steady
from skewless.timeline import Clock

_REMEMBERED = 1000  # requests: an application has a few
_ROUNDS = 20  # a reader that meets so many changes in one lookup meets something that is broken

T = TypeVar("T")
Conversation = Generator[list[Command], list[Any], T]


@dataclass(frozen=True, slots=True)
class Alias:
    """A view that is looked up by other keys: `keys` has, by join key, the key of the entity rows."""

    view: str
    keys: Mapping[str, str]


Aliases = Mapping[str, Alias]


@dataclass
class Memory:
    """What a reader remembers: of each view its pointer and meta, of each service what its record said last.

    steady  requests that have a short way, by their features
    """

    namespace: str
    pins: dict[str, Pin] = field(default_factory=dict)
    services: dict[str, bytes] = field(default_factory=dict)
    steady: dict[tuple[str, ...], Steady] = field(default_factory=dict)

    def lookup(self, view: str, entities: Entities, namings: Sequence[Naming]) -> Lookup:
        """A lookup that begins with what was seen last."""
        return Lookup(ViewKeys(self.namespace, view), entities, namings, self.pins.get(view))

    def known(self, services: Sequence[str]) -> Mapping[str, bytes]:
        """The records of services that are remembered."""
        return {name: self.services[name] for name in services if name in self.services}

    def asking(self, services: Sequence[str]) -> list[Command]:
        """What asks for the records of services."""
        return [("GET", service_key(self.namespace, name)) for name in services]

    def learn(self, services: Sequence[str], replies: Sequence[bytes | None]) -> dict[str, bytes]:
        """The records of services, which are kept; behind them may stand the replies to others."""
        found: dict[str, bytes] = {}
        for name, raw in zip(services, replies, strict=False):
            if raw is None:
                raise no_service(self.namespace, name)
            if raw != self.services.get(name):
                unpack_features(name, raw)  # what is kept can be read
            found[name] = raw
        self.services |= found
        return found


@dataclass(frozen=True, slots=True)
class Wish:
    """The features that are wanted: of each view or alias its fields, in the order in which they were named."""

    fields: Mapping[str, tuple[str, ...]]
    aliases: Aliases

    def view_of(self, name: str) -> str:
        """The view behind a name."""
        return self.aliases[name].view if name in self.aliases else name

    def naming(self, name: str) -> Naming:
        """How entities are looked up under a name."""
        return Naming(name, self.aliases[name].keys) if name in self.aliases else Naming(name)


@dataclass(frozen=True)
class Request:
    """Some features for some entities.

    features  "view:field"; "alias:field" with `aliases`, by name; or the names of services that the server knows
    """

    memory: Memory
    features: Sequence[str]
    entities: Entities
    aliases: Aliases

    def answer(self, clock: Clock) -> Conversation[Answer]:
        """Ask until all is of one generation per view.

        Raises NotPublishedError, OnlineError, and UsageError for a feature or a join key that is not there.
        """
        found = yield from self._short_way(clock)
        if found is None:
            wish, lookups = yield from self._settled()
            found = self._answered(wish, lookups, clock.now())
            self._remember(wish, lookups, found)
        return found

    def _short_way(self, clock: Clock) -> Conversation[Answer | None]:
        steady = None if self.aliases else self.memory.steady.get(tuple(self.features))
        pin = self.memory.pins.get(steady.view) if steady else None
        keys = steady.keys_of(self.entities, pin) if steady and pin else None
        if steady is None or pin is None or keys is None:
            return None
        (reply,) = yield [(*steady.state, *keys)]
        if reply[0] != pin.seen.raw:
            return None
        return steady.answer(self.entities, keys, pin.seen, reply, clock.now())

    def _remember(self, wish: Wish, lookups: Sequence[Lookup], found: Answer) -> None:
        """Know the request again, if it is of one view under its own name."""
        if len(found.parts) > 1 or wish.aliases or any(":" not in name for name in self.features):
            return
        if len(self.memory.steady) >= _REMEMBERED:
            self.memory.steady.clear()
        ((lookup,), (part,)) = lookups, found.parts
        self.memory.steady[tuple(self.features)] = Steady.of(lookup.keys, part.slots.meta, part)

    def key_kinds(self) -> Conversation[dict[str, KeyKind]]:
        """Ask for the keys that an entity must have, and whether each is a string or an integer."""
        _, lookups = yield from self._settled()
        return {
            naming.column_of(key): kind
            for lookup in lookups
            for naming in lookup.namings
            for key, kind in lookup.settled_slots.meta.keys
        }

    def _settled(self) -> Conversation[tuple[Wish, list[Lookup]]]:
        services = _services(tuple(self.features))
        records = self.memory.known(services) if services else {}
        if len(records) < len(services):
            records = self.memory.learn(services, (yield self.memory.asking(services)))
        for _ in range(_ROUNDS):
            wish = self._wish(records)
            lookups = self._lookups(wish)
            told = yield from _exchange(self.memory, lookups, records)
            if told == records:
                yield from _settle(self.memory, lookups)
                return wish, lookups
            records = told
        raise restless(f"the services {', '.join(services)}")

    def _wish(self, records: Mapping[str, bytes]) -> Wish:
        """The features by view and alias, those of the services among them."""
        if not records:
            return Wish(_by_view(tuple(self.features)), self.aliases)
        meanings: dict[str, Alias | None] = {}
        features = []
        for name in self.features:
            found = unpack_features(name, records[name]) if name in records else [name]
            for feature in found:
                features.append(feature if isinstance(feature, str) else feature[0])
                prefix = features[-1].partition(":")[0]
                meaning = self.aliases.get(prefix) if isinstance(feature, str) else _alias(feature)
                if meanings.setdefault(prefix, meaning) != meaning:
                    raise UsageError(
                        f"{prefix!r} has two meanings in one request: a view and an alias of a service, or two "
                        "aliases; ask for them one after the other"
                    )
        aliases = {prefix: alias for prefix, alias in meanings.items() if alias is not None}
        return Wish(_by_view(tuple(features)), aliases)

    def _lookups(self, wish: Wish) -> list[Lookup]:
        namings: dict[str, list[Naming]] = {}
        for name in wish.fields:
            namings.setdefault(wish.view_of(name), []).append(wish.naming(name))
        return [self.memory.lookup(view, self.entities, found) for view, found in namings.items()]

    def _answered(self, wish: Wish, lookups: Sequence[Lookup], now: datetime) -> Answer:
        parts, count = {}, self.entities.count
        for lookup in lookups:
            slots = lookup.settled_slots
            for number, naming in enumerate(lookup.namings):
                own = (
                    slots
                    if len(lookup.namings) == 1
                    else slots.at(range(number * count, (number + 1) * count))
                )
                parts[naming.name] = _part(naming.name, own, wish.fields[naming.name])
        return Answer(self.entities, [parts[name] for name in wish.fields], now)


def _settle(memory: Memory, lookups: Sequence[Lookup]) -> Conversation[None]:
    """Ask again until each view has settled."""
    for _ in range(_ROUNDS):
        pending = [lookup for lookup in lookups if not lookup.settled]
        if not pending:
            return
        yield from _exchange(memory, pending, {})
    raise restless(repr(pending[0].keys.view))


def _exchange(
    memory: Memory, lookups: Sequence[Lookup], records: Mapping[str, bytes]
) -> Conversation[Mapping[str, bytes]]:
    """Ask for views, and beside them for the records of services; views are only answered by those of `records`."""
    groups = [lookup.commands() for lookup in lookups]
    services = list(records)
    replies = yield [*memory.asking(services), *(command for group in groups for command in group)]
    if services and (told := memory.learn(services, replies)) != records:
        return told
    taken = iter(replies[len(services) :])
    for lookup, group in zip(lookups, groups, strict=True):
        lookup.accept([next(taken) for _ in group])
        if lookup.pin and lookup.pin is not memory.pins.get(lookup.keys.view):
            memory.pins[lookup.keys.view] = lookup.pin
    return records


def restless(what: str) -> StoreUnavailable:
    """Something changes faster than it can be read."""
    return StoreUnavailable(
        f"{what} changed {_ROUNDS} times during one lookup; look at its publishers, and ask again"
    )


def _alias(feature: Sequence[str]) -> Alias:
    """What a service's feature of an alias says of it."""
    _, real, *pairs = feature
    return Alias(real.partition(":")[0], dict(zip(pairs[::2], pairs[1::2], strict=True)))


@lru_cache(maxsize=1000)
def _services(features: tuple[str, ...]) -> tuple[str, ...]:
    services = tuple(dict.fromkeys(name for name in features if ":" not in name))
    for name in services:
        if not NAME.fullmatch(name):
            raise UsageError(f"{name!r} names no feature and no service; write a feature as view:field")
    return services


@lru_cache(maxsize=1000)
def _by_view(features: tuple[str, ...]) -> Mapping[str, tuple[str, ...]]:
    """The fields of each view or alias; an application asks for the same ones again and again."""
    asked: dict[str, list[str]] = {}
    for feature in features:
        view, colon, name = feature.partition(":")
        if not (colon and NAME.fullmatch(view) and name):
            raise UsageError(f"{feature!r} names no feature; write it as view:field")
        if name not in asked.setdefault(view, []):
            asked[view].append(name)
    if not asked:
        raise UsageError("no features are asked for; name them as view:field, or name a feature service")
    return MappingProxyType({view: tuple(names) for view, names in asked.items()})


def _part(name: str, slots: Slots, fields: tuple[str, ...]) -> Part:
    positions = slots.meta.positions
    try:
        places = tuple([positions[item] for item in fields])
    except KeyError as error:
        (item,) = error.args
        raise UsageError(
            f"{name!r} has no field {item!r}{did_you_mean(item, positions)}; it has {', '.join(positions)}"
        ) from None
    return Part(name, slots, _column_names(name, fields), places)


@lru_cache(maxsize=1000)
def _column_names(name: str, fields: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{name}__{item}" for item in fields)
