"""Which revisions of a snapshot were built: pure functions over the ledger's events."""

from __future__ import annotations

from datetime import datetime

from skewless.ledger.events import Event, Kind


def builds(events: tuple[Event, ...], snapshot_time: datetime, fingerprint: str) -> tuple[Event, ...]:
    """The `built` events of a snapshot under a fingerprint, oldest first."""
    return tuple(
        event
        for event in events
        if event.kind is Kind.BUILT
        and event.snapshot_time == snapshot_time
        and event.fingerprint == fingerprint
    )


def newest_build(events: tuple[Event, ...], snapshot_time: datetime, fingerprint: str) -> Event | None:
    """The newest `built` event of a snapshot under a fingerprint."""
    found = builds(events, snapshot_time, fingerprint)
    return found[-1] if found else None


def same_content(
    events: tuple[Event, ...], snapshot_time: datetime, fingerprint: str, content_hash: str
) -> Event | None:
    """The newest build of the snapshot with that content: a rebuild that equals it is that revision."""
    equal = [
        event for event in builds(events, snapshot_time, fingerprint) if event.content_hash == content_hash
    ]
    return equal[-1] if equal else None
