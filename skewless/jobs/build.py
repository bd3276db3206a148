"""Build a revision: where the engine, the tables and the ledger meet."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from skewless.errors import UsageError
from skewless.jobs.receipts import Built, Report, silent
from skewless.ledger.events import Event, Kind
from skewless.ledger.revisions import to_enter
from skewless.model import FeatureView
from skewless.plan.fingerprint import fingerprint
from skewless.timeline import after, format_instant, to_micros
from skewless.workspace import Workspace

if TYPE_CHECKING:
    from skewless.offline.binding import BoundView
    from skewless.offline.tables import Content


def build(
    workspace: Workspace,
    view_name: str,
    snapshot_time: datetime | None = None,
    *,
    known_until: datetime | None = None,
    report: Report = silent,
) -> Built:
    """Compute a snapshot and append it as a revision; an equal one that is there already is that revision.

    snapshot_time  default: the newest that is due
    known_until    see the source as it was known then, not at the cutoff; readers may have it from then on

    UsageError for a request that makes no sense, DataError where the source is not what the definition says.
    """
    from skewless.offline.binding import BoundView
    from skewless.offline.failures import explained
    from skewless.offline.source import read_source

    view = workspace.repo.view(view_name)
    at = workspace.snapshot_time(view, snapshot_time)
    cutoff = _cutoff(workspace, view, at, known_until)
    workspace.ledger(view).read()  # one that cannot be read is told before the work, and not after it
    doing = f"building {view.name} at {format_instant(at)}"
    with explained(doing):
        report(doing)
        source = read_source(workspace.spark, view.source, workspace.settings.warehouse)
        event, content = _append(workspace, BoundView(view, source), at, cutoff)
        null_event_times = source.null_event_times()
    entered, is_new = _enter(workspace, view, replace(event, known_until=known_until))
    return Built(
        view=view.name,
        snapshot_time=at,
        revision=entered.revision or "",
        rows=content.rows,
        content_hash=content.content_hash,
        source_version=source.version,
        fingerprint=fingerprint(view),
        known_until=entered.known_until,
        usable_from=entered.usable_from,
        null_event_times=null_event_times,
        is_new=is_new,
    )


def _append(workspace: Workspace, bound: BoundView, at: datetime, cutoff: datetime) -> tuple[Event, Content]:
    """Compute the snapshot and append it as a new revision; give its `built` event and what the table holds of it."""
    from skewless.offline.engine import Moment, snapshots

    table, revision = workspace.feature_table(bound.view), str(uuid.uuid4())
    table.append(snapshots(bound, [Moment(to_micros(at), to_micros(cutoff))]), {at: revision})
    content = table.contents(workspace.spark, [revision])[revision]
    event = Event(
        kind=Kind.BUILT,
        snapshot_time=at,
        revision=revision,
        fingerprint=fingerprint(bound.view),
        source_version=bound.source.version,
        rows=content.rows,
        content_hash=content.content_hash,
        actor=workspace.settings.actor,
    )
    return event, content


def _cutoff(workspace: Workspace, view: FeatureView, at: datetime, known_until: datetime | None) -> datetime:
    cutoff = at + view.source.data_delay
    workspace.demand_past(view, at, cutoff, "built")
    if known_until is None:
        return cutoff
    workspace.demand_past(view, at, known_until, "built with knowledge until then,")
    if after(cutoff, known_until):
        raise UsageError(
            f"--known-until {format_instant(known_until)} lies before the cutoff {format_instant(cutoff)} of "
            f"{view.name!r} at {format_instant(at)}; it adds knowledge, and cannot take any away"
        )
    return known_until


def _enter(workspace: Workspace, view: FeatureView, event: Event) -> tuple[Event, bool]:
    """Tell the ledger of a build; give the event that names its revision, and whether that is a new one."""
    ledger = workspace.ledger(view)
    events = ledger.read()
    entry = to_enter(events, event, assumed=view.source.arrival_is_assumed, now=workspace.clock.now())
    if entry not in events:
        workspace.definitions(view).keep(view)
        (entry,) = ledger.append(entry)
    return entry, entry.revision == event.revision
