"""What `as_of="scheduled"` sees: the newest snapshot that is due and not skipped."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime, timedelta

from skewless.ledger.events import Event
from skewless.ledger.history import Snapshot, snapshots
from skewless.timeline import Schedule, due


@dataclass(frozen=True, slots=True)
class Seen:
    """The snapshot that is seen.

    revision  the one in force; None: nobody built one that counts, so the engine computes the snapshot
    skipped   a newer snapshot was due but is blocked or withdrawn
    """

    snapshot_time: datetime
    revision: str | None
    skipped: bool

    @property
    def how(self) -> str:
        """Where its values come from: skipped (an older snapshot, stored or not), stored, or computed."""
        return "skipped" if self.skipped else "stored" if self.revision else "computed"


@dataclass(frozen=True, slots=True)
class Stretch:
    """What is seen from an instant on, until the next stretch."""

    since: datetime
    seen: Seen


_UNBUILT = Snapshot((), spoiled=False)


def seen_at(
    events: tuple[Event, ...], t: datetime, *, schedule: Schedule, publish_delay: timedelta, fingerprint: str
) -> Seen:
    """The newest snapshot `T` with `T + publish_delay <= t` that is not skipped."""
    known = snapshots(events, fingerprint, publish_delay)
    newest = tick = schedule.newest_at(t - publish_delay)
    while known.get(tick, _UNBUILT).is_skipped(t):
        tick = schedule.previous_to(tick)
    return _seen(tick, known, t, skipped=tick != newest)


def stretches(
    events: tuple[Event, ...],
    first: datetime,
    last: datetime,
    *,
    schedule: Schedule,
    publish_delay: timedelta,
    fingerprint: str,
) -> list[Stretch]:
    """What `seen_at` gives for every `t` with first <= t <= last, as stretches, the oldest first.

    The first stretch begins at `first`. What is seen can change only where a snapshot falls due or a revision
    becomes usable, so only these instants are asked about.
    """
    known = snapshots(events, fingerprint, publish_delay)
    ticks = seeable(known, first - publish_delay, last - publish_delay, schedule)
    usable = {entry.usable_from for snapshot in known.values() for entry in snapshot.good}
    breaks = {
        t for t in usable.union(tick + publish_delay for tick in ticks) if due(first, t) and due(t, last)
    }
    found: list[Stretch] = []
    for t in sorted(breaks | {first}):
        newest = i = bisect_right(ticks, t - publish_delay) - 1
        while known.get(ticks[i], _UNBUILT).is_skipped(t):
            i -= 1
        seen = _seen(ticks[i], known, t, skipped=i != newest)
        if not found or found[-1].seen != seen:
            found.append(Stretch(t, seen))
    return found


def seeable(
    known: dict[datetime, Snapshot], start: datetime, end: datetime, schedule: Schedule
) -> list[datetime]:
    """The ticks that can be seen: to `end`, from the newest at `start`, or before it one never skipped."""
    oldest = schedule.newest_at(start)
    while known.get(oldest, _UNBUILT).spoiled:
        oldest = schedule.previous_to(oldest)
    return list(schedule.ticks(oldest, end))


def _seen(tick: datetime, known: dict[datetime, Snapshot], t: datetime, *, skipped: bool) -> Seen:
    entry = known.get(tick, _UNBUILT).in_force(t)
    return Seen(tick, entry.revision if entry else None, skipped)
