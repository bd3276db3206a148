"""Where the ledger and the online store differ, in words with what to do next; pure functions of both."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from skewless.ledger.events import Event, Kind
from skewless.online.reconcile import is_lost, last_flip, live_event
from skewless.online.records import Pointer
from skewless.online.state import OnlineState
from skewless.online.telling import is_expired_by_hand, is_frozen, newest_flip
from skewless.timeline import expired, format_instant, from_micros, to_micros

_MOMENT = timedelta(seconds=1)  # around an expiry nothing is said: pointer and clock are not read at once


def disagreements(view: str, events: Sequence[Event], state: OnlineState) -> tuple[str, ...]:
    """All of them, of a ledger that was read before the state; empty where there is none."""
    known = with_kept(events, state)
    found = (
        _not_in_ledger(view, events, state),
        _held(view, known, state),
        *what_readers_have(view, known, state),
    )
    return tuple(filter(None, found))


def what_readers_have(view: str, events: Sequence[Event], state: OnlineState) -> tuple[str, ...]:
    """Those by which readers have something else than the ledger says; a flip that it lacks yet is none."""
    known = with_kept(events, state)
    found = (
        _lost(view, events, state),
        _of_no_revision(view, known, state),
        _otherwise_expired(view, known, state),
    )
    return tuple(filter(None, found))


def with_kept(events: Sequence[Event], state: OnlineState) -> tuple[Event, ...]:
    """The ledger's events, and those of a flip that it lacks, as the server keeps them."""
    return (*events, *_kept(events, state))


def _kept(events: Sequence[Event], state: OnlineState) -> tuple[Event, ...]:
    told = state.told
    return told.events if told and told.flip == state.flip and told.flip > last_flip(events) else ()


def _not_in_ledger(view: str, events: Sequence[Event], state: OnlineState) -> str | None:
    if state.pointer is None or not _kept(events, state):
        return None
    return (
        f"readers have {_named(state.pointer)}, and the ledger does not tell of that flip yet; if nothing is on its "
        f"way, whatever made it ended before it told. The next operation enters it: skewless publish {view}"
    )


def _lost(view: str, events: Sequence[Event], state: OnlineState) -> str | None:
    newest = newest_flip(events)
    if newest is None or not is_lost(events, state):
        return None
    told = _generation(newest.generation, newest.snapshot_time)
    if state.pointer is None:
        return (
            f"nothing is live, and the ledger has {told}: the server lost the view, or SKEWLESS_REDIS_URL and "
            f"SKEWLESS_NAMESPACE name another place. Write it anew: skewless publish {view}"
        )
    what_next = f"Write it anew: skewless publish {view}"
    if state.alive and is_expired_by_hand(events):
        what_next = f"It was expired by hand since: skewless expire {view}"
    return (
        f"readers have {_named(state.pointer)}, and the ledger has {told}, which is later: the server went back. "
        f"{what_next}"
    )


def _of_no_revision(view: str, events: Sequence[Event], state: OnlineState) -> str | None:
    live = live_event(events, state.pointer)
    if state.pointer is None or (live and live.revision):
        return None
    return (
        f"readers have {_named(state.pointer)}, and the ledger does not say which revision that is: was the ledger "
        f"restored, or does another warehouse publish into this namespace? skewless publish {view} --full"
    )


def _otherwise_expired(view: str, events: Sequence[Event], state: OnlineState) -> str | None:
    live = live_event(events, state.pointer)
    if live is None:
        return None
    if live.kind is Kind.EXPIRED:
        by_hand = (
            f"readers get rows, and the ledger says that they were expired by hand: skewless expire {view}"
        )
        return by_hand if state.alive else None
    meant = _as_the_server_counts(live.expires_at)
    if meant is not None and abs(state.now - meant) < _MOMENT:
        return None
    over = meant is not None and bool(expired(meant, state.now))
    if state.alive is not over and (over or state.expires_at == meant):
        return None
    has = f"rows {_until(state.expires_at)}" if state.alive else "the expired row"
    return (
        f"readers get {has}, and by the ledger they get rows {_until(meant)}: did something else write or delete the "
        f"view's keys, or was the server restored? skewless publish {view} --full"
    )


def _as_the_server_counts(expires_at: datetime | None) -> datetime | None:
    """Rows are there through the millisecond in which they expire."""
    return None if expires_at is None else from_micros(-(-to_micros(expires_at) // 1000) * 1000)


def _until(t: datetime | None) -> str:
    return "for ever" if t is None else f"until {format_instant(t)}"


def _held(view: str, events: Sequence[Event], state: OnlineState) -> str | None:
    frozen = is_frozen(events)
    if state.held == frozen:
        return None
    side = "online, and not in the ledger" if state.held else "in the ledger, and not online"
    return f"the view is held {side}; say what it is to be: skewless hold {view}, or skewless release {view}"


def _named(pointer: Pointer) -> str:
    return _generation(pointer.generation, pointer.snapshot_time)


def _generation(number: int | None, snapshot_time: datetime | None) -> str:
    of = f" of snapshot {format_instant(snapshot_time)}" if snapshot_time else ""
    return f"generation {number}{of}"
