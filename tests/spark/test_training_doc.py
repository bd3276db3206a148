"""The worked labels of docs/semantics.md: which rows of a spine an interval has."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
from deltalake import write_deltalake
from pyspark.sql import SparkSession

from skewless import TrainingSet
from skewless.offline.source import read_source
from skewless.offline.training import labels
from tests.documents import SEMANTICS, run_python, table_of

ASKED = "a label of 1 July"
INSTANT = pa.timestamp("us", tz="UTC")


def instant(cell: str) -> datetime | None:
    """`30 Jun 23:59:59.5`, UTC; `null`."""
    if cell == "null":
        return None
    form = "%Y %d %b %H:%M:%S.%f" if "." in cell else "%Y %d %b %H:%M"
    return datetime.strptime(f"2013 {cell}", form).replace(tzinfo=UTC)


def test_the_labels_of_an_interval_are_those_of_the_page(spark: SparkSession, tmp_path: Path) -> None:
    (training_set,) = [item for item in run_python(SEMANTICS).values() if isinstance(item, TrainingSet)]
    page = table_of(SEMANTICS, ASKED)
    assert {row.cells[ASKED] for row in page} == {"yes", "no"}
    rows = [
        {
            "line": row.line,
            "report": row.cells["report"],
            "happened": instant(row.cells["happened"]),
            "known": instant(row.cells["known"]),
        }
        for row in page
    ]
    schema = pa.schema(
        [("line", pa.int64()), ("report", pa.string()), ("happened", INSTANT), ("known", INSTANT)]
    )
    write_deltalake(str(tmp_path / "sources" / "reports"), pa.Table.from_pylist(rows, schema=schema))
    interval = training_set.timetable.interval_ending(datetime(2013, 7, 2, tzinfo=UTC))
    spine = read_source(spark, training_set.spine, str(tmp_path))
    found = labels(spine, interval, interval.end + training_set.label_delay)
    assert found.columns == schema.names
    assert {row["line"] for row in found.collect()} == {row.line for row in page if row.cells[ASKED] == "yes"}
