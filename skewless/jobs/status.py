"""What is live, since when, and how far it lies back: for each view, from its ledger and the online store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from skewless.errors import StoreUnavailable
from skewless.ledger.events import Event, Kind
from skewless.ledger.history import published_at
from skewless.ledger.standing import last_verdict
from skewless.model import FeatureView
from skewless.online.disagreements import disagreements
from skewless.online.reconcile import live_event
from skewless.online.state import OnlineState, look
from skewless.plan.fingerprint import fingerprint
from skewless.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewStatus:
    """One view as it is now.

    verdict      of the live revision; where nothing is live, of the newest one
    age          of the live snapshot, by the online store's clock
    state        live, expired, not published, offline (online=False), unreachable (the store is away)
    newest_built, newest_verdict   the newest snapshot that has a revision, and what its checks said
    disagreements  where the ledger and the online store differ, in words with what to do next
    """

    view: str
    generation: int | None
    snapshot_time: datetime | None
    published_at: datetime | None
    verdict: str | None
    rows: int | None
    revision: str | None
    age: timedelta | None
    state: str
    held: bool
    expires_at: datetime | None
    newest_due: datetime
    newest_built: datetime | None
    newest_verdict: str | None
    disagreements: tuple[str, ...] = ()


def status(workspace: Workspace, view_names: tuple[str, ...] = ()) -> tuple[ViewStatus, ...]:
    """The status of the views, in the order of their names. An online store that is away is a state, not an error.

    A store that was away for one view is not asked about the others, each of which would wait for its time-out.
    """
    found: list[ViewStatus] = []
    for name in view_names or tuple(sorted(workspace.repo.views)):
        away = any(item.state == "unreachable" for item in found)
        found.append(_status(workspace, workspace.repo.view(name), away))
    return tuple(found)


def _status(workspace: Workspace, view: FeatureView, away: bool) -> ViewStatus:
    events = workspace.ledger(view).read()
    state, word = _online_state(workspace, view, away)
    pointer = state.pointer if state else None
    live = live_event(events, pointer) if pointer else None
    newest = _newest_built(events, fingerprint(view))
    shown = (live.revision if live else None) or (newest.revision if newest else None)
    return ViewStatus(
        view=view.name,
        generation=pointer.generation if pointer else None,
        snapshot_time=pointer.snapshot_time if pointer else None,
        published_at=published_at(events, pointer.generation) if pointer else None,
        verdict=_verdict(events, shown),
        rows=live.rows if live else None,
        revision=live.revision if live else None,
        age=state.age if state else None,
        state=word,
        held=bool(state and state.held),
        expires_at=state.expires_at if state else None,
        newest_due=workspace.newest_due(view),
        newest_built=newest.snapshot_time if newest else None,
        newest_verdict=_verdict(events, newest.revision if newest else None),
        disagreements=disagreements(view.name, events, state) if state else (),
    )


def _online_state(workspace: Workspace, view: FeatureView, away: bool) -> tuple[OnlineState | None, str]:
    if not view.online:
        return None, "offline"
    if away:
        return None, "unreachable"
    try:
        state = look(workspace.settings.redis_url, workspace.settings.namespace, view.name)
    except StoreUnavailable:
        return None, "unreachable"
    if state.pointer is None:
        return state, "not published"
    return state, "live" if state.alive else "expired"


def _newest_built(events: tuple[Event, ...], asked: str) -> Event | None:
    """The newest snapshot's newest build under the present definition."""
    built = [e for e in events if e.kind is Kind.BUILT and e.fingerprint == asked and e.snapshot_time]
    return max(built, key=lambda event: (event.snapshot_time, event.recorded_at), default=None)


def _verdict(events: tuple[Event, ...], revision: str | None) -> str | None:
    """What was said of a revision last; "unchecked" before its check."""
    if revision is None:
        return None
    said = last_verdict(events, revision)
    return said.value if said else "unchecked"
