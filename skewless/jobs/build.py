"""Build a revision: where the engine, the tables and the ledger meet."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from skewless.errors import UsageError
from skewless.jobs.receipts import Built, Report, silent
from skewless.ledger.events import Event, Kind
from skewless.ledger.revisions import to_enter
from skewless.ledger.table import Ledger
from skewless.model import FeatureView
from skewless.plan.fingerprint import fingerprint
from skewless.timeline import after, format_instant, to_micros
from skewless.workspace import Workspace

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from skewless.offline.binding import BoundView


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
    cutoff = cutoff_of(workspace, view, at, known_until)
    ledger = workspace.ledger(view)
    ledger.read()  # one that cannot be read is told before the work, and not after it
    doing = f"building {view.name} at {format_instant(at)}"
    with explained(doing):
        report(doing)
        source = read_source(workspace.spark, view.source, workspace.settings.warehouse)
        (built,) = append_revisions(workspace, BoundView(view, source), {at: cutoff}, report)
        null_event_times = source.null_event_times()
    return entered_as(workspace, view, ledger, replace(built, known_until=known_until), null_event_times)


def entered_as(
    workspace: Workspace, view: FeatureView, ledger: Ledger, built: Event, null_event_times: int
) -> Built:
    """Tell the ledger of one build, and give the receipt of the revision that it is."""
    assert built.snapshot_time is not None, "a build has one"
    ((entered, is_new),) = enter_builds(workspace, view, ledger, [built])
    return Built(
        view=view.name,
        snapshot_time=built.snapshot_time,
        revision=entered.revision or "",
        rows=built.rows or 0,
        content_hash=built.content_hash or "",
        source_version=built.source_version,
        fingerprint=fingerprint(view),
        known_until=entered.known_until,
        usable_from=entered.usable_from,
        null_event_times=null_event_times,
        is_new=is_new,
    )


def append_revisions(
    workspace: Workspace, bound: BoundView, cutoffs: Mapping[datetime, datetime], report: Report
) -> list[Event]:
    """Compute snapshots in one job and append each as a new revision; give their `built` events, not entered yet.

    cutoffs  by snapshot time: what was known before then counts
    """
    return append_states(workspace, bound, _computed(workspace, bound, cutoffs, report), list(cutoffs))


def append_states(
    workspace: Workspace, bound: BoundView, states: DataFrame, times: Sequence[datetime]
) -> list[Event]:
    """Append the states of a view at those snapshot times, each as a new revision; give their `built` events."""
    table, revisions = workspace.feature_table(bound.view), {at: str(uuid.uuid4()) for at in times}
    table.append(states, revisions)
    contents = table.contents(workspace.spark, list(revisions.values()))
    return [
        Event(
            kind=Kind.BUILT,
            snapshot_time=at,
            revision=revision,
            fingerprint=fingerprint(bound.view),
            source_version=bound.source.version,
            rows=contents[revision].rows,
            content_hash=contents[revision].content_hash,
            actor=workspace.settings.actor,
        )
        for at, revision in revisions.items()
    ]


def _computed(
    workspace: Workspace, bound: BoundView, cutoffs: Mapping[datetime, datetime], report: Report
) -> DataFrame:
    """One snapshot alone may be read from tiles; many are computed from one reading of their rows."""
    from skewless.offline import engine, tiling
    from skewless.offline.complete import Moment

    moments = [Moment(to_micros(at), to_micros(cutoff)) for at, cutoff in cutoffs.items()]
    if len(moments) > 1:
        return engine.snapshots(bound, moments)
    return tiling.snapshot(bound, moments[0], workspace.tiles(bound.view), report)


def enter_builds(
    workspace: Workspace, view: FeatureView, ledger: Ledger, built: Sequence[Event]
) -> list[tuple[Event, bool]]:
    """Tell the ledger of builds of different snapshots, in one commit.

    Gives of each the event that names its revision, and whether that is a new one.
    """
    events, now, assumed = ledger.read(), workspace.clock.now(), view.source.arrival_is_assumed
    entries = [to_enter(events, event, assumed=assumed, now=now) for event in built]
    if fresh := [entry for entry in entries if entry not in events]:
        workspace.definitions(view).keep(view)
        entered = {event.event_id: event for event in ledger.append(*fresh)}
        entries = [entered.get(entry.event_id, entry) for entry in entries]
    return [(entry, entry.revision == event.revision) for entry, event in zip(entries, built, strict=True)]


def cutoff_of(
    workspace: Workspace, view: FeatureView, at: datetime, known_until: datetime | None
) -> datetime:
    """What was known before then counts; UsageError where that has still to come, or takes knowledge away."""
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
