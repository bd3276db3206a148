"""Where a spine's rows lie in time, told by one pass: spans parted by long gaps, and instants that divide it evenly."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from skewless.errors import UsageError
from skewless.offline.spine import SpineTimes, as_spark, check_times
from skewless.timeline import to_micros

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BEGIN = datetime(2025, 3, 1, tzinfo=UTC)
STRAY = datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)


def told(spark: SparkSession, times: Sequence[datetime | None]) -> SpineTimes | None:
    kind = pa.timestamp("us", tz="UTC")
    table = pa.table({"at": pa.array(times, type=kind)})
    return check_times(as_spark(spark, table, ""), "at", NOW)


def test_parts_divide_the_rows_evenly_and_spans_leave_out_what_lies_far_apart(spark: SparkSession) -> None:
    seconds = np.sort(np.random.default_rng(1).integers(0, 10 * 86_400, 6400))
    times = [BEGIN + timedelta(seconds=int(second)) for second in seconds]
    found = told(spark, [STRAY, *times])
    assert found is not None
    assert found.rows == 6401
    midnight = datetime(1970, 1, 1, tzinfo=UTC)
    assert found.spans == (
        (STRAY, midnight - timedelta(microseconds=1)),
        (BEGIN, times[-1]),
    )
    edges = np.searchsorted([to_micros(time) for time in times], [*found.parts, to_micros(times[-1])])
    assert len(found.parts) == 63
    assert all(70 <= size <= 130 for size in np.diff(edges))


def test_rows_of_one_instant_are_one_part(spark: SparkSession) -> None:
    found = told(spark, [BEGIN] * 3)
    assert found == SpineTimes(3, ((BEGIN, BEGIN),), (to_micros(BEGIN),))


def test_an_empty_spine_has_no_times(spark: SparkSession) -> None:
    assert told(spark, []) is None


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (None, "1 of the spine's 2 rows have no 'at'"),
        (NOW + timedelta(microseconds=1), "1 of the spine's 2 rows lie after now"),
        (datetime(1799, 12, 31, tzinfo=UTC), "1 of the spine's 2 rows lie before 1800-01-01"),
    ],
)
def test_a_row_that_asks_at_no_possible_time_is_counted(
    spark: SparkSession, wrong: datetime | None, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        told(spark, [BEGIN, wrong])
