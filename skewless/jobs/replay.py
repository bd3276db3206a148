"""Make a revision of a training set again from its manifest, and prove that it is the same. Nothing is written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from skewless.errors import DataError, UsageError
from skewless.jobs.receipts import Replayed, Report, silent
from skewless.jobs.train import Asked, opened
from skewless.ledger.events import Event
from skewless.plan.repo import Selection
from skewless.timeline import Interval, due
from skewless.workspace import Workspace

if TYPE_CHECKING:
    from skewless.offline.manifest import Manifest
    from skewless.offline.tables import Content
    from skewless.offline.training import Assembly


def replay(workspace: Workspace, name: str, revision: str, *, report: Report = silent) -> Replayed:
    """Make the rows again: the sources' recorded versions, the ledgers up to the recorded positions.

    UsageError where there is no such revision, or the definition has changed since; DataError, with what differs,
    where other rows come out, or a version can no longer be read.
    """
    from skewless.offline.failures import explained
    from skewless.offline.training import content

    asked = opened(workspace, name)
    manifest = workspace.manifests(asked.training_set).read(revision)
    _demand_definition(asked, manifest, revision)
    interval = Interval(*manifest.interval)
    doing = f"replaying {name} {revision} of {interval}"
    with explained(doing):
        report(doing)
        assembly = _assembled(workspace, asked, manifest, interval)
        found = content(assembly.rows)
        differ = list(_differences(manifest, assembly, found))
        if differ:
            differ += _columns_that_differ(workspace, asked, assembly, revision)
    if differ:
        lines = "\n  ".join(differ)
        raise DataError(f"{name} {revision} cannot be made again: other rows come out\n  {lines}")
    return Replayed(
        training_set=name,
        interval_start=interval.start,
        interval_end=interval.end,
        revision=revision,
        rows=found.rows,
        content_hash=found.content_hash,
        sources=manifest.versions,
    )


def _demand_definition(asked: Asked, manifest: Manifest, revision: str) -> None:
    from skewless.offline.manifest import differences

    changed = "\n  ".join(differences(manifest.definition, asked.definition))
    if changed:
        raise UsageError(
            f"training set {asked.training_set.name!r} has changed since revision {revision} was built, so it cannot "
            f"be made again from here; go back to the definitions of then, and replay there. Changed:\n  {changed}"
        )


def _assembled(workspace: Workspace, asked: Asked, manifest: Manifest, interval: Interval) -> Assembly:
    from skewless.offline.asking import Sources
    from skewless.offline.training import assemble

    return assemble(
        asked.training_set,
        asked.selections,
        interval,
        sources=Sources(workspace.spark, workspace.settings.warehouse, manifest.versions),
        events={chosen.view.name: _events(workspace, chosen, manifest) for chosen in asked.selections},
        now=workspace.clock.now(),
    )


def _events(workspace: Workspace, chosen: Selection, manifest: Manifest) -> tuple[Event, ...]:
    """The view's events up to the recorded position."""
    position = manifest.position(chosen.prefix)
    if position is None:
        return ()
    return tuple(event for event in workspace.ledger(chosen.view).read() if due(event.recorded_at, position))


def _differences(manifest: Manifest, assembly: Assembly, found: Content) -> Iterator[str]:
    """What the manifest says, and what came out."""
    from skewless.offline.manifest import snapshots_seen

    told = manifest.told
    if found.rows != told["rows"]:
        yield f"rows: {told['rows']:,} then, {found.rows:,} now"
    if found.content_hash != told["content_hash"]:
        yield f"content: {told['content_hash']} then, {found.content_hash} now"
    for ask in assembly.asks:
        view, seen = told["views"][ask.prefix], snapshots_seen(ask)
        if seen != view["snapshots"]:
            events = len(assembly.events[ask.bound.view.name])
            yield (
                f"{ask.prefix}: other snapshots are seen; its ledger had {view['ledger_events']:,} events up to "
                f"{view['ledger_position']}, and has {events:,} now"
            )


def _columns_that_differ(
    workspace: Workspace, asked: Asked, assembly: Assembly, revision: str
) -> Iterator[str]:
    """Which columns hold other values than the stored revision, where that can still be read."""
    from skewless.offline.tables import hash_of_each_column

    table = workspace.training_table(asked.training_set, asked.fingerprint)
    now = hash_of_each_column(assembly.rows)
    then = hash_of_each_column(table.read(workspace.spark, [revision], assembly.columns))
    changed = [name for name in assembly.columns if now[name] != then[name]]
    if changed:
        yield f"columns that differ: {', '.join(changed)}"
    else:
        yield f"the stored revision is not what the manifest says either: {table.uri}"
    read = ", ".join(f"{item.source.name} at version {item.version}" for item in assembly.sources.values())
    yield f"read: {read}; has a table been restored or rewritten?"
