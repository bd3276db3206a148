"""Spines of every shape that notebooks make: odd names, narrow keys, no rows, pandas or Arrow or Spark."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from deltalake import write_deltalake
from pyspark.sql import functions as F

from skewless import Field, agg
from skewless.errors import DataError, UsageError
from skewless.settings import Settings
from skewless.store import FeatureStore
from skewless.timeline import format_instant
from skewless.types import Float64
from tests.e2e.shop import AT, DEFINITIONS, Shop, purchase

ASKED = AT + timedelta(minutes=15)
FEATURES = ["spending__amount_1d", "spending__purchases_1d", "spending__shop"]

ODD_SOURCES = """
ages = view("ages", source("ages"), Field(name="amount", dtype=Float64),
            Field(name="n", dtype=Int64, value=agg.count(window=timedelta(days=365 * 60))))
torn = view("torn", source("torn"), amount)
"""


@pytest.fixture(scope="module")
def store(services: Settings, tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    shop = Shop(services, tmp_path_factory.mktemp("shop"), DEFINITIONS + ODD_SOURCES)
    shop.supply("purchases", purchase(1, 2), purchase(1, 3, amount=2.0), purchase(2, 1, shop="mall"))
    ages = [datetime(year, 1, 1, microsecond=1, tzinfo=UTC) for year in (1, 1677, 1969, 2263, 9999)]
    shop.supply("ages", *(purchase(1, 0, event_timestamp=at, amount=float(at.year)) for at in ages))
    shop.supply("empty")
    (file,) = shop.supply("torn", purchase(1, 2), purchase(1, 5)).glob("*.parquet")
    content = bytearray(file.read_bytes())
    content[4:-400] = bytes(len(content) - 404)  # the footer is well, the rows are not
    file.write_bytes(content)
    return FeatureStore.of(shop.workspace)


def rows(found: Any) -> list[dict[str, Any]]:
    return found.toArrow().to_pylist()


def test_odd_names_narrow_keys_and_other_columns_come_back_as_they_were(store: FeatureStore) -> None:
    spine = pa.table(
        {
            "a b": pa.array([[1, 2], None, [3]]),
            "user_id": pa.array([1, None, 7], pa.int16()),
            "x.y": ["ö", "", None],
            "when it.was": pa.array([ASKED, ASKED, AT], pa.timestamp("us", tz="UTC")),
            "_snapshot_time": [1, 2, 3],
            "revision": [None, b"\x00", b"r"],
        }
    )
    found = store.get_historical_features(
        store.spark.createDataFrame(spine), "shop_v1", timestamp_field="when it.was", explain=True
    )
    explained = [f"spending__{name}" for name in ("snapshot_time", "how", "why_null")]
    assert [name for name in found.columns if name not in explained] == [*spine.column_names, *FEATURES]
    by_user = {row["user_id"]: row for row in rows(found)}
    assert [by_user[user]["spending__purchases_1d"] for user in (1, None, 7)] == [2, 0, 0]
    for given in spine.to_pylist():
        assert by_user[given["user_id"]] | given == by_user[given["user_id"]]
    assert found.schema["user_id"].dataType.simpleString() == "smallint"


def test_a_spine_without_rows_gives_a_table_without_rows_and_all_columns(store: FeatureStore) -> None:
    typed = {"user_id": "int32", "event_timestamp": "datetime64[us, UTC]", "label": "float64"}
    empty = pd.DataFrame({name: pd.Series([], dtype=kind) for name, kind in typed.items()})
    for as_of in ("scheduled", "event"):
        found = store.get_historical_features(empty, "shop_v1", as_of=as_of)
        assert [(item.name, item.dataType.simpleString()) for item in found.schema] == [
            ("user_id", "int"),
            ("event_timestamp", "timestamp"),
            ("label", "double"),
            *zip(FEATURES, ("double", "bigint", "string"), strict=True),
        ]
        assert rows(found) == []
    untyped = pd.DataFrame({"user_id": [], "event_timestamp": []}, dtype=object)
    assert rows(store.get_historical_features(untyped, "shop_v1")) == []


def test_a_naive_time_is_utc_whoever_made_the_spine(store: FeatureStore) -> None:
    naive = ASKED.replace(tzinfo=None)
    of_pandas = pd.DataFrame({"user_id": [1], "event_timestamp": [naive]})
    of_spark = store.spark.createDataFrame(of_pandas).select(
        "user_id", F.col("event_timestamp").cast("timestamp_ntz")
    )
    for spine in (of_pandas, of_spark):
        (row,) = rows(store.get_historical_features(spine, "shop_v1", explain=True))
        assert row["spending__amount_1d"] == 3.5
        assert row["spending__snapshot_time"] == AT


def test_the_rows_may_stand_in_a_table_of_that_name(store: FeatureStore) -> None:
    spine = pa.table(
        {"user_id": [1, 2], "event_timestamp": pa.array([ASKED] * 2, pa.timestamp("us", tz="UTC"))}
    )
    path = f"{store.settings.warehouse}/spines/labels"
    write_deltalake(path, spine)
    store.spark.createDataFrame(spine).createOrReplaceTempView("spine_labels")
    wanted = rows(store.get_historical_features(spine, "shop_v1"))
    assert len(wanted) == 2
    for named in ("spines/labels", path, "spine_labels"):
        assert rows(store.get_historical_features(named, "shop_v1")) == wanted
    write_deltalake(path, spine, mode="append")
    assert len(rows(store.get_historical_features("spines/labels", "shop_v1"))) == 4


def test_what_must_be_computed_is_told_with_the_command_that_builds_it(store: FeatureStore) -> None:
    told: list[str] = []
    store = FeatureStore.of(store.workspace, told.append)
    spine = pd.DataFrame({"user_id": [1, 2], "event_timestamp": [ASKED - timedelta(hours=2), ASKED]})
    store.get_historical_features(spine, "shop_v1")
    first, before, last = (format_instant(AT - timedelta(hours=hours)) for hours in (2, 3, 0))
    assert told == [
        f"spending: 3 of the 3 snapshots that these rows can see are computed from the source ({first} to {last}), "
        f"since nobody built them; to build them once for all: skewless backfill spending --from {before} --to {last}"
    ]
    store.get_historical_features(spine, "shop_v1", as_of="event")
    assert len(told) == 1


def test_a_view_that_was_never_deployed_is_asked_as_it_stands(store: FeatureStore) -> None:
    told: list[str] = []
    store = FeatureStore.of(store.workspace, told.append)
    spending = store.workspace.repo.view("spending")
    fields = [Field(name="amount_3h", dtype=Float64, value=agg.sum("amount", window=timedelta(hours=3)))]
    spine = pd.DataFrame({"user_id": [1], "event_timestamp": [ASKED]})
    (row,) = rows(store.get_historical_features(spine, [replace(spending, schema=fields)]))
    assert row["spending__amount_3h"] == 3.5
    (line,) = told
    assert "a view that is not deployed as it stands here has no stored ones" in line
    with pytest.raises(UsageError, match="as_of='published' is not available yet"):
        store.get_historical_features(spine, "shop_v1", as_of="published")  # type: ignore[arg-type]


def test_rows_that_are_there_twice_come_back_twice(store: FeatureStore) -> None:
    """Equal rows, rows of one time, rows without a key, in one spine with a source without rows."""
    moments = [ASKED, ASKED, ASKED, ASKED, AT, AT]
    spine = pd.DataFrame(
        {"user_id": pd.array([1, 1, 2, None, None, None], "Int64"), "event_timestamp": moments}
    )
    found = rows(store.get_historical_features(spine, ["spending", "empty"]))
    assert sorted(row["spending__purchases_1d"] for row in found) == [0, 0, 0, 1, 2, 2]
    assert [row["empty__amount"] for row in found] == [None] * 6
    assert sorted(str(row["user_id"]) for row in found) == ["1", "1", "2", "None", "None", "None"]


def test_events_of_any_age_are_events(store: FeatureStore) -> None:
    """Before 1677 and after 2262 nanoseconds run out; ours are microseconds."""
    long_ago = [datetime.fromisoformat(f"{year}-06-01T00:00:00+00:00") for year in (1801, 1970)]
    spine = pa.table(
        {"user_id": [1, 1, 1], "event_timestamp": pa.array([*long_ago, ASKED], pa.timestamp("us", tz="UTC"))}
    )
    for as_of in ("scheduled", "event"):
        found = rows(store.get_historical_features(spine, "ages", as_of=as_of))
        seen = [
            (row["ages__amount"], row["ages__n"])
            for row in sorted(found, key=lambda row: row["event_timestamp"])
        ]
        assert seen == [(1677.0, 0), (1969.0, 1), (1969.0, 1)], as_of


def test_a_data_file_that_is_torn_is_named(store: FeatureStore) -> None:
    spine = pd.DataFrame({"user_id": [1], "event_timestamp": [ASKED]})
    with pytest.raises(Exception, match=r"sources/torn/part-"):
        store.get_historical_features(spine, "torn").toArrow()


def test_a_stray_time_before_1970_is_answered_like_any_other(store: FeatureStore) -> None:
    moon = datetime.fromisoformat("1969-07-20T20:17:40.000001+00:00")
    spine = pd.DataFrame({"user_id": [1, 1], "event_timestamp": [moon, ASKED]})
    old, new = sorted(
        rows(store.get_historical_features(spine, "shop_v1")), key=lambda row: row["event_timestamp"]
    )
    assert (old["event_timestamp"], old["spending__purchases_1d"]) == (moon, 0)
    assert new["spending__purchases_1d"] == 2


@pytest.mark.parametrize(
    ("spine", "words"),
    [
        (
            [{"user_id": 1}],
            "a spine is a Spark or pandas DataFrame, a pyarrow Table or a table's name, not a list",
        ),
        (pd.DataFrame({"user_id": [1], "event_timestamp": [ASKED], "a`b": [1]}), r"'a`b' has a backtick"),
        (
            pd.DataFrame({"user_id": [1.0], "event_timestamp": [ASKED]}),
            "'user_id' is double, but the source of ",
        ),
        (
            pd.DataFrame({"user_id": [True], "event_timestamp": [ASKED]}),
            "'user_id' is boolean, but the source of ",
        ),
        (
            pd.DataFrame({"user_id": [1], "event_timestamp": [ASKED.date()]}),
            "is date, no timestamp; cast it first",
        ),
        (
            pd.DataFrame(
                {"user_id": [1], "event_timestamp": [datetime(2300, 1, 1, tzinfo=UTC)]}, dtype=object
            ),
            "1 of the spine's 1 rows lie after now .* the latest at 2300-01-01T00:00:00Z",
        ),
        (
            pd.DataFrame([[1, ASKED, 2]], columns=["user_id", "event_timestamp", "user_id"]),
            "the spine cannot be read as a table: Duplicate column names|have one name, or differ only in case",
        ),
    ],
)
def test_what_is_no_spine(store: FeatureStore, spine: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        store.get_historical_features(spine, "shop_v1")


def test_a_column_of_mixed_values_is_told_with_its_name(store: FeatureStore) -> None:
    mixed = pd.DataFrame({"user_id": [1, "a"], "event_timestamp": [ASKED, ASKED]})
    with pytest.raises(
        (UsageError, DataError), match=r"joining the spine: .*'user_id'|cannot be read as a table"
    ):
        store.get_historical_features(mixed, "shop_v1")


def test_spark_that_fails_while_rows_are_fetched_says_so_itself(store: FeatureStore) -> None:
    """Rows are computed after the call has returned: the error is Spark's, with our words in it."""
    spine = pd.DataFrame({"user_id": [1], "event_timestamp": [ASKED]})
    found = store.get_historical_features(spine, ["overflowing"])
    with pytest.raises(Exception, match="the sum 9223372036854775808 of 2 integers does not fit int64"):
        found.select(F.count("overflowing__n")).collect()
