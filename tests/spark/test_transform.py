"""A view's own function: it sees one row at a time, before time comes in, in every kind of session."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from skewless import DeltaSource, Entity, FeatureView, Field, agg
from skewless.errors import DataError
from skewless.plan.repo import Repo
from skewless.settings import Settings
from skewless.store import FeatureStore
from skewless.timeline import FixedClock
from skewless.types import Float64, Int64, String
from skewless.workspace import Workspace
from tests.conftest import ROOT
from tests.spark.transforms import ATTACKS, GOOD, IN_PROCESS, facts, verdicts

INSTANT = pa.timestamp("us", tz="UTC")
NOON = datetime(2024, 3, 10, 12, tzinfo=UTC)
SCRIPT = """
import json
from pyspark.sql import SparkSession
from tests.spark.transforms import IN_PROCESS, facts, verdicts

spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
print(json.dumps(verdicts(facts(spark), IN_PROCESS)))
"""


def assert_told(said: dict[str, str], functions: Iterable[Any]) -> None:
    words = {function.__name__: ATTACKS.get(function) for function in functions}
    wrong = {
        name: told
        for name, told in said.items()
        if (words[name] or "") not in told or (told and not words[name])
    }
    assert (said.keys(), wrong) == (words.keys(), {})


# -- what it may do ---------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Cannot infer the eval type")
def test_what_could_see_more_than_a_row_is_refused_over_connect(spark: SparkSession) -> None:
    width = spark.conf.get("spark.sql.debug.maxToStringFields")
    assert_told(verdicts(facts(spark)), (*GOOD, *ATTACKS))
    assert spark.conf.get("spark.sql.debug.maxToStringFields") == width


def test_what_could_see_more_than_a_row_is_refused_in_process() -> None:
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT]
    env = {name: value for name, value in os.environ.items() if not name.startswith("SPARK_")}
    ran = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=env, check=False)
    assert ran.returncode == 0, ran.stderr
    assert_told(json.loads(ran.stdout.splitlines()[-1]), IN_PROCESS)


# -- what it gives ----------------------------------------------------------------------------------------


def lines(rows: DataFrame) -> DataFrame:
    """A basket's lines, of which the gifts do not count: `sku` is a key that the source does not have."""
    each = rows.select("*", F.explode("lines").alias("line"))
    return each.where("line.price > 0").select(
        "*", "line.sku", F.upper("line.sku").alias("name"), "line.price"
    )


BASKETS = DeltaSource(
    name="baskets",
    path="baskets",
    timestamp_field="at",
    created_timestamp_column="created",
    event_id=["basket"],
    deleted_column="gone",
)
SALES = FeatureView(
    name="sales",
    entities=[Entity(name="product", join_keys=["sku"])],
    source=BASKETS,
    publish_delay=timedelta(0),
    transform=lines,
    schema=[
        Field(name="sold", dtype=Int64, value=agg.count(window=timedelta(days=1))),
        Field(name="turnover", dtype=Float64, value=agg.sum("price", window=timedelta(days=1))),
        Field(name="name", dtype=String),
    ],
)


def basket(
    id: str, hour: float, *sold: tuple[str, float], known: float | None = None, gone: bool = False
) -> Any:
    """What was in a basket of that hour, as it was known from some hour on."""
    at, created = (NOON + timedelta(hours=h) for h in (hour, hour if known is None else known))
    return {
        "basket": id, "at": at, "created": created, "gone": gone,
        "lines": [{"sku": sku, "price": price} for sku, price in sold],
    }  # fmt: skip


ROWS = [
    basket("a", 1, ("x", 5.0), ("y", 2.0), ("x", 5.0), ("z", 0.0)),
    basket("b", 1, ("x", 1.0)),
    basket("b", 1, ("x", 0.0), known=4),  # corrected to a gift: the older version must not come back
    basket("c", 2, ("y", 7.0)),
    basket("c", 2, known=5, gone=True),
    basket("d", 3),
]
_LINE = pa.struct([("sku", pa.string()), ("price", pa.float64())])
SCHEMA = pa.schema(
    [
        ("basket", pa.string()),
        ("at", INSTANT),
        ("created", INSTANT),
        ("gone", pa.bool_()),
        ("lines", pa.list_(_LINE)),
    ]
)
TRUTH = {  # at three and at six o'clock
    "x": [(3, 11.0, "X"), (2, 10.0, "X")],
    "y": [(2, 9.0, "Y"), (1, 2.0, "Y")],
    "z": [(0, None, None), (0, None, None)],
}


@pytest.fixture(scope="module")
def store(services: Settings, tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    warehouse = tmp_path_factory.mktemp("baskets")
    write_deltalake(warehouse / "baskets", pa.Table.from_pylist(ROWS, schema=SCHEMA))
    settings = services.model_copy(update={"warehouse": str(warehouse)})
    return FeatureStore.of(
        Workspace(settings, Repo({}, {}, {}, {}, {}), FixedClock(NOON + timedelta(days=2)))
    )


def asked(store: FeatureStore, view: FeatureView) -> dict[str, list[Any]]:
    spine = pa.table(
        {
            "sku": [key for key in TRUTH for _ in range(2)],
            "event_timestamp": pa.array([NOON + timedelta(hours=h) for _ in TRUTH for h in (3, 6)], INSTANT),
        }
    )
    found = store.get_historical_features(spine, [view]).toArrow().to_pylist()
    found.sort(key=lambda row: row["event_timestamp"])
    names = [f"{view.name}__{name}" for name in view.fields]
    return {key: [tuple(row[name] for name in names) for row in found if row["sku"] == key] for key in TRUTH}


def test_fields_read_what_the_function_makes_of_the_version_that_stands(store: FeatureStore) -> None:
    assert asked(store, SALES) == TRUTH
    dear = agg.count(window=timedelta(days=1), where="price > 4")
    counted = replace(SALES, schema=[Field(name="n", dtype=Int64, value=dear)])
    assert asked(store, counted) == {"x": [(2,), (2,)], "y": [(1,), (0,)], "z": [(0,), (0,)]}


def test_what_the_function_must_leave_is_said(store: FeatureStore) -> None:
    def picked(rows: DataFrame) -> DataFrame:
        return rows.select("basket", "at", "created", F.explode("lines").alias("line")).select("*", "line.*")

    with pytest.raises(
        DataError, match=r"test_transform.py:\d+: .*gives no column '_sk_superseded', which the view"
    ):
        asked(store, replace(SALES, transform=picked))
    with pytest.raises(
        DataError, match=r"gives no column 'skuu' \(did you mean 'sku'\?\), which the view needs"
    ):
        store.preview(replace(SALES, entities=[Entity(name="skuu")]))
    typo = replace(SALES, schema=[Field(name="n", dtype=Float64, value="prize * 2")])
    with pytest.raises(DataError, match=r"has no column 'prize' \(did you mean 'price'\?\)"):
        asked(store, typo)

    def numbered(rows: DataFrame) -> DataFrame:
        return lines(rows).withColumn("n", F.row_number().over(Window.partitionBy("sku").orderBy("at")))

    with pytest.raises(DataError, match="feature view 'sales': its transform has a window function"):
        asked(store, replace(SALES, transform=numbered))
