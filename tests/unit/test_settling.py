"""Which snapshots a training set still waits for."""

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from skewless import DeltaSource, Entity, FeatureService, FeatureView, Field, TrainingSet
from skewless.ledger.events import Event, Kind
from skewless.ledger.settling import Unsettled, unsettled, unsettled_snapshots
from skewless.ledger.table import Ledger
from skewless.plan.fingerprint import fingerprint
from skewless.plan.repo import Repo
from skewless.plan.uris import ledger_table
from skewless.timeline import FixedClock, Interval
from skewless.types import Float32

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
DAY = datetime(2024, 3, 1, tzinfo=UTC)
FACTS = DeltaSource(name="facts", path="sources/facts", timestamp_field="at")
VIEW = FeatureView(
    name="stats",
    entities=[Entity(name="user")],
    source=FACTS,
    publish_delay=15 * MINUTE,
    schema=[Field(name="amount", dtype=Float32)],
)
LABELS = Interval(DAY + 3 * HOUR, DAY + 6 * HOUR)  # they see the snapshots of 02:00 to 05:00


def event(kind: Kind, hour: int, view: FeatureView = VIEW, **more: Any) -> Event:
    stamps = {"snapshot_time": DAY + hour * HOUR, "revision": f"r{hour}", "fingerprint": fingerprint(view)}
    return Event(kind=kind, **stamps | more)


def run(hour: int, end: Kind = Kind.PUBLISHED) -> tuple[Event, ...]:
    verdict = Kind.BLOCKED if end is Kind.BLOCKED else Kind.PASSED
    return tuple(event(kind, hour) for kind in dict.fromkeys((Kind.BUILT, verdict, end)))


def waits_for(*events: Event, view: FeatureView = VIEW, labels: Interval = LABELS) -> list[int]:
    """The hours of the snapshots that are not settled."""
    return [(t - DAY) // HOUR for t in unsettled_snapshots(view, events, labels)]


def test_a_view_that_never_ran_is_not_waited_for():
    assert waits_for() == []


def test_labels_see_from_the_newest_due_at_their_start_to_the_last_due_before_their_end():
    assert waits_for(event(Kind.BUILT, 0)) == [2, 3, 4, 5]


def test_a_snapshot_due_at_the_very_end_is_seen_by_no_label():
    at_once = replace(VIEW, publish_delay=timedelta(0))
    assert waits_for(event(Kind.BUILT, 0, at_once), view=at_once) == [3, 4, 5]


@pytest.mark.parametrize("end", [Kind.PUBLISHED, Kind.OFFLINE_ONLY, Kind.HELD])
def test_what_came_to_an_end_is_settled(end: Kind):
    assert waits_for(event(Kind.BUILT, 0), *run(3, end), *run(5)) == [2, 4]


def test_a_verdict_alone_ends_no_run_of_a_served_view():
    assert waits_for(*run(2), event(Kind.BUILT, 3), event(Kind.PASSED, 3), *run(4), *run(5)) == [3]


def test_a_view_that_is_not_served_is_settled_by_its_verdict():
    offline = replace(VIEW, online=False)
    passed, built = (event(Kind.BUILT, 3), event(Kind.PASSED, 3)), event(Kind.BUILT, 2)
    assert waits_for(built, *passed, view=offline) == [2, 4, 5]


def test_behind_a_blocked_snapshot_the_one_before_it_is_seen():
    first = event(Kind.BUILT, 0)
    assert waits_for(first, *run(2, Kind.BLOCKED)) == [1, 3, 4, 5]
    assert waits_for(first, *run(1), *run(2, Kind.BLOCKED)) == [3, 4, 5]


def test_before_the_first_build_there_was_no_run():
    assert waits_for(event(Kind.BUILT, 4)) == [4, 5]
    assert waits_for(event(Kind.BUILT, 0, fingerprint="another"), event(Kind.BUILT, 4)) == [4, 5]


def test_before_its_start_a_view_has_no_run():
    started = replace(VIEW, start=DAY + 3 * HOUR)  # the first run is of [3, 4)
    assert waits_for(event(Kind.BUILT, 0), view=started) == [4, 5]


def test_the_ledgers_of_a_training_set_are_asked_without_an_engine(tmp_path: Path):
    other = replace(VIEW, name="other")
    training_set = TrainingSet(
        name="rows", service=FeatureService(name="model", features=[VIEW, "other:amount"]), spine=FACTS
    )
    repo = Repo({"stats": VIEW, "other": other}, {}, {"rows": training_set}, {}, {})
    clock = FixedClock(DAY)
    Ledger(ledger_table(str(tmp_path), "other"), clock).append(event(Kind.BUILT, 4), *run(5))
    assert unsettled(str(tmp_path), training_set, repo, LABELS) == (Unsettled("other", DAY + 4 * HOUR),)


def test_settling_loads_no_engine():
    code = "import sys, skewless.ledger.settling; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {"pyspark", "airflow", "redis", "great_expectations", "pandas"} & set(loaded.split())
