"""What is read and shuffled changes no answer: slices of a spine, files that are skipped, snapshots built together."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable, write_deltalake
from pyspark.sql import SparkSession

from skewless import DeltaSource, Entity, FeatureView, Field, agg
from skewless.jobs.build import build
from skewless.ledger.events import Event, Kind
from skewless.offline.binding import BoundView
from skewless.offline.complete import Moment
from skewless.offline.engine import snapshots
from skewless.offline.source import read_source
from skewless.plan.fingerprint import fingerprint
from skewless.plan.repo import Repo
from skewless.plan.uris import under
from skewless.settings import Settings
from skewless.store import FeatureStore
from skewless.timeline import FixedClock, to_micros
from skewless.types import Float64, Int64
from skewless.workspace import Workspace

START = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
INSTANT = pa.timestamp("us", tz="UTC")
ENTITIES, TICKS, LABELS = 1_000, 30, 250_000

PAYMENTS = DeltaSource(name="payments", path="sources/payments", timestamp_field="at")
RECENT = FeatureView(
    name="recent",
    entities=[Entity(name="card", join_keys=["bank", "number"])],
    source=PAYMENTS,
    publish_delay=timedelta(0),
    schema=[
        Field(name="total", dtype=Float64, value=agg.sum("amount", window=3 * HOUR)),
        Field(name="rows", dtype=Int64, value=agg.count(window=HOUR)),
    ],
)


@pytest.fixture(scope="module")
def store(services: Settings, spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    """Payments of 40 hours, a file each, of which nothing is built."""
    warehouse = str(tmp_path_factory.mktemp("layout"))
    uri = under(warehouse, PAYMENTS.location)
    for hour in range(40):
        rows = payments(np.random.default_rng(hour), hour)
        write_deltalake(uri, rows, mode="append")
    settings = services.model_copy(update={"warehouse": warehouse})
    repo = Repo({"recent": RECENT}, {}, {}, {"payments": PAYMENTS}, {})
    return FeatureStore.of(Workspace(settings, repo, FixedClock(START + 100 * HOUR)))


def payments(rng: np.random.Generator, hour: int, rows: int = 400) -> pa.Table:
    card = rng.integers(0, ENTITIES, rows)
    at = to_micros(START + hour * HOUR) + rng.integers(0, HOUR // timedelta(microseconds=1), rows)
    return pa.table(
        {**keys_of(card), "at": pa.array(at).cast(INSTANT), "amount": np.round(rng.random(rows) * 100, 2)}
    )


def keys_of(card: np.ndarray) -> dict[str, pa.Array]:
    """Composite keys that collide as soon as they are written one behind the other."""
    return {"bank": pa.array([f"{number % 11}" for number in card]), "number": pa.array(card // 11)}


def tick(hour: int) -> datetime:
    return START + hour * HOUR


def test_a_snapshot_opens_no_file_that_it_cannot_see(store: FeatureStore):
    table = DeltaTable(under(store.settings.warehouse, PAYMENTS.location))
    early, late = tick(20) - 4 * HOUR, tick(20) + HOUR
    torn = {}
    for file in pa.table(table.get_add_actions(flatten=True)).to_pylist():
        if file["max.at"] < early or file["min.at"] > late:
            path = Path(table.table_uri.removeprefix("file://"), file["path"])
            torn[path] = path.read_bytes()
            path.write_bytes(b"torn")
    try:
        assert len(torn) > 30
        assert build(store.workspace, "recent", tick(20)).rows > 300
    finally:
        for path, content in torn.items():
            path.write_bytes(content)


def test_snapshots_computed_together_are_those_computed_alone(store: FeatureStore):
    bound = BoundView(RECENT, read_source(store.spark, PAYMENTS, store.settings.warehouse))
    moments = [Moment(to_micros(tick(hour)), to_micros(tick(hour))) for hour in (1, 2, 17, 40)]
    together = snapshots(bound, moments).toArrow()
    for moment in moments:
        alone = snapshots(bound, [moment]).toArrow()
        of_it = together.filter(pc.field("_sk_snapshot") == moment.snapshot)
        assert len(alone) > 100
        assert ordered(of_it) == ordered(alone)


def ordered(rows: pa.Table) -> list[dict[str, object]]:
    return rows.sort_by([("bank", "ascending"), ("number", "ascending")]).to_pylist()


# -- a spine that is shuffled -----------------------------------------------------------------------------


def stored_value(card: np.ndarray, hour: np.ndarray) -> np.ndarray:
    """What stands in the feature table: no source gives it, so that reading it is proved."""
    return card * 1000.0 + hour + 0.25


@pytest.fixture(scope="module")
def built(store: FeatureStore) -> FeatureStore:
    """Every second snapshot is stored, of every second card; one in three of these is null."""
    workspace, events = store.workspace, []
    table = workspace.feature_table(RECENT)
    for hour in range(2, TICKS, 2):
        if hour == 20:
            continue  # built for real
        card = np.arange(0, ENTITIES, 2)
        total = pa.array(stored_value(card, np.full(len(card), hour)), mask=card % 3 == 0)
        rows = pa.table({**keys_of(card), "_sk_snapshot": np.full(len(card), to_micros(tick(hour))), "total": total,
                         "rows": card})  # fmt: skip
        table.append(store.spark.createDataFrame(rows), {tick(hour): f"r{hour}"})
        event = {"snapshot_time": tick(hour), "revision": f"r{hour}", "fingerprint": fingerprint(RECENT)}
        events += [Event(kind=kind, **event) for kind in (Kind.BUILT, Kind.PASSED)]
    workspace.ledger(RECENT).append(*events)
    return store


def test_a_large_spine_in_slices_sees_what_each_of_its_rows_should(built: FeatureStore):
    rng = np.random.default_rng(5)
    card, hour = rng.integers(0, ENTITIES, LABELS), rng.integers(1, 10, LABELS) * 2
    at = (
        to_micros(START) + hour * (HOUR // timedelta(microseconds=1)) + rng.integers(0, 3_600_000_000, LABELS)
    )
    spine = pa.table(
        {"label": np.arange(LABELS), **keys_of(card), "event_timestamp": pa.array(at).cast(INSTANT)}
    )
    rows = built.get_historical_features(built.spark.createDataFrame(spine), [RECENT], explain=True).toArrow()
    rows = rows.sort_by("label")
    assert rows["label"].to_pylist() == list(range(LABELS))
    assert rows.select(spine.column_names).equals(spine)
    null = (card % 2 == 1) | (card % 3 == 0)
    wanted = pa.chunked_array([pa.array(stored_value(card, hour), mask=null)])
    assert rows["recent__total"].equals(wanted)
    why = np.where(card % 2 == 1, "absent", "null in source")
    assert rows["recent__why_null"].equals(pa.chunked_array([pa.array(why, mask=~null)]))
    assert set(rows["recent__how"].unique().to_pylist()) == {"stored"}


def test_order_and_partitions_of_a_spine_change_no_answer(built: FeatureStore):
    rng = np.random.default_rng(6)
    card, at = (
        rng.integers(0, ENTITIES, 3_000),
        to_micros(START) + rng.integers(2 * 3_600_000_000, 10**11, 3_000),
    )
    spine = pa.table(
        {"label": np.arange(3_000), **keys_of(card), "event_timestamp": pa.array(at).cast(INSTANT)}
    )
    frame = built.spark.createDataFrame(spine)
    answers = [
        built.get_historical_features(shape, [RECENT], explain=True).toArrow().sort_by("label")
        for shape in (frame, frame.orderBy("number", "bank").repartition(7))
    ]
    assert set(answers[0]["recent__how"].to_pylist()) == {"stored", "computed"}
    assert answers[0].equals(answers[1])
