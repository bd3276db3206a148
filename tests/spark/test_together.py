"""Views that are computed from one reading of their source have the bits that each has alone."""

from __future__ import annotations

import re
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from deltalake import write_deltalake
from pyspark.sql import DataFrame, SparkSession

from skewless import DeltaSource, Entity, FeatureView, Field, agg
from skewless.local import spark_connect
from skewless.local.java import find_java
from skewless.offline.binding import BoundView
from skewless.offline.complete import Moment
from skewless.offline.engine import snapshots
from skewless.offline.source import read_source
from skewless.offline.tables import content_of
from skewless.offline.together import snapshots_together, states
from skewless.settings import Settings
from skewless.timeline import to_micros
from skewless.types import Array, Float64, Int64, String

HOUR = timedelta(hours=1)
T = datetime(2026, 3, 2, tzinfo=UTC)
NOW = Moment(to_micros(T), to_micros(T + HOUR))
INSTANT = pa.timestamp("us", tz="UTC")

CARD = Entity(name="card", join_keys=["card"])
SHOP = Entity(name="shop", join_keys=["shop", "till"])
PLAIN = DeltaSource(
    name="plain", path="facts", timestamp_field="at", created_timestamp_column="created", data_delay=HOUR
)
VERSIONS = DeltaSource(
    name="versions",
    path="facts",
    timestamp_field="at",
    created_timestamp_column="created",
    event_id=["event"],
    deleted_column="gone",
    data_delay=HOUR,
)


def views_over(source: DeltaSource) -> list[FeatureView]:
    """Two of the same keys, whose reaches and tie-breakers differ, and one of other keys.

    Where rows are versions, what is computed of them is computed of all, so every text has to be one that can be cast.
    """
    number = "try_cast(text AS INT)" if source.event_id else "CAST(text AS INT)"
    last = [
        Field(name="zeta", dtype=Int64),
        Field(name="ratio", dtype=Float64, value=agg.max("8 / n", window=HOUR, where="n > 0")),
    ]
    sums = [
        Field(name="total", dtype=Float64, value=agg.sum("amount", window=3 * HOUR)),
        Field(name="first", dtype=Int64, value=agg.first("alpha", window=3 * HOUR), default=-1),
        Field(name="number", dtype=Int64, value=agg.max(number, window=3 * HOUR)),
    ]
    shops = [
        Field(name="some", dtype=Array(Int64), value=agg.last_n("alpha", n=3, window=12 * HOUR)),
        Field(name="text", dtype=String),
        Field(name="mean", dtype=Float64, value=agg.avg("amount", window=HOUR, nulls="zero")),
    ]
    made = [("newest", CARD, last, None), ("sums", CARD, sums, None), ("shops", SHOP, shops, 12 * HOUR)]
    return [
        FeatureView(name=name, entities=[entity], source=source, schema=schema, ttl=ttl)
        for name, entity, schema, ttl in made
    ]


def facts(rows: int = 6_000) -> pa.Table:
    """A day of rows of which many tie in both times, versions of an event above all.

    The columns that break ties disagree. A text that is no number lies where `sums` does not look. Amounts add up
    differently in each order.
    """
    rng = np.random.default_rng(7)
    event = rng.integers(0, rows // 2, rows)
    minutes = rng.integers(0, 26 * 4, rows)[event] * 15
    late = minutes + rng.choice([0, 15, 60, 300], rows)[event]
    text = np.where(minutes < 20 * 60, "none", rng.integers(0, 99, rows).astype(str))
    alpha = rng.integers(0, 50, rows)
    return pa.table(
        {
            "card": pa.array(rng.integers(0, 40, rows), mask=rng.random(rows) < 0.02),
            "shop": pa.array([f"s{n}" for n in rng.integers(0, 9, rows)], mask=rng.random(rows) < 0.02),
            "till": pa.array(rng.integers(0, 4, rows).astype(np.int32)),
            "event": pa.array(event, mask=rng.random(rows) < 0.02),
            "gone": pa.array(rng.random(rows) < 0.05),
            "alpha": pa.array(alpha),
            "zeta": pa.array(50 - alpha),
            "n": pa.array(rng.integers(0, 4, rows)),
            "text": pa.array(text),
            "amount": pa.array(
                rng.choice([1e16, 1.0, -1e16, 0.1, -0.0, np.nan], rows, p=[0.2] * 4 + [0.1] * 2)
            ),
            "at": instants(minutes, rng.random(rows) < 0.01),
            "created": instants(late, rng.random(rows) < 0.05),
        }
    )


def instants(minutes: np.ndarray, missing: np.ndarray) -> pa.Array:
    start = to_micros(T - 24 * HOUR)
    return pa.array(start + minutes * 60_000_000, mask=missing).cast(INSTANT)


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("together")
    write_deltalake(folder / "facts", facts())
    return folder


@pytest.fixture(params=[PLAIN, VERSIONS], ids=lambda source: source.name)
def bounds(request: Any, spark: SparkSession, warehouse: Path) -> list[BoundView]:
    source = read_source(spark, request.param, str(warehouse))
    return [BoundView(view, source) for view in views_over(request.param)]


def test_each_view_has_the_bits_that_it_has_alone(bounds: list[BoundView]):
    together = snapshots_together(bounds, NOW)
    for bound, found in zip(bounds, together, strict=True):
        alone = snapshots(bound, [NOW])
        assert found.schema.simpleString() == alone.schema.simpleString()
        expected = content_of(alone)
        assert expected.rows > 30
        assert content_of(found) == expected, bound.view.name


def scans(frame: DataFrame) -> int:
    """How many times a plan reads files."""
    plan = frame._explain_string() if hasattr(frame, "_explain_string") else ""
    assert "== Physical Plan ==" in plan
    return len(re.findall(r"\bFileScan\b", plan))


def test_the_source_is_read_once(bounds: list[BoundView]):
    assert [scans(snapshots(bound, [NOW])) for bound in bounds] == [1, 1, 1]
    assert scans(states(bounds, NOW)) == 1


# -- what is kept of it -----------------------------------------------------------------------------------


@pytest.fixture
def few(spark: SparkSession, tmp_path: Path) -> list[BoundView]:
    write_deltalake(tmp_path / "facts", facts(500))
    source = read_source(spark, PLAIN, str(tmp_path))
    return [BoundView(view, source) for view in views_over(PLAIN)]


def test_what_is_computed_needs_no_source_any_more(few: list[BoundView], tmp_path: Path):
    together = snapshots_together(few, NOW)
    for file in (tmp_path / "facts").glob("*.parquet"):
        file.write_bytes(b"torn")
    assert [scans(frame) for frame in together] == [0, 0, 0]
    assert all(frame.count() > 3 for frame in together)


def test_what_is_let_go_leaves_the_disk_of_the_server(
    services: Settings, few: list[BoundView], tmp_path: Path
):
    jcmd, server = find_java().resolve().parent / "jcmd", spark_connect.child(services).pid()
    if not jcmd.exists():
        pytest.skip("a runtime without tools")

    def blocks() -> set[Path]:
        """Spark takes back what no object refers to any more."""
        subprocess.run([str(jcmd), str(server), "GC.run"], check=True, capture_output=True)
        time.sleep(1)
        return set((services.home / "spark" / "tmp").glob("blockmgr*/*/rdd_*"))

    before = blocks()  # what other tests let go may leave at any time
    together = snapshots_together(few, NOW)
    for number, frame in enumerate(together):
        frame.write.parquet(str(tmp_path / str(number)))
    kept = blocks() - before
    assert kept
    del together, frame
    assert any(not blocks() & kept for _ in range(10))
