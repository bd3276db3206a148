"""What is left to do for the snapshots of a view: pure functions over its ledger's events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from skewless.ledger.events import Event, Kind
from skewless.ledger.history import SETTLING, snapshots
from skewless.ledger.revisions import is_build
from skewless.ledger.standing import removed_revisions, standings
from skewless.model import FeatureView
from skewless.plan.fingerprint import fingerprint


class Stage(Enum):
    """What comes next for a snapshot, under the view's present definition."""

    BUILD = auto()  # it has no revision, or a blocked or withdrawn one
    CHECK = auto()  # its newest revision has no verdict
    SETTLE = auto()  # it has a good revision, and nothing says what became of its publish
    DONE = auto()


def stages(view: FeatureView, events: tuple[Event, ...], ticks: Iterable[datetime]) -> dict[datetime, Stage]:
    """The stage of each snapshot; a view that is not served has nothing to settle."""
    asked = fingerprint(view)
    known = snapshots(events, asked, view.publish_delay)
    judged, removed = standings(events).keys(), removed_revisions(events)
    there = (event for event in events if is_build(event, asked) and event.revision not in removed)
    newest = {event.snapshot_time: event.revision for event in there}
    ended = {event.revision for event in events if event.kind in SETTLING}

    def stage(t: datetime) -> Stage:
        if t in newest and newest[t] not in judged:
            return Stage.CHECK
        if t not in known or not known[t].good:
            return Stage.BUILD
        return Stage.SETTLE if view.online and newest[t] not in ended else Stage.DONE

    return {t: stage(t) for t in ticks}


@dataclass(frozen=True, slots=True)
class Gaps:
    """The snapshots that should have a good revision under the present definition, and have none.

    missing  not built, or not checked: what a backfill makes
    refused  blocked or withdrawn: what a person decides about
    """

    missing: tuple[datetime, ...]
    refused: tuple[datetime, ...]


def gaps(view: FeatureView, events: tuple[Event, ...], newest_due: datetime) -> Gaps:
    """The gaps from the view's `start`, or else from the first snapshot that was ever built, to the newest due."""
    first = first_scheduled(view) or min(_built(events), default=None)
    ticks = [] if first is None else list(view.timetable.ticks(first, newest_due))
    known = snapshots(events, fingerprint(view), view.publish_delay)
    open_ticks = [t for t in ticks if t not in known or not known[t].good]
    refused = {t for t in open_ticks if t in known and known[t].spoiled}
    return Gaps(tuple(t for t in open_ticks if t not in refused), tuple(sorted(refused)))


def first_scheduled(view: FeatureView) -> datetime | None:
    """The end of the first interval that begins at the view's `start` or later; None where it has no start."""
    if view.start is None:
        return None
    schedule = view.timetable
    begin = view.start if schedule.is_tick(view.start) else schedule.next_after(view.start)
    return schedule.next_after(begin)


def _built(events: tuple[Event, ...]) -> list[datetime]:
    return [event.snapshot_time for event in events if event.kind is Kind.BUILT and event.snapshot_time]
