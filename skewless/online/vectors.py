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


def _all_alike(slots: Slots, positions: Sequence[int]) -> list[Array] | None:
    """The columns, if all entities lie as the layout says."""
    layout, raws = slots.meta.layout, slots.raws
    if layout is None or not raws or not slots.live or None in raws or not layout.fit(raws):  # type: ignore[arg-type]
        return None
    values, good = layout.rows(raws, slots.pointer.generation)  # type: ignore[arg-type]
    return layout.columns(values, positions) if good is None else None


def _mixed(slots: Slots, positions: Sequence[int]) -> list[Array]:
    """The columns, entities that lie as the layout says at once, and the rest row by row."""
    columns = [_Column.of(slots.meta.dtypes[position], len(slots.names)) for position in positions]
    rest = _fill_by_layout(slots, positions, columns) if slots.live else range(len(slots.names))
    rows = slots.at(rest).own_rows()
    for column, position in zip(columns, positions, strict=True):
        column.put(rest, [row[position] for row in rows])
    return [column.finished() for column in columns]


def _fill_by_layout(slots: Slots, positions: Sequence[int], columns: Sequence[_Column]) -> Sequence[int]:
    """Fill the columns where the layout fits; give the places that are left."""
    layout, everywhere = slots.meta.layout, range(len(slots.raws))
    if layout is None:
        return everywhere
    fitting = {place: raw for place, raw in enumerate(slots.raws) if raw is not None and layout.fit((raw,))}
    values, good = layout.rows([*fitting.values()], slots.pointer.generation)
    where = np.array([*fitting], int)
    if good is not None:
        where, values = where[good], values[good]
    if not len(where):
        return everywhere
    for column, found in zip(columns, layout.columns(values, positions), strict=True):
        column.values[where] = found
    filled = {*where.tolist()}
    return [place for place in everywhere if place not in filled]


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
