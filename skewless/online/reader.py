"""Online lookups: one round trip, one generation of each view, no logic beyond a comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Literal

from skewless.errors import OnlineError, UsageError, did_you_mean
from skewless.online.connection import address_of, client, translated
from skewless.online.keys import KeyKind, ViewKeys
from skewless.online.lookup import CHUNK, Lookup, Pin, row_of
from skewless.online.records import Meta, Row
from skewless.timeline import Clock, SystemClock

_ROUNDS = 20  # a reader that meets so many changes in one lookup meets something that is broken


@dataclass(frozen=True, slots=True)
class Served:
    """What of one view a lookup was answered from; `age` is the snapshot's, by the reader's clock."""

    snapshot_time: datetime
    generation: int
    flip: int
    age: timedelta
    state: Literal["live", "expired"]


@dataclass(frozen=True, slots=True)
class Alias:
    """A view that is looked up by other keys: `keys` has, by join key, the key of the entity rows."""

    view: str
    keys: Mapping[str, str]

    def renamed(self, name: str, entity: Mapping[str, Any]) -> Mapping[str, Any]:
        """An entity row with the view's own join keys; UsageError where it lacks one."""
        missing = [key for key in self.keys.values() if key not in entity]
        if missing:
            raise UsageError(
                f"{name!r} is looked up by {', '.join(self.keys.values())}; an entity row lacks "
                f"{', '.join(missing)}: {dict(entity)!r}"
            )
        return {key: entity[column] for key, column in self.keys.items()}


Aliases = Mapping[str, Alias]


@dataclass(frozen=True, slots=True)
class Answer:
    """The rows, in the order of the entities, and per view or alias what they are from."""

    rows: list[dict[str, Any]]
    views: dict[str, Served]


class OnlineReader:
    """Reads features by key. Safe for threads; remembers each view's epoch and meta, nothing else.

    Raises NotPublishedError, StoreUnavailable, and UsageError for a feature or join key that is not there.
    """

    def __init__(self, redis_url: str, namespace: str, clock: Clock | None = None) -> None:
        """Nothing is connected before the first lookup."""
        self._client = client(redis_url)
        self._address = address_of(redis_url)
        self._namespace = namespace
        self._clock = clock or SystemClock()
        self._pins: dict[str, Pin] = {}

    def connect(self) -> None:
        """Connect now, rather than at the first lookup."""
        with translated(self._address):
            self._client.ping()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def get(self, features: Sequence[str], entity_rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Give each row with `<view>__<field>` per "view:field": one row out per row in.

        An entity without rows, or with a null key: the view's absent row. An expired view: its expired row.
        """
        return self.read(features, entity_rows).rows

    def read(
        self,
        features: Sequence[str],
        entity_rows: Sequence[Mapping[str, Any]],
        aliases: Aliases = MappingProxyType({}),
    ) -> Answer:
        """Give the rows as `get` does, and each view's snapshot time, generation, age and state.

        aliases  by name, those among the features: "alias:field" gives `<alias>__<field>`. A view and its aliases
                 are answered from one generation
        """
        if isinstance(entity_rows, Mapping):
            raise UsageError(
                f"entity_rows is one dict, {dict(entity_rows)!r}; give a list of them, one per entity"
            )
        asked = _by_view(features)
        view_of = {name: aliases[name].view if name in aliases else name for name in asked}
        names_of = {view: [name for name in asked if view_of[name] == view] for view in view_of.values()}
        lookups = {
            view: self._lookup(view, _entities(names, entity_rows, aliases))
            for view, names in names_of.items()
        }
        self._settle(list(lookups.values()))
        rows = [dict(entity) for entity in entity_rows]
        for name, fields in asked.items():
            view = view_of[name]
            start = names_of[view].index(name) * len(rows)
            _add_columns(rows, name, lookups[view], lookups[view].rows[start : start + len(rows)], fields)
        return Answer(rows, {name: self._served(lookups[view]) for name, view in view_of.items()})

    def key_kinds(self, view: str) -> dict[str, KeyKind]:
        """The join keys of a published view, and whether each is a string or an integer."""
        lookup = self._lookup(view, ())
        self._settle([lookup])
        assert lookup.pin is not None, "a settled lookup has a pin"
        return dict(lookup.pin.meta.keys)

    def read_generation(
        self, view: str, epoch: int, generation: int, entity_keys: Sequence[str]
    ) -> tuple[Meta | None, list[Row | None]]:
        """Read rows of a generation that need not be live, by their encoded keys: for the publisher's check.

        What is not there is None.
        """
        keys = ViewKeys(self._namespace, view)
        chunks = [entity_keys[start : start + CHUNK] for start in range(0, len(entity_keys), CHUNK)]
        commands: list[tuple[str, ...]] = [("GET", keys.meta(epoch))]
        commands += [("MGET", *(keys.entity(epoch, key) for key in chunk)) for chunk in chunks]
        raw_meta, *replies = self._ask(commands)
        if raw_meta is None:
            return None, [None] * len(entity_keys)
        meta = Meta.decode(raw_meta)
        return meta, [raw and row_of(meta, raw, generation) for reply in replies for raw in reply]

    def _lookup(self, view: str, entity_rows: Sequence[Mapping[str, Any]]) -> Lookup:
        return Lookup(ViewKeys(self._namespace, view), entity_rows, self._pins.get(view))

    def _settle(self, lookups: list[Lookup]) -> None:
        pending = lookups
        for _ in range(_ROUNDS):
            groups = [lookup.commands() for lookup in pending]
            replies = iter(self._ask([command for group in groups for command in group]))
            for lookup, group in zip(pending, groups, strict=True):
                lookup.accept([next(replies) for _ in group])
                if lookup.pin:
                    self._pins[lookup.keys.view] = lookup.pin
            pending = [lookup for lookup in pending if not lookup.settled]
            if not pending:
                return
        raise OnlineError(
            f"{pending[0].keys.view!r} changed {_ROUNDS} times during one lookup; look at its publishers"
        )

    def _ask(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        with translated(self._address):
            pipeline: Any = self._client.pipeline(transaction=False)
            for command in commands:
                pipeline.execute_command(*command)
            replies: list[Any] = pipeline.execute()
        return replies

    def _served(self, lookup: Lookup) -> Served:
        pointer = lookup.pointer
        assert pointer is not None, "a settled lookup has a pointer"
        age = self._clock.now() - pointer.snapshot_time
        state: Literal["live", "expired"] = "live" if lookup.live else "expired"
        return Served(pointer.snapshot_time, pointer.generation, pointer.flip, age, state)


def _by_view(features: Sequence[str]) -> dict[str, list[str]]:
    asked: dict[str, list[str]] = {}
    for feature in features:
        view, colon, name = feature.partition(":")
        if not (view and colon and name):
            raise UsageError(f"{feature!r} names no feature; write it as view:field")
        if name not in asked.setdefault(view, []):
            asked[view].append(name)
    return asked


def _entities(
    names: Sequence[str], entity_rows: Sequence[Mapping[str, Any]], aliases: Aliases
) -> list[Mapping[str, Any]]:
    """The entity rows once for each name that a view has in a request, with the view's own join keys."""
    return [
        aliases[name].renamed(name, row) if name in aliases else row for name in names for row in entity_rows
    ]


def _add_columns(
    rows: list[dict[str, Any]], name: str, lookup: Lookup, found: Sequence[Row], fields: list[str]
) -> None:
    pin = lookup.pin
    assert pin is not None, "a settled lookup has a pin"
    positions = pin.meta.positions
    for item in fields:
        if item not in positions:
            raise UsageError(
                f"{name!r} has no field {item!r}{did_you_mean(item, positions)}; it has "
                + ", ".join(positions)
            )
        column, position = f"{name}__{item}", positions[item]
        for row, values in zip(rows, found, strict=True):
            if column in row:
                raise UsageError(
                    f"an entity row has a column {column!r} already, which is the feature's; rename it"
                )
            row[column] = values[position]
