"""Whether a revision is good: what its checks, people and rollbacks said of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from skewless.ledger.events import Event, Kind

VERDICTS = (Kind.PASSED, Kind.BLOCKED, Kind.ACCEPTED, Kind.WITHDRAWN)


@dataclass(frozen=True, slots=True)
class Standing:
    """What became of a revision.

    good         its checks passed or it was accepted, and no rollback withdrew it since
    spoiled      it was blocked or withdrawn at some time: until it is usable, its snapshot is skipped
    removed      its rows are gone, for good: neither a check nor a person brings it back
    usable_from  where an acceptance made it good: the instant from which it is; else None
    """

    good: bool = False
    spoiled: bool = False
    withdrawn: bool = False
    accepted: bool = False
    removed: bool = False
    usable_from: datetime | None = None


_UNCHECKED = Standing()


def standings(events: tuple[Event, ...]) -> dict[str, Standing]:
    """The standing of every revision that has a verdict, by the whole ledger."""
    found: dict[str, Standing] = {}
    for event in events:
        if event.revision is not None and event.kind in _STEPS:
            standing = found.get(event.revision, _UNCHECKED)
            found[event.revision] = standing if standing.removed else _STEPS[event.kind](standing, event)
    return found


def removed_revisions(events: tuple[Event, ...]) -> frozenset[str]:
    """The revisions whose rows maintenance took away."""
    return frozenset(event.revision for event in events if event.kind is Kind.REMOVED and event.revision)


def last_verdict(events: tuple[Event, ...], revision: str) -> Kind | None:
    """The last thing said of a revision: passed, blocked, accepted or withdrawn; None before its check."""
    said = [event.kind for event in events if event.revision == revision and event.kind in VERDICTS]
    return said[-1] if said else None


def _passed(standing: Standing, event: Event) -> Standing:
    """Passing makes an unspoiled revision ordinary; a blocked one counts as accepted now."""
    if standing.withdrawn:
        return standing  # only an acceptance brings it back
    if not standing.spoiled:
        return replace(standing, good=True, usable_from=None)
    if standing.good:
        return standing
    return replace(standing, good=True, usable_from=event.usable_from or event.recorded_at)


def _blocked(standing: Standing, event: Event) -> Standing:
    """The newest check decides, but a person's acceptance stands: checking again does not undo it."""
    return replace(standing, spoiled=True, good=standing.accepted and standing.good)


def _accepted(standing: Standing, event: Event) -> Standing:
    """An acceptance never takes away: what was usable already stays so."""
    if standing.good:
        return replace(standing, accepted=True)
    usable_from = event.usable_from or event.recorded_at
    return replace(standing, good=True, withdrawn=False, accepted=True, usable_from=usable_from)


def _withdrawn(standing: Standing, event: Event) -> Standing:
    return Standing(spoiled=True, withdrawn=True)


def _removed(standing: Standing, event: Event) -> Standing:
    """What was blocked or withdrawn still is: its snapshot stays skipped until it has a good revision."""
    return replace(standing, good=False, removed=True)


_STEPS = {
    Kind.PASSED: _passed,
    Kind.BLOCKED: _blocked,
    Kind.ACCEPTED: _accepted,
    Kind.WITHDRAWN: _withdrawn,
    Kind.REMOVED: _removed,
}
