"""A training row sees only what was known before: late events and nightly loads, stored and computed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, NamedTuple

import pytest

from skewless.jobs.receipts import Built
from skewless.settings import Settings
from skewless.timeline import MICROSECOND
from tests.e2e.world import HOUR, World, hours_ago, minutes, payment

pytestmark = pytest.mark.usefixtures("spark")  # which ends the session that the jobs take

DEFINITIONS = """
from datetime import timedelta

from skewless import DeltaSource, Entity, FeatureService, FeatureView, Field, agg
from skewless.types import Float64, Int64

DAY = timedelta(days=1)
user = Entity(name="user", join_keys=["user_id"])


def payments(name, data_delay):
    return DeltaSource(
        name=name,
        path="sources/payments",
        timestamp_field="event_timestamp",
        created_timestamp_column="created_timestamp",
        event_id=["payment_id"],
        data_delay=data_delay,
    )


def spend(name, **when):
    schema = [
        Field(name="amount", dtype=Float64, value=agg.sum("amount", window=DAY)),
        Field(name="payments", dtype=Int64, value=agg.count(window=DAY)),
    ]
    return FeatureView(name=name, entities=[user], schema=schema, **when)


hourly = spend(
    "hourly",
    source=payments("as_they_come", timedelta(minutes=5)),
    schedule="@hourly",
    publish_delay=timedelta(minutes=15),
)
daily = spend(
    "daily",
    source=payments("by_night", timedelta(hours=2)),
    schedule="@daily",
    publish_delay=timedelta(hours=3),
)
both = FeatureService(name="both", features=[hourly, daily])
"""

FIRST, SECOND, THIRD = hours_ago(4), hours_ago(3), hours_ago(2)
MIDNIGHT = HOUR.replace(hour=0) - timedelta(days=2)
NIGHTLY_DUE = MIDNIGHT + timedelta(hours=3)
HOURLY_ASKS = [(1, t + minutes(after)) for t in (FIRST, SECOND) for after in (15, 40)]
DAILY_ASKS = [(7, NIGHTLY_DUE - MICROSECOND), (7, NIGHTLY_DUE)]


class Story(NamedTuple):
    """What happened: training rows before and after one late event, and builds of the first snapshot."""

    before: list[dict[str, Any]]
    after: list[dict[str, Any]]
    later: dict[str, Any]
    built: Built
    rebuilt: Built
    served: list[dict[str, Any]]


@pytest.fixture(scope="module")
def story(services: Settings, tmp_path_factory: pytest.TempPathFactory) -> Story:
    world = World(services, tmp_path_factory.mktemp("known"), DEFINITIONS)
    loaded = MIDNIGHT + timedelta(hours=1)
    world.load(
        payment(1, 10.0, FIRST - minutes(50)),
        payment(1, 5.0, SECOND - minutes(30)),
        payment(7, 100.0, MIDNIGHT - timedelta(hours=20), known=loaded),
        payment(7, 50.0, MIDNIGHT - MICROSECOND, known=loaded),
        payment(7, 3.0, MIDNIGHT, known=loaded),
        payment(7, 4.0, MIDNIGHT - timedelta(hours=10), known=MIDNIGHT + timedelta(hours=2)),
    )
    world.at(FIRST + minutes(15))
    built = world.build("hourly", FIRST)
    world.check("hourly", FIRST)
    before = world.at(HOUR).train("both", [*HOURLY_ASKS, *DAILY_ASKS])
    world.load(payment(1, 1000.0, FIRST - minutes(40), known=SECOND + minutes(5)))
    rebuilt = world.build("hourly", FIRST)
    world.build("daily", MIDNIGHT)
    world.check("daily", MIDNIGHT)
    world.publish("daily", MIDNIGHT)
    *after, later = world.train("both", [*HOURLY_ASKS, *DAILY_ASKS, (1, THIRD + minutes(15))])
    return Story(before, after, later, built, rebuilt, world.lookup(["daily"], 7))


def of(view: str, rows: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    """Some columns of a view."""
    return [tuple(row[f"{view}__{name}"] for name in names) for row in rows]


def test_an_event_after_the_cutoffs_changes_no_training_row_that_saw_the_snapshots(story: Story):
    seen = ("amount", "payments", "snapshot_time", "how")
    before = of("hourly", story.before[:4], *seen)
    assert before == [(10.0, 1, FIRST, "stored")] * 2 + [(15.0, 2, SECOND, "computed")] * 2
    assert of("hourly", story.after[:4], *seen) == before


def test_the_first_snapshot_whose_cutoff_it_meets_counts_the_late_event(story: Story):
    assert of("hourly", [story.later], "amount", "payments") == [(1015.0, 3)]


def test_a_rebuild_after_the_late_event_is_the_same_revision(story: Story):
    assert story.built.is_new
    assert not story.rebuilt.is_new
    assert story.rebuilt.revision == story.built.revision
    assert story.rebuilt.source_version > story.built.source_version  # it did read the newer source


def test_a_nightly_load_is_counted_in_yesterdays_snapshot_once_that_is_due(story: Story):
    """Yesterday's rows came at 01:00; one more, at the cutoff itself, came too late, and one is today's."""
    yesterday, today = MIDNIGHT - timedelta(days=1), MIDNIGHT
    seen = ("amount", "payments", "snapshot_time")
    truth = [(None, 0, yesterday), (150.0, 2, today)]
    assert of("daily", story.before[4:], *seen) == truth
    assert of("daily", story.after[4:], *seen) == truth


def test_the_nightly_snapshot_is_the_same_computed_stored_and_served(story: Story):
    assert of("daily", [story.before[5]], "how", "amount", "payments") == [("computed", 150.0, 2)]
    assert of("daily", [story.after[5]], "how", "amount", "payments") == [("stored", 150.0, 2)]
    assert of("daily", story.served, "amount", "payments") == [(150.0, 2)]
