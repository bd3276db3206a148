"""What the ledger answers, on made-up histories."""

from datetime import UTC, datetime, timedelta

import pytest

from skewless.ledger.events import Event, Kind
from skewless.ledger.history import (
    awaited,
    first_flip_at,
    in_force,
    live_at,
    live_now,
    newest_in_force,
    published_at,
    settled,
    snapshots,
)
from skewless.ledger.standing import last_verdict
from skewless.timeline import MICROSECOND

DELAY = timedelta(minutes=15)
DAY = datetime(2024, 3, 1, tzinfo=UTC)


def at(text: str) -> datetime:
    hours, minutes = text.split(":")
    return DAY + timedelta(hours=int(hours), minutes=int(minutes))


T = at("10:00")
DUE = at("10:15")


def history(*events: Event) -> tuple[Event, ...]:
    """The events as the ledger gives them: recorded a minute apart from 11:00 on, in this order."""
    stamped = []
    for i, event in enumerate(events):
        values = {name: getattr(event, name) for name in event.__slots__}
        stamped.append(Event(**values | {"recorded_at": at("11:00") + timedelta(minutes=i)}))
    return tuple(stamped)


def built(revision: str, *, snapshot_time=T, fingerprint="f", usable_from=None, rows=5) -> Event:
    return Event(
        kind=Kind.BUILT,
        revision=revision,
        snapshot_time=snapshot_time,
        fingerprint=fingerprint,
        usable_from=usable_from,
        rows=rows,
        content_hash=f"hash of {revision}",
    )


def passed(revision: str) -> Event:
    return Event(kind=Kind.PASSED, revision=revision, snapshot_time=T)


def blocked(revision: str, snapshot_time=T) -> Event:
    return Event(kind=Kind.BLOCKED, revision=revision, snapshot_time=snapshot_time)


def accepted(revision: str, usable_from: datetime | None = None) -> Event:
    return Event(kind=Kind.ACCEPTED, revision=revision, snapshot_time=T, usable_from=usable_from)


def withdrawn(revision: str) -> Event:
    return Event(kind=Kind.WITHDRAWN, revision=revision, snapshot_time=T)


def force(*events: Event, t: datetime, fingerprint: str = "f") -> str | None:
    entry = in_force(history(*events), T, t, fingerprint, DELAY)
    return entry.revision if entry else None


def from_when(*events: Event, revision: str = "a") -> datetime | None:
    """The first instant at which the revision is in force, by asking at it and just before it."""
    entry = in_force(history(*events), T, DAY + timedelta(days=300), "f", DELAY)
    if entry is None or entry.revision != revision:
        return None
    assert in_force(history(*events), T, entry.usable_from, "f", DELAY) == entry
    assert in_force(history(*events), T, entry.usable_from - MICROSECOND, "f", DELAY) != entry
    return entry.usable_from


# -- in force ---------------------------------------------------------------------------------------------


def test_an_ordinary_revision_is_in_force_from_when_its_snapshot_is_due_however_late_it_was_built():
    assert from_when(built("a"), passed("a")) == DUE


def test_it_tells_what_was_built():
    entry = in_force(history(built("a", rows=7), passed("a")), T, DUE, "f", DELAY)
    assert (entry.snapshot_time, entry.rows, entry.content_hash) == (T, 7, "hash of a")


@pytest.mark.parametrize(
    "events",
    [
        (),
        (built("a"),),
        (passed("a"),),
        (built("a"), blocked("a")),
        (built("a"), passed("a"), withdrawn("a")),
        (built("a"), passed("a"), blocked("a")),
        (built("a"), accepted("a", at("12:00")), withdrawn("a")),
        (built("a"), passed("a"), withdrawn("a"), passed("a")),
        (built("a"), passed("a"), withdrawn("a"), blocked("a"), passed("a")),
    ],
    ids=lambda events: " ".join(event.kind for event in events) or "nothing",
)
def test_what_is_not_good_is_never_in_force(events):
    assert from_when(*events) is None


def test_another_fingerprint_or_snapshot_is_not_asked():
    events = (built("a"), passed("a"), built("b", fingerprint="g"), passed("b"))
    assert force(*events, t=DUE) == "a"
    assert force(*events, t=DUE, fingerprint="g") == "b"
    assert force(*events, t=DUE, fingerprint="h") is None
    assert in_force(history(*events), at("11:00"), at("23:00"), "f", DELAY) is None


def test_accepted_by_hand_is_usable_from_the_acceptance():
    assert from_when(built("a"), blocked("a"), accepted("a", at("14:00"))) == at("14:00")


def test_an_acceptance_before_the_snapshot_is_due_waits_for_it():
    assert from_when(built("a"), blocked("a"), accepted("a", at("10:05"))) == DUE


def test_an_acceptance_without_an_instant_counts_from_when_it_was_recorded():
    assert from_when(built("a"), blocked("a"), accepted("a")) == at("11:02")


def test_an_acceptance_does_not_restrict_what_had_passed_by_itself():
    assert from_when(built("a"), passed("a"), accepted("a", at("14:00"))) == DUE
    assert from_when(built("a"), accepted("a", at("14:00")), passed("a")) == DUE


def test_the_first_of_two_acceptances_counts():
    assert from_when(built("a"), blocked("a"), accepted("a", at("14:00")), accepted("a", at("16:00"))) == at(
        "14:00"
    )


def test_an_acceptance_restores_what_was_withdrawn_from_then_on_only():
    events = (built("a"), passed("a"), withdrawn("a"), accepted("a", at("15:00")))
    assert from_when(*events) == at("15:00")
    assert from_when(*events, withdrawn("a")) is None


def test_blocked_and_passing_now_counts_as_accepted_now():
    assert from_when(built("a"), blocked("a"), passed("a")) == at("11:02")


def test_a_check_that_is_repeated_does_not_undo_an_acceptance():
    events = (built("a"), blocked("a"), accepted("a", at("14:00")), blocked("a"))
    assert from_when(*events) == from_when(*events, passed("a")) == at("14:00")


def test_known_until_and_assumed_arrival_are_usable_from_the_instant_built_with_them():
    assert from_when(built("a", usable_from=at("13:00")), passed("a")) == at("13:00")
    assert from_when(built("a", usable_from=at("09:00")), passed("a")) == DUE
    assert from_when(built("a", usable_from=at("13:00")), blocked("a"), accepted("a", at("12:00"))) == at(
        "13:00"
    )
    assert from_when(built("a", usable_from=at("13:00")), blocked("a"), accepted("a", at("14:00"))) == at(
        "14:00"
    )


def test_the_newest_good_and_usable_revision_is_in_force():
    events = (
        built("a"),
        passed("a"),
        built("b", usable_from=at("13:00")),
        passed("b"),
        built("c"),
        blocked("c"),
    )
    assert force(*events, t=DUE - MICROSECOND) is None
    assert force(*events, t=DUE) == "a"
    assert force(*events, t=at("13:00") - MICROSECOND) == "a"
    assert force(*events, t=at("13:00")) == "b"
    assert force(*events, accepted("c", at("14:00")), t=at("14:00")) == "c"
    assert force(*events, withdrawn("b"), t=at("14:00")) == "a"


def test_newest_goes_by_when_they_were_built_not_by_when_they_passed():
    assert force(built("a"), built("b"), passed("b"), passed("a"), t=DUE) == "b"


def test_a_revision_that_was_built_again_is_the_newest_again_from_when_that_build_is_usable():
    events = (built("a"), passed("a"), built("b"), passed("b"), built("a", usable_from=at("13:00")))
    assert force(*events, t=DUE) == "b"
    assert force(*events, t=at("13:00")) == "a"
    assert force(*events, withdrawn("a"), t=at("13:00")) == "b"
    assert force(*events, withdrawn("b"), t=DUE) == "a"


def test_the_newest_snapshot_in_force_and_the_nearest_before_another():
    eleven = at("11:00")
    events = history(
        built("a"),
        passed("a"),
        built("b", snapshot_time=eleven),
        passed("b"),
        built("c", snapshot_time=at("12:00")),
        blocked("c"),
    )
    assert newest_in_force(events, at("13:00"), "f", DELAY).revision == "b"
    assert newest_in_force(events, at("11:14"), "f", DELAY).revision == "a"
    assert newest_in_force(events, at("10:14"), "f", DELAY) is None
    assert newest_in_force(events, at("13:00"), "f", DELAY, before=eleven).revision == "a"
    assert newest_in_force(events, at("13:00"), "f", DELAY, before=eleven + MICROSECOND).revision == "b"
    assert newest_in_force(events, at("13:00"), "f", DELAY, before=T) is None


def test_a_snapshot_is_skipped_while_it_is_spoiled_and_nothing_is_in_force():
    def skipped(*events: Event, t: datetime) -> bool:
        return snapshots(history(*events), "f", DELAY)[T].is_skipped(t)

    assert not skipped(built("a"), t=at("12:00"))
    assert not skipped(built("a", usable_from=at("13:00")), passed("a"), t=at("12:00"))
    assert skipped(built("a"), blocked("a"), t=at("12:00"))
    assert skipped(built("a"), passed("a"), withdrawn("a"), t=at("12:00"))
    assert skipped(built("a"), blocked("a"), built("b"), t=at("12:00"))
    assert not skipped(built("a"), blocked("a"), built("b"), passed("b"), t=DUE)
    assert not skipped(built("a"), passed("a"), built("b"), blocked("b"), t=DUE)
    assert not skipped(built("a"), built("b", fingerprint="g"), blocked("b"), t=at("12:00"))
    accepted_late = (built("a"), blocked("a"), accepted("a", at("14:00")))
    assert skipped(*accepted_late, t=at("14:00") - MICROSECOND)
    assert not skipped(*accepted_late, t=at("14:00"))


def test_the_last_thing_said_of_a_revision_is_its_verdict():
    events = (built("a"), blocked("a"), accepted("a", T), built("b"))
    assert last_verdict(history(*events), "a") is Kind.ACCEPTED
    assert last_verdict(history(*events), "b") is None


# -- settled ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", Kind)
def test_a_snapshot_is_settled_by_what_became_of_its_publish(kind):
    events = history(Event(kind=kind, snapshot_time=T, revision="a"))
    assert settled(events, T) == (kind in {"published", "offline_only", "held", "blocked"})
    assert not settled(events, at("11:00"))


def test_only_a_newer_snapshot_that_is_due_and_not_settled_is_awaited():
    eleven = at("11:00")
    assert awaited((), T, eleven)
    assert not awaited((), T, T)
    assert not awaited((), eleven, T)
    for kind in Kind:
        events = history(Event(kind=kind, snapshot_time=eleven, revision="a"))
        assert awaited(events, T, eleven) != settled(events, eleven), kind


# -- live -------------------------------------------------------------------------------------------------


def flip(
    kind: Kind, when: str, generation: int | None, snapshot_time: datetime | None = T, **values
) -> Event:
    return Event(
        kind=kind,
        effective_at=at(when),
        generation=generation,
        snapshot_time=snapshot_time,
        revision=f"r{generation}",
        **values,
    )


def seen(events: tuple[Event, ...], t: datetime) -> tuple[int, bool] | None:
    live = live_at(events, t)
    return (live.generation, live.expired) if live else None


NIGHT = history(
    flip(Kind.PUBLISHED, "10:15", 1, T, expires_at=at("16:00"), fingerprint="f"),
    flip(Kind.PUBLISHED, "11:20", 2, at("11:00"), expires_at=at("17:00")),
    flip(Kind.ROLLED_BACK, "11:40", 1, T, expires_at=at("16:00")),
    Event(kind=Kind.HOLD, effective_at=at("11:50")),
    Event(kind=Kind.RELEASE, effective_at=at("12:10")),
    flip(Kind.EXPIRED, "12:30", 1, T),
    flip(Kind.PUBLISHED, "13:15", 3, at("13:00"), expires_at=at("19:00")),
    Event(kind=Kind.LOST, effective_at=at("14:00")),
    flip(Kind.PUBLISHED, "14:15", 4, at("14:00"), expires_at=at("20:00")),
)


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("10:14", None),
        ("10:15", (1, False)),
        ("11:19", (1, False)),
        ("11:20", (2, False)),
        ("11:40", (1, False)),
        ("11:55", (1, False)),  # a hold freezes what is there
        ("12:15", (1, False)),  # and a release thaws it
        ("12:30", (1, True)),
        ("13:15", (3, False)),
        ("14:00", None),
        ("14:15", (4, False)),
        ("19:59", (4, False)),
        ("20:00", (4, True)),
    ],
)
def test_what_readers_saw_through_a_bad_night(when, expected):
    assert seen(NIGHT, at(when)) == expected


def test_a_flip_is_seen_at_its_instant_and_not_before():
    assert seen(NIGHT, at("11:20") - MICROSECOND) == (1, False)


def test_it_tells_which_snapshot_and_since_when():
    live = live_at(NIGHT, at("11:00"))
    assert (live.snapshot_time, live.revision, live.fingerprint) == (T, "r1", "f")
    assert (live.since, live.expires_at) == (at("10:15"), at("16:00"))


def test_without_max_staleness_it_never_expires():
    assert seen(history(flip(Kind.PUBLISHED, "10:15", 1)), DAY + timedelta(days=3000)) == (1, False)


def test_a_flip_that_was_told_late_counts_from_when_readers_saw_it():
    events = history(flip(Kind.PUBLISHED, "11:20", 2), flip(Kind.PUBLISHED, "10:15", 1))
    assert [seen(events, at(t)) for t in ("10:15", "11:19", "11:20")] == [(1, False), (1, False), (2, False)]


def test_a_server_restored_from_an_older_file_showed_that_generation_again():
    events = history(
        flip(Kind.PUBLISHED, "10:15", 1), flip(Kind.PUBLISHED, "11:20", 2), flip(Kind.LOST, "11:30", 1)
    )
    assert seen(events, at("11:30")) == (1, False)


def test_now_is_after_every_flip_even_if_the_servers_clock_is_ahead():
    events = history(flip(Kind.PUBLISHED, "10:15", 1, expires_at=at("16:00")))
    assert live_at(events, at("10:14")) is None
    assert live_now(events, at("10:14")).generation == 1
    assert not live_now(events, at("15:59")).expired
    assert live_now(events, at("16:00")).expired
    assert live_now((), at("10:14")) is None


def test_when_the_ledger_begins_and_when_a_generation_was_published():
    assert first_flip_at(NIGHT) == at("10:15")
    assert first_flip_at(history(built("a"))) is None
    assert published_at(NIGHT, 1) == at("10:15")
    assert published_at(NIGHT, 9) is None
