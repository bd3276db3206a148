"""Entities read as one matrix have the values that they have row by row."""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skewless import types
from skewless.errors import OnlineError
from skewless.online.codec import NIL, row_encoder
from skewless.online.keys import KeyKind
from skewless.online.records import Meta, Pointer, encode_slots
from skewless.online.slots import Slots
from skewless.online.vectors import arrays
from skewless.timeline import from_micros, to_micros

FIELDS = {
    "flag": types.Bool,
    "small": types.Int32,
    "big": types.Int64,
    "ratio": types.Float32,
    "exact": types.Float64,
    "at": types.Timestamp,
}
TEXTS = FIELDS | {"word": types.String}
FEW = {"ratio": types.Float32}
ALIKE = {"small": types.Int32, "other": types.Int32}
POINTER = Pointer(1, 5, 3, from_micros(0))
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "flag": st.booleans(),
    "small": st.integers(-(2**31), 2**31 - 1),
    "other": st.integers(-(2**31), 2**31 - 1),
    "big": st.integers(-(2**63), 2**63 - 1),
    "ratio": st.floats(width=32),
    "exact": st.floats(),
    "at": st.integers(-(2**40), 2**50).map(from_micros),
    "word": st.text(max_size=40),
}


def meta_of(fields: dict[str, types.DType], absent: tuple[Any, ...] | None = None) -> Meta:
    nothing = tuple(None for _ in fields)
    return Meta("f", (("user_id", KeyKind.INTEGER),), tuple(fields.items()), absent or nothing, nothing)


def some_row(fields: dict[str, types.DType]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.tuples(*(VALUES[name] | st.none() for name in fields))


def entities(fields: dict[str, types.DType], nulls: bool) -> st.SearchStrategy[list[bytes | None]]:
    """Of every state: both slots, one, tombstones, of generations that are live, past, and not yet live; or none."""
    named = [VALUES[name] if not nulls else VALUES[name] | st.none() for name in fields]
    row = st.tuples(*named).map(row_encoder(fields.values()))
    tombstone = row | st.just(NIL) if nulls else row
    generation = st.integers(4, 6) if nulls else st.integers(4, 5)
    both = st.builds(encode_slots, generation, tombstone, st.integers(1, 4), tombstone)
    one = st.builds(encode_slots, generation, row)
    return st.lists(both | one | st.none() if nulls else both | one, max_size=8)


def as_told(value: Any) -> Any:
    """A value, or a null, as an array tells it: floats by their bits."""
    if isinstance(value, float | np.floating):
        return "nan" if math.isnan(value) else struct.pack(">d", value)
    if isinstance(value, np.datetime64):
        return None if np.isnat(value) else value.astype("i8").item()
    if value is np.ma.masked:
        return None
    return value.item() if isinstance(value, np.generic) else value


def expected(dtype: types.DType, value: Any) -> Any:
    if value is None:
        return "nan" if dtype in types.FLOATS else None
    return to_micros(value) if dtype.name == "timestamp" else as_told(value)


@pytest.mark.parametrize("fields", [FIELDS, FEW, ALIKE, TEXTS], ids=["all", "one", "alike", "texts"])
@pytest.mark.parametrize("nulls", [False, True])
@pytest.mark.parametrize("live", [False, True])
@settings(derandomize=True, max_examples=150, deadline=None)
@given(data=st.data())
def test_arrays_have_the_values_of_the_rows(
    fields: dict[str, types.DType], nulls: bool, live: bool, data: Any
) -> None:
    raws, absent = data.draw(entities(fields, nulls)), data.draw(some_row(fields))
    slots = Slots(meta_of(fields, absent), POINTER, live, [str(number) for number in range(len(raws))], raws)
    positions = [*range(len(fields))][::-1]
    rows = slots.rows()
    for position, array in zip(positions, arrays(slots, positions), strict=True):
        dtype = list(fields.values())[position]
        assert list(map(as_told, array)) == [expected(dtype, row[position]) for row in rows]


def test_a_time_that_python_cannot_tell_is_an_error_as_it_is_in_rows() -> None:
    fields = {"small": types.Int32, "at": types.Timestamp}
    for micros in (2**62, -(2**63)):
        raws = [encode_slots(5, row_encoder(fields.values())((1, t))) for t in (0, micros)]
        slots = Slots(meta_of(fields), POINTER, True, ["1", "2"], raws)
        for read in (slots.rows, lambda slots=slots: arrays(slots, [0, 1])):
            with pytest.raises(OnlineError, match="'2' is not readable"):
                read()


def test_bytes_of_the_right_length_that_lie_otherwise_are_not_taken_for_values() -> None:
    good = encode_slots(5, row_encoder(FEW.values())([1.5]))
    for place in (0, 1, 6, 7, 12, 17):  # wherever a layout has a byte that is always the same
        torn = good[:place] + b"\xa4" + good[place + 1 :]
        slots = Slots(meta_of(FEW), POINTER, True, ["1", "2"], [good, torn])
        with pytest.raises(OnlineError, match="'2' is not readable"):
            arrays(slots, [0])
