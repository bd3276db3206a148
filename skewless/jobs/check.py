"""Check a revision: Great Expectations and the built-in checks give the verdict, the ledger keeps it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from skewless.errors import BlockedError, UsageError
from skewless.jobs.receipts import Checked, Report, silent
from skewless.ledger.events import Event, Kind
from skewless.ledger.history import newest_in_force
from skewless.ledger.revisions import newest_build
from skewless.ledger.standing import Standing, standings
from skewless.ledger.table import Ledger
from skewless.model import FeatureView
from skewless.plan.fingerprint import fingerprint
from skewless.timeline import format_instant, from_micros, to_micros
from skewless.workspace import Workspace

if TYPE_CHECKING:
    from skewless.quality import Facts, Verdict


def check(
    workspace: Workspace, view_name: str, snapshot_time: datetime | None = None, *, report: Report = silent
) -> Checked:
    """Check the newest revision of a snapshot, record the verdict, and tell the ledger.

    BlockedError, in words that a person can act on, where a critical check failed.
    """
    view = workspace.repo.view(view_name)
    at = workspace.snapshot_time(view, snapshot_time)
    ledger = workspace.ledger(view)
    return check_build(workspace, view, ledger, demand_build(view, ledger.read(), at), report=report)


def check_build(
    workspace: Workspace, view: FeatureView, ledger: Ledger, built: Event, *, report: Report = silent
) -> Checked:
    """Check one build, record the verdict, and tell the ledger; BlockedError where a critical check failed."""
    from skewless.offline.failures import explained
    from skewless.quality import check as judge

    at, revision = built.snapshot_time, built.revision or ""
    assert at is not None, "a build has a snapshot time"
    doing = f"checking {view.name} at {format_instant(at)}"
    with explained(doing):
        report(doing)
        rows = workspace.feature_table(view).read(workspace.spark, [revision]).select(*view.columns)
        facts = _facts(workspace, view, ledger.read(), built)
        verdict = judge(rows, view, snapshot_time=at, revision=revision, facts=facts)
    workspace.verdicts(view).append(verdict)
    said = tell(workspace, ledger, built, verdict)
    if said is Kind.BLOCKED:
        raise BlockedError(verdict.message())
    if said is Kind.WITHDRAWN:
        raise BlockedError(withdrawn_message(view, at))
    return Checked(
        view=view.name,
        snapshot_time=at,
        revision=revision,
        verdict=said.value,
        message=verdict.message() if verdict.passed else accepted_message(verdict),
        warnings=tuple(result.sentence for result in verdict.warnings),
    )


def demand_build(view: FeatureView, events: tuple[Event, ...], at: datetime) -> Event:
    """The newest build of a snapshot; UsageError where there is none under the present definition."""
    built = newest_build(events, at, fingerprint(view))
    if built is None:
        raise UsageError(
            f"feature view {view.name!r} has no revision of {format_instant(at)} under its present definition; "
            f"build it: skewless build {view.name} --snapshot-time {format_instant(at)}"
        )
    return built


def withdrawn_message(view: FeatureView, at: datetime) -> str:
    """What to do about a revision that a rollback took back."""
    where = f"{view.name} --snapshot-time {format_instant(at)}"
    return (
        f"{view.name!r} at {format_instant(at)} was withdrawn by a rollback; readers keep what they have. Repair the "
        f'source and build again, or accept it as it is:  skewless accept {where} --reason "..."'
    )


def _facts(workspace: Workspace, view: FeatureView, events: tuple[Event, ...], built: Event) -> Facts:
    """What the built-in checks need to know, counted in Spark."""
    from pyspark.sql import functions as F

    from skewless.offline.binding import BoundView
    from skewless.offline.complete import Moment
    from skewless.offline.engine import newest_event
    from skewless.offline.source import read_source
    from skewless.quality import Facts

    at = built.snapshot_time
    assert at is not None, "a build has a snapshot time"
    rows = workspace.feature_table(view).read(workspace.spark, [built.revision or ""])
    counted = rows.agg(F.count("*"), F.count_distinct(F.struct(*view.join_keys))).first()
    due_at = max(workspace.clock.now(), at + view.publish_delay)  # the snapshot before is due by then as well
    before = newest_in_force(events, due_at, fingerprint(view), view.publish_delay, before=at)
    newest = None
    if view.source.max_silence is not None:
        source = read_source(workspace.spark, view.source, workspace.settings.warehouse, built.source_version)
        cutoff = built.known_until or at + view.source.data_delay
        newest = newest_event(BoundView(view, source), Moment(to_micros(at), to_micros(cutoff)))
    return Facts(
        rows=counted[0] if counted else 0,
        distinct_keys=counted[1] if counted else 0,
        previous_rows=before.rows if before else None,
        newest_event=None if newest is None else from_micros(newest),
    )


def tell(workspace: Workspace, ledger: Ledger, built: Event, verdict: Verdict) -> Kind:
    """Enter a verdict that changes the revision's standing, and say what that is now.

    A blocked revision that passes now is usable from now, as if it were accepted; what a person accepted stays
    accepted; what a rollback withdrew stays withdrawn until a person accepts it.
    """
    revision = built.revision or ""
    standing = standings(ledger.read()).get(revision, Standing())
    if standing.withdrawn:
        return Kind.WITHDRAWN if verdict.passed else Kind.BLOCKED
    if standing.good and (verdict.passed or standing.accepted):
        return Kind.ACCEPTED if standing.accepted else Kind.PASSED
    if standing.spoiled and not standing.good and not verdict.passed:
        return Kind.BLOCKED
    kind = Kind.PASSED if verdict.passed else Kind.BLOCKED
    ledger.append(
        Event(
            kind=kind,
            snapshot_time=built.snapshot_time,
            revision=revision,
            fingerprint=built.fingerprint,
            usable_from=workspace.clock.now() if verdict.passed and standing.spoiled else None,
            actor=workspace.settings.actor,
            reason=verdict.message().splitlines()[0],
        )
    )
    return kind


def accepted_message(verdict: Verdict) -> str:
    """What to say of a revision that a person accepted, and whose checks fail."""
    failed = [f"  {result.sentence}" for result in verdict.failures]
    at = format_instant(verdict.snapshot_time)
    return "\n".join([f"{verdict.view!r} at {at} was accepted, although its checks fail now", *failed])
