"""Manifests: what each revision of a training set was made from, so that the same rows can be made again."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from skewless.errors import DataError, UsageError, did_you_mean
from skewless.ledger.delta import append_rows, failing_as, open_table
from skewless.ledger.events import Event
from skewless.offline.unbuilt import computed_snapshots
from skewless.plan.changes import differing
from skewless.plan.fingerprint import canonical, definition_fingerprint
from skewless.timeline import Clock, format_instant, parse_instant, utc

if TYPE_CHECKING:
    from skewless.offline.retrieval import Ask
    from skewless.offline.source import SourceRows
    from skewless.offline.tables import Content
    from skewless.offline.training import Assembly

Unsettled = Mapping[str, Sequence[datetime]]

FORMAT = 1

_INSTANT = pa.timestamp("us", tz="UTC")
SCHEMA = pa.schema(
    [
        pa.field("revision", pa.string(), nullable=False),
        pa.field("interval_end", _INSTANT, nullable=False),
        pa.field("built_at", _INSTANT, nullable=False),
        pa.field("manifest", pa.string(), nullable=False),
    ]
)
_ADVICE = "Repair access to that folder, or restore it from a backup, and run the command again"


# -- what stands in one -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Manifest:
    """A manifest as JSON has it; it is the same text whoever writes it."""

    told: dict[str, Any]

    @property
    def text(self) -> str:
        """Canonical JSON."""
        return canonical(self.told)

    @property
    def definition(self) -> dict[str, Any]:
        """What decided the rows."""
        return dict(self.told["definition"])

    @property
    def interval(self) -> tuple[datetime, datetime]:
        """Start and end of the labels' interval."""
        start, end = (parse_instant(self.told["interval"][edge]) for edge in ("start", "end"))
        return start, end

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the rows: the spine's, then the features."""
        return tuple(name for name, _ in self.told["columns"])

    @property
    def versions(self) -> dict[str, int | None]:
        """The version read of each source, the spine's too, by its name; None where it is no Delta path."""
        return {name: source["version"] for name, source in self.told["sources"].items()}

    def position(self, name: str) -> datetime | None:
        """When the newest event that was read of a view, or of an alias' view, was recorded; None: it had none."""
        text = self.told["views"][name]["ledger_position"]
        return None if text is None else parse_instant(text)


def manifest_of(
    assembly: Assembly,
    definition: Mapping[str, Any],
    content: Content,
    unsettled: Unsettled,
    built_at: datetime,
) -> Manifest:
    """What a revision was made from; `unsettled` are, by view, the snapshots whose runs had not ended."""
    training_set, interval = assembly.training_set, assembly.interval
    told = {
        "format": FORMAT,
        "training_set": training_set.name,
        "definition": dict(definition),
        "fingerprint": definition_fingerprint(dict(definition)),
        "interval": {"start": format_instant(interval.start), "end": format_instant(interval.end)},
        "labels_known_before": format_instant(interval.end + training_set.label_delay),
        "settle_timeout": training_set.settle_timeout.total_seconds(),
        "built_at": format_instant(built_at),
        "spine": training_set.spine.name,
        "sources": {name: _source_read(found) for name, found in assembly.sources.items()},
        "views": {
            ask.prefix: _view_read(ask, assembly.events[view], unsettled[view])
            for ask in assembly.asks
            for view in [ask.bound.view.name]
        },
        "columns": [[item.name, item.dataType.simpleString()] for item in assembly.rows.schema.fields],
        "rows": content.rows,
        "content_hash": content.content_hash,
    }
    return Manifest(told)


def unsettled_computed(assembly: Assembly, unsettled: Unsettled) -> tuple[tuple[str, datetime], ...]:
    """Of the unsettled snapshots, those that were computed from the source, since no revision was in force."""
    asks = {ask.bound.view.name: ask for ask in assembly.asks}  # an alias sees the snapshots of its view
    return tuple(
        (view, t) for view, ask in asks.items() for t in computed_snapshots(ask) if t in unsettled[view]
    )


def _source_read(found: SourceRows) -> dict[str, Any]:
    return {
        "location": found.source.location,
        "version": found.version,
        "arrival": "assumed" if found.source.arrival_is_assumed else "recorded",
    }


def _view_read(ask: Ask, events: Sequence[Event], unsettled: Sequence[datetime]) -> dict[str, Any]:
    """The snapshots that the labels could see, and where the ledger stood."""
    seen, computed = snapshots_seen(ask), computed_snapshots(ask)
    counted = Counter(item["how"] for item in seen)
    return {
        "source": ask.bound.view.source.name,
        "ledger_position": format_instant(events[-1].recorded_at) if events else None,
        "ledger_events": len(events),
        "snapshots": seen,
        **{how: counted[how] for how in ("stored", "computed", "skipped")},
        "unsettled": [format_instant(t) for t in unsettled],
        "unsettled_computed": [format_instant(t) for t in unsettled if t in computed],
    }


def snapshots_seen(ask: Ask) -> list[dict[str, Any]]:
    """From which instant on which snapshot is seen, and how: stored, computed, or skipped to."""
    return [
        {
            "since": format_instant(stretch.since),
            "snapshot_time": format_instant(stretch.seen.snapshot_time),
            "revision": stretch.seen.revision,
            "how": stretch.seen.how,
        }
        for stretch in ask.stretches or ()
    ]


# -- their table ------------------------------------------------------------------------------------------


class Manifests:
    """The manifests of one training set, in a Delta table at `uri`: a row for each revision."""

    def __init__(self, uri: str, clock: Clock) -> None:
        """Nothing is opened or made yet."""
        self.uri = str(uri)
        self._clock = clock

    def append(self, revision: str, interval_end: datetime, manifest: Manifest) -> None:
        """Write the manifest of a revision; DataError where it cannot be written."""
        row = {
            "revision": revision,
            "interval_end": interval_end,
            "built_at": utc(self._clock.now()),
            "manifest": manifest.text,
        }
        with self._failing("written"):
            append_rows(self.uri, pa.Table.from_pylist([row], schema=SCHEMA), indexed_columns=1)

    def read(self, revision: str) -> Manifest:
        """The manifest of a revision; UsageError, with the nearest revision, where there is none."""
        table = self._table()
        found = table.filter(pc.field("revision") == revision).column("manifest").to_pylist()
        if not found:
            known = table.column("revision").to_pylist()
            raise UsageError(
                f"no manifest tells of revision {revision!r}{did_you_mean(revision, known)}; the receipt of "
                "`skewless train`, and the table of manifests at "
                f"{self.uri}, name the {len(known)} that there are"
            )
        return Manifest(json.loads(found[0]))

    def columns(self, revisions: Collection[str]) -> tuple[str, ...]:
        """The columns of the revision among these that was built last; a table's columns only grow."""
        table = self._table()
        rows = table.filter(pc.is_in(table.column("revision"), pa.array(revisions, pa.string())))
        newest = max(rows.to_pylist(), key=lambda row: (row["built_at"], row["revision"]), default=None)
        if newest is None:
            raise DataError(f"the manifests at {self.uri} tell of none of {', '.join(revisions)}. {_ADVICE}")
        return Manifest(json.loads(newest["manifest"])).columns

    def revisions_read(self) -> frozenset[str]:
        """The revisions of feature views from which some training rows were made."""
        told = map(json.loads, self._table().column("manifest").to_pylist())
        seen = (item for each in told for view in each["views"].values() for item in view["snapshots"])
        return frozenset(item["revision"] for item in seen if item["revision"])

    def _table(self) -> pa.Table:
        with self._failing("read"):
            table = open_table(self.uri)
            return SCHEMA.empty_table() if table is None else table.to_pyarrow_table()

    def _failing(self, verb: str) -> AbstractContextManager[None]:
        return failing_as(DataError, f"the manifests at {self.uri} cannot be {verb}", _ADVICE)


# -- comparing --------------------------------------------------------------------------------------------


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[str]:
    """Where two definitions differ, as dotted paths, with both values."""
    return (f"{place} was {a!r}, is {b!r}" for place, a, b in differing(one, other))
