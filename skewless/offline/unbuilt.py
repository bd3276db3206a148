"""Snapshots that nobody built, and that are therefore computed from the source when they are asked for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from skewless.model import FeatureView
from skewless.timeline import format_instant

if TYPE_CHECKING:
    from skewless.offline.retrieval import Ask


@dataclass(frozen=True)
class Unbuilt:
    """How many snapshots of a view are computed, of all that a spine's times can see; the first and the last."""

    view: FeatureView
    computed: int
    seen: int
    first: datetime
    last: datetime

    def told(self, *, deployed: bool) -> str:
        """What a person should know of it: why it takes a while, and what to do about it."""
        counted = f"{self.computed:,} of the {self.seen:,} snapshots that these rows can see"
        span = f"{format_instant(self.first)} to {format_instant(self.last)}"
        start = f"{self.view.name}: {counted} are computed from the source ({span})"
        if not deployed:
            return f"{start}; a view that is not deployed as it stands here has no stored ones"
        before = format_instant(self.view.timetable.previous_to(self.first))
        command = f"skewless backfill {self.view.name} --from {before} --to {format_instant(self.last)}"
        return f"{start}, since nobody built them; to build them once for all: {command}"


def unbuilt(asks: Iterable[Ask]) -> list[Unbuilt]:
    """The views of a request with snapshots to compute; a view and its aliases see the same ones, and count once."""
    by_view = {ask.bound.view.name: ask for ask in asks}
    return [found for ask in by_view.values() if (found := _of(ask)) is not None]


def _of(ask: Ask) -> Unbuilt | None:
    seen = {stretch.seen.snapshot_time for stretch in ask.stretches or ()}
    computed = computed_snapshots(ask)
    return Unbuilt(ask.bound.view, len(computed), len(seen), computed[0], computed[-1]) if computed else None


def computed_snapshots(ask: Ask) -> list[datetime]:
    """The snapshots of which no revision is in force, the oldest first."""
    seen = (stretch.seen for stretch in ask.stretches or ())
    return sorted({item.snapshot_time for item in seen if item.revision is None})
