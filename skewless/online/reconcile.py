"""Comparing the pointer with the ledger, before every operation: no flip goes untold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from skewless.ledger.events import Event, Kind
from skewless.ledger.table import Ledger
from skewless.online.connection import Session
from skewless.online.keys import ViewKeys
from skewless.online.records import Pointer
from skewless.online.scripts import run
from skewless.online.state import OnlineState, read_state
from skewless.online.telling import (
    FLIPS,
    at_flip,
    derived_id,
    encode_events,
    is_expired_by_hand,
    is_frozen,
    newest_flip,
)
from skewless.timeline import expired


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlineView:
    """One view's place in the online store, and its ledger: what every operation is about."""

    redis_url: str
    namespace: str
    view: str
    ledger: Ledger

    @property
    def keys(self) -> ViewKeys:
        """The names of its keys."""
        return ViewKeys(self.namespace, self.view)


@dataclass(frozen=True, slots=True)
class Agreement:
    """Pointer and ledger after they were compared.

    live         the ledger's event of the live flip; None: nothing is live
    lost         the pointer is behind the ledger, or gone: the next publish is full
    generation   the ledger's greatest
    flip         the ledger's last
    """

    state: OnlineState
    events: tuple[Event, ...]
    live: Event | None
    lost: bool

    @property
    def generation(self) -> int:
        """The greatest generation that the ledger tells of."""
        return max((event.generation or 0 for event in self.events), default=0)

    @property
    def flip(self) -> int:
        """The last flip that the ledger tells of."""
        return last_flip(self.events)

    def shows(self, revision: str, expires_at: datetime | None) -> bool:
        """Whether readers have the revision, or had it until it expired by itself: then another flip changes nothing.

        expires_at  when it expires by itself; one that was expired by hand before that is not shown
        """
        if self.live is None or self.live.revision != revision:
            return False
        return self.state.alive or (expires_at is not None and bool(expired(expires_at, self.state.now)))


def reconcile(place: OnlineView) -> Agreement:
    """Compare over a connection of its own, and enter what the ledger lacks.

    Raises StoreUnavailable, LedgerError; PublishRefused where somebody flips while a lost expiry comes back.
    """
    with Session(place.redis_url, place.keys.pointer) as session:
        return reconcile_over(session, place)


def reconcile_over(session: Session, place: OnlineView) -> Agreement:
    """Compare over this connection, and enter what the ledger lacks; `reconcile` says what it raises.

    The ledger is read first: read after the pointer, it could hold a newer flip, and the pointer look lost.
    """
    events = place.ledger.read()
    state = read_state(session, place.keys)
    missing = untold(events, state)
    if missing:
        place.ledger.append(*missing)
        events = place.ledger.read()
    seen = Agreement(state, events, live_event(events, state.pointer), is_lost(events, state))
    return _frozen_again(session, place, seen) if seen.lost and is_frozen(events) else seen


def flip(
    session: Session, place: OnlineView, script: str, seen: Agreement, events: Sequence[Event]
) -> tuple[Event, ...]:
    """Run an operator's script, tell the ledger, and give the events as it has them; PublishRefused."""
    (at,) = run(session, script, place.keys, seen.state.flip, seen.flip, encode_events(events))
    return place.ledger.append(*at_flip(events, int(at)))


def expire_over(
    session: Session,
    place: OnlineView,
    seen: Agreement,
    pointer: Pointer,
    *,
    actor: str | None,
    reason: str | None,
) -> Event:
    """Let readers of the live pointer have the expired row, hold the view, and tell; PublishRefused: moved."""
    live = seen.live
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
    (told,) = flip(session, place, "expire", seen, (event,))
    return told


def _frozen_again(session: Session, place: OnlineView, seen: Agreement) -> Agreement:
    """The file that came back is from before an operator held the view, or expired it, and the ledger is not."""
    pointer = seen.state.pointer
    if pointer and seen.state.alive and is_expired_by_hand(seen.events):
        why = "expired by hand, which the server lost"
        expire_over(session, place, seen, pointer, actor=None, reason=why)
    elif not seen.state.held:
        run(session, "hold", place.keys)
    else:
        return seen
    events, state = place.ledger.read(), read_state(session, place.keys)
    return Agreement(state, events, live_event(events, state.pointer), seen.lost)


def untold(events: Sequence[Event], state: OnlineState) -> tuple[Event, ...]:
    """What the ledger lacks: the events of the last flip, or that the pointer was lost."""
    known = {event.event_id for event in events}
    if state.told is not None and state.told.flip == state.flip and state.told.flip > last_flip(events):
        return state.told.events
    if not is_lost(events, state):
        return ()
    event = _lost(events, state)
    return () if event.event_id in known else (event,)


def is_lost(events: Sequence[Event], state: OnlineState) -> bool:
    """Whether the pointer is behind the ledger, or gone."""
    return (state.flip or 0) < last_flip(events)


def last_flip(events: Sequence[Event]) -> int:
    """The last flip in the ledger; 0 where there is none."""
    newest = newest_flip(events)
    return (newest.flip or 0) if newest else 0


def live_event(events: Sequence[Event], pointer: Pointer | None) -> Event | None:
    """The event of the pointer's flip."""
    found = [event for event in events if pointer and event.kind in FLIPS and event.flip == pointer.flip]
    return found[-1] if found else None


def flips_of(events: Sequence[Event], generation: int) -> list[Event]:
    """The events that made a generation live: more than one after a rollback to it, or a restored server."""
    return [event for event in events if event.kind in FLIPS and event.generation == generation]


def _lost(events: Sequence[Event], state: OnlineState) -> Event:
    """What readers were left with; the id derives from both flips, so that it is entered once."""
    pointer, seen = state.pointer, live_event(events, state.pointer)
    return Event(
        kind=Kind.LOST,
        event_id=derived_id("lost", last_flip(events), state.flip),
        effective_at=state.now,
        snapshot_time=pointer.snapshot_time if pointer else None,
        revision=seen.revision if seen else None,
        fingerprint=seen.fingerprint if seen else None,
        flip=state.flip,
        generation=pointer.generation if pointer else None,
        epoch=pointer.epoch if pointer else None,
        expires_at=state.now if pointer and not state.alive else state.expires_at,
        reason="the server lost its last changes" if pointer else "the server lost the view",
    )
