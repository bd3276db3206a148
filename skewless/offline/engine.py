"""The point-in-time engine: asks and rows meet in buckets of join keys, and the kernel answers each bucket."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import reduce
from operator import or_

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.pandas.types import to_arrow_schema

from skewless.model import Field
from skewless.offline import kernel
from skewless.offline.binding import BoundView
from skewless.offline.boxes import Box
from skewless.offline.columns import BUCKET, EVENT, KNOWN, SNAPSHOT, restored
from skewless.offline.complete import NEWEST, Moment, complete
from skewless.offline.hot import HotKey, bucket_of_ask, buckets_of_row
from skewless.offline.kernel import Output, Program
from skewless.offline.lifetimes import stands_between
from skewless.offline.pruning import rows_that_may_count
from skewless.offline.source import quoted
from skewless.timeline import MICROSECOND

_BUCKET_ROWS = 250_000
_LEAST_BUCKETS, _MOST_BUCKETS = 16, 4096


# -- what is asked by somebody ----------------------------------------------------------------------------


def answer(
    asks: DataFrame, rows: DataFrame, bound: BoundView, keys: Sequence[str], hot: Sequence[HotKey] = ()
) -> DataFrame:
    """Give every ask the view's values, as of its snapshot time and cutoff.

    asks     the columns `keys`, in the order of the view's join keys, _sk_snapshot and _sk_cutoff (microseconds;
             null: not asked), any other columns                                                          n rows
    rows     of `rows_between`, for moments that cover all that is asked
    hot      of `hot_keys`, for the same moments: these keys are answered in slices by time
    returns  asks, per field its value of the field's dtype in the column of `results`, and _sk_newest    n rows

    A null join key is an entity without rows. No answer depends on partitions, order or cores.
    """
    program, copies = replace(program_of(bound), keys=tuple(keys)), bound.copies
    schema = T.StructType([*asks.schema.fields, *_computed(bound)])
    result, prepared = to_arrow_schema(schema), to_arrow_schema(rows.schema)

    def of_bucket(asks: pa.Table, rows: pa.Table) -> pa.Table:
        """Spark gives a side without rows as a table without columns."""
        if not asks.num_columns:
            return result.empty_table()
        rows = restored(rows, copies) if rows.num_columns else prepared.empty_table()
        return kernel.answer(program, asks.drop_columns([BUCKET]), rows)

    asked = [F.col(quoted(key)).cast(kind) for key, kind in zip(keys, bound.key_types.values(), strict=True)]
    rows, there, size = rows.dropna(subset=list(bound.row_keys)), row_keys(bound), bound.source.size
    asks_in = asks.withColumn(BUCKET, bucket_of_ask(hot, asked, bucket(asked, size))).groupBy(BUCKET)
    rows_in = rows.withColumn(BUCKET, buckets_of_row(hot, there, bucket(there, size))).drop(*copies)
    answered = asks_in.cogroup(rows_in.groupBy(BUCKET)).applyInArrow(of_bucket, schema=schema)
    return answered.select(*map(quoted, asks.columns), *_finished(bound), NEWEST)


def program_of(bound: BoundView) -> Program:
    """The view's program, and the event time of the newest row within its reach."""
    reach = bound.view.reach
    newest = Output(NEWEST, None, EVENT, None, "skip", None if reach is None else reach // MICROSECOND)
    return replace(bound.program, outputs=(*bound.program.outputs, newest))


def _computed(bound: BoundView) -> list[T.StructField]:
    fields = [T.StructField(bound.results[item.name], bound.natural_type(item)) for item in bound.view.schema]
    return [*fields, T.StructField(NEWEST, T.LongType())]


def row_keys(bound: BoundView) -> list[Column]:
    """The join keys of the prepared rows."""
    return [F.col(key) for key in bound.row_keys]


def bucket(keys: Sequence[Column], rows: int | None) -> Column:
    """The number of the bucket of some keys, where so many rows are to be divided."""
    return F.pmod(F.xxhash64(*keys), F.lit(buckets_for(rows)))


def buckets_for(rows: int | None) -> int:
    """As many buckets as keep each one's rows within a worker's memory."""
    return min(max(-(-(rows or 0) // _BUCKET_ROWS), _LEAST_BUCKETS), _MOST_BUCKETS)


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
    copies = bound.copies

    def of_bucket(program: Program, rows: pa.Table) -> pa.Table:
        return complete(program, restored(rows, copies), moments)

    return snapshots_of(bound, rows.drop(*copies), of_bucket, bound.source.size)


def snapshots_of(
    bound: BoundView, rows: DataFrame, of_bucket: Callable[[Program, pa.Table], pa.Table], size: int | None
) -> DataFrame:
    """Compute snapshots bucket by bucket, as `snapshots` gives them.

    of_bucket  takes rows that share a bucket, and gives row keys, _sk_snapshot, the program's outputs
    size       about how many rows there are
    """
    program, schema = completing(bound)
    names = schema.names
    by_bucket = rows.withColumn(BUCKET, bucket(row_keys(bound), size)).groupBy(BUCKET)
    computed = by_bucket.applyInArrow(lambda rows: of_bucket(program, rows).select(names), schema=schema)
    return computed.select(*finished(bound))


def completing(bound: BoundView) -> tuple[Program, T.StructType]:
    """The program by which `complete` gives the state of a view, and the columns of what it gives."""
    kinds = {"string": T.StringType(), "bigint": T.LongType()}
    keys = [
        T.StructField(name, kinds[kind])
        for name, kind in zip(bound.row_keys, bound.key_types.values(), strict=True)
    ]
    schema = T.StructType([*keys, T.StructField(SNAPSHOT, T.LongType()), *_computed(bound)])
    return replace(program_of(bound), keys=bound.row_keys), schema


def finished(bound: BoundView, computed: str = "") -> list[Column]:
    """The columns of a snapshot, of what the kernel computed; `computed` tells of a struct that holds it: `name.`."""
    row_keys = zip(bound.row_keys, bound.view.join_keys, strict=True)
    keys = [F.col(f"{computed}{row_key}").alias(key) for row_key, key in row_keys]
    values = zip(_finished(bound, computed), bound.results, strict=True)
    return [*keys, F.col(f"{computed}{SNAPSHOT}"), *(value.alias(name) for value, name in values)]


def _edges(moments: Sequence[Moment]) -> tuple[Moment, Moment]:
    """The first and the last; a rebuild may know more at an earlier one."""
    times, cutoffs = [moment.snapshot for moment in moments], [moment.cutoff for moment in moments]
    return Moment(min(times), min(cutoffs)), Moment(max(times), max(cutoffs))


# -- the rows that count ----------------------------------------------------------------------------------


def rows_between(bound: BoundView, first: Moment, last: Moment) -> DataFrame:
    """The prepared rows that some snapshot from the first to the last may see; of one moment, those that it sees."""
    reach = bound.view.reach
    since = None if reach is None else first.snapshot - reach // MICROSECOND
    return _visible_between(bound, first, Box(last.cutoff, last.snapshot, since))


def newest_event(bound: BoundView, moment: Moment) -> int | None:
    """The newest event time that a snapshot sees in its source, however long ago; None where it sees none."""
    seen = _visible_between(bound, moment, Box(moment.cutoff, moment.snapshot))
    found = seen.agg(F.max(EVENT)).first()
    return None if found is None else found[0]


def _visible_between(bound: BoundView, first: Moment, box: Box) -> DataFrame:
    return rows_inside(bound, [box]).where(stands_between(first.cutoff, box.cutoff))


def rows_inside(bound: BoundView, boxes: Sequence[Box]) -> DataFrame:
    """The prepared rows that lie in some of the boxes."""
    rows = bound.prepared(rows_that_may_count(bound.source, boxes))
    return rows.where(reduce(or_, (box.holds(F.col(EVENT), F.col(KNOWN)) for box in boxes)))
