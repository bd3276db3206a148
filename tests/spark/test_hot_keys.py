"""A key with very many rows is answered in slices by time, with the bits that it has whole; and it is told."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from skewless import DeltaSource, Entity, FeatureView, Field, agg
from skewless.offline import engine
from skewless.offline.asking import Sources, seeing
from skewless.offline.columns import EVENT, KNOWN, NEVER, SUPERSEDED
from skewless.offline.gauge import answered_in_slices
from skewless.offline.hot import FROM_EVER, LIMITS, Limits
from skewless.offline.retrieval import Ask, join
from skewless.plan.repo import Selection
from skewless.timeline import MICROSECOND
from skewless.types import Array, Float64, Int64

LOW = Limits(source=1, bucket=100, key=50, share=40)
HOUR = timedelta(hours=1)
BEGIN = datetime(2024, 3, 1, tzinfo=UTC)
INSTANT = pa.timestamp("us", tz="UTC")
SOURCE = DeltaSource(
    name="payments",
    path="payments",
    timestamp_field="at",
    created_timestamp_column="created",
    event_id=["id"],
    deleted_column="gone",
    data_delay=timedelta(minutes=20),
)
WINDOWS = [
    Field(name="total", dtype=Float64, value=agg.sum("x", window=3 * HOUR)),
    Field(name="last", dtype=Array(Int64), value=agg.last_n("n", 4, window=2 * HOUR, where="n > 2")),
]


def view(name: str, schema: list[Field], **more: Any) -> FeatureView:
    key = Entity(name="k", join_keys=["user", "shop"])
    return FeatureView(
        name=name, entities=[key], source=SOURCE, schedule="*/30 * * * *", schema=schema, **more
    )


REACHING = view("reaching", [*WINDOWS, Field(name="n", dtype=Int64)], ttl=HOUR)
ENDLESS = view("endless", [*WINDOWS, Field(name="n", dtype=Int64)])
NEWEST = view("newest", [Field(name="n", dtype=Int64), Field(name="x", dtype=Float64)])
VIEWS = (REACHING, ENDLESS, NEWEST)
HOT = (1, "é|")


def payments() -> pa.Table:
    """Two days: a key of 600 rows with a silent half-day, a null key of as many, and others; late and corrected."""
    rng = random.Random(14)
    keys = [HOT] * 600 + [(None, "é|")] * 400 + [(n, "é|") for n in range(2, 9)] * 6 + [(1, None)] * 20
    rows = []
    for number, (user, shop) in enumerate(keys):
        minutes = rng.choice([rng.randint(0, 100), rng.randint(100, 144), rng.randint(216, 288)]) * 10
        late = rng.choice([0, 0, 0, 10, 20, 60, 6 * 60, 40 * 60])
        versions = [late] + [late + rng.choice([0, 30, 300])] * rng.choice([0, 0, 1])
        for place, known in enumerate(versions):
            moved = 10 * rng.choice([0, 0, 1, -3]) if place else 0
            rows.append(
                {
                    "user": user,
                    "shop": shop,
                    "id": str(number),
                    "at": BEGIN + timedelta(minutes=minutes + moved),
                    "created": BEGIN + timedelta(minutes=minutes + known),
                    "gone": place > 0 and rng.random() < 0.4,
                    "n": rng.choice([None, *range(9)]),
                    "x": rng.choice([0.1, 1e17, -1e17, 3.3, float("nan")]),
                }
            )
    kinds = {
        "user": pa.int64(),
        "shop": pa.string(),
        "at": INSTANT,
        "created": INSTANT,
        "gone": pa.bool_(),
        "n": pa.int64(),
    }
    schema = pa.schema(
        [(name, kinds.get(name, pa.string() if name == "id" else pa.float64())) for name in rows[0]]
    )
    return pa.Table.from_pylist(rows, schema=schema)


def spine() -> pa.Table:
    """Asks at all times of the two days and somewhat beyond, many on the instants at which rows lie."""
    rng = random.Random(41)
    asks = [
        (*rng.choice([HOT, HOT, HOT, (None, "é|"), (3, "é|"), (9, "é|")]), 5 * rng.randint(60, 600))
        for _ in range(400)
    ]
    times = [BEGIN + timedelta(minutes=minutes) for _, _, minutes in asks]
    return pa.table(
        {
            "user": pa.array([user for user, _, _ in asks], pa.int64()),
            "shop": [shop for _, shop, _ in asks],
            "event_timestamp": pa.array(times, INSTANT),
            "row": list(range(len(asks))),
        }
    )


@pytest.fixture(scope="module")
def asks_of(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., list[Ask]]:
    """The asks of all views, as the limits make them."""
    warehouse = tmp_path_factory.mktemp("hot")
    write_deltalake(warehouse / "payments", payments())

    @cache
    def asks(limits: Limits, as_of: str) -> list[Ask]:
        selections = [Selection.of(item) for item in VIEWS]
        events_of = (lambda view: ()) if as_of == "scheduled" else None
        asks = Sources(spark, str(warehouse)).asks(selections)
        at, now = "event_timestamp", datetime(2024, 6, 1, tzinfo=UTC)
        rows = spark.createDataFrame(spine())
        return seeing(rows, asks, events_of, timestamp_field=at, now=now, limits=limits)

    return asks


def answers(spark: SparkSession, asks: list[Ask]) -> list[str]:
    found = join(spark.createDataFrame(spine()), asks, timestamp_field="event_timestamp", explain=True)
    rows = found.toArrow().sort_by("row").to_pylist()
    return [repr({name: value for name, value in row.items() if "__" in name}) for row in rows]


@pytest.mark.parametrize("as_of", ["event", "scheduled"])
def test_a_hot_key_in_slices_is_answered_as_it_is_whole(
    spark: SparkSession, asks_of: Callable[..., list[Ask]], as_of: str
):
    """Composite and null keys, late rows, ties, corrections that move their event, deletions, sums that cancel."""
    hot, whole = asks_of(LOW, as_of), asks_of(LIMITS, as_of)
    assert [ask.hot for ask in whole] == [(), (), ()]
    assert [[key.values for key in ask.hot] for ask in hot] == [[HOT]] * 3
    assert all(len(ask.hot[0].slices) > 3 for ask in hot), [ask.hot for ask in hot]
    found, truth = answers(spark, hot), answers(spark, whole)
    assert [pair for pair in zip(found, truth, strict=True) if pair[0] != pair[1]] == []
    assert len(set(truth)) > 100, "the answers differ from each other"


def test_it_is_told_which_views_are_answered_in_slices(asks_of: Callable[..., list[Ask]]):
    hot = asks_of(LOW, "event")
    lines = list(answered_in_slices(hot))
    assert [line.partition(":")[0] for line in lines] == ["reaching", "endless", "newest"]
    (key,) = hot[1].hot
    assert lines[1] == f"endless: 1 key of {key.rows:,} rows is answered in {len(key.slices)} slices by time"
    assert list(answered_in_slices(asks_of(LIMITS, "event"))) == []


def test_slices_carry_the_newest_row_that_stands_for_good_and_none_older(asks_of: Callable[..., list[Ask]]):
    reaching, endless, newest = asks_of(LOW, "scheduled")
    rows = _prepared(endless)
    for ask, window in ((endless, 3 * HOUR), (newest, timedelta(0))):
        for part in ask.hot[0].slices:
            stand = [
                row[EVENT]
                for row in rows
                if row[EVENT] < part.begin and row[KNOWN] < part.begin and row[SUPERSEDED] is None
            ]
            base = max(stand, default=FROM_EVER)
            assert part.low == min(part.begin - window // MICROSECOND, base)
    assert {part.begin - part.low for part in reaching.hot[0].slices} == {3 * HOUR // MICROSECOND}
    for ask in (reaching, endless, newest):
        parts = ask.hot[0].slices
        assert [one.end for one in parts] == [*(later.begin for _, later in pairwise(parts)), NEVER]


def _prepared(ask: Ask) -> list[dict[str, Any]]:
    assert ask.moments is not None
    rows = engine.rows_between(ask.bound, *ask.moments)
    first, second = ask.bound.row_keys
    return [
        row.asDict() for row in rows.where((F.col(first) == HOT[0]) & (F.col(second) == HOT[1])).collect()
    ]
