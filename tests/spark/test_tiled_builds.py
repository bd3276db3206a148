"""Builds from tiles give the bits of builds from rows, and open only the files that tiles do not tell of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from pyspark.sql import SparkSession

from skewless import DeltaSource, Entity, FeatureView, Field, agg
from skewless.jobs.build import build
from skewless.jobs.maintain import maintain
from skewless.plan.repo import Repo
from skewless.plan.uris import under
from skewless.settings import Settings
from skewless.timeline import FixedClock, to_micros
from skewless.types import Array, Float64, Int64, String
from skewless.workspace import Workspace

START = datetime(2026, 3, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
INSTANT = pa.timestamp("us", tz="UTC")
NEVER = 1 << 40  # events

PURCHASES = DeltaSource(
    name="purchases",
    path="sources/purchases",
    timestamp_field="at",
    created_timestamp_column="loaded",
    data_delay=timedelta(minutes=10),
)
HABITS = FeatureView(
    name="habits",
    entities=[Entity(name="card", join_keys=["bank", "number"])],
    source=PURCHASES,
    publish_delay=timedelta(minutes=10),
    ttl=4 * DAY,
    schema=[
        Field(name="shop", dtype=String),
        Field(name="spent", dtype=Float64, value=agg.sum("amount", window=7 * DAY)),
        Field(name="spent_3d", dtype=Float64, value=agg.sum("amount", window=3 * DAY, nulls="zero")),
        Field(name="items", dtype=Float64, value=agg.avg("items", window=5 * DAY + HOUR)),
        Field(name="rows", dtype=Int64, value=agg.count(window=7 * DAY, where="amount > 10")),
        Field(name="most", dtype=Float64, value=agg.max("amount", window=7 * DAY)),
        Field(name="shops", dtype=Int64, value=agg.count_distinct("shop", window=7 * DAY)),
        Field(name="recent", dtype=Array(String), value=agg.last_n("shop", n=3, window=7 * DAY)),
        Field(name="filled", dtype=Float64, value=agg.avg("amount", window=DAY, nulls="forward_fill")),
    ],
)
AT = START + 9 * DAY + 14 * HOUR


def purchases(hour: int, rows: int = 60) -> pa.Table:
    """What an hourly load brings: rows of that hour, some of the days before, with nulls and ties."""
    rng = np.random.default_rng(hour)
    loaded = to_micros(START + hour * HOUR) + rng.integers(0, 3_600_000_000, rows)
    late = np.where(rng.random(rows) < 0.1, rng.integers(0, 80, rows), 0) * 3_600_000_000
    at = (loaded - late) // 600_000_000 * 600_000_000
    card = rng.integers(0, 15, rows)
    return pa.table(
        {
            "bank": pa.array([f"{number % 3}" for number in card]),
            "number": pa.array(card // 3),
            "at": pa.array(at).cast(INSTANT),
            "loaded": pa.array(loaded, mask=rng.random(rows) < 0.05).cast(INSTANT),
            "amount": pa.array(np.round(rng.normal(20, 30, rows), 2) * 1e6, mask=rng.random(rows) < 0.2),
            "items": pa.array(rng.integers(-(2**62), 2**62, rows)),
            "shop": pa.array(rng.choice(["a", "b", "c", "d"], rows).tolist()),
        }
    )


class World:
    """A source of ten days, a file an hour, and the view over it."""

    def __init__(self, settings: Settings, spark: SparkSession, warehouse: Path) -> None:
        self.settings, self.spark = settings.model_copy(update={"warehouse": str(warehouse)}), spark
        self.uri = under(str(warehouse), PURCHASES.location)
        for hour in range(10 * 24):
            self.load(purchases(hour))

    def load(self, rows: pa.Table) -> None:
        write_deltalake(self.uri, rows, mode="append")

    def built(self, at: datetime, *, tiles_from: int) -> tuple[str, list[str]]:
        """The hash of what is built, and what is reported."""
        said: list[str] = []
        built = build(self.workspace(tiles_from), "habits", at, report=said.append)
        assert built.rows == 15
        return built.content_hash, [line for line in said if "tiles" in line]

    def workspace(self, tiles_from: int) -> Workspace:
        settings = self.settings.model_copy(update={"tiles_from": tiles_from})
        repo = Repo({"habits": HABITS}, {}, {}, {"purchases": PURCHASES}, {})
        return Workspace(settings, repo, FixedClock(START + 20 * DAY))

    @contextmanager
    def torn(self, before: datetime, beside: list[datetime]) -> Iterator[int]:
        """Tear the files whose rows all became known before an instant, but those with rows of some hours."""
        torn = {}
        for file in pa.table(DeltaTable(self.uri).get_add_actions(flatten=True)).to_pylist():
            holds = any(file["min.at"] < hour + HOUR and hour <= file["max.at"] for hour in beside)
            if file["max.loaded"] < before and not holds:
                path = Path(self.uri, file["path"])
                torn[path] = path.read_bytes()
                path.write_bytes(b"torn")
        try:
            yield len(torn)
        finally:
            for path, content in torn.items():
                path.write_bytes(content)


@pytest.fixture(scope="module")
def world(services: Settings, spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(services, spark, tmp_path_factory.mktemp("tiles"))


def test_days_that_are_over_are_reduced_once_and_not_opened_again(world: World) -> None:
    truth = [world.built(AT + hour * HOUR, tiles_from=NEVER) for hour in range(2)]
    assert [said for _, said in truth] == [[], []]
    first, said = world.built(AT, tiles_from=0)
    assert first == truth[0][0]
    assert said == ["habits: 0 of 7 days are told by tiles; making the others"]
    at = AT + HOUR
    midnight = at.replace(hour=0)
    begins = [at - span for span in (7 * DAY, 3 * DAY, 4 * DAY, 5 * DAY + HOUR)]
    edges = [hour for begin in begins for hour in hours_of_the_day_from(begin)]
    with world.torn(midnight - DAY, edges) as files:
        assert files > 20
        second, said = world.built(at, tiles_from=0)
    assert second == truth[1][0]
    assert said == ["habits: 7 of 7 days are told by tiles"]


def hours_of_the_day_from(begin: datetime) -> list[datetime]:
    return [begin + hour * HOUR for hour in range(24 - begin.hour)]


def test_rows_that_were_brought_late_or_taken_away_count(world: World) -> None:
    """Loads that say they are days old, an update and a compaction: each makes the days anew that it touches."""
    before, _ = world.built(AT, tiles_from=0)
    brought = purchases(7 * 24 + 3, rows=40)
    world.load(brought.filter(brought["loaded"].is_valid()))
    late, said = world.built(AT, tiles_from=0)
    assert late == world.built(AT, tiles_from=NEVER)[0] != before
    assert said == ["habits: 6 of 7 days are told by tiles; making the others"]
    DeltaTable(world.uri).update({"amount": "amount + 1"}, predicate="number = 2 AND amount IS NOT NULL")
    repaired, _ = world.built(AT, tiles_from=0)
    assert repaired == world.built(AT, tiles_from=NEVER)[0] != late
    DeltaTable(world.uri).optimize.compact()
    assert world.built(AT, tiles_from=0)[0] == repaired


def test_tiles_that_two_builds_made_at_once_count_once(world: World) -> None:
    truth, _ = world.built(AT, tiles_from=0)
    (folder,) = Path(world.settings.warehouse, "tiles", "habits").iterdir()
    tiles = DeltaTable(str(folder)).to_pyarrow_table()
    again = pa.array([f"{name[:-1]}x" for name in tiles["_tile"].to_pylist()])
    tiles = tiles.set_column(tiles.column_names.index("_tile"), "_tile", again)
    write_deltalake(str(folder), tiles, mode="append", partition_by=["_tile"])
    assert world.built(AT, tiles_from=0)[0] == truth


def test_maintenance_forgets_days_that_no_window_reaches_any_more(world: World) -> None:
    truth, _ = world.built(AT, tiles_from=0)
    (folder,) = Path(world.settings.warehouse, "tiles", "habits").iterdir()
    maintain(world.workspace(0), ("habits",), dry_run=True)
    assert DeltaTable(str(folder)).file_uris()
    maintain(world.workspace(0), ("habits",))
    assert not DeltaTable(str(folder)).file_uris()
    again, said = world.built(AT, tiles_from=0)
    assert (again, said) == (truth, ["habits: 0 of 7 days are told by tiles; making the others"])
