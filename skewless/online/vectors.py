"""Slots as numpy arrays, a column at a time.

Flat rows have each value at one place: so many entities are read as one matrix, with no loop over them. Whatever lies
otherwise (a null, a text, another encoding) is read row by row.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from skewless.online.layouts import NUMPY, Array, Layout
from skewless.online.slots import Slots
from skewless.timeline import to_micros
from skewless.types import DType

_FIRST, _LAST = to_micros(datetime.min.replace(tzinfo=UTC)), to_micros(datetime.max.replace(tzinfo=UTC))
_NULLS: dict[str, Any] = {"f": np.nan, "M": np.datetime64("NaT"), "b": np.ma.masked, "i": np.ma.masked}


def arrays(slots: Slots, positions: Sequence[int]) -> list[Array]:
    """The columns at those places of meta's fields, one value for each entity.

    Floats and timestamps have NaN and NaT for null; bools and integers are masked arrays; texts, binaries and
    arrays are arrays of Python objects. OnlineError where a value does not parse.
    """
    layout = slots.meta.layout
    if layout is None or not slots.live or not slots.raws:
        return _row_by_row(slots, positions)
    return _as_matrix(slots, positions, layout)


def _row_by_row(slots: Slots, positions: Sequence[int]) -> list[Array]:
    rows, dtypes = slots.own_rows(), slots.meta.dtypes
    return [_column(dtypes[position], [row[position] for row in rows]) for position in positions]


def _as_matrix(slots: Slots, positions: Sequence[int], layout: Layout) -> list[Array]:
    """The same; what is not there has a stand-in's place, and what lies otherwise is read row by row and put in."""
    raws, absent = _filled(slots)
    odd: list[int] = []
    if not layout.fit(raws):
        odd = [place for place, raw in enumerate(raws) if not layout.fit((raw,))]
        places = {*odd}
        raws = [slots.meta.stand_in if place in places else raw for place, raw in enumerate(raws)]
    joined = layout.joined(raws)
    odd += layout.otherwise(raws, joined, slots.pointer.generation)
    columns = layout.columns(joined, len(raws), positions)
    odd += {place for column in columns if column.dtype.kind == "M" for place in _beyond_python(column)} - {
        *odd
    }
    if absent:
        for column, position in zip(columns, positions, strict=True):
            if slots.meta.absent[position] is None:
                column[absent] = _NULLS[column.dtype.kind]
    if odd:
        rest = _row_by_row(slots.at(odd), positions)
        for column, found in zip(columns, rest, strict=True):
            column[odd] = found
    return columns


def _filled(slots: Slots) -> tuple[Sequence[bytes], list[int]]:
    """The entities, with stand-ins for those that are not there; and where those are."""
    raws, stand_in = slots.raws, slots.meta.stand_in
    if None not in raws:
        return raws, []  # type: ignore[return-value]
    absent = [place for place, raw in enumerate(raws) if raw is None]
    return [stand_in if raw is None else raw for raw in raws], absent


def _beyond_python(times: Array) -> list[int]:
    """Where a time is none that Python can tell: row by row that is an error."""
    micros = times.view("i8")
    places: list[int] = np.flatnonzero((micros < _FIRST) | (micros > _LAST)).tolist()
    return places


def _column(dtype: DType, values: list[Any]) -> Array:
    """Python values as numpy has them."""
    if dtype.name not in NUMPY:
        column: Array = np.empty(len(values), object)
        for place, value in enumerate(values):
            column[place] = value
        return column
    if dtype.name == "timestamp":
        values = [None if value is None else to_micros(value) for value in values]
    null = [value is None for value in values]
    plain = np.array([0 if value is None else value for value in values], NUMPY[dtype.name])
    if plain.dtype.kind in "bi":
        return np.ma.array(plain, mask=null)
    plain[null] = _NULLS[plain.dtype.kind]
    return plain
