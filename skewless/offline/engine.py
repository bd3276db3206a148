"""The point-in-time engine: asks and rows meet in buckets of join keys, and the kernel answers each bucket."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.group import GroupedData
from pyspark.sql.pandas.types import to_arrow_schema

from skewless.model import Field
from skewless.offline import kernel
from skewless.offline.binding import BoundView
from skewless.offline.columns import BUCKET, CUTOFF, EVENT, SNAPSHOT
from skewless.offline.kernel import Output, Program
from skewless.offline.lifetimes import stands_between
from skewless.offline.pruning import rows_that_may_count
from skewless.offline.source import quoted
from skewless.timeline import MICROSECOND, happened, within

NEWEST = (
    "_sk_newest"  # when the newest row happened that an ask sees within the view's reach; null: it is absent
)

_BUCKET_ROWS = 250_000
_LEAST_BUCKETS, _MOST_BUCKETS = 16, 4096
_ASKS = 1_000_000  # so many are answered by one call of the kernel, which sorts a bucket's rows anew


@dataclass(frozen=True, slots=True)
class Moment:
    """A snapshot time and its cutoff, in microseconds."""

    snapshot: int
    cutoff: int


# -- what is asked by somebody ----------------------------------------------------------------------------


def answer(asks: DataFrame, rows: DataFrame, bound: BoundView, keys: Sequence[str]) -> DataFrame:
    """Give every ask the view's values, as of its snapshot time and cutoff.

    asks     the columns `keys`, in the order of the view's join keys, _sk_snapshot and _sk_cutoff (microseconds;
             null: not asked), any other columns                                                          n rows
    rows     of `rows_between`, for moments that cover all that is asked
    returns  asks, per field its value of the field's dtype in the column of `results`, and _sk_newest    n rows

    A null join key is an entity without rows. No answer depends on partitions, order or cores.
    """
    program = replace(_program(bound), keys=tuple(keys))
    schema = T.StructType([*asks.schema.fields, *_computed(bound)])
    result, prepared = to_arrow_schema(schema), to_arrow_schema(rows.schema)

    def of_bucket(asks: pa.Table, rows: pa.Table) -> pa.Table:
        """Spark gives a side without rows as a table without columns."""
        if not asks.num_columns:
            return result.empty_table()
        rows = rows if rows.num_columns else prepared.empty_table()
        return kernel.answer(program, asks.drop_columns([BUCKET]), rows)

    asked = [F.col(quoted(key)).cast(kind) for key, kind in zip(keys, bound.key_types.values(), strict=True)]
    buckets = buckets_of(bound)
    by_bucket = _bucketed(asks, asked, buckets).cogroup(_bucketed(rows, _row_keys(bound), buckets))
    answered = by_bucket.applyInArrow(of_bucket, schema=schema)
    return answered.select(*map(quoted, asks.columns), *_finished(bound), NEWEST)


def _program(bound: BoundView) -> Program:
    """The view's program, and the event time of the newest row within its reach."""
    reach = bound.view.reach
    newest = Output(NEWEST, None, EVENT, None, "skip", None if reach is None else reach // MICROSECOND)
    return replace(bound.program, outputs=(*bound.program.outputs, newest))


def _computed(bound: BoundView) -> list[T.StructField]:
    fields = [T.StructField(bound.results[item.name], bound.natural_type(item)) for item in bound.view.schema]
    return [*fields, T.StructField(NEWEST, T.LongType())]


def _row_keys(bound: BoundView) -> list[Column]:
    return [F.col(key) for key in bound.row_keys]


def _bucketed(frame: DataFrame, keys: Sequence[Column], buckets: int) -> GroupedData:
    return frame.withColumn(BUCKET, F.pmod(F.xxhash64(*keys), F.lit(buckets))).groupBy(BUCKET)


def buckets_of(bound: BoundView) -> int:
    """As many as keep a bucket's rows within a worker's memory."""
    wanted = -(-(bound.source.size or 0) // _BUCKET_ROWS)
    return min(max(wanted, _LEAST_BUCKETS), _MOST_BUCKETS)


def _finished(bound: BoundView, computed: str = "") -> list[Column]:
    return [
        _cast(F.col(f"{computed}{name}"), bound.view.fields[item]).alias(name)
        for item, name in bound.results.items()
    ]


def _cast(value: Column, item: Field) -> Column:
    """Cast to the dtype, then fill the default. An integer that does not fit is an error, as ANSI SQL has it."""
    cast = value.cast(item.dtype.spark)
    return cast if item.default is None else F.coalesce(cast, constant(item.default, item))


def constant(value: object, item: Field) -> Column:
    """A Python value of a field's dtype as a column."""
    return F.lit(list(value) if isinstance(value, tuple) else value).cast(item.dtype.spark)


# -- every entity -----------------------------------------------------------------------------------------


def snapshots(bound: BoundView, moments: Sequence[Moment]) -> DataFrame:
    """Compute the complete state of a view at several moments, from one reading of its source.

    returns  join keys, _sk_snapshot (microseconds), fields: of each moment one row per entity with a visible row
             inside the view's reach, in no order
    """
    rows = rows_between(bound, *_edges(moments)).dropna(subset=list(bound.row_keys))
    program, schema = completing(bound)
    wanted = to_arrow_schema(schema)

    def of_bucket(rows: pa.Table) -> pa.Table:
        return complete(program, rows, moments).select(wanted.names)

    computed = _bucketed(rows, _row_keys(bound), buckets_of(bound)).applyInArrow(of_bucket, schema=schema)
    return computed.select(*finished(bound))


def completing(bound: BoundView) -> tuple[Program, T.StructType]:
    """The program by which `complete` gives the state of a view, and the columns of what it gives."""
    kinds = {"string": T.StringType(), "bigint": T.LongType()}
    keys = [
        T.StructField(name, kinds[kind])
        for name, kind in zip(bound.row_keys, bound.key_types.values(), strict=True)
    ]
    schema = T.StructType([*keys, T.StructField(SNAPSHOT, T.LongType()), *_computed(bound)])
    return replace(_program(bound), keys=bound.row_keys), schema


def finished(bound: BoundView, computed: str = "") -> list[Column]:
    """The columns of a snapshot, of what the kernel computed; `computed` tells of a struct that holds it: `name.`."""
    row_keys = zip(bound.row_keys, bound.view.join_keys, strict=True)
    keys = [F.col(f"{computed}{row_key}").alias(key) for row_key, key in row_keys]
    values = zip(_finished(bound, computed), bound.results, strict=True)
    return [*keys, F.col(f"{computed}{SNAPSHOT}"), *(value.alias(name) for value, name in values)]


def complete(program: Program, rows: pa.Table, moments: Sequence[Moment]) -> pa.Table:
    """Every entity of a bucket that has a visible row within reach at a moment, with its values then."""
    keys = list(program.row_keys)
    entities = rows.select(keys).group_by(keys).aggregate([])
    at_once = max(1, _ASKS // max(1, len(entities)))
    answered = []
    for first in range(0, len(moments), at_once):
        found = kernel.answer(program, _every(entities, moments[first : first + at_once]), rows)
        answered.append(found.filter(found[NEWEST].is_valid()))
    return pa.concat_tables(answered)


def _every(entities: pa.Table, moments: Sequence[Moment]) -> pa.Table:
    """Ask of each entity at each moment."""
    asks = entities.take(pa.array(np.tile(np.arange(len(entities)), len(moments))))
    for name, times in (
        (SNAPSHOT, [moment.snapshot for moment in moments]),
        (CUTOFF, [moment.cutoff for moment in moments]),
    ):
        asks = asks.append_column(name, pa.array(np.repeat(np.array(times, dtype=np.int64), len(entities))))
    return asks


def _edges(moments: Sequence[Moment]) -> tuple[Moment, Moment]:
    """The first and the last; a rebuild may know more at an earlier one."""
    times, cutoffs = [moment.snapshot for moment in moments], [moment.cutoff for moment in moments]
    return Moment(min(times), min(cutoffs)), Moment(max(times), max(cutoffs))


# -- the rows that count ----------------------------------------------------------------------------------


def rows_between(bound: BoundView, first: Moment, last: Moment) -> DataFrame:
    """The prepared rows that some snapshot from the first to the last may see; of one moment, those that it sees."""
    reach = None if bound.view.reach is None else bound.view.reach // MICROSECOND
    rows = _visible_between(bound, first, last, reach)
    return rows if reach is None else rows.where(within(F.col(EVENT), F.lit(first.snapshot), F.lit(reach)))


def newest_event(bound: BoundView, moment: Moment) -> int | None:
    """The newest event time that a snapshot sees in its source, however long ago; None where it sees none."""
    found = _visible_between(bound, moment, moment, None).agg(F.max(EVENT)).first()
    return None if found is None else found[0]


def _visible_between(bound: BoundView, first: Moment, last: Moment, reach: int | None) -> DataFrame:
    source = rows_that_may_count(bound.source, first.snapshot, last.snapshot, last.cutoff, reach)
    rows = bound.prepared(source).where(stands_between(first.cutoff, last.cutoff))
    return rows.where(happened(F.col(EVENT), F.lit(last.snapshot)))
