"""What an operator does to a live view: roll back, expire, hold, release. Each is one script, then told.

Rollback, expire and hold work when the server is out of memory.
"""

from __future__ import annotations

from dataclasses import replace

from skewless.ledger.events import Event, Kind
from skewless.online.connection import Session, demand_safe
from skewless.online.publication import Receipt
from skewless.online.reconcile import Agreement, OnlineView, expire_over, flip, flips_of, reconcile_over
from skewless.online.records import Pointer
from skewless.online.scripts import refusal, run
from skewless.online.state import OnlineState, Previous, read_state
from skewless.online.telling import withdrawals


def rollback(place: OnlineView, *, actor: str | None = None, reason: str | None = None) -> Receipt:
    """Go back to the previous generation at once, withdraw the revisions since, and hold the view.

    Raises PublishRefused: no_previous or dirty_epoch (publish the wanted revision with rollback=True), moved,
    not_published; StoreUnavailable; LedgerError.
    """
    with Session(place.redis_url, place.keys.pointer) as session:
        seen = reconcile_over(session, place)
        previous = seen.state.previous
        if seen.state.pointer is None or previous is None:
            code = "no_previous" if seen.state.pointer else "not_published"
            raise refusal(code, "rollback", place.view)
        event = replace(_going_back(seen, previous), actor=actor, reason=reason)
        events = (event, *withdrawals(seen.events, event, event, seen.state.flip))
        return _receipt(place, previous, *flip(session, place, "rollback", seen, events))


def expire(place: OnlineView, *, actor: str | None = None, reason: str | None = None) -> Receipt:
    """Let readers have the expired row at once, until the view is released and published again.

    Raises PublishRefused: moved, not_published; StoreUnavailable; LedgerError.
    """
    with Session(place.redis_url, place.keys.pointer) as session:
        seen = reconcile_over(session, place)
        pointer = seen.state.pointer
        if pointer is None:
            raise refusal("not_published", "expire", place.view)
        return _receipt(
            place, pointer, expire_over(session, place, seen, pointer, actor=actor, reason=reason)
        )


def hold(place: OnlineView, *, actor: str | None = None, reason: str | None = None) -> OnlineState:
    """Freeze the view as it is: nothing is published until it is released. First it freezes, then it tells.

    Raises StoreUnavailable; LedgerError when the view is held but the ledger could not be told.
    """
    event = Event(kind=Kind.HOLD, actor=actor, reason=reason)
    with Session(place.redis_url, place.keys.pointer) as session:
        run(session, "hold", place.keys)
        seen = reconcile_over(session, place)
        _tell(place, event, seen.state)
        return seen.state


def release(place: OnlineView, *, actor: str | None = None, reason: str | None = None) -> OnlineState:
    """Let publishes through again; the caller then publishes the newest revision in force.

    First it tells, then it thaws: whoever dies between leaves a held view, and releases it again.

    Raises StoreUnavailable; LedgerError.
    """
    event = Event(kind=Kind.RELEASE, actor=actor, reason=reason)
    with Session(place.redis_url, place.keys.pointer) as session:
        demand_safe(session)  # else the ledger would know of a release that there was not
        _tell(place, event, reconcile_over(session, place).state)
        run(session, "release", place.keys)
        return read_state(session, place.keys)


def _going_back(seen: Agreement, previous: Previous) -> Event:
    """The event of a rollback to the previous generation, as the ledger knows that generation."""
    first, *_ = [*flips_of(seen.events, previous.generation), Event(kind=Kind.PUBLISHED)]
    return Event(
        kind=Kind.ROLLED_BACK,
        snapshot_time=previous.snapshot_time,
        revision=first.revision,
        fingerprint=first.fingerprint,
        rows=first.rows,
        generation=previous.generation,
        epoch=previous.epoch,
        expires_at=seen.state.now if previous.expires_at == "past" else first.expires_at,
    )


def _receipt(place: OnlineView, shown: Pointer | Previous, first: Event, *others: Event) -> Receipt:
    """What readers see now, by the events of the flip."""
    return Receipt(
        view=place.view,
        generation=shown.generation,
        epoch=shown.epoch,
        flip=first.flip or 0,
        snapshot_time=shown.snapshot_time,
        revision=first.revision,
        rows=first.rows,
        expires_at=first.expires_at,
        withdrawn=tuple(event.revision or "" for event in others if event.kind is Kind.WITHDRAWN),
    )


def _tell(place: OnlineView, event: Event, state: OnlineState) -> None:
    """Enter what has no flip of its own, with what was live then."""
    there = replace(event, effective_at=state.now, flip=state.flip)
    if state.pointer is not None:
        generation, snapshot_time = state.pointer.generation, state.pointer.snapshot_time
        there = replace(there, generation=generation, snapshot_time=snapshot_time)
    place.ledger.append(there)
