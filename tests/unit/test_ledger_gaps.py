"""What is left to do for a view's snapshots, on made-up histories."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from skewless import DeltaSource, Entity, FeatureView, Field, agg
from skewless.ledger.events import Event, Kind
from skewless.ledger.gaps import Gaps, Stage, first_scheduled, gaps, stages
from skewless.plan.fingerprint import fingerprint
from skewless.types import Int64

HOUR = timedelta(hours=1)
TEN = datetime(2026, 7, 1, 10, tzinfo=UTC)
VIEW = FeatureView(
    name="spending",
    entities=[Entity(name="user", join_keys=["user_id"])],
    source=DeltaSource(name="orders", path="sources/orders", timestamp_field="at"),
    schema=[Field(name="orders", dtype=Int64, value=agg.count(window=HOUR))],
)
NOW = fingerprint(VIEW)


def ledger(*events: Event) -> tuple[Event, ...]:
    """The events as a ledger stamps them, a minute apart."""
    return tuple(
        replace(event, recorded_at=TEN + timedelta(days=1, minutes=number))
        for number, event in enumerate(events)
    )


def told(kind: Kind, t: datetime, revision: str | None = None, asked: str = NOW) -> Event:
    return Event(kind=kind, snapshot_time=t, revision=revision or f"r{t:%H}", fingerprint=asked)


def built(t: datetime, *kinds: Kind, revision: str | None = None, asked: str = NOW) -> list[Event]:
    return [told(kind, t, revision, asked) for kind in (Kind.BUILT, *kinds)]


# -- what comes next --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kinds", "stage"),
    [
        ((), Stage.CHECK),
        ((Kind.BLOCKED,), Stage.BUILD),
        ((Kind.PASSED,), Stage.SETTLE),
        ((Kind.BLOCKED, Kind.ACCEPTED), Stage.DONE),
        ((Kind.PASSED, Kind.OFFLINE_ONLY), Stage.DONE),
        ((Kind.PASSED, Kind.PUBLISHED), Stage.DONE),
        ((Kind.PASSED, Kind.PUBLISHED, Kind.WITHDRAWN), Stage.BUILD),
    ],
)
def test_a_snapshot_goes_from_build_to_settled(kinds: tuple[Kind, ...], stage: Stage):
    events = ledger(*built(TEN, *kinds))
    assert stages(VIEW, events, [TEN, TEN + HOUR]) == {TEN: stage, TEN + HOUR: Stage.BUILD}


def test_another_definitions_revision_does_not_count():
    events = ledger(*built(TEN, Kind.PASSED, Kind.PUBLISHED, asked="other"))
    assert stages(VIEW, events, [TEN]) == {TEN: Stage.BUILD}


def test_a_second_revision_is_checked_and_settled_for_itself():
    first = built(TEN, Kind.PASSED, Kind.OFFLINE_ONLY)
    second = built(TEN, revision="second")
    assert stages(VIEW, ledger(*first, *second), [TEN])[TEN] is Stage.CHECK
    passed = [*first, *second, told(Kind.PASSED, TEN, "second")]
    assert stages(VIEW, ledger(*passed), [TEN])[TEN] is Stage.SETTLE


def test_a_view_that_is_not_served_is_done_when_it_passed():
    unserved = replace(VIEW, online=False)
    assert stages(unserved, ledger(*built(TEN, Kind.PASSED)), [TEN])[TEN] is Stage.DONE


# -- gaps -------------------------------------------------------------------------------------------------


def test_a_view_that_was_never_built_and_has_no_start_misses_nothing():
    assert gaps(VIEW, (), TEN) == Gaps((), ())


def test_from_its_first_build_on_a_view_misses_what_has_no_good_revision():
    events = ledger(
        *built(TEN, Kind.PASSED, asked="other"),
        *built(TEN + HOUR, Kind.PASSED),
        *built(TEN + 2 * HOUR, Kind.BLOCKED),
        *built(TEN + 3 * HOUR),
    )
    assert gaps(VIEW, events, TEN + 4 * HOUR) == Gaps(
        missing=(TEN, TEN + 3 * HOUR, TEN + 4 * HOUR), refused=(TEN + 2 * HOUR,)
    )


def test_with_a_start_the_first_interval_is_the_one_that_begins_there():
    assert first_scheduled(replace(VIEW, start=TEN)) == TEN + HOUR
    assert first_scheduled(replace(VIEW, start=TEN + timedelta(minutes=1))) == TEN + 2 * HOUR
    events = ledger(*built(TEN - 5 * HOUR, Kind.PASSED))
    assert gaps(replace(VIEW, start=TEN), events, TEN + HOUR) == Gaps((TEN + HOUR,), ())
