"""The ledger's Delta table: one per view, appended to and never changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any, ClassVar

import pyarrow as pa
from deltalake import DeltaTable

from skewless.errors import LedgerError
from skewless.ledger.delta import append_rows, dataset, failing_as, open_table
from skewless.ledger.events import Event, Kind
from skewless.timeline import MICROSECOND, Clock, utc

_INSTANT = pa.timestamp("us", tz="UTC")

SCHEMA = pa.schema(
    [
        pa.field("event_id", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("recorded_at", _INSTANT, nullable=False),
        pa.field("effective_at", _INSTANT),
        pa.field("snapshot_time", _INSTANT),
        pa.field("revision", pa.string()),
        pa.field("fingerprint", pa.string()),
        pa.field("known_until", _INSTANT),
        pa.field("usable_from", _INSTANT),
        pa.field("source_version", pa.int64()),
        pa.field("rows", pa.int64()),
        pa.field("content_hash", pa.string()),
        pa.field("flip", pa.int64()),
        pa.field("generation", pa.int64()),
        pa.field("epoch", pa.int64()),
        pa.field("expires_at", _INSTANT),
        pa.field("actor", pa.string()),
        pa.field("reason", pa.string()),
    ]
)

_ADVICE = (
    "Repair access to that folder, or restore it from a backup (`_delta_log` and its data files together), "
    "and run the command again. Do not delete it: it alone knows which revisions are in force"
)


class Ledger:
    """The events of one view, in a Delta table at `uri`; a table that does not exist yet has no events.

    Reads see what every process has appended. Files that were read once are not read again.
    """

    _properties: ClassVar[Mapping[str, str]] = {}

    def __init__(self, uri: str, clock: Clock) -> None:
        """Nothing is opened or made before the first read or append."""
        self.uri = str(uri)
        self._clock = clock
        self._files: dict[str, list[Event]] = {}
        self._seen: tuple[str, int] | None = None
        self._events: tuple[Event, ...] = ()

    def read(self) -> tuple[Event, ...]:
        """Every event, each `event_id` once, in the order of (recorded_at, event_id).

        Raises LedgerError when there is a table that cannot be read.
        """
        with self._failing("read"):
            table = open_table(self.uri)
            if table is None:
                self._files, self._seen, self._events = {}, None, ()
                return ()
            seen = (str(table.metadata().id), table.version())
            if seen != self._seen:
                self._files = self._read_files(table)
                self._events = in_order(event for events in self._files.values() for event in events)
                self._seen = seen
        return self._events

    def append(self, *events: Event) -> tuple[Event, ...]:
        """Write events in the order given and return them as the ledger has them.

        Each gets a `recorded_at` greater than any that this reads first. An `event_id` that is already
        there is not written again: the event that stands there is returned in its place.

        Raises LedgerError when the table cannot be read or written; then nothing was written.
        """
        entered = {event.event_id: event for event in self.read()}
        newest = [event.recorded_at + MICROSECOND for event in self._events[-1:]]
        stamp = max([utc(self._clock.now()), *newest])
        fresh: list[Event] = []
        for event in events:
            if event.event_id not in entered:
                fresh.append(replace(event, recorded_at=stamp))
                entered[event.event_id] = fresh[-1]
                stamp += MICROSECOND
        if fresh:
            with self._failing("written"):
                append_rows(self.uri, _to_arrow(fresh), properties=self._properties)
        return tuple(entered[event.event_id] for event in events)

    def _read_files(self, table: DeltaTable) -> dict[str, list[Event]]:
        """The events of each file in the table; a file never changes, so only new ones are read."""
        fragments = {fragment.path: fragment for fragment in dataset(table, self.uri).get_fragments()}
        return {
            path: self._files[path] if path in self._files else _from_arrow(fragment.to_table(schema=SCHEMA))
            for path, fragment in fragments.items()
        }

    def _failing(self, verb: str) -> AbstractContextManager[None]:
        return failing_as(LedgerError, f"the ledger at {self.uri} cannot be {verb}", _ADVICE)


def in_order(events: Iterator[Event]) -> tuple[Event, ...]:
    """Sorted; of an event that was written twice, the copy recorded first."""
    first: dict[str, Event] = {}
    for event in sorted(events, key=lambda event: (event.recorded_at, event.event_id)):
        first.setdefault(event.event_id, event)
    return tuple(first.values())


def _to_arrow(events: list[Event]) -> pa.Table:
    rows = [asdict(event) | {"kind": event.kind.value} for event in events]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _from_arrow(table: pa.Table) -> list[Event]:
    return [_event(row) for row in table.to_pylist()]


def _event(row: dict[str, Any]) -> Event:
    """Read a row; ValueError for a kind that this version does not know."""
    values: dict[str, Any] = {
        name: utc(value) if isinstance(value, datetime) else value for name, value in row.items()
    }
    return Event(**values | {"kind": Kind(row["kind"])})
