"""The ledger's events: everything that ever happened to a view, one row each."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum


class Kind(StrEnum):
    """What happened."""

    BUILT = "built"  # a revision was built
    PASSED = "passed"  # its checks passed
    BLOCKED = "blocked"  # a critical check failed
    ACCEPTED = "accepted"  # a person, or a later passing check, accepted it
    WITHDRAWN = "withdrawn"  # a rollback took it back
    REMOVED = "removed"  # maintenance takes its rows away: nobody may see it, and it can be built again

    PUBLISHED = "published"  # it became a generation online
    OFFLINE_ONLY = "offline_only"  # good, but a newer snapshot is live: it corrects training only
    HELD = "held"  # good, but the view was held

    HOLD = "hold"  # the online view was frozen
    RELEASE = "release"  # and thawed
    ROLLED_BACK = "rolled_back"  # the pointer went back to an earlier generation
    EXPIRED = "expired"  # an operator expired the view by hand
    LOST = "lost"  # the pointer was found gone, or behind the ledger


def new_event_id() -> str:
    """An identity for an event, fixed before what it tells of happens."""
    return str(uuid.uuid4())


_UNSTAMPED = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One row of a ledger. Times are UTC instants; what does not apply is None.

    recorded_at    stamped by the ledger: greater than every one that the writer had read
    effective_at   for what readers saw: the flip's own time on the server
    usable_from    None for an ordinary revision (usable from `snapshot_time + publish_delay`)
    """

    kind: Kind
    event_id: str = field(default_factory=new_event_id)
    recorded_at: datetime = _UNSTAMPED
    effective_at: datetime | None = None
    snapshot_time: datetime | None = None
    revision: str | None = None
    fingerprint: str | None = None
    known_until: datetime | None = None
    usable_from: datetime | None = None
    source_version: int | None = None
    rows: int | None = None
    content_hash: str | None = None
    flip: int | None = None
    generation: int | None = None
    epoch: int | None = None
    expires_at: datetime | None = None
    actor: str | None = None
    reason: str | None = None
