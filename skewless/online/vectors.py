"""Slots as numpy arrays, a column at a time.

Flat rows have each value at one place: so many entities are read as one matrix, with no loop over them. Whatever lies
otherwise (a null, a text, another encoding) is read row by row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from skewless.online.layouts import NUMPY, Array
from skewless.online.slots import Slots
from skewless.timeline import to_micros
from skewless.types import DType


def arrays(slots: Slots, positions: Sequence[int]) -> list[Array]:
    """The columns at those places of meta's fields, one value for each entity.

    Floats and timestamps have NaN and NaT for null; bools and integers are masked arrays; texts, binaries and
    arrays are arrays of Python objects. OnlineError where a value does not parse.
    """
    return _all_alike(slots, positions) or _mixed(slots, positions)


def _mixed(slots: Slots, positions: Sequence[int]) -> list[Array]:
    """The columns, entities of each layout at once, and the rest row by row."""
    columns = [_Column.of(slots.meta.dtypes[position], len(slots.names)) for position in positions]
    rest = _fill_by_layout(slots, positions, columns) if slots.live else range(len(slots.names))
    rows = slots.at(rest).own_rows()
    for column, position in zip(columns, positions, strict=True):
        column.put(rest, [row[position] for row in rows])
    return [column.finished() for column in columns]


def _all_alike(slots: Slots, positions: Sequence[int]) -> list[Array] | None:
    """The columns, if all entities lie as one layout says."""
    lengths = {-1 if raw is None else len(raw) for raw in slots.raws} if slots.live else set()
    layout = slots.meta.layouts.get(lengths.pop()) if len(lengths) == 1 else None
    if layout is None:
        return None
    values, good = layout.rows(slots.raws, slots.pointer.generation)
    return layout.columns(values, positions) if good is None else None


def _fill_by_layout(slots: Slots, positions: Sequence[int], columns: Sequence[_Column]) -> list[int]:
    """Fill the columns where a layout fits; give the places that are left."""
    places: dict[int, list[int]] = {}
    for place, raw in enumerate(slots.raws):
        places.setdefault(-1 if raw is None else len(raw), []).append(place)
    layouts, rest = slots.meta.layouts, []
    for length, group in places.items():
        if length not in layouts:
            rest += group
            continue
        values, good = layouts[length].rows([slots.raws[place] for place in group], slots.pointer.generation)
        where = np.array(group)
        if good is not None:
            rest += where[~good].tolist()
            where, values = where[good], values[good]
        if not len(where):
            continue
        for column, found in zip(columns, layouts[length].columns(values, positions), strict=True):
            column.values[where] = found
    return rest


@dataclass(slots=True)
class _Column:
    """A column that is filled from several sides; `null` has its nulls."""

    dtype: DType
    values: Array
    null: Array

    @classmethod
    def of(cls, dtype: DType, count: int) -> _Column:
        return cls(dtype, np.zeros(count, NUMPY.get(dtype.name, object)), np.zeros(count, bool))

    def put(self, places: Sequence[int], values: list[Any]) -> None:
        """Put Python values at places."""
        if self.dtype.name == "timestamp":
            values = [None if value is None else to_micros(value) for value in values]
        if self.values.dtype == object:
            for place, value in zip(places, values, strict=True):
                self.values[place] = value
        elif len(values):
            where = np.asarray(places)
            self.values[where] = np.array(
                [0 if value is None else value for value in values], self.values.dtype
            )
            self.null[where] = [value is None for value in values]

    def finished(self) -> Array:
        """The column with its nulls as they are told."""
        if self.values.dtype.kind in "fM":
            self.values[self.null] = "NaT" if self.values.dtype.kind == "M" else np.nan
        return np.ma.array(self.values, mask=self.null) if self.values.dtype.kind in "bi" else self.values
