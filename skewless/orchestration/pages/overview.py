"""The list of views: what is live of each, and how far it lies back."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from skewless.errors import SkewlessError
from skewless.jobs.receipts import plain
from skewless.jobs.status import ViewStatus, status
from skewless.model import FeatureView
from skewless.orchestration.pages.addresses import dag_id
from skewless.timeline import after
from skewless.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One view of the list.

    status  None where it cannot be told; then `error` says why
    behind  how much older the live snapshot is than the newest that is due; None: it is that one, or nothing is live
    """

    view: str
    dag_id: str
    owner: str
    schedule: str
    status: ViewStatus | None
    behind: timedelta | None = None
    error: str | None = None

    def plain(self) -> dict[str, Any]:
        """As JSON has it, in one level."""
        own = ("view", "dag_id", "owner", "schedule", "behind", "error")
        told = plain(self.status) if self.status else {}
        return told | {name: plain(getattr(self, name)) for name in own}


def lines(workspace: Workspace, names: Collection[str]) -> tuple[Line, ...]:
    """A line for each of the views, in the order of their names."""
    asked = tuple(sorted(names))
    if not asked:
        return ()
    try:
        found = status(workspace, asked)
    except SkewlessError:  # one view's ledger: the others are told all the same
        return tuple(line(workspace, name) for name in asked)
    return tuple(_line(workspace.repo.view(item.view), item) for item in found)


def line(workspace: Workspace, name: str) -> Line:
    """The line of one view; UsageError if there is none of that name."""
    view = workspace.repo.view(name)
    try:
        (found,) = status(workspace, (name,))
    except SkewlessError as error:
        return _line(view, None, str(error))
    return _line(view, found)


def _line(view: FeatureView, found: ViewStatus | None, error: str | None = None) -> Line:
    return Line(
        view=view.name,
        dag_id=dag_id(view.name),
        owner=view.owner,
        schedule=str(view.schedule),
        status=found,
        behind=_behind(found) if found else None,
        error=error,
    )


def _behind(found: ViewStatus) -> timedelta | None:
    if found.snapshot_time is None or not after(found.newest_due, found.snapshot_time):
        return None
    return found.newest_due - found.snapshot_time
