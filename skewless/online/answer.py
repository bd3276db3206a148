"""What a lookup found: rows, columns or arrays, and what each view was answered from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from itertools import chain
from operator import itemgetter
from typing import Any, Literal

from skewless.errors import UsageError
from skewless.online.entities import Entities
from skewless.online.layouts import Array
from skewless.online.records import Row
from skewless.online.slots import Slots
from skewless.online.vectors import arrays


@dataclass(frozen=True, slots=True)
class Served:
    """What of one view a lookup was answered from; `age` is the snapshot's, by the reader's clock."""

    snapshot_time: datetime
    generation: int
    flip: int
    age: timedelta
    state: Literal["live", "expired"]


def served_at(slots: Slots, now: datetime) -> Served:
    """What of a view a lookup at that time was answered from."""
    pointer = slots.pointer
    state: Literal["live", "expired"] = "live" if slots.live else "expired"
    return Served(pointer.snapshot_time, pointer.generation, pointer.flip, now - pointer.snapshot_time, state)


@dataclass(frozen=True, slots=True)
class Part:
    """What one view, or one alias, gives: the features' names, and where their fields stand in meta's order."""

    name: str
    slots: Slots
    names: tuple[str, ...]
    positions: tuple[int, ...]

    def rows(self) -> list[Row]:
        """The values of the features, for each entity."""
        return self.picked(self.slots.own_rows())

    def picked(self, rows: list[Row]) -> list[Row]:
        """The values of the features, of rows in meta's order."""
        if self.positions == (*range(len(self.slots.meta.fields)),):
            return rows
        pick = itemgetter(*self.positions)
        return [(pick(row),) for row in rows] if len(self.positions) == 1 else list(map(pick, rows))


@dataclass(frozen=True)
class Answer:
    """The features of the entities, in their order, as they were at some instant.

    Values are unpacked when they are asked for: OnlineError where one does not parse.
    """

    entities: Entities
    parts: Sequence[Part]
    at: datetime

    @cached_property
    def views(self) -> dict[str, Served]:
        """What each view or alias was answered from."""
        return {part.name: served_at(part.slots, self.at) for part in self.parts}

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """Per entity its own columns, then `<view>__<field>` per feature; UsageError where a name is there twice."""
        return self.named([part.rows() for part in self.parts])

    def named(self, values: Sequence[Sequence[Row]]) -> list[dict[str, Any]]:
        """The same of values that are at hand: for each part, of each entity those of its features."""
        rows = self.entities.as_rows()
        taken = set(chain.from_iterable(rows))
        for part, found in zip(self.parts, values, strict=True):
            if not taken.isdisjoint(part.names):
                raise _there_twice(taken & set(part.names))
            for row, own in zip(rows, found, strict=True):
                row.update(zip(part.names, own, strict=True))
        return rows

    @cached_property
    def columns(self) -> dict[str, list[Any]]:
        """By `<view>__<field>` the Python values, one for each entity."""
        columns: dict[str, list[Any]] = {}
        for part in self.parts:
            by_field = [list(column) for column in zip(*part.rows(), strict=True)]
            columns |= zip(part.names, by_field or [[] for _ in part.names], strict=True)
        return columns

    def numpy(self) -> dict[str, Array]:
        """By `<view>__<field>` an array with one value for each entity, made without a loop over them where possible.

        float32 and float64, and timestamps as datetime64[us], have NaN and NaT for null; bool, int32 and int64 are
        masked arrays; strings, bytes and lists are arrays of Python objects.
        """
        found: dict[str, Array] = {}
        for part in self.parts:
            found |= zip(part.names, arrays(part.slots, part.positions), strict=True)
        return found


def _there_twice(names: set[str]) -> UsageError:
    return UsageError(f"an entity row has a column {min(names)!r} already, which is the feature's; rename it")
