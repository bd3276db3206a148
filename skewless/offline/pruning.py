"""Reading no more of a source than an interval needs: conditions that Delta and Parquet can skip files by."""

from __future__ import annotations

from dataclasses import replace

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql import types as T

from skewless.offline.source import SourceRows, quoted
from skewless.timeline import happened, known, within


def rows_that_may_count(
    source: SourceRows, first: int, last: int, cutoff: int, reach: int | None
) -> SourceRows:
    """The source without rows that no snapshot from the first to the last can see, in microseconds.

    cutoff  the last one
    reach   how far back a snapshot sees; None: for ever

    It says nothing that the engine does not say again of each row. But it says it of the columns as they are stored,
    so that files are skipped unread by their statistics. Where rows are versions of events, an older version must
    be dropped for one that moved out of sight, so only what nobody knows yet is left out.
    """
    told, event, created = (
        source.source,
        source.source.timestamp_field,
        source.source.created_timestamp_column,
    )
    conditions: list[Column] = []
    if created is not None:
        at = F.col(quoted(created))
        conditions.append(at.isNull() | known(at, _instant(cutoff, source.types[created])))
    if not told.event_id:
        at, kind = F.col(quoted(event)), source.types[event]
        conditions.append(happened(at, _instant(last, kind)))
        if reach is not None:
            conditions.append(within(at, _instant(first - reach, kind), F.expr("INTERVAL '0' SECOND")))
    rows = source.rows
    for condition in conditions:
        rows = rows.where(condition)
    return replace(source, rows=rows)


def _instant(micros: int, kind: T.DataType) -> Column:
    """A literal of the column's type; a naive timestamp is read as UTC."""
    return F.timestamp_micros(F.lit(micros)).cast(kind)
