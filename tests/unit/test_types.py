"""Dtypes: their names, what they accept, and the bits that they hold."""

import math
import struct
from datetime import UTC, datetime, timedelta, timezone

import pyarrow as pa
import pytest

from skewless import types
from skewless.types import Array, Bool, Bytes, DType, Float32, Float64, Int32, Int64, String, Timestamp

NOON = datetime(2013, 7, 1, 12, tzinfo=UTC)
ACCEPTED = [
    (Bool, True),
    (Int32, 2**31 - 1),
    (Int32, -(2**31)),
    (Int64, 2**63 - 1),
    (Float32, 1),
    (Float32, math.nan),
    (Float32, -math.inf),
    (Float64, 1e300),
    (String, ""),
    (Bytes, b"\x00"),
    (Timestamp, NOON),
    (Array(Float32), [1.5, 2]),
    (Array(String), ()),
]
REFUSED = [
    (Bool, 1),
    (Int32, True),
    (Int32, 2**31),
    (Int64, 2**63),
    (Int64, 1.0),
    (Float32, 1e300),
    (Float64, 10**400),
    (Float64, "1"),
    (Float64, False),
    (String, b"a"),
    (Bytes, "a"),
    (Timestamp, "2013-07-01"),
    (Array(Float32), 1.5),
    (Array(Float32), [1.5, None]),
    (Array(Int32), [True]),
]


@pytest.mark.parametrize("dtype", [*types.SCALARS, *map(Array, types.SCALARS)])
def test_every_dtype_is_found_by_its_name_and_has_an_arrow_type(dtype: DType):
    assert types.parse(str(dtype)) == dtype
    assert isinstance(dtype.arrow(), pa.DataType)


def test_arrow_and_spark_have_a_type_for_each():
    assert Timestamp.arrow() == pa.timestamp("us", tz="UTC")
    assert Array(Float32).arrow() == pa.list_(pa.float32())
    assert (Int64.spark, Array(Float64).spark) == ("bigint", "array<double>")


@pytest.mark.parametrize(("dtype", "value"), ACCEPTED)
def test_values_of_the_dtype_are_accepted(dtype: DType, value: object):
    assert dtype.accepts(value)


@pytest.mark.parametrize(("dtype", "value"), REFUSED)
def test_values_of_another_dtype_are_refused(dtype: DType, value: object):
    assert not dtype.accepts(value)


def test_a_float_is_held_as_its_width_holds_it():
    assert Float32.canonical(0.1) == struct.unpack("<f", struct.pack("<f", 0.1))[0] != 0.1
    assert Float64.canonical(0.1) == 0.1
    assert isinstance(Float64.canonical(1), float)
    assert math.copysign(1, Float32.canonical(-0.0)) == -1


def test_nan_is_canonical():
    odd_nan = struct.unpack("<d", struct.pack("<Q", 0xFFF8000000000001))[0]
    assert struct.pack("<d", Float64.canonical(odd_nan)) == struct.pack("<d", math.nan)


def test_timestamps_are_held_in_utc_and_arrays_as_tuples():
    assert Timestamp.canonical(NOON.replace(tzinfo=None)) == NOON
    held = Timestamp.canonical(NOON.astimezone(timezone(timedelta(hours=2))))
    assert held.tzinfo is UTC
    assert Array(Float32).canonical([1, 0.1]) == (1.0, Float32.canonical(0.1))


def test_an_array_of_arrays_is_refused():
    with pytest.raises(ValueError, match="an array of array<int32> cannot be carried online"):
        Array(Array(Int32))


def test_an_unknown_dtype_is_refused_with_those_that_there_are():
    with pytest.raises(ValueError, match="unknown dtype 'float16'; known are bool, int32"):
        types.parse("float16")


def test_an_array_of_what_is_no_dtype_says_what_would_be_one():
    with pytest.raises(ValueError, match=r"an array of <class 'int'> has no dtype; .* e\.g\. Float32"):
        types.Array(int)
