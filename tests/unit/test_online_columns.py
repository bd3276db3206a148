"""Columns go to the wire as their values do, one by one."""

from __future__ import annotations

import math
import struct
from typing import Any

import hiredis
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skewless import types
from skewless.online.codec import NIL, encoder, row_encoder
from skewless.online.columns import (
    buckets,
    commands,
    entity_keys,
    packed_column,
    packed_nil,
    packed_rows,
    packed_slots,
)
from skewless.online.keys import KeyKind, entity_key
from skewless.online.records import encode_slots
from skewless.timeline import from_micros
from skewless.types import DType

TIMES = st.integers(0, 2**53).map(from_micros)
SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "bool": st.booleans(),
    "int32": st.integers(-(2**31), 2**31 - 1),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "float32": st.floats(width=32),
    "float64": st.floats(),
    "string": st.text(max_size=40) | st.integers(250, 300).map("é".__mul__),
    "bytes": st.binary(max_size=40) | st.just(b"x" * 70_000),
    "timestamp": TIMES,
}
DTYPES = [*types.SCALARS, *map(types.Array, types.SCALARS)]


def values_of(dtype: DType) -> st.SearchStrategy[Any]:
    if dtype.element is None:
        return st.none() | SCALARS[dtype.name]
    return st.none() | st.lists(values_of(dtype.element), max_size=20)


def column_of(dtype: DType, values: list[Any]) -> pa.Array:
    """A column that begins in the midst of its buffers, as a slice of a batch does."""
    return pa.array([None, *values, None], dtype.arrow())[1:-1]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_column_is_packed_as_its_values(dtype: DType) -> None:
    encode = encoder(dtype)

    @settings(derandomize=True, max_examples=60, deadline=None)
    @given(st.lists(values_of(dtype), max_size=12))
    def check(values: list[Any]) -> None:
        packed = packed_column(column_of(dtype, values), dtype)
        assert packed.to_pylist() == [encode(value) for value in values]

    check()


@pytest.mark.parametrize("name", ["float32", "float64"])
def test_every_nan_is_the_same(name: str) -> None:
    odd = {"float32": "ffc00001", "float64": "fff8000000000001"}[name]
    layout = ">f" if name == "float32" else ">d"
    dtype = types.parse(name)
    (value,) = struct.unpack(layout, bytes.fromhex(odd))
    column = pa.array([value, math.nan, -0.0], dtype.arrow())
    assert packed_column(column, dtype).to_pylist() == [
        encoder(dtype)(item) for item in (value, math.nan, -0.0)
    ]


def test_rows_and_slots_are_packed_as_one_by_one() -> None:
    dtypes = [types.Int64, types.Float32, types.String, types.Array(types.Float32)]
    rows = [(1, 0.5, "a", [0.5, None]), (None, None, None, None), (-1, -0.0, "", [])]
    columns = [
        column_of(dtype, list(values)) for dtype, values in zip(dtypes, zip(*rows, strict=True), strict=True)
    ]
    encode = row_encoder(dtypes)
    packed = packed_rows(columns, dtypes)
    assert packed.to_pylist() == [encode(row) for row in rows]
    assert packed_slots(7, packed).to_pylist() == [encode_slots(7, encode(row)) for row in rows]
    gone = packed_slots(9, packed_nil(3), 7, packed)
    assert gone.to_pylist() == [encode_slots(9, NIL, 7, encode(row)) for row in rows]
    wide = [types.Bool] * 20  # more than the shortest header holds
    assert packed_rows([pa.array([None], pa.bool_())] * 20, wide).to_pylist() == [
        row_encoder(wide)([None] * 20)
    ]


OF_ONE_WIDTH = [types.Bool, types.Int32, types.Int64, types.Float32, types.Float64, types.Timestamp]
WIDE = [types.Float64] * 33  # more bytes than the shortest header holds


@pytest.mark.parametrize("dtypes", [OF_ONE_WIDTH, [types.Float32], WIDE], ids=["mixed", "one", "wide"])
def test_rows_of_one_width_are_packed_as_one_by_one(dtypes: list[types.DType]) -> None:
    encode = row_encoder(dtypes)

    @settings(derandomize=True, max_examples=60, deadline=None)
    @given(st.lists(st.tuples(*map(values_of, dtypes)), max_size=6))
    def check(rows: list[tuple[Any, ...]]) -> None:
        whole = [row for row in rows if None not in row]
        for some in (rows, whole):
            columns = [column_of(dtype, [row[place] for row in some]) for place, dtype in enumerate(dtypes)]
            assert packed_rows(columns, dtypes).to_pylist() == [encode(row) for row in some]

    check()


def test_a_row_of_one_width_is_flat_unless_it_has_a_null() -> None:
    encode = row_encoder([types.Bool, types.Int32, types.Float32])
    assert encode((True, -2, 1.0)).hex() == "c409" + "01" + "fffffffe" + "3f800000"
    assert encode((True, -2, None)).hex() == "93" + "c3" + "d3fffffffffffffffe" + "c0"


TEXTS = st.text(alphabet=st.sampled_from("a|%7C\n\0\x7f\x1fé😀"), max_size=4)


@settings(derandomize=True, max_examples=200, deadline=None)
@given(st.lists(st.tuples(TEXTS, st.integers(-(2**63), 2**63 - 1)), min_size=1, max_size=8))
def test_keys_are_made_as_one_by_one(pairs: list[tuple[str, int]]) -> None:
    kinds = [KeyKind.STRING, KeyKind.INTEGER]
    texts, numbers = (list(column) for column in zip(*pairs, strict=True))
    packed = entity_keys("v:", [pa.array(texts, pa.string()), pa.array(numbers, pa.int64())], kinds)
    assert packed.to_pylist() == [f"v:{entity_key(pair, kinds)}".encode() for pair in pairs]


def test_a_key_with_a_null_is_null() -> None:
    packed = entity_keys("", [pa.array([1, None]), pa.array(["a", "b"])], [KeyKind.INTEGER, KeyKind.STRING])
    assert packed.to_pylist() == [b"1|a", None]


@pytest.mark.parametrize("rows", [1, 2, 3, 100])
def test_commands_are_what_a_server_reads(rows: int) -> None:
    keys = pa.array([b"skipped", b"k1", b"k\r\n2", b"k" * 300], pa.large_binary())[1:]
    values = pa.array([b"skipped", b"", b"$1\r\n", b"v" * 70_000], pa.large_binary())[1:]
    packed, starts = commands("MSETNX", keys, values, rows=rows)
    read = parsed(packed)
    assert all(name == b"MSETNX" for name, *_ in read)
    assert [len(command) for command in read] == [1 + 2 * n for n in chunks(3, rows)]
    assert starts == [*range(0, 3, rows)]
    flat = [item for _, *items in read for item in items]
    assert flat == [item for pair in zip(keys.to_pylist(), values.to_pylist(), strict=True) for item in pair]


def chunks(total: int, size: int) -> list[int]:
    return [min(size, total - start) for start in range(0, total, size)]


def parsed(packed: bytes) -> list[list[bytes]]:
    parser = hiredis.Reader()
    parser.feed(packed)
    return list(iter(parser.gets, False))


def test_commands_without_values() -> None:
    keys = pa.array([b"k1", b"k2", b"k3"], pa.large_binary())
    packed, starts = commands("UNLINK", keys, rows=2)
    assert parsed(packed) == [[b"UNLINK", b"k1", b"k2"], [b"UNLINK", b"k3"]]
    assert starts == [0, 2]


def test_commands_of_nothing_are_none() -> None:
    assert commands("MGET", pa.array([], pa.large_binary())) == (b"", [])


@settings(derandomize=True, max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 300), min_size=1, max_size=60), st.integers(1, 20))
def test_a_command_is_as_large_as_it_may_be_and_larger_only_by_one_row(sizes: list[int], rows: int) -> None:
    keys = pa.array([b"k"] * len(sizes), pa.large_binary())
    values = pa.array([b"v" * size for size in sizes], pa.large_binary())
    packed, starts = commands("MSET", keys, values, rows=rows, size=500)
    read = [command[1:] for command in parsed(packed)]
    assert [len(items) // 2 for items in read] == list(np.diff([*starts, len(sizes)]))
    taken = [sum(map(wired, items)) for items in read]
    for here, size, after in zip(read, taken, [*read[1:], None], strict=True):
        assert len(here) == 2 or (size <= 500 and len(here) <= 2 * rows)
        assert after is None or len(here) == 2 * rows or size + sum(map(wired, after[:2])) > 500


def wired(item: bytes) -> int:
    """The bytes of an argument in the protocol."""
    return len(f"${len(item)}\r\n\r\n") + len(item)


def test_names_fall_into_buckets_evenly_and_always_into_the_same() -> None:
    names = pa.array([f"v:user-{number}" for number in range(20_000)]).cast(pa.large_binary())
    numbers = buckets(names, 7)
    sizes = np.bincount(numbers, minlength=7)
    assert len(sizes) == 7
    assert (abs(sizes - 20_000 / 7) < 300).all()
    assert (buckets(names[5_000:5_010], 7) == numbers[5_000:5_010]).all()
    assert len(set(buckets(pa.array([b"x", b"x"], pa.large_binary()), 1000).tolist())) == 1
