"""Build a revision: where the engine, the tables and the ledger meet."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import datetime

from skewless.errors import UsageError
from skewless.jobs.receipts import Built, Report, silent
from skewless.ledger.events import Event, Kind
from skewless.ledger.revisions import builds, newest_build, same_content
from skewless.model import FeatureView
from skewless.plan.fingerprint import fingerprint
from skewless.timeline import after, format_instant, to_micros
from skewless.workspace import Workspace


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

    UsageError for what cannot be meant, DataError where the source is not what the definition says.
    """
    from skewless.offline.binding import BoundView
    from skewless.offline.engine import Moment, snapshot
    from skewless.offline.failures import explained
    from skewless.offline.source import read_source

    view = workspace.repo.view(view_name)
    at = workspace.snapshot_time(view, snapshot_time)
    cutoff = _cutoff(workspace, view, at, known_until)
    with explained(f"building {view.name} at {format_instant(at)}"):
        report(f"building {view.name} at {format_instant(at)}")
        bound = BoundView(view, read_source(workspace.spark, view.source, workspace.settings.warehouse))
        table, revision = workspace.feature_table(view), str(uuid.uuid4())
        table.append(snapshot(bound, Moment(to_micros(at), to_micros(cutoff))), at, revision)
        content = table.content(workspace.spark, revision)
        null_event_times = bound.source.null_event_times()
    event = Event(
        kind=Kind.BUILT,
        snapshot_time=at,
        revision=revision,
        fingerprint=fingerprint(view),
        known_until=known_until,
        source_version=bound.source.version,
        rows=content.rows,
        content_hash=content.content_hash,
        actor=workspace.settings.actor,
    )
    entered, is_new = _enter(workspace, view, event)
    return Built(
        view=view.name,
        snapshot_time=at,
        revision=entered.revision or "",
        rows=content.rows,
        content_hash=content.content_hash,
        source_version=bound.source.version,
        fingerprint=fingerprint(view),
        known_until=known_until,
        null_event_times=null_event_times,
        is_new=is_new,
    )


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
    """Tell the ledger of a build; give the event that names its revision, and whether that is a new one.

    A rebuild with the content of the newest build is that revision, and needs no event. One with the content of an
    earlier build becomes the newest again under the earlier's name. Where arrival is assumed, nobody can say when
    the rows of a second build were known, so it is usable only from its build on.
    """
    ledger, at, asked = workspace.ledger(view), event.snapshot_time, event.fingerprint
    if at is None or asked is None or event.content_hash is None:
        raise ValueError(f"{event} is no build")
    events = ledger.read()
    equal, newest = same_content(events, at, asked, event.content_hash), newest_build(events, at, asked)
    if equal is not None and newest is not None and equal.revision == newest.revision:
        return equal, False
    late = [event.known_until] if event.known_until else []
    if view.source.arrival_is_assumed and builds(events, at, asked):
        late.append(workspace.clock.now())
    named = replace(event, revision=equal.revision) if equal else event
    (entered,) = ledger.append(replace(named, usable_from=max(late, default=None)))
    return entered, equal is None
