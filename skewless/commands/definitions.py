"""Commands on the definitions alone."""

from __future__ import annotations

from typing import Annotated

import typer

from skewless.commands.options import AsJson, SnapshotTime, good_workspace, settings_here, strict_workspace
from skewless.console import instant, report, show
from skewless.timeline import format_instant


def validate(as_json: AsJson = False) -> None:
    """Check the definitions, and report every mistake.

    Each with its file and line.

    Example: skewless validate
    """
    from skewless import jobs

    repo = jobs.validate(settings_here().features)
    counts = {
        "views": len(repo.views),
        "services": len(repo.services),
        "training_sets": len(repo.training_sets),
    }
    words = ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in counts.items())
    show(counts, f"the definitions are good: {words}", as_json)


def preview(
    view: Annotated[str, typer.Argument(help="Name of a feature view; view:feature shows one field.")],
    rows: Annotated[int, typer.Option("--rows", "-n", min=1, help="How many entities.")] = 10,
    where: Annotated[
        str | None, typer.Option(help="SQL over the source: only entities that have such a row.")
    ] = None,
    snapshot_time: SnapshotTime = None,
    as_json: AsJson = False,
) -> None:
    """Show a view's values for a few entities, computed now.

    Those with the newest rows of the source. Nothing is written.

    Example: skewless preview transaction_stats --rows 5 --where "amount > 100"
    """
    from skewless.offline.failures import explained
    from skewless.store import FeatureStore
    from skewless.tables import rows_table

    workspace = good_workspace()
    found = workspace.repo.resolve(view)[0].view
    at = workspace.snapshot_time(found, instant(snapshot_time))
    store = FeatureStore.of(workspace)
    doing = f"previewing {found.name} at {format_instant(at)}"
    report(doing)
    with explained(doing):
        values = store.preview(view, rows, where=where, snapshot_time=at).toArrow().to_pylist()
    told = {"view": found.name, "snapshot_time": at, "rows": values}
    show(told, rows_table(values), as_json)


def plan(as_json: AsJson = False) -> None:
    """Show what the definitions mean for what is there.

    The steps of an interval; what changed, what must be backfilled, what it costs to keep.

    Example: skewless plan
    """
    from skewless import jobs

    plans = jobs.plan(strict_workspace())
    show([item.told() for item in plans], "\n\n".join(map(str, plans)), as_json)
