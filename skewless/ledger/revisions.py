"""Which revisions of a snapshot were built: pure functions over the ledger's events."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from skewless.ledger.events import Event, Kind
from skewless.ledger.standing import removed_revisions


def is_build(event: Event, fingerprint: str) -> bool:
    """Whether the event tells of a revision built under a fingerprint."""
    return event.kind is Kind.BUILT and event.fingerprint == fingerprint


def builds(events: tuple[Event, ...], snapshot_time: datetime, fingerprint: str) -> tuple[Event, ...]:
    """The `built` events of a snapshot under a fingerprint, oldest first, but for revisions that were removed."""
    removed = removed_revisions(events)
    found = (event for event in events if event.revision not in removed and is_build(event, fingerprint))
    return tuple(event for event in found if event.snapshot_time == snapshot_time)


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


def to_enter(events: tuple[Event, ...], built: Event, *, assumed: bool, now: datetime) -> Event:
    """The event by which the ledger knows a build: one that is there already, or one to enter.

    A rebuild with the content of the newest build is that revision, and needs no event. One with the content of an
    earlier build becomes the newest again under the earlier's name. Knowledge from after the cutoff is usable from
    then on; and where arrival is assumed, nobody can say when the rows of a second build were known, so it is usable
    only from its build on.
    """
    if built.snapshot_time is None or built.fingerprint is None or built.content_hash is None:
        raise ValueError(f"{built} is no build")
    at, asked = built.snapshot_time, built.fingerprint
    equal, newest = same_content(events, at, asked, built.content_hash), newest_build(events, at, asked)
    if equal is not None and newest is not None and equal.revision == newest.revision:
        return equal
    late = [built.known_until] if built.known_until else []
    if assumed and any(event.snapshot_time == at and is_build(event, asked) for event in events):
        late.append(now)  # a first build that was removed was one, too
    named = replace(built, revision=equal.revision) if equal else built
    return replace(named, usable_from=max(late, default=None))
