"""Whether all that an interval's labels can see has settled: from the ledgers alone, without any engine."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from skewless.ledger.events import Event, Kind
from skewless.ledger.history import settled, snapshots
from skewless.ledger.scheduled import seeable
from skewless.ledger.standing import last_verdict
from skewless.ledger.table import Ledger
from skewless.model import FeatureView, TrainingSet
from skewless.plan.fingerprint import fingerprint
from skewless.plan.repo import Repo
from skewless.plan.uris import ledger_table
from skewless.timeline import MICROSECOND, Interval, SystemClock, after


class Unsettled(NamedTuple):
    """A snapshot whose run has not come to an end yet."""

    view: str
    snapshot_time: datetime


def unsettled(
    warehouse: str, training_set: TrainingSet, repo: Repo, labels: Interval
) -> tuple[Unsettled, ...]:
    """The snapshots that the labels can see and that have not settled, by view and time.

    It reads the views' ledgers and nothing else. LedgerError where one cannot be read, UsageError for a service
    that names what the repository does not have.
    """
    return tuple(
        Unsettled(view.name, snapshot_time)
        for view in {chosen.view.name: chosen.view for chosen in repo.resolve(training_set.service)}.values()
        for snapshot_time in unsettled_snapshots(
            view, Ledger(ledger_table(warehouse, view.name), SystemClock()).read(), labels
        )
    )


def unsettled_snapshots(
    view: FeatureView, events: tuple[Event, ...], labels: Interval
) -> tuple[datetime, ...]:
    """The snapshots of a view that some label can see and that have not settled, the oldest first.

    A label sees the newest snapshot that is due at its time; where that was blocked or withdrawn, an older one. So
    the range begins with the newest that is due at the interval's start, and ends before its end. A snapshot has
    settled when its run came to an end, or when there is no run to wait for: before the view's `start`, and before
    the first snapshot that was built under its present definition.
    """
    known = snapshots(events, fingerprint(view), view.publish_delay)
    if not known:
        return ()
    last = labels.end - MICROSECOND - view.publish_delay
    seen = seeable(known, labels.start - view.publish_delay, last, view.timetable)
    first = min(known)
    return tuple(t for t in seen if not after(first, t) and _has_run(view, t) and not _ended(view, events, t))


def _has_run(view: FeatureView, snapshot_time: datetime) -> bool:
    """Whether Airflow schedules the interval: it begins at `start` or later."""
    return view.start is None or not after(view.start, view.timetable.previous_to(snapshot_time))


def _ended(view: FeatureView, events: tuple[Event, ...], snapshot_time: datetime) -> bool:
    """A run ends with what became of the publish; that of a view that is not served, with the verdict."""
    if settled(events, snapshot_time):
        return True
    revisions = {event.revision for event in events if event.snapshot_time == snapshot_time}
    return not view.online and any(
        last_verdict(events, revision) in (Kind.PASSED, Kind.ACCEPTED) for revision in revisions if revision
    )
