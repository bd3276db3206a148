"""The total order of values, by hand, for each type that a column may have."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from skewless.offline.ordering import ranks

INF, NAN = float("inf"), float("nan")
ORDERS: list[tuple[pa.DataType, list[Any]]] = [
    (pa.float64(), [None, -INF, -1.5, -5e-324, -0.0, 0.0, 5e-324, 1.5, INF, NAN]),
    (pa.float32(), [None, -INF, -1.5, -0.0, 0.0, 1.5, INF, NAN]),
    (pa.int64(), [None, -(2**63), -1, 0, 1, 2**53, 2**53 + 1, 2**63 - 1]),
    (pa.int32(), [None, -(2**31), 0, 2**31 - 1]),
    (pa.bool_(), [None, False, True]),
    (
        pa.string(),
        [None, "", "A", "Z", "a", "ab", "b", "é", "日本", "\uffee", "😀"],
    ),  # UTF-8, not UTF-16: 😀 last
    (pa.binary(), [None, b"", b"\x00", b"\x00\x01", b"\x7f", b"\x80", b"\xff"]),
    (pa.decimal128(38, 2), [None, Decimal("-10.00"), Decimal("-9.99"), Decimal("0.00"), Decimal("10.01")]),
    (
        pa.timestamp("us", tz="UTC"),
        [None, *(datetime(year, 1, 1, microsecond=1, tzinfo=UTC) for year in (1800, 1969, 2013))],
    ),
    (pa.date32(), [None, date(1969, 12, 31), date(1970, 1, 1), date(2013, 7, 1)]),
]


@pytest.mark.parametrize(("kind", "values"), ORDERS, ids=[str(kind) for kind, _ in ORDERS])
def test_values_stand_in_order_and_equal_ones_together(kind: pa.DataType, values: list[Any]) -> None:
    shuffled = np.random.default_rng(7).permutation(np.repeat(np.arange(len(values)), 2))
    keys = ranks(pa.array([values[place] for place in shuffled], type=kind))
    order = np.lexsort(keys[::-1])
    assert shuffled[order].tolist() == sorted(shuffled.tolist())
    distinct = set(zip(*(key.tolist() for key in keys), strict=True))
    assert len(distinct) == len(values)


def test_every_nan_is_one_value() -> None:
    negative_nan = np.array([0xFFF8000000000001], dtype=np.uint64).view(np.float64)[0]
    (keys,) = ranks(pa.array([negative_nan, NAN]))
    assert keys[0] == keys[1]


@pytest.mark.parametrize("kind", [kind for kind, _ in ORDERS], ids=str)
def test_a_column_without_values_has_an_order_too(kind: pa.DataType) -> None:
    for column in (pa.array([], type=kind), pa.nulls(2, type=kind)):
        for key in ranks(column):
            assert len(key) == len(column)
            assert len(set(key.tolist())) <= 1
