"""The snapshots of a view: the revisions of each, what their checks said, and what became of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from skewless.jobs.check import withdrawn_message
from skewless.ledger.events import Event, Kind
from skewless.ledger.history import in_force
from skewless.ledger.standing import last_verdict
from skewless.model import FeatureView
from skewless.plan.fingerprint import fingerprint
from skewless.quality.verdict import CheckResult, Verdict
from skewless.timeline import format_instant
from skewless.workspace import Workspace

_SHOWN = 48  # snapshots on a view's page
_BECAME = (Kind.PUBLISHED, Kind.ROLLED_BACK, Kind.OFFLINE_ONLY, Kind.HELD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One snapshot in the list of a view's.

    verdict  of its newest revision: passed, blocked, accepted, withdrawn, unchecked
    became   published, rolled_back, offline_only or held; None where nothing did yet
    """

    snapshot_time: datetime
    verdict: str
    became: str | None
    generation: int | None
    rows: int | None
    revisions: int
    built_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One revision of a snapshot.

    present     built by the definition as it is now
    in_force    what training rows see of this snapshot now, and what is published of it
    results     of its newest check; empty before that
    ways_out    where it is blocked or withdrawn: what was found, and what a person can do
    """

    revision: str
    fingerprint: str
    present: bool
    verdict: str
    in_force: bool
    built_at: datetime
    rows: int | None
    source_version: int | None
    known_until: datetime | None
    usable_from: datetime | None
    results: tuple[CheckResult, ...]
    ways_out: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One snapshot: its revisions, the newest build first, and all that the ledger tells of it, in order."""

    view: str
    snapshot_time: datetime
    interval_start: datetime
    interval: timedelta
    due_at: datetime
    revisions: tuple[Revision, ...]
    events: tuple[Event, ...]


def recent(workspace: Workspace, view: FeatureView) -> tuple[Row, ...]:
    """The newest snapshots that were ever built, the newest first."""
    told: dict[datetime, list[Event]] = {}
    for event in workspace.ledger(view).read():
        if event.snapshot_time is not None:
            told.setdefault(event.snapshot_time, []).append(event)
    rows = (_row(t, tuple(told[t])) for t in sorted(told, reverse=True)[:_SHOWN])
    return tuple(row for row in rows if row is not None)


def _row(t: datetime, events: tuple[Event, ...]) -> Row | None:
    built = [event for event in events if event.kind is Kind.BUILT]
    if not built:
        return None
    became = next((event for event in reversed(events) if event.kind in _BECAME), None)
    return Row(
        snapshot_time=t,
        verdict=_verdict(events, built[-1].revision),
        became=became.kind.value if became else None,
        generation=became.generation if became else None,
        rows=built[-1].rows,
        revisions=len({event.revision for event in built}),
        built_at=built[-1].recorded_at,
    )


def snapshot(workspace: Workspace, view: FeatureView, t: datetime) -> Snapshot:
    """One snapshot; UsageError, with the nearest instants, where the view's schedule has none then."""
    at = workspace.snapshot_time(view, t)
    interval = view.timetable.interval_ending(at)
    events = workspace.ledger(view).read()
    return Snapshot(
        view=view.name,
        snapshot_time=at,
        interval_start=interval.start,
        interval=interval.end - interval.start,
        due_at=at + view.publish_delay,
        revisions=tuple(_revisions(workspace, view, events, at)),
        events=tuple(event for event in events if event.snapshot_time == at),
    )


def _revisions(
    workspace: Workspace, view: FeatureView, events: tuple[Event, ...], at: datetime
) -> Iterator[Revision]:
    """Newest build first; one that was built again stands where its newest build does."""
    present, seen = fingerprint(view), set[str]()
    force = in_force(events, at, workspace.clock.now(), present, view.publish_delay)
    for built in reversed(events):
        revision = built.revision
        if built.kind is not Kind.BUILT or built.snapshot_time != at or revision is None or revision in seen:
            continue
        seen.add(revision)
        checked = workspace.verdicts(view).newest(revision)
        said = _verdict(events, revision)
        yield Revision(
            revision=revision,
            fingerprint=built.fingerprint or "",
            present=built.fingerprint == present,
            verdict=said,
            in_force=force is not None and force.revision == revision,
            built_at=built.recorded_at,
            rows=built.rows,
            source_version=built.source_version,
            known_until=built.known_until,
            usable_from=built.usable_from,
            results=checked.results if checked else (),
            ways_out=_ways_out(view, at, said, checked),
        )


def _ways_out(view: FeatureView, at: datetime, said: str, checked: Verdict | None) -> str | None:
    """The words of the failed task."""
    if said == Kind.WITHDRAWN:
        return withdrawn_message(view, at)
    if said != Kind.BLOCKED:
        return None
    return checked.message() if checked else f"{view.name!r} at {format_instant(at)} is blocked"


def _verdict(events: tuple[Event, ...], revision: str | None) -> str:
    said = last_verdict(events, revision) if revision else None
    return said.value if said else "unchecked"
