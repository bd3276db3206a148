"""Ledger and online store are told apart wherever they differ, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from skewless.ledger.events import Event, Kind
from skewless.online.disagreements import disagreements, what_readers_have
from skewless.online.records import Pointer
from skewless.online.state import OnlineState
from skewless.online.telling import Told

T = datetime(2026, 7, 1, 10, tzinfo=UTC)
NOW = T + timedelta(hours=5)
EXPIRY = T + timedelta(hours=48, microseconds=1)
TO_THE_MILLISECOND = T + timedelta(hours=48, milliseconds=1)


def published(generation: int = 1, flip: int = 100, **more: object) -> Event:
    about = {"revision": f"r{generation}", "snapshot_time": T, "expires_at": EXPIRY, "flip": flip}
    return Event(kind=Kind.PUBLISHED, generation=generation, **about | more)


def online(generation: int | None = 1, flip: int = 100, **more: object) -> OnlineState:
    state = OnlineState(
        pointer=Pointer(flip, generation, 1, T) if generation else None,
        alive=generation is not None,
        expires_at=TO_THE_MILLISECOND if generation else None,
        writing=0,
        dirty=False,
        held=False,
        top=1,
        previous=None,
        garbage=(),
        order=0,
        told=None,
        now=NOW,
    )
    return replace(state, **more)


def told(events: list[Event], state: OnlineState) -> str:
    """The only one that there is."""
    (found,) = disagreements("stats", events, state)
    return found


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([], online(None)),
        ([published()], online()),
        ([published()], online(told=Told(100, (published(),)))),
        ([published(expires_at=None)], online(expires_at=None)),
        ([published(), published(2, 200)], online(2, 200)),
        ([published(), Event(kind=Kind.HOLD)], online(held=True)),
        ([published(), Event(kind=Kind.HOLD), Event(kind=Kind.RELEASE)], online()),
        ([published()], online(alive=False, expires_at=None, now=EXPIRY + timedelta(minutes=1))),
        ([published()], online(alive=False, expires_at=None, now=EXPIRY)),  # it may be either, just then
        ([published()], online(now=EXPIRY)),
        (
            [published(), replace(published(flip=200), kind=Kind.EXPIRED)],
            online(flip=200, alive=False, expires_at=None, held=True),
        ),
    ],
)
def test_where_they_agree_nothing_is_told(events: list[Event], state: OnlineState) -> None:
    assert disagreements("stats", events, state) == ()


def test_a_flip_that_the_ledger_lacks_is_told_and_is_nothing_to_readers() -> None:
    state = online(2, 200, told=Told(200, (published(2, 200),)))
    assert told([published()], state) == (
        "readers have generation 2 of snapshot 2026-07-01T10:00:00Z, and the ledger does not tell of that flip yet; if "
        "nothing is on its way, whatever made it ended before it told. The next operation enters it: "
        "skewless publish stats"
    )
    assert what_readers_have("stats", [published()], state) == ()


def test_a_rollback_that_the_ledger_lacks_holds_the_view_without_another_word() -> None:
    back = replace(published(flip=300), kind=Kind.ROLLED_BACK)
    state = online(flip=300, held=True, told=Told(300, (back,)))
    assert "does not tell of that flip yet" in told([published(), published(2, 200)], state)


def test_a_server_that_went_back_or_lost_the_view_is_told() -> None:
    events = [published(), published(2, 200)]
    assert told(events, online()) == (
        "readers have generation 1 of snapshot 2026-07-01T10:00:00Z, and the ledger has generation 2 of snapshot "
        "2026-07-01T10:00:00Z, which is later: the server went back. Write it anew: skewless publish stats"
    )
    lost = Event(kind=Kind.LOST, flip=100, generation=1)
    assert "the server went back" in told([*events, lost], online())  # until something is published
    assert told(events, online(None)).startswith(
        "nothing is live, and the ledger has generation 2 of snapshot "
    )


def test_a_server_that_went_back_before_an_expiry_by_hand_is_to_be_expired_again() -> None:
    events = [published(), replace(published(2, 200), kind=Kind.EXPIRED)]
    again = "the server went back. It was expired by hand since: skewless expire stats"
    assert again in "\n".join(disagreements("stats", events, online()))
    released = [*events, Event(kind=Kind.RELEASE)]
    assert "went back. Write it anew" in "\n".join(disagreements("stats", released, online()))


@pytest.mark.parametrize("state", [online(3, 300), online(3, 300, told=Told(250, (published(2, 250),)))])
def test_a_flip_that_nobody_knows_is_told(state: OnlineState) -> None:
    assert "the ledger does not say which revision that is" in told([published()], state)
    assert what_readers_have("stats", [published()], state) != ()


def test_a_hold_on_one_side_is_told_with_its_side() -> None:
    assert told([published()], online(held=True)).startswith(
        "the view is held online, and not in the ledger; say "
    )
    held = [published(), Event(kind=Kind.HOLD)]
    assert told(held, online()) == (
        "the view is held in the ledger, and not online; say what it is to be: skewless hold stats, or skewless "
        "release stats"
    )


NOT_ALIVE = {"alive": False, "expires_at": None}
STORED, LATER, PAST = (
    "until 2026-07-03T10:00:00.001000Z",
    "until 2026-07-03T11:00:00Z",
    "until 2026-07-01T10:00:00Z",
)


@pytest.mark.parametrize(
    ("meant", "more", "has", "should"),
    [
        (EXPIRY, NOT_ALIVE, "the expired row", f"rows {STORED}"),
        (None, NOT_ALIVE, "the expired row", "rows for ever"),
        (EXPIRY, {"expires_at": None}, "rows for ever", f"rows {STORED}"),
        (None, {}, f"rows {STORED}", "rows for ever"),
        (EXPIRY, {"expires_at": T + timedelta(hours=49)}, f"rows {LATER}", f"rows {STORED}"),
        (T, {}, f"rows {STORED}", f"rows {PAST}"),
    ],
)
def test_another_expiry_is_told(
    meant: datetime | None, more: dict[str, object], has: str, should: str
) -> None:
    found = told([published(expires_at=meant)], online(**more))
    assert found.startswith(f"readers get {has}, and by the ledger they get {should}: did something else ")


def test_rows_after_an_expiry_by_hand_are_told() -> None:
    events = [published(), replace(published(flip=200), kind=Kind.EXPIRED)]
    assert told(events, online(flip=200, held=True)).startswith(
        "readers get rows, and the ledger says that they were "
    )
