"""Which revisions of a view may go: pure functions over its ledger's events."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta

from skewless.ledger.events import Event, Kind
from skewless.ledger.history import Snapshot, snapshots
from skewless.ledger.standing import removed_revisions
from skewless.model import FeatureView
from skewless.plan.fingerprint import fingerprint
from skewless.timeline import after, due


def removable(
    view: FeatureView,
    events: tuple[Event, ...],
    stored: Mapping[str, datetime],
    *,
    named: Collection[str],
    now: datetime,
    settling: timedelta,
    keep: timedelta | None,
) -> frozenset[str]:
    """The stored revisions that may go.

    stored    when each was appended last
    named     by manifests of training sets
    settling  how long a revision that no event tells of may still belong to a build that is running
    keep      how long a revision stays that nobody needs any more, from the last event that tells of it; None: for ever

    Those that are `lost`, and those that have aged and are not `needed`.
    """
    going = lost(events, stored, now=now, settling=settling)
    going |= removed_revisions(events) & stored.keys()  # a removal that was killed is gone on with
    if keep is not None:
        touched = {event.revision: event.recorded_at for event in events if event.revision}
        old = {name for name in stored if name in touched and due(touched[name] + keep, now)}
        going |= old - needed(view, events, now - keep)
    return going - set(named)


def lost(
    events: tuple[Event, ...], stored: Mapping[str, datetime], *, now: datetime, settling: timedelta
) -> frozenset[str]:
    """The stored revisions that no event tells of: rebuilds of equal content, and builds that were killed."""
    known = {event.revision for event in events}
    return frozenset(name for name, at in stored.items() if name not in known and due(at + settling, now))


def needed(view: FeatureView, events: tuple[Event, ...], since: datetime) -> frozenset[str]:
    """The revisions that stay whatever their age.

    Those in force at any time, and the newest build, under the present definition and under others of which an event
    tells since an instant; and what readers have, or had before that: a rollback goes there.
    """
    asked = {event.fingerprint for event in events if due(since, event.recorded_at)} | {fingerprint(view)}
    found = {revision for each in asked if each for revision in _of_definition(view, events, each)}
    shown = [e.revision for e in events if e.kind in (Kind.PUBLISHED, Kind.ROLLED_BACK) and e.revision]
    return frozenset(found | set(list(dict.fromkeys(reversed(shown)))[:2]))


def _of_definition(view: FeatureView, events: tuple[Event, ...], asked: str) -> Iterator[str]:
    for snapshot in snapshots(events, asked, view.publish_delay).values():
        yield from in_force_at_some_time(snapshot)
    built = [e for e in events if e.kind is Kind.BUILT and e.fingerprint == asked and e.revision]
    newest = max(built, key=lambda event: (event.snapshot_time, event.recorded_at), default=None)
    if newest is not None and newest.revision:
        yield newest.revision


def in_force_at_some_time(snapshot: Snapshot) -> Iterator[str]:
    """Its good revisions but for those that a newer one hides at every instant."""
    hidden_from: datetime | None = None
    for entry in snapshot.good:
        if hidden_from is None or after(hidden_from, entry.usable_from):
            yield entry.revision
            hidden_from = entry.usable_from
