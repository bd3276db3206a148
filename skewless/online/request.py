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

from skewless.errors import OnlineError, UsageError, did_you_mean
from skewless.online.answer import Answer, Part, served_at
from skewless.online.entities import Entities
from skewless.online.keys import KeyKind, ViewKeys, service_key
from skewless.online.lookup import Command, Lookup, Naming, Pin
from skewless.online.services import no_service, unpack_features
from skewless.online.slots import Slots
from skewless.timeline import Clock

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
    """What a reader remembers: of each view its epoch and meta, of each service what its record said."""

    namespace: str
    pins: dict[str, Pin] = field(default_factory=dict)
    services: dict[str, bytes] = field(default_factory=dict)

    def lookup(self, view: str, entities: Entities, namings: Sequence[Naming]) -> Lookup:
        """A lookup that begins with what was seen last."""
        return Lookup(ViewKeys(self.namespace, view), entities, namings, self.pins.get(view))

    def asking(self, services: Sequence[str]) -> list[Command]:
        """What asks for the records of services."""
        return [("GET", service_key(self.namespace, name)) for name in services]

    def learn(self, services: Sequence[str], replies: Sequence[bytes | None]) -> bool:
        """Keep the services' features; whether one is not what it was."""
        changed = False
        for name, raw in zip(services, replies, strict=False):  # behind them stand the replies to others
            if raw is None:
                raise no_service(self.namespace, name)
            if raw != self.services.get(name):
                unpack_features(name, raw)  # what is kept can be read
                self.services[name], changed = raw, True
        return changed


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
        wish, lookups = yield from self._settled()
        return self._answered(wish, lookups, clock.now())

    def key_kinds(self) -> Conversation[dict[str, KeyKind]]:
        """Ask for the keys that an entity must have, and whether each is a string or an integer."""
        _, lookups = yield from self._settled()
        return {
            naming.keys.get(key, key): kind
            for lookup in lookups
            for naming in lookup.namings
            for key, kind in lookup.settled_slots.meta.keys
        }

    def _settled(self) -> Conversation[tuple[Wish, list[Lookup]]]:
        services = [name for name in self.features if ":" not in name]
        if unknown := [name for name in services if name not in self.memory.services]:
            self.memory.learn(unknown, (yield self.memory.asking(unknown)))
        for _ in range(_ROUNDS):
            wish = self._wish(services)
            lookups = self._lookups(wish)
            if not (yield from _exchange(self.memory, lookups, services)):
                continue  # a service is another one now
            yield from _settle(self.memory, lookups)
            return wish, lookups
        raise OnlineError(f"the services {', '.join(services)} changed {_ROUNDS} times during one lookup")

    def _wish(self, services: Sequence[str]) -> Wish:
        """The features by view and alias, those of the services among them."""
        if not services:
            return Wish(_by_view(tuple(self.features)), self.aliases)
        aliases = dict(self.aliases)
        features: list[str] = []
        for name in self.features:
            if name not in services:
                features.append(name)
                continue
            for feature in unpack_features(name, self.memory.services[name]):
                features.append(feature if isinstance(feature, str) else _aliased(feature, aliases))
        return Wish(_by_view(tuple(features)), aliases)

    def _lookups(self, wish: Wish) -> list[Lookup]:
        namings: dict[str, list[Naming]] = {}
        for name in wish.fields:
            namings.setdefault(wish.view_of(name), []).append(wish.naming(name))
        return [self.memory.lookup(view, self.entities, found) for view, found in namings.items()]

    def _answered(self, wish: Wish, lookups: Sequence[Lookup], now: datetime) -> Answer:
        parts, views = {}, {}
        for lookup in lookups:
            slots = lookup.settled_slots
            served = served_at(slots, now)
            for number, naming in enumerate(lookup.namings):
                start = number * self.entities.count
                own = slots if len(lookup.namings) == 1 else slots.part(start, self.entities.count)
                parts[naming.name] = _part(naming.name, own, wish.fields[naming.name])
                views[naming.name] = served
        return Answer(
            self.entities, [parts[name] for name in wish.fields], {name: views[name] for name in wish.fields}
        )


def _settle(memory: Memory, lookups: Sequence[Lookup]) -> Conversation[None]:
    """Ask again until each view has settled."""
    for _ in range(_ROUNDS):
        pending = [lookup for lookup in lookups if not lookup.settled]
        if not pending:
            return
        yield from _exchange(memory, pending)
    raise OnlineError(
        f"{pending[0].keys.view!r} changed {_ROUNDS} times during one lookup; look at its publishers"
    )


def _exchange(memory: Memory, lookups: Sequence[Lookup], services: Sequence[str] = ()) -> Conversation[bool]:
    """Ask for views, and beside them whether services are what they were; False: one is not."""
    groups = [lookup.commands() for lookup in lookups]
    replies = yield [*memory.asking(services), *(command for group in groups for command in group)]
    if services and memory.learn(services, replies):
        return False
    taken = iter(replies[len(services) :])
    for lookup, group in zip(lookups, groups, strict=True):
        lookup.accept([next(taken) for _ in group])
        if lookup.pin:
            memory.pins[lookup.keys.view] = lookup.pin
    return True


def _aliased(feature: Sequence[str], aliases: dict[str, Alias]) -> str:
    """The name of a service's feature of an alias, which is entered."""
    name, real, *pairs = feature
    aliases[name.partition(":")[0]] = Alias(
        real.partition(":")[0], dict(zip(pairs[::2], pairs[1::2], strict=True))
    )
    return name


@lru_cache(maxsize=1000)
def _by_view(features: tuple[str, ...]) -> Mapping[str, tuple[str, ...]]:
    """The fields of each view or alias; an application asks for the same ones again and again."""
    asked: dict[str, list[str]] = {}
    for feature in features:
        view, colon, name = feature.partition(":")
        if not (view and colon and name):
            raise UsageError(f"{feature!r} names no feature; write it as view:field")
        if name not in asked.setdefault(view, []):
            asked[view].append(name)
    if not asked:
        raise UsageError("no features are asked for; name them as view:field, or name a feature service")
    return MappingProxyType({view: tuple(names) for view, names in asked.items()})


def _part(name: str, slots: Slots, fields: tuple[str, ...]) -> Part:
    positions = slots.meta.positions
    for item in fields:
        if item not in positions:
            raise UsageError(
                f"{name!r} has no field {item!r}{did_you_mean(item, positions)}; it has {', '.join(positions)}"
            )
    return Part(slots, _column_names(name, fields), tuple([positions[item] for item in fields]))


@lru_cache(maxsize=1000)
def _column_names(name: str, fields: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{name}__{item}" for item in fields)
