"""The table of verdicts: one per view, a row for every expectation of every check."""

from __future__ import annotations

import uuid
from contextlib import AbstractContextManager
from typing import Any

import pyarrow as pa
from deltalake import QueryBuilder

from skewless.errors import DataError
from skewless.ledger.delta import append_rows, failing_as, open_table
from skewless.quality.verdict import CheckResult, Verdict
from skewless.timeline import Clock, utc

_INSTANT = pa.timestamp("us", tz="UTC")

SCHEMA = pa.schema(
    [
        pa.field("revision", pa.string(), nullable=False),
        pa.field("snapshot_time", _INSTANT, nullable=False),
        pa.field("check_id", pa.string(), nullable=False),
        pa.field("checked_at", _INSTANT, nullable=False),
        pa.field("position", pa.int32(), nullable=False),
        pa.field("expectation", pa.string(), nullable=False),
        pa.field("column", pa.string()),
        pa.field("arguments", pa.string(), nullable=False),
        pa.field("severity", pa.string(), nullable=False),
        pa.field("success", pa.bool_(), nullable=False),
        pa.field("observed", pa.string()),
        pa.field("unexpected_count", pa.int64()),
        pa.field("total", pa.int64()),
        pa.field("sentence", pa.string(), nullable=False),
    ]
)
_RESULT = (
    "expectation",
    "column",
    "arguments",
    "severity",
    "success",
    "observed",
    "unexpected_count",
    "total",
    "sentence",
)
_ADVICE = "Repair access to that folder, or move it away and check again: a check writes its verdict anew"


class Verdicts:
    """The verdicts of one view, in a Delta table at `uri`; it is made by the first append."""

    def __init__(self, uri: str, view: str, clock: Clock) -> None:
        """Nothing is opened or made yet."""
        self.uri = str(uri)
        self._view = view
        self._clock = clock

    def append(self, verdict: Verdict) -> None:
        """Record a verdict: all its rows in one commit. Raises DataError when it cannot be written."""
        with self._failing("written"):
            append_rows(self.uri, _to_arrow(verdict, self._clock), indexed_columns=1)

    def newest(self, revision: str) -> Verdict | None:
        """The newest verdict of a revision; None before its check.

        Raises DataError when the table cannot be read.
        """
        with self._failing("read"):
            rows = self._rows(revision)
        if not rows:
            return None
        last = max((row["checked_at"], row["check_id"]) for row in rows)
        told = [row for row in rows if (row["checked_at"], row["check_id"]) == last]
        results = (CheckResult(**{name: row[name] for name in _RESULT}) for row in told)
        return Verdict(
            view=self._view,
            snapshot_time=utc(told[0]["snapshot_time"]),
            revision=revision,
            results=tuple(results),
        )

    def _rows(self, revision: str) -> list[dict[str, Any]]:
        table = open_table(self.uri)
        if table is None:
            return []
        quoted = revision.replace("'", "''")
        query = f"SELECT * FROM verdicts WHERE revision = '{quoted}' ORDER BY position"
        try:
            found = pa.table(QueryBuilder().register("verdicts", table).execute(query).read_all())
        except Exception as error:  # the query engine raises nothing narrower
            raise ValueError(str(error)) from error
        rows: list[dict[str, Any]] = found.select(SCHEMA.names).cast(SCHEMA).to_pylist()
        return rows

    def _failing(self, verb: str) -> AbstractContextManager[None]:
        return failing_as(DataError, f"the verdicts at {self.uri} cannot be {verb}", _ADVICE)


def _to_arrow(verdict: Verdict, clock: Clock) -> pa.Table:
    shared = {
        "revision": verdict.revision,
        "snapshot_time": verdict.snapshot_time,
        "check_id": str(uuid.uuid4()),
        "checked_at": utc(clock.now()),
    }
    rows = [
        shared | {"position": position} | {name: getattr(result, name) for name in _RESULT}
        for position, result in enumerate(verdict.results)
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)
