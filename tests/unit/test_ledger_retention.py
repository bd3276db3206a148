"""Which revisions may go: whatever happened to a view, nothing that somebody can ask for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skewless import DeltaSource, Entity, FeatureView, Field, agg
from skewless.ledger.events import Event, Kind
from skewless.ledger.gaps import Stage, stages
from skewless.ledger.history import in_force, newest_in_force, snapshots
from skewless.ledger.retention import removable
from skewless.ledger.revisions import newest_build, same_content, to_enter
from skewless.ledger.standing import standings
from skewless.plan.fingerprint import fingerprint
from skewless.types import Int64

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TEN = datetime(2026, 7, 1, 10, tzinfo=UTC)
NOW = TEN + 100 * DAY
VIEW = FeatureView(
    name="spending",
    entities=[Entity(name="user", join_keys=["user_id"])],
    source=DeltaSource(name="orders", path="sources/orders", timestamp_field="at"),
    schema=[Field(name="orders", dtype=Int64, value=agg.count(window=HOUR))],
)
ASKED = fingerprint(VIEW)


def ledger(*events: Event, begin: datetime = TEN, step: timedelta = HOUR) -> tuple[Event, ...]:
    return tuple(replace(event, recorded_at=begin + number * step) for number, event in enumerate(events))


def told(kind: Kind, revision: str, t: datetime = TEN, **more) -> Event:
    return Event(
        kind=kind,
        **{"snapshot_time": t, "revision": revision, "fingerprint": ASKED, "content_hash": revision} | more,
    )


def may_go(events: tuple[Event, ...], *stored: str, keep: timedelta | None = 30 * DAY, named=(), at=TEN):
    return set(
        removable(VIEW, events, dict.fromkeys(stored, at), named=named, now=NOW, settling=7 * DAY, keep=keep)
    )


SUPERSEDED = ledger(
    told(Kind.BUILT, "old"), told(Kind.PASSED, "old"), told(Kind.BUILT, "new"), told(Kind.PASSED, "new")
)

# -- one by one -------------------------------------------------------------------------------------------


def test_what_no_event_tells_of_may_go_once_no_build_can_still_be_at_it():
    assert may_go(SUPERSEDED, "new", "in_vain", keep=None) == {"in_vain"}
    assert may_go(SUPERSEDED, "new", "in_vain", at=NOW - 7 * DAY) == {"in_vain"}
    assert may_go(SUPERSEDED, "new", "in_vain", at=NOW - 7 * DAY + HOUR) == set()


def test_everything_else_stays_unless_a_retention_is_set():
    assert may_go(SUPERSEDED, "old", "new", keep=None) == set()
    assert may_go(SUPERSEDED, "old", "new") == {"old"}
    assert may_go(SUPERSEDED, "old", "new", keep=200 * DAY) == set()


def test_a_manifest_keeps_what_it_names():
    assert may_go(SUPERSEDED, "old", "new", named={"old"}) == set()


def test_a_revision_stays_for_the_time_before_a_newer_one_is_usable():
    late = told(Kind.BUILT, "new", usable_from=TEN + 5 * HOUR)
    events = ledger(told(Kind.BUILT, "old"), told(Kind.PASSED, "old"), late, told(Kind.PASSED, "new"))
    assert may_go(events, "old", "new") == set()


def test_blocked_and_withdrawn_revisions_age():
    events = ledger(
        told(Kind.BUILT, "blocked"),
        told(Kind.BLOCKED, "blocked"),
        told(Kind.BUILT, "withdrawn", TEN + HOUR),
        told(Kind.WITHDRAWN, "withdrawn", TEN + HOUR),
        told(Kind.BUILT, "newest", TEN + 2 * HOUR),
    )
    assert may_go(events, "blocked", "withdrawn", "newest") == {"blocked", "withdrawn"}


def test_what_readers_have_and_what_a_rollback_goes_to_stays():
    shown = [
        told(kind, f"r{hour}", TEN + hour * HOUR, fingerprint="before")
        for hour in range(4)
        for kind in (Kind.BUILT, Kind.PASSED, Kind.PUBLISHED)
    ]
    assert may_go(ledger(*shown), "r0", "r1", "r2", "r3") == {"r0", "r1"}


def test_another_definition_keeps_its_revisions_as_long_as_somebody_uses_it():
    events = ledger(told(Kind.BUILT, "theirs", fingerprint="b"), told(Kind.PASSED, "theirs", fingerprint="b"))
    assert may_go(events, "theirs") == {"theirs"}
    recent = replace(told(Kind.BUILT, "now", TEN + HOUR, fingerprint="b"), recorded_at=NOW - DAY)
    assert may_go((*events, recent), "theirs", "now") == set()


# -- after a removal --------------------------------------------------------------------------------------

GONE = ledger(
    told(Kind.BUILT, "r"), told(Kind.BLOCKED, "r"), told(Kind.REMOVED, "r"), told(Kind.ACCEPTED, "r")
)


def test_what_was_removed_goes_on_going_and_nobody_brings_it_back():
    assert may_go(GONE, "r", keep=None) == {"r"}
    assert standings(GONE)["r"].good is False
    assert newest_build(GONE, TEN, ASKED) is None
    assert stages(VIEW, GONE, [TEN]) == {TEN: Stage.BUILD}


def test_a_snapshot_whose_blocked_revision_was_removed_is_still_skipped():
    assert snapshots(GONE, ASKED, HOUR)[TEN].is_skipped(NOW)


def test_equal_content_is_a_new_revision_then_and_no_ordinary_one_where_arrival_is_assumed():
    again = told(Kind.BUILT, "again", content_hash="r")
    assert same_content(GONE, TEN, ASKED, "r") is None
    assert to_enter(GONE, again, assumed=False, now=NOW) == again
    assert to_enter(GONE, again, assumed=True, now=NOW).usable_from == NOW


# -- whatever happened ------------------------------------------------------------------------------------

REVISIONS = [f"r{number}" for number in range(6)]
SNAPSHOT_OF = {name: TEN + (number % 2) * HOUR for number, name in enumerate(REVISIONS)}
INSTANTS = [TEN + number * HOUR for number in range(0, 30, 3)]


@st.composite
def histories(draw: st.DrawFn) -> tuple[Event, ...]:
    """Some events of two snapshots' revisions, in any order that a ledger can have."""
    events = []
    for _ in range(draw(st.integers(1, 14))):
        revision = draw(st.sampled_from(REVISIONS))
        kinds = [Kind.BUILT, Kind.PASSED, Kind.BLOCKED, Kind.ACCEPTED, Kind.WITHDRAWN, Kind.PUBLISHED]
        kind = draw(st.sampled_from([Kind.BUILT, Kind.BUILT, *kinds]))
        later = draw(st.sampled_from([None, None, *INSTANTS])) if kind is Kind.BUILT else None
        events.append(told(kind, revision, SNAPSHOT_OF[revision], usable_from=later))
    return ledger(*events)


@pytest.mark.parametrize("days", [1, 99])
@settings(max_examples=300, deadline=None)
@given(events=histories(), named=st.sets(st.sampled_from(REVISIONS), max_size=2))
def test_no_removal_changes_what_anybody_sees(days: int, events: tuple[Event, ...], named: set[str]):
    going = may_go(events, *REVISIONS, keep=days * DAY, named=named)
    touched = {event.revision for event in events}
    removals = [told(Kind.REMOVED, name, SNAPSHOT_OF[name]) for name in sorted(going & touched)]
    after = (*events, *(replace(event, recorded_at=NOW) for event in removals))
    for t in INSTANTS:
        for snapshot_time in set(SNAPSHOT_OF.values()):
            seen = [in_force(told, snapshot_time, t, ASKED, HOUR) for told in (events, after)]
            assert seen[0] == seen[1]
            assert seen[0] is None or seen[0].revision not in going
        newest = [newest_in_force(told, t, ASKED, HOUR) for told in (events, after)]
        assert newest[0] == newest[1]
    before, since = (snapshots(told, ASKED, HOUR) for told in (events, after))
    skipped = [{t: item.is_skipped(NOW) for t, item in known.items()} for known in (before, since)]
    assert skipped[0] == skipped[1]
    shown = [event.revision for event in events if event.kind is Kind.PUBLISHED]
    assert not going & (named | set(shown[-1:]))
    assert may_go(after, *(set(REVISIONS) - going), keep=days * DAY, named=named) == set()
