"""Build several views of one snapshot: those that can share it from one reading of their source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, replace
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING

from skewless.errors import UsageError
from skewless.jobs.build import append_states, cutoff_of, entered_as
from skewless.jobs.receipts import Built, Report, silent
from skewless.model import FeatureView
from skewless.timeline import format_instant, to_micros
from skewless.workspace import Workspace

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from skewless.offline.binding import BoundView


def build_together(
    workspace: Workspace,
    view_names: Sequence[str],
    snapshot_time: datetime | None = None,
    *,
    known_until: datetime | None = None,
    report: Report = silent,
) -> list[Built]:
    """Build one snapshot of several views over one source and schedule; give their receipts, in the order asked.

    snapshot_time  default: the newest that is due for all of them
    known_until    as for `build`, for all of them

    The source is read once; a view with a transform reads it once more, by itself. Each view gets the rows, and the
    entry in its ledger, that `build` gives it. Nothing is entered before the rows of all views are stored: killed
    before that, it has built nothing; killed later, the views that are entered stand, and a second time they are
    unchanged.

    UsageError where views are not of one source and schedule, or one is named twice; else as `build`.
    """
    from skewless.offline.binding import BoundView
    from skewless.offline.failures import explained
    from skewless.offline.source import read_source

    views = _alike([workspace.repo.view(name) for name in view_names])
    at = min(workspace.snapshot_time(view, snapshot_time) for view in views)
    cutoff = cutoff_of(workspace, views[0], at, known_until)
    ledgers = [workspace.ledger(view) for view in views]
    for ledger in ledgers:
        ledger.read()
    doing = f"building {', '.join(view_names)} at {format_instant(at)}"
    with explained(doing):
        report(doing)
        source = read_source(workspace.spark, views[0].source, workspace.settings.warehouse)
        bounds = [BoundView(view, source) for view in views]
        states = _computed(bounds, at, cutoff, report)
        built = [append_states(workspace, bound, states[bound.view.name], [at])[0] for bound in bounds]
        null_event_times = source.null_event_times()
    return [
        entered_as(workspace, view, ledger, replace(event, known_until=known_until), null_event_times)
        for view, ledger, event in zip(views, ledgers, built, strict=True)
    ]


def _computed(
    bounds: Sequence[BoundView], at: datetime, cutoff: datetime, report: Report
) -> dict[str, DataFrame]:
    """The states of all views, by name; when this returns, nothing of them has still to be computed."""
    from skewless.offline.complete import Moment
    from skewless.offline.engine import snapshots
    from skewless.offline.together import kept, snapshots_together

    moment = Moment(to_micros(at), to_micros(cutoff))
    sharing = [bound for bound in bounds if bound.view.transform is None]
    together = snapshots_together(sharing, moment) if sharing else []
    states = {bound.view.name: state for bound, state in zip(sharing, together, strict=True)}
    for bound in bounds:
        if bound.view.transform is not None:
            report(f"{bound.view.name} has a transform: it reads the source by itself")
            states[bound.view.name] = kept(snapshots(bound, [moment]))
    return states


# -- which views ------------------------------------------------------------------------------------------


def _alike(views: list[FeatureView]) -> list[FeatureView]:
    """The views; UsageError unless they are different ones of one source and schedule."""
    seen: set[str] = set()
    for view in views:
        if view.name in seen:
            raise UsageError(f"feature view {view.name!r} is named twice; name each view once")
        seen.add(view.name)
    for one, other in pairwise(views):
        if differences := list(_differences(one, other)):
            raise UsageError(
                f"feature views {one.name!r} and {other.name!r} cannot be built together, since they differ in "
                f"{' and '.join(differences)}; build them one by one: {_one_by_one(views)}"
            )
    return views


def _differences(one: FeatureView, other: FeatureView) -> Iterator[str]:
    if one.source != other.source:
        told = [item.name for item in fields(one.source) if item.compare]
        parts = [name for name in told if getattr(one.source, name) != getattr(other.source, name)]
        yield f"their sources ({one.source.name!r} and {other.source.name!r}: {', '.join(parts)})"
    if one.schedule != other.schedule:
        yield f"their schedules ({str(one.schedule)!r} and {str(other.schedule)!r})"


def _one_by_one(views: Iterable[FeatureView]) -> str:
    return "; ".join(f"skewless build {view.name}" for view in views)
