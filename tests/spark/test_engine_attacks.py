"""What a corpus of plain columns cannot see: odd types, odd spines, odd sessions, odd histories of a table."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from skewless import DeltaSource, Entity, FeatureView, Field, agg
from skewless.errors import DataError, UsageError
from skewless.jobs.build import build
from skewless.offline.columns import SNAPSHOT
from skewless.offline.tables import content_of
from skewless.plan.repo import Repo
from skewless.settings import Settings
from skewless.store import FeatureStore
from skewless.timeline import FixedClock, to_micros
from skewless.types import Array, Bytes, Float32, Float64, Int32, Int64, String, Timestamp
from skewless.workspace import Workspace

DAY = timedelta(days=1)
LONG_AGO = datetime(1, 1, 1, microsecond=1, tzinfo=UTC)
INSTANT = pa.timestamp("us", tz="UTC")
NAIVE = pa.timestamp("us")


def at(hour: int, minute: int = 0) -> datetime:
    """A time on the day on which New York's clocks leap from two to three."""
    return datetime(2024, 3, 10, hour, minute, tzinfo=UTC)


FACTS = pa.table(
    {
        "k": pa.array([1, 1, 1, 2], pa.int32()),
        "at": pa.array([t.replace(tzinfo=None) for t in (at(1), at(2, 30), at(3), at(1))], NAIVE),
        "price": pa.array([Decimal("0.70"), None, Decimal("0.20"), Decimal("0.30")], pa.decimal128(10, 2)),
        "n": pa.array([0, 2**40, 4, 5]),
        "text": pa.array(["1", "x", "3", "4"]),
        "items": pa.array([[1.5, None], [], None, [2.0]], pa.list_(pa.float64())),
        "_sk_event": pa.array([1, 2, 3, 4], pa.int16()),
    }
)
# Versions of two events: the first loses its keys, then moves to the future; the second is told twice at once.
VERSIONS = pa.table(
    {
        "k": pa.array([1, None, 1, 2, 3]),
        "event": pa.array(["a", "a", "a", "b", "b"]),
        "at": pa.array([at(1), at(1), at(9), at(1), at(2)], INSTANT),
        "created": pa.array([at(1), at(3), at(5), None, at(1)], INSTANT),
        "v": pa.array([1, 2, 3, 4, 5]),
    }
)


def view(name: str, *schema: Field, path: str = "facts", **more: Any) -> FeatureView:
    source = DeltaSource(name=path, path=path, timestamp_field="at", **more)
    return FeatureView(
        name=name,
        entities=[Entity(name="thing", join_keys=["k"])],
        source=source,
        schedule="*/30 * * * *",
        publish_delay=timedelta(0),
        schema=schema,
    )


PRICES = view(
    "prices",
    Field(name="total", dtype=Float64, value=agg.sum("price", window=DAY)),
    Field(name="mean", dtype=Float64, value=agg.avg("price", window=DAY)),
    Field(name="mean_of_all", dtype=Float64, value=agg.avg("price", window=DAY, nulls="zero")),
    Field(name="price", dtype=Float64),
)
DEFAULTS = view(
    "defaults",
    Field(name="floats", dtype=Array(Float32), value="CAST(NULL AS ARRAY<FLOAT>)", default=[0.5, 2]),
    Field(name="none", dtype=Array(String), value="CAST(NULL AS ARRAY<STRING>)", default=[]),
    Field(name="blobs", dtype=Array(Bytes), value="CAST(NULL AS ARRAY<BINARY>)", default=[b"\x00"]),
    Field(name="times", dtype=Array(Timestamp), value="CAST(NULL AS ARRAY<TIMESTAMP>)", default=[LONG_AGO]),
)
GUARDED = view(
    "guarded",
    Field(name="sum", dtype=Int32, value=agg.sum("CAST(text AS INT)", window=DAY, where="text <> 'x'")),
    Field(name="max", dtype=Float64, value=agg.max("8 / n", window=DAY, where="n > 0")),
)
ORDERLESS = view("orderless", Field(name="least", dtype=Array(Float64), value=agg.min("items", window=DAY)))
WIDE = view("wide", Field(name="n", dtype=Int32, value=agg.max("N", window=DAY)))
CLOCKS = view(
    "clocks",
    Field(name="at", dtype=Timestamp, value=agg.max("at", window=DAY)),
    Field(name="hour", dtype=Int32, value=agg.max("hour(CAST(at AS TIMESTAMP))", window=DAY)),
    Field(name="how", dtype=Int32, value="`_sk_event`"),
)
EVENTS = view(
    "events",
    Field(name="v", dtype=Int64),
    Field(name="rows", dtype=Int64, value=agg.count(window=DAY)),
    path="versions",
    created_timestamp_column="created",
    event_id=["event"],
)
VIEWS = (PRICES, DEFAULTS, GUARDED, ORDERLESS, WIDE, CLOCKS, EVENTS)


@pytest.fixture(scope="module")
def store(services: Settings, tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    """The views over their tables, in June."""
    warehouse = tmp_path_factory.mktemp("attacked")
    write_deltalake(warehouse / "facts", FACTS)
    write_deltalake(warehouse / "versions", VERSIONS)
    repo = Repo({item.name: item for item in VIEWS}, {}, {}, {}, {})
    settings = services.model_copy(update={"warehouse": str(warehouse)})
    return FeatureStore.of(Workspace(settings, repo, FixedClock(datetime(2024, 6, 1, tzinfo=UTC))))


@pytest.fixture
def session(store: FeatureStore) -> Iterator[SparkSession]:
    """The session, for tests that set it otherwise."""
    yield store.spark
    store.spark.conf.set("spark.sql.session.timeZone", "UTC")
    store.spark.conf.set("spark.sql.ansi.enabled", "true")


def spine(*rows: tuple[int | None, datetime], kind: pa.DataType = INSTANT) -> pa.Table:
    keys, times = zip(*rows, strict=True)
    return pa.table({"k": pa.array(keys, pa.int64()), "event_timestamp": pa.array(times, INSTANT).cast(kind)})


def ask(
    store: FeatureStore, asked: FeatureView, rows: pa.Table | DataFrame | Any, **options: Any
) -> list[tuple[Any, ...]]:
    """The feature values, one tuple per spine row, in the order of its keys and times."""
    entity_df = store.spark.createDataFrame(rows) if isinstance(rows, pa.Table) else rows
    found = store.get_historical_features(entity_df, [asked], **options).toArrow().to_pylist()
    found.sort(key=lambda row: (row["k"], row["event_timestamp"]))
    return [tuple(value for name, value in row.items() if "__" in name) for row in found]


def test_decimals_are_summed_exactly_and_rounded_once(store: FeatureStore):
    assert ask(store, PRICES, spine((1, at(6)), (2, at(6)))) == [
        (0.9, 0.45, 0.9 / 3, 0.2),
        (0.3, 0.3, 0.3, 0.3),
    ]


def test_arrays_may_have_defaults(store: FeatureStore):
    ((floats, none, blobs, times),) = ask(store, DEFAULTS, spine((9, at(6))))
    assert (floats, none, blobs) == ([0.5, 2.0], [], [b"\x00"])
    assert times == [LONG_AGO]


def test_a_value_is_not_computed_where_its_filter_says_no(store: FeatureStore):
    assert ask(store, GUARDED, spine((1, at(6)))) == [(4, 2.0)]


def test_arrays_have_no_least(store: FeatureStore):
    with pytest.raises(DataError, match="min needs values that have an order, not array<double>"):
        ask(store, ORDERLESS, spine((1, at(6))))


@pytest.mark.parametrize("kind", ["naive", "aware", "pandas"])
def test_all_times_are_utc_whatever_the_session_says(kind: str, store: FeatureStore, session: SparkSession):
    asked = spine((1, at(2, 30)), (1, at(3)))
    naive = asked.set_column(1, "event_timestamp", asked["event_timestamp"].cast(NAIVE))
    entity_df = {
        "naive": session.createDataFrame(naive, "k bigint, event_timestamp timestamp_ntz"),
        "aware": session.createDataFrame(asked),
        "pandas": naive.to_pandas(),
    }[kind]
    session.conf.set("spark.sql.session.timeZone", "America/New_York")
    assert ask(store, CLOCKS, entity_df) == [(at(1), 1, 1), (at(2, 30), 2, 2)]


def test_an_integer_that_does_not_fit_is_an_error_whatever_the_session_says(
    store: FeatureStore, session: SparkSession
):
    session.conf.set("spark.sql.ansi.enabled", "false")
    with pytest.raises(DataError, match="1099511627776"):
        build(store.workspace, "wide", at(6))


def test_a_feature_may_be_named_as_a_column_of_explain_but_not_be_asked_with_it(store: FeatureStore):
    with pytest.raises(UsageError, match="'clocks__how', one of them of explain=True"):
        ask(store, CLOCKS, spine((1, at(6))), explain=True)


def test_the_spine_may_be_the_source_with_whatever_columns(store: FeatureStore, session: SparkSession):
    facts = session.read.format("delta").load(f"{store.settings.warehouse}/facts").drop("_sk_event")
    odd = facts.select(
        "*",
        F.col("at").alias("event_timestamp"),
        F.lit(1).alias("a.b"),
        F.lit(2).alias("list price"),
        F.lit(3).alias("_revision"),
        F.struct("k", F.struct("at").alias("in.ner")).alias("nested"),
        F.create_map("text", "n").alias("map"),
        F.lit(None).alias("void"),
    )
    joined = store.get_historical_features(odd.withColumnRenamed("at", "t.0"), [PRICES, CLOCKS])
    assert joined.columns[: len(odd.columns)] == ["t.0" if name == "at" else name for name in odd.columns]
    rows = {(row["k"], row["text"]): row for row in joined.toArrow().to_pylist()}
    assert len(rows) == 4
    third = rows[1, "3"]
    assert (third["a.b"], third["list price"], third["void"], third["map"]) == (1, 2, None, [("3", 4)])
    assert third["nested"] == {"k": 1, "in.ner": {"at": at(3).replace(tzinfo=None)}}
    assert (third["prices__total"], third["clocks__at"], third["clocks__how"]) == (0.7, at(2, 30), 2)
    assert rows[2, "4"]["prices__total"] is None


def test_a_spine_that_changed_after_the_check_is_an_error(store: FeatureStore, tmp_path: Path):
    write_deltalake(tmp_path / "spine", spine((1, at(6)), (1, at(8))))
    moving = store.spark.read.format("delta").load(str(tmp_path / "spine"))
    joined = store.get_historical_features(moving, [PRICES])
    write_deltalake(tmp_path / "spine", spine((1, at(2))), mode="append")
    with pytest.raises(Exception, match="the spine changed while it was read"):
        joined.toArrow()


def test_a_stray_old_time_costs_no_century_of_snapshots(store: FeatureStore):
    began = time.monotonic()
    old = datetime(1800, 1, 1, tzinfo=UTC)
    assert ask(store, PRICES, spine((1, old), (1, at(6)))) == [(None,) * 4, (0.9, 0.45, 0.9 / 3, 0.2)]
    assert time.monotonic() - began < 20


def test_times_that_no_schedule_reaches_are_refused(store: FeatureStore):
    asked = store.spark.createDataFrame(spine((1, at(6))))
    far = "timestamp_micros(IF(id = 0, 316513612800000000, -70000000000000000))"
    for ids, message in (([0], "lie after now"), ([1], "1 of the spine's 1 rows lie before 1800-01-01")):
        moved = asked.withColumn("id", F.lit(ids[0])).withColumn("event_timestamp", F.expr(far))
        with pytest.raises(UsageError, match=message):
            ask(store, PRICES, moved)


def test_the_version_known_last_stands_for_its_event_whatever_its_keys_and_times(store: FeatureStore):
    asked = spine(*((key, at(hour)) for key in (1, 2, 3) for hour in (3, 4, 6, 10)), (None, at(4)))
    found = store.get_historical_features(store.spark.createDataFrame(asked), [EVENTS], as_of="event")
    rows = {(row["k"], row["event_timestamp"].hour): row for row in found.toArrow().to_pylist()}
    assert len(rows) == 13
    values = {place: row["events__v"] for place, row in rows.items() if row["events__v"] is not None}
    # Event b's two versions are known at the same instant; the one that happened later stands.
    assert values == {(1, 3): 1, (1, 10): 3, (3, 3): 5, (3, 4): 5, (3, 6): 5, (3, 10): 5}
    assert [row["events__rows"] for place, row in rows.items() if place[0] is None] == [0]


def test_content_hashes_tell_rows_apart_but_not_their_order(session: SparkSession):
    nan = float("nan")
    a, b = [(0.0, None), (1.0, nan)], ("", None)
    tables: list[list[tuple[Any, Any]]] = [a, [(-0.0, None), (1.0, nan)], [(0.0, nan), (1.0, None)]]
    tables += [[(None, 0.0), (nan, 1.0)], [(0.0, None)], [*a, (1.0, nan)], [(5e-324, None), (1.0, nan)]]
    tables += [[b], [(None, "")], [(None, None)], [("", "")]]
    hashes = []
    for rows in (a[::-1], *tables):
        left, right = zip(*rows, strict=True)
        kind = pa.string() if "" in (*left, *right) else pa.float64()
        frame = session.createDataFrame(pa.table({"l": pa.array(left, kind), "r": pa.array(right, kind)}))
        session.conf.set("spark.sql.jsonGenerator.ignoreNullFields", str(len(hashes) == 0).lower())
        hashes.append(content_of(frame.repartition(3)).content_hash)
    session.conf.unset("spark.sql.jsonGenerator.ignoreNullFields")
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == len(tables)


def test_builds_at_once_agree_and_rows_without_a_build_are_invisible(store: FeatureStore):
    with ThreadPoolExecutor(2) as pool:  # neither finds a table
        both = list(pool.map(lambda _: build(store.workspace, "prices", at(5)), range(2)))
    assert len({item.content_hash for item in both}) == 1
    table = store.workspace.feature_table(PRICES)
    columns = {"k": [1], SNAPSHOT: [to_micros(at(5))], **{name: [7.0] for name in PRICES.fields}}
    orphan = store.spark.createDataFrame(pa.table(columns))
    table.append(orphan, {at(5): "orphan"})
    assert ask(store, PRICES, spine((1, at(5)))) == [(0.9, 0.45, 0.9 / 3, 0.2)]
    again = build(store.workspace, "prices", at(5))
    assert (again.rows, again.is_new) == (2, False)
