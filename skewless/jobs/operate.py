"""What an operator does by hand: accept, hold, release, roll back, expire."""

from __future__ import annotations

from datetime import datetime

from skewless.errors import PublishRefused, UsageError
from skewless.jobs.check import demand_build
from skewless.jobs.publish import publish_good, published, put_online
from skewless.jobs.receipts import Accepted, Operated, Published, Report, silent
from skewless.ledger.events import Event, Kind
from skewless.ledger.history import newest_in_force
from skewless.ledger.standing import Standing, standings
from skewless.ledger.table import Ledger
from skewless.model import FeatureView
from skewless.online import operations
from skewless.online.reconcile import Agreement, reconcile
from skewless.plan.fingerprint import fingerprint
from skewless.timeline import after, format_instant
from skewless.workspace import Workspace


def accept(
    workspace: Workspace, view_name: str, snapshot_time: datetime | None = None, *, reason: str
) -> Accepted:
    """Accept the newest revision of a snapshot as it is, for readers and training rows from now on."""
    demand_reason(reason)
    view = workspace.repo.view(view_name)
    at = workspace.snapshot_time(view, snapshot_time)
    ledger = workspace.ledger(view)
    built = demand_build(view, ledger.read(), at)
    usable_from = enter_acceptance(workspace, ledger, built, reason)
    return Accepted(view=view.name, snapshot_time=at, revision=built.revision or "", usable_from=usable_from)


def demand_reason(reason: str) -> None:
    """UsageError for an acceptance without a reason."""
    if not reason.strip():
        raise UsageError("an acceptance needs a reason, for whoever reads the ledger later: --reason '...'")


def enter_acceptance(workspace: Workspace, ledger: Ledger, built: Event, reason: str) -> datetime | None:
    """Tell the ledger that a person accepts a build; from when on it is usable, None where it was good already."""
    if standings(ledger.read()).get(built.revision or "", Standing()).good:
        return None
    usable_from = workspace.clock.now()
    ledger.append(
        Event(
            kind=Kind.ACCEPTED,
            snapshot_time=built.snapshot_time,
            revision=built.revision,
            fingerprint=built.fingerprint,
            usable_from=usable_from,
            actor=workspace.settings.actor,
            reason=reason,
        )
    )
    return usable_from


def hold(workspace: Workspace, view_name: str, *, reason: str | None = None) -> Operated:
    """Hold what readers see until the view is released."""
    view = online_view(workspace, view_name)
    state = operations.hold(workspace.online(view), actor=workspace.settings.actor, reason=reason)
    pointer = state.pointer
    return Operated(
        view=view.name,
        action="hold",
        generation=pointer.generation if pointer else None,
        snapshot_time=pointer.snapshot_time if pointer else None,
    )


def expire(workspace: Workspace, view_name: str, *, reason: str | None = None) -> Operated:
    """Let readers have the expired row at once, until the view is released."""
    view = online_view(workspace, view_name)
    receipt = operations.expire(workspace.online(view), actor=workspace.settings.actor, reason=reason)
    return Operated(
        view=view.name, action="expire", generation=receipt.generation, snapshot_time=receipt.snapshot_time
    )


def release(
    workspace: Workspace, view_name: str, *, reason: str | None = None, report: Report = silent
) -> Published | Operated:
    """Release a held view, and publish the newest revision in force."""
    view = online_view(workspace, view_name)
    place = workspace.online(view)
    operations.release(place, actor=workspace.settings.actor, reason=reason)
    events = workspace.ledger(view).read()
    entry = newest_in_force(events, workspace.clock.now(), fingerprint(view), view.publish_delay)
    if entry is None:
        return Operated(view=view.name, action="release", generation=None, snapshot_time=None)
    return publish_good(workspace, view, entry.built, reason=reason, report=report)


def rollback(
    workspace: Workspace,
    view_name: str,
    to: datetime | None = None,
    *,
    reason: str | None = None,
    report: Report = silent,
) -> Published:
    """Go back to the generation before, or to the snapshot `to`; withdraw the revisions since, and hold the view.

    The generation before comes back at once; one further back is published again, whole.
    """
    view = online_view(workspace, view_name)
    place = workspace.online(view)
    seen = reconcile(place)
    if to is None and _leads_elsewhere(seen):
        try:
            receipt = operations.rollback(place, actor=workspace.settings.actor, reason=reason)
            return published(receipt, "rolled_back")
        except PublishRefused as refusal:
            if refusal.code not in ("no_previous", "dirty_epoch"):
                raise
    target = _earlier(view, seen.events, to)
    receipt = put_online(workspace, view, target, rollback=True, reason=reason, report=report)
    return published(receipt, "rolled_back")


def _leads_elsewhere(seen: Agreement) -> bool:
    """Whether the generation before shows readers something else: another revision, not one expired by hand."""
    previous, live = seen.state.previous, seen.live
    if previous is None or live is None:
        return True  # the script says why not
    there = [event for event in seen.events if event.generation == previous.generation]
    expired_by_hand = any(event.kind is Kind.EXPIRED for event in there)
    return not expired_by_hand and all(event.revision != live.revision for event in there)


def _earlier(view: FeatureView, events: tuple[Event, ...], to: datetime | None) -> Event:
    """The build of the good revision to go back to: of the snapshot asked for, or the one live before this one."""
    judged = standings(events)
    shown = [
        event for event in events if event.kind is Kind.PUBLISHED and event.fingerprint == fingerprint(view)
    ]
    live = next((e for e in reversed(events) if e.kind in (Kind.PUBLISHED, Kind.ROLLED_BACK)), None)
    others = [event for event in shown if live and event.revision != live.revision]
    good = [event for event in others if judged.get(event.revision or "", Standing()).good]
    if to is None:
        good = [event for event in good if live and after(live.snapshot_time, event.snapshot_time)]
    else:
        good = [event for event in good if event.snapshot_time == to]
    if not good:
        wanted = f"of {format_instant(to)}" if to else "before the one that is live"
        known = sorted({format_instant(event.snapshot_time) for event in others if event.snapshot_time})
        raise UsageError(
            f"{view.name!r} has no published, good revision {wanted} to go back to; others that were published: "
            f"{', '.join(known[-10:]) or 'none'}. To give readers the expired row instead: skewless expire {view.name}"
        )
    chosen = good[-1]
    return next(
        event for event in reversed(events) if event.kind is Kind.BUILT and event.revision == chosen.revision
    )


def online_view(workspace: Workspace, view_name: str) -> FeatureView:
    """The view; UsageError where it is not online."""
    view = workspace.repo.view(view_name)
    if not view.online:
        raise UsageError(
            f"feature view {view.name!r} is not online (online=False): there is nothing to operate"
        )
    return view
