"""What a flip tells the ledger, as text in the server's state: so that a publisher may die before it tells.

This is a transactional outbox with room for one message. The ids are fixed before the flip, hence whoever enters
the events enters the same ones, and they count once.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from skewless.errors import OnlineError
from skewless.ledger.events import Event, Kind
from skewless.timeline import after, format_instant, from_micros, parse_instant

FLIPS = (Kind.PUBLISHED, Kind.ROLLED_BACK, Kind.EXPIRED)
FREEZES = (Kind.HOLD, Kind.ROLLED_BACK, Kind.EXPIRED)

_INSTANTS = ("effective_at", "snapshot_time", "known_until", "usable_from", "expires_at")


@dataclass(frozen=True, slots=True)
class Told:
    """The last flip, and the events that the ledger must have of it."""

    flip: int
    events: tuple[Event, ...]

    @classmethod
    def decode(cls, text: str) -> Told:
        """Read the state's `event`; OnlineError when it is not ours."""
        try:
            content = json.loads(text)
            events = [_from_json(item) for item in content["events"]]
            return cls(content["flip"], at_flip(events, content["flip"]))
        except (ValueError, TypeError, LookupError) as error:
            raise OnlineError(
                f"the state's event is not readable ({error}); did something else write it?"
            ) from error


def encode_events(events: Sequence[Event]) -> str:
    """Write events as the flip's script takes them: without the flip, which only it knows."""
    return json.dumps([_to_json(event) for event in events], separators=(",", ":"))


def at_flip(events: Iterable[Event], flip: int) -> tuple[Event, ...]:
    """The events with the flip that they tell of."""
    return tuple(replace(event, flip=flip, effective_at=from_micros(flip)) for event in events)


def derived_id(*parts: object) -> str:
    """An event id that everyone derives alike from what the event is about."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "skewless:" + ":".join(map(str, parts))))


def withdrawals(events: Sequence[Event], target: Event, cause: Event, upto: int | None) -> tuple[Event, ...]:
    """The `withdrawn` events of a rollback: revisions that went live since the target last was.

    target  an event with the revision that the rollback makes live
    cause   the event that tells of the rollback; the ids derive from its id
    upto    the live pointer's flip: what the server lost is not rolled back; None: nothing is live

    A target that never was live takes back every published revision of its own and later snapshots.
    """
    shown = [(event.flip, event) for event in events if event.kind in FLIPS and event.flip is not None]
    last = max((flip for flip, event in shown if event.revision == target.revision), default=None)
    gone: dict[str, Event] = {}
    for flip, event in shown:
        later = _not_before(event, target) if last is None else flip > last
        if later and (upto is None or flip <= upto) and event.kind is Kind.PUBLISHED and event.revision:
            gone[event.revision] = event
    gone.pop(target.revision or "", None)
    return tuple(
        Event(
            kind=Kind.WITHDRAWN,
            event_id=derived_id(cause.event_id, revision),
            snapshot_time=event.snapshot_time,
            revision=revision,
            fingerprint=event.fingerprint,
            actor=cause.actor,
            reason=cause.reason,
        )
        for revision, event in gone.items()
    )


def is_frozen(events: Sequence[Event]) -> bool:
    """Whether the ledger says that the view is held."""
    kinds = [event.kind for event in events if event.kind in (*FREEZES, Kind.RELEASE)]
    return bool(kinds) and kinds[-1] is not Kind.RELEASE


def is_expired_by_hand(events: Sequence[Event]) -> bool:
    """Whether the ledger says that an operator expired the view, and that it is held so."""
    newest = newest_flip(events)
    return newest is not None and newest.kind is Kind.EXPIRED and is_frozen(events)


def newest_flip(events: Sequence[Event]) -> Event | None:
    """The first event of the ledger's last flip; None where there is none."""
    flips = (event for event in events if event.kind in FLIPS)
    return max(flips, key=lambda event: event.flip or 0, default=None)


def _not_before(event: Event, target: Event) -> bool:
    return not after(target.snapshot_time, event.snapshot_time)


def _to_json(event: Event) -> dict[str, Any]:
    fields = [
        (name, value) for name, value in asdict(event).items() if value is not None and name != "recorded_at"
    ]
    return {name: format_instant(value) if isinstance(value, datetime) else value for name, value in fields}


def _from_json(fields: dict[str, Any]) -> Event:
    instants = {name: parse_instant(fields[name]) for name in _INSTANTS if name in fields}
    read: dict[str, Any] = {**fields, **instants, "kind": Kind(fields["kind"])}
    return Event(**read)
