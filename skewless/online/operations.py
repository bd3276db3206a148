"""What an operator does to a live view: roll back, expire, hold, release. Each is one script, told to the ledger.

Rollback, expire and hold work when the server is out of memory.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from skewless.ledger.events import Event, Kind
from skewless.online.connection import Session
from skewless.online.publication import Receipt
from skewless.online.reconcile import Agreement, OnlineView, reconcile_over
from skewless.online.scripts import refusal, run
from skewless.online.state import OnlineState
from skewless.online.telling import FLIPS, at_flip, encode_events, withdrawals


@dataclass(frozen=True, slots=True)
class _Will:
    """Who wants it, and why."""

    actor: str | None
    reason: str | None


def rollback(place: OnlineView, *, actor: str | None = None, reason: str | None = None) -> Receipt:
    """Go back to the previous generation at once, withdraw the revisions since, and hold the view.

    Raises PublishRefused: no_previous or dirty_epoch (publish the wanted revision with rollback=True), moved,
    not_published; StoreUnavailable; LedgerError.
    """
    with Session(place.redis_url) as session:
        seen = reconcile_over(session, place)
        event = _going_back(seen, _Will(actor, reason))
        if event is None:
            raise refusal(
                "not_published" if seen.state.pointer is None else "no_previous", "rollback", place.view
            )
        events = (event, *withdrawals(seen.events, event, event, seen.state.flip))
        return _flip(session, place, "rollback", seen, events)


def expire(place: OnlineView, *, actor: str | None = None, reason: str | None = None) -> Receipt:
    """Let readers have the expired row at once, until the view is released and published again.

    Raises PublishRefused: moved, not_published; StoreUnavailable; LedgerError.
    """
    with Session(place.redis_url) as session:
        seen = reconcile_over(session, place)
        pointer, live = seen.state.pointer, seen.live
        if pointer is None:
            raise refusal("not_published", "expire", place.view)
        event = Event(
            kind=Kind.EXPIRED,
            snapshot_time=pointer.snapshot_time,
            revision=live.revision if live else None,
            fingerprint=live.fingerprint if live else None,
            rows=live.rows if live else None,
            generation=pointer.generation,
            epoch=pointer.epoch,
            actor=actor,
            reason=reason,
        )
        return _flip(session, place, "expire", seen, (event,))


def hold(place: OnlineView, *, actor: str | None = None, reason: str | None = None) -> OnlineState:
    """Freeze the view as it is: nothing is published until it is released. First it freezes, then it tells.

    Raises StoreUnavailable; LedgerError when the view is held but the ledger could not be told.
    """
    event = Event(kind=Kind.HOLD, actor=actor, reason=reason)
    with Session(place.redis_url) as session:
        run(session, "hold", place.keys)
        return _tell(session, place, event)


def release(place: OnlineView, *, actor: str | None = None, reason: str | None = None) -> OnlineState:
    """Let publishes through again; the caller then publishes the newest revision in force.

    Raises StoreUnavailable; LedgerError.
    """
    event = Event(kind=Kind.RELEASE, actor=actor, reason=reason)
    with Session(place.redis_url) as session:
        reconcile_over(session, place)
        run(session, "release", place.keys)
        return _tell(session, place, event)


def _going_back(seen: Agreement, will: _Will) -> Event | None:
    """The event of a rollback to the previous generation, as the ledger knows that generation."""
    previous = seen.state.previous
    if seen.state.pointer is None or previous is None:
        return None
    told = [event for event in seen.events if event.kind in FLIPS and event.generation == previous.generation]
    expires_at = previous.expires_at if isinstance(previous.expires_at, datetime) else None
    first = (
        told[0] if told else Event(kind=Kind.PUBLISHED, generation=previous.generation, epoch=previous.epoch)
    )
    return Event(
        kind=Kind.ROLLED_BACK,
        snapshot_time=previous.snapshot_time,
        revision=first.revision,
        fingerprint=first.fingerprint,
        rows=first.rows,
        generation=previous.generation,
        epoch=previous.epoch,
        expires_at=seen.state.now if previous.expires_at == "past" else expires_at,
        actor=will.actor,
        reason=will.reason,
    )


def _flip(
    session: Session, place: OnlineView, script: str, seen: Agreement, events: tuple[Event, ...]
) -> Receipt:
    (answer,) = run(session, script, place.keys, seen.state.flip, seen.flip, encode_events(events))
    first, *others = place.ledger.append(*at_flip(events, int(answer)))
    assert first.generation is not None and first.epoch is not None and first.snapshot_time is not None
    return Receipt(
        view=place.view,
        generation=first.generation,
        epoch=first.epoch,
        flip=int(answer),
        snapshot_time=first.snapshot_time,
        revision=first.revision,
        rows=first.rows,
        expires_at=first.expires_at,
        withdrawn=tuple(event.revision or "" for event in others if event.kind is Kind.WITHDRAWN),
    )


def _tell(session: Session, place: OnlineView, event: Event) -> OnlineState:
    """Enter what has no flip of its own, with what was live then."""
    seen = reconcile_over(session, place)
    pointer = seen.state.pointer
    there = replace(event, effective_at=seen.state.now, flip=seen.state.flip)
    if pointer is not None:
        there = replace(there, generation=pointer.generation, snapshot_time=pointer.snapshot_time)
    place.ledger.append(there)
    return seen.state
