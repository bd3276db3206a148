"""Publish a revision: what is good, due and in order becomes a generation; what is not is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from skewless.errors import BlockedError, DataError, PublishRefused, UsageError
from skewless.jobs.check import demand_build, withdrawn_message
from skewless.jobs.pace import Pace
from skewless.jobs.receipts import Published, Report, silent
from skewless.ledger.events import Event, Kind
from skewless.ledger.history import awaited, in_force
from skewless.ledger.standing import standings
from skewless.model import FeatureView
from skewless.online.publication import Publication, Receipt, Step
from skewless.online.publisher import publish as publish_online
from skewless.online.reconcile import Agreement, reconcile
from skewless.online.services import put_service, recorded
from skewless.online.telling import derived_id
from skewless.plan.fingerprint import fingerprint
from skewless.timeline import after, format_instant
from skewless.workspace import Workspace


def publish(
    workspace: Workspace,
    view_name: str,
    snapshot_time: datetime | None = None,
    *,
    if_newest: bool = False,
    full: bool = False,
    report: Report = silent,
) -> Published:
    """Make the newest revision of a snapshot live, unless a newer snapshot is, or the view is held.

    if_newest  for runs that catch up: where a newer snapshot is due, and its own run has still to come to an end,
               this one corrects training only, so that readers go to the newest in one step
    full       write every row anew, also of what is live

    BlockedError where its checks failed or a rollback withdrew it; UsageError where it was not built or checked;
    PublishRefused before it is due; StoreUnavailable when the server is away.
    """
    view = workspace.repo.view(view_name)
    at = workspace.snapshot_time(view, snapshot_time)
    events = workspace.ledger(view).read()
    built = demand_build(view, events, at)
    _demand_good(workspace, view, events, built)
    if if_newest and awaited(events, at, workspace.newest_due(view)):
        return _nothing_to_publish(workspace, view, built) or _left_to_newest(workspace, view, built)
    return publish_good(workspace, view, built, full=full, report=report)


def publish_good(
    workspace: Workspace,
    view: FeatureView,
    built: Event,
    *,
    full: bool = False,
    reason: str | None = None,
    report: Report = silent,
) -> Published:
    """Make a revision in force live, unless a newer snapshot is, or the view is held."""
    outcome = _nothing_to_publish(workspace, view, built, full=full)
    if outcome is not None:
        return outcome
    try:
        receipt = put_online(workspace, view, built, full=full, reason=reason, report=report)
    except PublishRefused:  # overtaken or held meanwhile?
        outcome = _nothing_to_publish(workspace, view, built)
        if outcome is None:
            raise
        return outcome
    return published(receipt, "already_live" if receipt.already_live else "published")


def settle_past(workspace: Workspace, view: FeatureView, built: Sequence[Event]) -> None:
    """Enter what becomes of good revisions of the past: they correct training, and readers never move back."""
    seen = reconcile(workspace.online(view))
    past = [event for event in built if not _shown(view, seen, event)]
    told = (_event(workspace, event, seen, _withheld(seen, event) or Kind.OFFLINE_ONLY) for event in past)
    workspace.ledger(view).append(*told)


def _nothing_to_publish(
    workspace: Workspace, view: FeatureView, built: Event, *, full: bool = False
) -> Published | None:
    """What there is to say where a good revision does not become a generation now; None where it may."""
    if not view.online:
        return _told(workspace, view, built, None, Kind.OFFLINE_ONLY)
    seen = reconcile(workspace.online(view))
    if _shown(view, seen, built) and not full:
        _leave_services(workspace, view)
        return _outcome(view, built, "already_live", generation=seen.live.generation if seen.live else None)
    kind = _withheld(seen, built)
    return None if kind is None else _told(workspace, view, built, seen, kind)


def _shown(view: FeatureView, seen: Agreement, built: Event) -> bool:
    """Whether readers have the revision already."""
    publication = _publication(view, built)
    return seen.shows(publication.revision, publication.expires_at)


def _withheld(seen: Agreement, built: Event) -> Kind | None:
    """Why a good revision does not become a generation now; None where it may."""
    if seen.state.pointer is not None and after(seen.state.pointer.snapshot_time, built.snapshot_time):
        return Kind.OFFLINE_ONLY
    return Kind.HELD if seen.state.held else None


def put_online(
    workspace: Workspace,
    view: FeatureView,
    built: Event,
    *,
    full: bool = False,
    rollback: bool = False,
    reason: str | None = None,
    report: Report = silent,
) -> Receipt:
    """Publish one revision, whole; with `rollback` it may be an older one, and the view is held afterwards."""
    publication = _publication(view, built)
    doing = f"publishing {view.name} at {format_instant(publication.snapshot_time)}"
    report(doing)
    pace = Pace(doing, report)

    def progress(step: Step, rows: int) -> None:
        if step is Step.WRITTEN:
            pace.tell(rows, publication.rows)

    receipt = publish_online(
        workspace.online(view),
        publication,
        workspace.feature_table(view).reader,
        full=full,
        actor=workspace.settings.actor,
        reason=reason,
        rollback=rollback,
        progress=progress,
        report=report,
    )
    _leave_services(workspace, view)
    return receipt


def _leave_services(workspace: Workspace, view: FeatureView) -> None:
    """Leave the feature lists of the services that use the view, for readers that are not Python."""
    settings = workspace.settings
    for service in workspace.repo.services.values():
        chosen = workspace.repo.resolve(service)
        if view.name in (selection.view.name for selection in chosen):
            features = recorded(service.references, chosen)
            put_service(settings.redis_url, settings.namespace, service.name, features)


def _publication(view: FeatureView, built: Event) -> Publication:
    """The revision of a `built` event, to be published; DataError where the event lacks something."""
    if (
        built.snapshot_time is None
        or built.revision is None
        or built.rows is None
        or built.fingerprint is None
    ):
        raise DataError(
            f"the ledger of {view.name!r} does not say enough of revision {built.revision}; build it again"
        )
    return Publication(
        view=view,
        fingerprint=built.fingerprint,
        snapshot_time=built.snapshot_time,
        revision=built.revision,
        rows=built.rows,
    )


def published(receipt: Receipt, outcome: str) -> Published:
    """The receipt of an operation that made a generation live."""
    return Published(
        view=receipt.view,
        snapshot_time=receipt.snapshot_time,
        revision=receipt.revision or "",
        outcome=outcome,
        generation=receipt.generation,
        published_at=receipt.published_at,
        rows=receipt.rows,
        withdrawn=receipt.withdrawn,
    )


def _demand_good(workspace: Workspace, view: FeatureView, events: tuple[Event, ...], built: Event) -> None:
    """Refuse a revision that readers may not have, and say why."""
    at, revision = built.snapshot_time, built.revision or ""
    assert at is not None, "a build has a snapshot time"
    where = f"{view.name} --snapshot-time {format_instant(at)}"
    standing = standings(events).get(revision)
    if standing is None:
        raise UsageError(
            f"the newest revision of {view.name!r} at {format_instant(at)} has no verdict: skewless check {where}"
        )
    if not standing.good:
        verdict = workspace.verdicts(view).newest(revision)
        blocked = (
            verdict.message()
            if verdict and not verdict.passed
            else f"{view.name!r} at {format_instant(at)} is blocked"
        )
        raise BlockedError(withdrawn_message(view, at) if standing.withdrawn else blocked)
    entry = in_force(events, at, workspace.clock.now(), fingerprint(view), view.publish_delay)
    if entry is None or entry.revision != revision:
        usable_from = max(filter(None, (at + view.publish_delay, built.usable_from, standing.usable_from)))
        raise PublishRefused(
            "not_due",
            f"{view.name!r} at {format_instant(at)} can be published from {format_instant(usable_from)} on; "
            f"it is {format_instant(workspace.clock.now())}",
        )


def _left_to_newest(workspace: Workspace, view: FeatureView, built: Event) -> Published:
    """Leave readers as they are until the run of the newest snapshot publishes."""
    told = _told(workspace, view, built, None, Kind.OFFLINE_ONLY)
    return replace(told, awaited=workspace.newest_due(view))


def _told(
    workspace: Workspace, view: FeatureView, built: Event, seen: Agreement | None, kind: Kind
) -> Published:
    """Enter what became of a publish that changed nothing online; once, however often it is tried."""
    workspace.ledger(view).append(_event(workspace, built, seen, kind))
    return _outcome(view, built, kind.value)


def _event(workspace: Workspace, built: Event, seen: Agreement | None, kind: Kind) -> Event:
    """What became of a publish that changed nothing online; of a held view, once for each flip that was held."""
    why = [seen.state.flip] if seen is not None and kind is Kind.HELD else []
    return Event(
        kind=kind,
        event_id=derived_id(str(built.event_id), kind.value, *why),
        snapshot_time=built.snapshot_time,
        revision=built.revision,
        fingerprint=built.fingerprint,
        rows=built.rows,
        actor=workspace.settings.actor,
    )


def _outcome(view: FeatureView, built: Event, outcome: str, generation: int | None = None) -> Published:
    assert built.snapshot_time is not None, "a build has a snapshot time"
    return Published(
        view=view.name,
        snapshot_time=built.snapshot_time,
        revision=built.revision or "",
        outcome=outcome,
        generation=generation,
        rows=built.rows,
    )
