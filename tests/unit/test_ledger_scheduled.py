"""What the schedule sees: checked case by case, and against a plain reading of the rules."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skewless.ledger.events import Event, Kind
from skewless.ledger.history import snapshots
from skewless.ledger.scheduled import Seen, Stretch, seen_at, stretches
from skewless.timeline import MICROSECOND, Schedule

HOUR = timedelta(hours=1)
DELAY = timedelta(minutes=15)
START = datetime(2024, 3, 1, tzinfo=UTC)
HOURLY = Schedule("@hourly")


def hour(n: float) -> datetime:
    return START + n * HOUR


def event(
    kind: Kind, n: int, name: str, usable_from: datetime | None = None, fingerprint: str = "f"
) -> Event:
    return Event(
        kind=kind,
        snapshot_time=hour(n),
        revision=f"{n}{name}",
        usable_from=usable_from,
        fingerprint=fingerprint,
    )


def built(n: int, name: str = "a", **values) -> Event:
    return event(Kind.BUILT, n, name, **values)


def good(n: int, name: str = "a", **values) -> tuple[Event, ...]:
    return built(n, name, **values), event(Kind.PASSED, n, name)


def bad(n: int, name: str = "a", **values) -> tuple[Event, ...]:
    return built(n, name, **values), event(Kind.BLOCKED, n, name)


def see(events: tuple[Event, ...], t: datetime, *, schedule=HOURLY, delay=DELAY) -> Seen:
    return seen_at(events, t, schedule=schedule, publish_delay=delay, fingerprint="f")


def test_a_snapshot_is_seen_from_when_it_is_due():
    assert see((), hour(5) + DELAY - MICROSECOND) == Seen(hour(4), None, skipped=False)
    assert see((), hour(5) + DELAY) == Seen(hour(5), None, skipped=False)


def test_a_stored_revision_is_named():
    assert see(good(5), hour(5) + DELAY) == Seen(hour(5), "5a", skipped=False)


def test_blocked_snapshots_are_skipped_to_the_newest_that_is_not():
    events = (*good(3), *bad(4), *bad(5))
    assert see(events, hour(5.5)) == Seen(hour(3), "3a", skipped=True)
    assert see(events, hour(6.5)) == Seen(hour(6), None, skipped=False)


def test_skipping_may_end_at_a_snapshot_that_nobody_built():
    assert see(bad(5), hour(5.5)) == Seen(hour(4), None, skipped=True)


def test_unchecked_or_not_yet_usable_revisions_count_as_unbuilt():
    assert see((built(5),), hour(5.5)) == Seen(hour(5), None, skipped=False)
    assert see(good(5, usable_from=hour(7)), hour(5.5)) == Seen(hour(5), None, skipped=False)


def test_blocked_revisions_of_another_definition_skip_nothing():
    assert see(bad(5, fingerprint="old"), hour(5.5)) == Seen(hour(5), None, skipped=False)


def test_an_acceptance_ends_the_skipping_from_then_on():
    events = (*bad(5), event(Kind.ACCEPTED, 5, "a", hour(5.7)))
    assert see(events, hour(5.7) - MICROSECOND) == Seen(hour(4), None, skipped=True)
    assert see(events, hour(5.7)) == Seen(hour(5), "5a", skipped=False)


def between(events, first, last, *, schedule=HOURLY, delay=DELAY) -> list[Stretch]:
    return stretches(events, first, last, schedule=schedule, publish_delay=delay, fingerprint="f")


def test_stretches_change_where_a_snapshot_falls_due_and_where_a_revision_becomes_usable():
    events = (*good(3), *bad(4), *bad(5), event(Kind.ACCEPTED, 5, "a", hour(5.7)), *good(6))
    assert between(events, hour(4), hour(6.5)) == [
        Stretch(hour(4), Seen(hour(3), "3a", skipped=False)),
        Stretch(hour(4) + DELAY, Seen(hour(3), "3a", skipped=True)),
        Stretch(hour(5.7), Seen(hour(5), "5a", skipped=False)),
        Stretch(hour(6) + DELAY, Seen(hour(6), "6a", skipped=False)),
    ]


def test_stretches_begin_with_an_older_snapshot_where_the_newest_are_skipped():
    events = (*bad(4), *bad(5), event(Kind.ACCEPTED, 5, "a", hour(9)))
    assert between(events, hour(5.5), hour(5.9)) == [Stretch(hour(5.5), Seen(hour(3), None, skipped=True))]


def test_stretches_end_with_the_last_instant():
    events = (*bad(5), event(Kind.ACCEPTED, 5, "a", hour(5.7)))
    assert len(between(events, hour(5.5), hour(5.7) - MICROSECOND)) == 1
    assert len(between(events, hour(5.5), hour(5.7))) == 2


def test_one_instant_is_one_stretch():
    assert between((), hour(4), hour(4)) == [Stretch(hour(4), Seen(hour(3), None, skipped=False))]


# -- against a plain reading ------------------------------------------------------------------------------

MINUTES = st.integers(0, 12 * 60).map(lambda minutes: START + timedelta(minutes=minutes))
EVENTS = st.lists(
    st.builds(
        event,
        st.sampled_from([Kind.BUILT, Kind.BUILT, Kind.PASSED, Kind.BLOCKED, Kind.ACCEPTED, Kind.WITHDRAWN]),
        st.integers(0, 9),
        st.sampled_from("ab"),
        st.one_of(st.none(), MINUTES),
        st.sampled_from(["f", "f", "f", "g"]),
    ),
    max_size=40,
).map(lambda events: tuple(_stamped(i, event) for i, event in enumerate(events)))
SCHEDULES = st.sampled_from([HOURLY, Schedule("*/20 * * * *"), Schedule("0 */2 * * *"), Schedule("@daily")])
DELAYS = st.sampled_from([timedelta(0), DELAY, timedelta(hours=2, minutes=30)])


def _stamped(i: int, event: Event) -> Event:
    values = {name: getattr(event, name) for name in event.__slots__}
    return Event(**values | {"recorded_at": hour(2) + i * timedelta(minutes=7)})


def plainly(events, t, schedule, delay) -> Seen:
    """The ticks of four days, newest first: the first that is due and not skipped."""
    known, skipped = snapshots(events, "f", delay), False
    for tick in reversed(list(schedule.ticks(START - timedelta(days=3), t))):
        if tick + delay > t:
            continue
        snapshot = known.get(tick)
        names = {
            e.revision
            for e in events
            if e.kind == "built" and e.fingerprint == "f" and e.snapshot_time == tick
        }
        spoiled = any(e.revision in names and e.kind in ("blocked", "withdrawn") for e in events)
        usable = [entry for entry in (snapshot.good if snapshot else ()) if entry.usable_from <= t]
        if usable or not spoiled:
            return Seen(tick, usable[0].revision if usable else None, skipped)
        skipped = True
    raise AssertionError("no tick at all")


@settings(max_examples=100, deadline=None, derandomize=True)
@given(EVENTS, SCHEDULES, DELAYS, MINUTES, MINUTES, st.lists(MINUTES, max_size=5))
def test_stretches_agree_with_every_instant_and_both_with_a_plain_reading(
    events, schedule, delay, a, b, asked
):
    first, last = min(a, b), max(a, b)
    found = between(events, first, last, schedule=schedule, delay=delay)
    near = [edge.since + d for edge in found for d in (-MICROSECOND, timedelta(0), MICROSECOND)]
    assert found[0].since == first
    assert all(earlier.seen != later.seen for earlier, later in pairwise(found))
    for t in {first, last, *asked, *near}:
        if first <= t <= last:
            by_stretch = [stretch.seen for stretch in found if stretch.since <= t][-1]
            assert by_stretch == see(events, t, schedule=schedule, delay=delay)
            assert by_stretch == plainly(events, t, schedule, delay)


@pytest.mark.timeout(30)  # half a second, unless each tick looks at each event
def test_ten_thousand_ticks_and_a_thousand_events_are_no_work():
    events = tuple(event for n in range(2000, 2500) for event in bad(n))
    found = between(events, hour(0), hour(10_000))
    assert len(found) == 1 + 10_000 - 499  # the skipped ones show one stretch


# -- the ticks --------------------------------------------------------------------------------------------


def test_ticks_are_those_that_one_by_one_steps_find():
    for expression in (
        "@hourly",
        "@weekly",
        "*/15 6-20/2 1,15 * 1-5",
        "5 4 L * *",
        "30 22-2 * * 5#2",
        "0,59 0,23 * * 7",
    ):
        schedule = Schedule(expression)
        first, last = START + timedelta(hours=13, microseconds=1), START + timedelta(days=40)
        steps = [schedule.next_after(first)]
        while steps[-1] <= last:
            steps.append(schedule.next_after(steps[-1]))
        assert list(schedule.ticks(first, last)) == steps[:-1], expression
        assert list(schedule.ticks(steps[0], steps[1])) == steps[:2], expression
