"""What the ledger answers about the past: pure functions over its events, in the ledger's order."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter

from skewless.ledger.events import Event, Kind
from skewless.ledger.standing import Standing, standings
from skewless.timeline import after, due, expired

# -- which revision is in force ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class InForce:
    """A good revision of a snapshot, and the instant from which it is usable."""

    snapshot_time: datetime
    revision: str
    usable_from: datetime
    built: Event

    @property
    def rows(self) -> int | None:
        """How many entities it holds."""
        return self.built.rows

    @property
    def content_hash(self) -> str | None:
        """The hash of its content."""
        return self.built.content_hash


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the ledger knows of one snapshot and one fingerprint.

    good     its good revisions, the newest first; "newest" goes by the ledger's order of `built` events, so a
             revision that was built again is the newest again
    spoiled  one of its revisions was blocked or withdrawn
    """

    good: tuple[InForce, ...]
    spoiled: bool

    def in_force(self, t: datetime) -> InForce | None:
        """The newest good revision that is usable at `t`."""
        return next((entry for entry in self.good if due(entry.usable_from, t)), None)

    def is_skipped(self, t: datetime) -> bool:
        """Spoiled, and nothing in force; revisions unchecked or not yet usable alone count as unbuilt."""
        return self.spoiled and self.in_force(t) is None


def snapshots(
    events: tuple[Event, ...], fingerprint: str, publish_delay: timedelta
) -> dict[datetime, Snapshot]:
    """Every snapshot that has a revision of the fingerprint, by its time."""
    built: dict[datetime, list[Event]] = {}
    for event in events:
        if (
            event.kind is Kind.BUILT
            and event.fingerprint == fingerprint
            and event.snapshot_time
            and event.revision
        ):
            built.setdefault(event.snapshot_time, []).append(event)
    judged = standings(events)
    return {t: _snapshot(t, entries, judged, publish_delay) for t, entries in built.items()}


def _snapshot(
    t: datetime, built: list[Event], judged: dict[str, Standing], publish_delay: timedelta
) -> Snapshot:
    good: list[InForce] = []
    spoiled = False
    for event in reversed(built):
        revision = event.revision or ""
        standing = judged.get(revision, Standing())
        spoiled = spoiled or standing.spoiled
        if standing.good:
            limits = (t + publish_delay, event.usable_from, standing.usable_from)
            usable_from = max(limit for limit in limits if limit is not None)
            good.append(InForce(t, revision, usable_from, event))
    return Snapshot(tuple(good), spoiled)


def in_force(
    events: tuple[Event, ...],
    snapshot_time: datetime,
    t: datetime,
    fingerprint: str,
    publish_delay: timedelta,
) -> InForce | None:
    """The revision of a snapshot in force at `t`: the newest good one, of the fingerprint, usable then."""
    found = snapshots(events, fingerprint, publish_delay).get(snapshot_time)
    return found.in_force(t) if found else None


def newest_in_force(
    events: tuple[Event, ...],
    t: datetime,
    fingerprint: str,
    publish_delay: timedelta,
    *,
    before: datetime | None = None,
) -> InForce | None:
    """The newest snapshot's revision in force at `t`; with `before`, of the snapshots earlier than that."""
    known = snapshots(events, fingerprint, publish_delay)
    for snapshot_time in sorted(known, reverse=True):
        if before is None or after(before, snapshot_time):
            entry = known[snapshot_time].in_force(t)
            if entry is not None:
                return entry
    return None


# -- what became of a publish -----------------------------------------------------------------------------

SETTLING = (Kind.PUBLISHED, Kind.OFFLINE_ONLY, Kind.HELD, Kind.BLOCKED)


def settled(events: tuple[Event, ...], snapshot_time: datetime) -> bool:
    """Whether a run of the snapshot came to an end: published, offline only, held or blocked."""
    return any(event.kind in SETTLING and event.snapshot_time == snapshot_time for event in events)


def awaited(events: tuple[Event, ...], snapshot_time: datetime, newest_due: datetime) -> bool:
    """Whether the newest snapshot that is due is newer, and its own run has still to come to an end."""
    return bool(after(newest_due, snapshot_time)) and not settled(events, newest_due)


# -- what readers saw -------------------------------------------------------------------------------------

_SEEN_BY_READERS = (Kind.PUBLISHED, Kind.ROLLED_BACK, Kind.EXPIRED, Kind.LOST)


@dataclass(frozen=True, slots=True)
class Live:
    """What readers see: a generation, or, where it is expired, the view's `expired` row instead.

    since    the flip that made it so
    expired  it is past `expires_at`, or an operator expired it
    """

    snapshot_time: datetime
    generation: int
    revision: str | None
    fingerprint: str | None
    since: datetime
    expires_at: datetime | None
    expired: bool


def live_at(events: tuple[Event, ...], t: datetime) -> Live | None:
    """What readers saw at `t`; None where nothing was published, or the pointer was lost.

    A hold changes nothing for readers, nor does a release until it publishes.
    """
    return _live([(at, event) for at, event in _flips(events) if due(at, t)], t)


def live_now(events: tuple[Event, ...], now: datetime) -> Live | None:
    """What readers see after everything that the ledger tells of, even a flip by a clock ahead of `now`."""
    return _live(_flips(events), now)


def first_flip_at(events: tuple[Event, ...]) -> datetime | None:
    """When readers first saw anything; None: never. Before it, the ledger cannot say what was live."""
    return min((at for at, _ in _flips(events)), default=None)


def published_at(events: tuple[Event, ...], generation: int) -> datetime | None:
    """When a generation was first live."""
    published = (event for event in events if event.kind is Kind.PUBLISHED and event.generation == generation)
    return next((event.effective_at for event in published), None)


def _flips(events: tuple[Event, ...]) -> list[tuple[datetime, Event]]:
    """What changed for readers, and when by the server's clock, which orders it: a flip may be entered late."""
    flips = [
        (event.effective_at, event)
        for event in events
        if event.kind in _SEEN_BY_READERS and event.effective_at is not None
    ]
    return sorted(flips, key=itemgetter(0))


def _live(flips: list[tuple[datetime, Event]], t: datetime) -> Live | None:
    since, event = flips[-1] if flips else (None, None)
    if since is None or event is None or event.generation is None or event.snapshot_time is None:
        return None
    gone = event.kind is Kind.EXPIRED or (event.expires_at is not None and expired(event.expires_at, t))
    return Live(
        snapshot_time=event.snapshot_time,
        generation=event.generation,
        revision=event.revision,
        fingerprint=event.fingerprint,
        since=since,
        expires_at=event.expires_at,
        expired=bool(gone),
    )
