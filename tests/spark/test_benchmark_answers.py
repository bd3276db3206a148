"""What `make bench` compares: at a small size every contender that needs no other packages gives the right answer."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from pyspark.sql import SparkSession

from benchmarks import stored
from benchmarks.answers import WrongAnswer, check
from benchmarks.cases import Data, checked
from benchmarks.columns import Expected
from benchmarks.contenders import find
from benchmarks.feature_log import FeatureLog
from benchmarks.increments import Increments
from benchmarks.inputs import Inputs
from benchmarks.payments import Payments
from benchmarks.snapshots import Snapshots

SNAPSHOTS, WRITTEN = Snapshots(3, 300, 1000), Increments(2, 300)
HOT, PAYMENTS = FeatureLog(1000, 20, 300, hot=0.3), Payments(5000, 20, 8, hot=0.3)

CONTENDERS: list[tuple[Data, str]] = [
    (SNAPSHOTS, "ours:scheduled"),
    (SNAPSHOTS, "ours:event"),
    (SNAPSHOTS, "spark_sql:range_join"),
    (SNAPSHOTS, "spark_sql:union_window"),
    (HOT, "ours:event"),
    (HOT, "spark_sql:union_window"),
    (PAYMENTS, "ours:scheduled"),
]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> dict[Data, Path]:
    """The data sets."""
    made = {data: tmp_path_factory.mktemp("data") for data in (SNAPSHOTS, WRITTEN, HOT, PAYMENTS)}
    for data, folder in made.items():
        data.prepare(folder)
        if isinstance(data, Snapshots):
            stored.prepare(data, folder, spark)
    return made


@pytest.mark.parametrize(("data", "contender"), CONTENDERS)
def test_the_contender_gives_the_right_answer(
    data: Data, contender: str, folders: dict[Data, Path], tmp_path: Path, spark: SparkSession
) -> None:
    find(contender)(Inputs(folders[data], data.view_names, lambda: spark), tmp_path / "answer")
    assert checked(data, tmp_path / "answer") == "every bit"


def test_sums_of_floats_are_only_nearly_right(folders: dict[Data, Path], tmp_path: Path) -> None:
    find("local:numpy_windows")(Inputs(folders[PAYMENTS], PAYMENTS.view_names), tmp_path / "answer")
    with pytest.raises(WrongAnswer, match="spending__sum_1h: "):
        checked(PAYMENTS, tmp_path / "answer")
    assert "sums are not the exact ones" in checked(PAYMENTS, tmp_path / "answer", exact=False)


def test_the_floor_reads_and_writes(folders: dict[Data, Path], tmp_path: Path, spark: SparkSession) -> None:
    find("spark_sql:floor")(
        Inputs(folders[SNAPSHOTS], SNAPSHOTS.view_names, lambda: spark), tmp_path / "answer"
    )
    assert checked(SNAPSHOTS, tmp_path / "answer", answers=False).startswith("none")
    assert len(ds.dataset(tmp_path / "answer").schema.names) == 3 + 10


@pytest.mark.parametrize("contender", ["ours:features", "plain_append:base/plain", "overwrite:base/rerun"])
def test_what_is_written_is_the_new_snapshot_and_all_that_was_there(
    contender: str, folders: dict[Data, Path], tmp_path: Path, spark: SparkSession
) -> None:
    name, _, base = contender.partition(":")
    WRITTEN.copy_base(folders[WRITTEN], tmp_path / "written", base)
    with pytest.raises(WrongAnswer):  # nothing is there yet, or the hour with other values
        checked(WRITTEN, tmp_path / "written")
    find(f"writes:{name}")(Inputs(folders[WRITTEN], WRITTEN.view_names, lambda: spark), tmp_path / "written")
    assert checked(WRITTEN, tmp_path / "written") == "every bit"


# -- an answer that is wrong ------------------------------------------------------------------------------

RIGHT = pa.table({"id": [2, 0, 1], "v": pa.array([2.0, None, 1.0])})
WRONG = {
    "a value": RIGHT.set_column(1, "v", pa.array([2.0, None, 1.5])),
    "a null": RIGHT.set_column(1, "v", pa.array([None, None, 1.0])),
    "no null": RIGHT.set_column(1, "v", pa.array([2.0, 0.0, 1.0])),
    "a row too few": RIGHT.slice(0, 2),
    "a row twice": pa.concat_tables([RIGHT.slice(0, 2), RIGHT.slice(0, 1)]),
    "a row too many": pa.concat_tables([RIGHT, RIGHT.slice(0, 1)]),
    "another type": RIGHT.set_column(1, "v", pa.array([2, None, 1])),
    "another name": RIGHT.rename_columns(["id", "w"]),
}


def compared(answer: pa.Table) -> str:
    expected = Expected("v", np.array([0.0, 1.0, 2.0]), np.array([False, True, True]))
    return check(ds.dataset(answer), "id", 3, iter([expected]))


def test_the_order_of_the_rows_is_free() -> None:
    assert compared(RIGHT) == "every bit"


@pytest.mark.parametrize("answer", [partial(pa.table, table) for table in WRONG.values()], ids=WRONG)
def test_an_answer_that_differs_is_refused(answer: partial[pa.Table]) -> None:
    with pytest.raises(WrongAnswer):
        compared(answer())
