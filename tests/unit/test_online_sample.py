"""What a publish reads back: some by lot, and what is out of the ordinary."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from skewless import types
from skewless.model import DeltaSource, Entity, FeatureView, Field
from skewless.online.rows import Shape, pieces
from skewless.online.sample import SAMPLE_ROWS, Sample

FIELDS = {"number": types.Float64, "text": types.String, "flag": types.Bool, "list": types.Array(types.Int64)}
VIEW = FeatureView(
    name="view",
    entities=[Entity(name="user", join_keys=["user"])],
    source=DeltaSource(name="events", path="events", timestamp_field="at"),
    schema=[Field(name=name, dtype=dtype) for name, dtype in FIELDS.items()],
)
USUAL = (0.5, "ab", False, [1, 2])


def taken(rows: dict[int, tuple[Any, ...]], batch: int = 700) -> Sample:
    columns = [list(rows), *(list(column) for column in zip(*rows.values(), strict=True))]
    types_of = {"user": pa.int64()} | {name: dtype.arrow() for name, dtype in FIELDS.items()}
    table = pa.table(columns, schema=pa.schema(list(types_of.items())))
    sample = Sample()
    for piece in pieces(Shape.of(VIEW, table.schema), table.to_batches(max_chunksize=batch)):
        sample.offer(piece)
    return sample


def test_the_lots_are_a_hundred_rows_of_all_parts() -> None:
    rows = {user: USUAL for user in range(5000)}
    sample = taken(rows)
    assert sample.seen == 5000
    assert SAMPLE_ROWS <= len(sample.kept) <= SAMPLE_ROWS + len(FIELDS)
    assert {key // 700 for (key,) in sample.kept} == set(range(8))
    assert all(row == USUAL for row in sample.kept.values())


def test_few_rows_are_all_taken() -> None:
    rows = {user: (float(user), None, None, None) for user in range(60)}
    assert taken(rows).kept == {(user,): row for user, row in rows.items()}


def test_extremes_and_nulls_are_among_them() -> None:
    odd: dict[int, tuple[Any, ...]] = {
        1234: (float("-inf"), "ab", False, [1, 2]),
        1235: (1e300, "ab", False, [1, 2]),
        2234: (0.5, "", False, [1, 2]),
        2235: (0.5, "long" * 100, False, [1, 2]),
        3234: (0.5, "ab", True, [1, 2]),
        4234: (0.5, "ab", False, []),
        4235: (0.5, "ab", False, [None] * 9),
        4801: (None, "ab", False, [1, 2]),
        4802: (0.5, None, False, [1, 2]),
        4803: (0.5, "ab", None, [1, 2]),
        4804: (0.5, "ab", False, None),
    }
    kept = taken({user: odd.get(user, USUAL) for user in range(5000)}).kept
    assert {user: kept.get((user,)) for user in odd} == odd


def test_a_field_of_nothing_but_nan_has_no_extremes() -> None:
    kept = taken({user: (float("nan"), "a", True, []) for user in range(3)}).kept
    assert set(kept) == {(0,), (1,), (2,)}
