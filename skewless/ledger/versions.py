"""A ledger whose versions name states for good: that of a training set."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import ClassVar

from deltalake import DeltaTable

from skewless.ledger.delta import open_table
from skewless.ledger.events import Event, Kind
from skewless.ledger.history import snapshots
from skewless.ledger.table import Ledger, in_order


class VersionedLedger(Ledger):
    """A ledger of which every version of its Delta table stays readable, however old: its log is never cleaned."""

    _properties: ClassVar[Mapping[str, str]] = {"delta.enableExpiredLogCleanup": "false"}

    @property
    def versions(self) -> range:
        """The versions that there are, the newest last; LedgerError where the table cannot be read."""
        with self._failing("read"):
            table = open_table(self.uri)
            newest = 0 if table is None else table.version()
            return range(1, newest + 1)  # the first commit only makes the table

    def read_version(self, version: int) -> tuple[Event, ...]:
        """The events that were there at one of the versions; LedgerError where they cannot be read."""
        with self._failing("read"):
            files = self._read_files(DeltaTable(self.uri, version=version))
            return in_order(event for events in files.values() for event in events)


def revisions_in_force(events: tuple[Event, ...], fingerprint: str) -> dict[datetime, str]:
    """By the end of each interval that has one, its newest good revision under a fingerprint.

    When it became usable does not matter: a version says the same whenever it is asked for.
    """
    known = snapshots(events, fingerprint, timedelta(0))
    return {end: known[end].good[0].revision for end in sorted(known) if known[end].good}


def newest_in_force(events: tuple[Event, ...]) -> Event | None:
    """The newest build that is in force, whatever its fingerprint."""
    for event in reversed(events):
        if event.kind is Kind.BUILT and event.fingerprint and event.snapshot_time:
            chosen = revisions_in_force(events, event.fingerprint)
            if chosen.get(event.snapshot_time) == event.revision:
                return event
    return None
