"""Boxes in two times: the rows that happened in one stretch and became known in another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from skewless.timeline import happened, known, within


@dataclass(frozen=True, slots=True)
class Box:
    """since <= event < until and learnt <= known < cutoff, all in microseconds; None leaves a side open."""

    cutoff: int
    until: int | None = None
    since: int | None = None
    learnt: int | None = None

    def holds(self, event: Any, known_at: Any) -> Any:
        """Whether rows lie in it: numpy arrays or Spark columns of microseconds in, the same out."""
        inside = known(known_at, self.cutoff)
        if self.learnt is not None:
            inside = inside & ~known(known_at, self.learnt)
        if self.until is not None:
            inside = inside & happened(event, self.until)
        if self.since is not None:
            inside = inside & within(event, self.since, 0)
        return inside
