"""Reading no more of a source than is needed: conditions that Delta and Parquet can skip files by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import reduce
from operator import and_, or_

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql import types as T

from skewless.offline.boxes import Box
from skewless.offline.source import SourceRows, quoted
from skewless.timeline import happened, known, within


def rows_that_may_count(source: SourceRows, boxes: Sequence[Box]) -> SourceRows:
    """The source without rows that lie in none of the boxes; others may stay.

    It says nothing that the engine does not say again of each row. But it says it of the columns as they are stored,
    so that files are skipped unread by their statistics. Where rows are versions of events, an older version must
    be dropped for one that moved out of sight, so only what nobody knows yet is left out.
    """
    if source.source.event_id:
        boxes = [Box(max(box.cutoff for box in boxes))]
    conditions = [reduce(and_, sides) for box in boxes if (sides := [*_sides(source, box)])]
    if len(conditions) < len(boxes):
        return source
    return replace(source, rows=source.rows.where(reduce(or_, conditions)))


def _sides(source: SourceRows, box: Box) -> Iterator[Column]:
    """What a box says of the stored columns; a row that does not tell when it became known was known as it happened."""
    event, created = source.source.timestamp_field, source.source.created_timestamp_column
    at, kind = F.col(quoted(event)), source.types[event]
    if box.until is not None:
        yield happened(at, _instant(box.until, kind))
    if box.since is not None:
        yield within(at, _instant(box.since, kind), F.expr("INTERVAL '0' SECOND"))
    as_it_happened = reduce(and_, _known_between(at, kind, box))
    if created is not None:
        arrived = F.col(quoted(created))
        told = reduce(and_, _known_between(arrived, source.types[created], box))
        yield told | (arrived.isNull() & as_it_happened)
    elif not source.source.event_id:
        yield as_it_happened


def _known_between(at: Column, kind: T.DataType, box: Box) -> Iterator[Column]:
    yield known(at, _instant(box.cutoff, kind))
    if box.learnt is not None:
        yield ~known(at, _instant(box.learnt, kind))


def _instant(micros: int, kind: T.DataType) -> Column:
    """A literal of the column's type; a naive timestamp is read as UTC."""
    return F.timestamp_micros(F.lit(micros)).cast(kind)
