"""The point-in-time engine: asks and rows meet in buckets of join keys, and the kernel answers each bucket."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.group import GroupedData
from pyspark.sql.pandas.types import to_arrow_schema

from skewless.model import Field
from skewless.offline import kernel
from skewless.offline.binding import BoundView
from skewless.offline.kernel import BUCKET, CUTOFF, EVENT, SNAPSHOT
from skewless.offline.lifetimes import stands_between
from skewless.offline.source import quoted
from skewless.timeline import MICROSECOND, happened, within

BUCKETS = 16


@dataclass(frozen=True, slots=True)
class Moment:
    """A snapshot time and its cutoff, in microseconds."""

    snapshot: int
    cutoff: int


def answer(asks: DataFrame, rows: DataFrame, bound: BoundView) -> DataFrame:
    """Give every ask the view's values, as of its snapshot time and cutoff.

    asks     join keys, _sk_snapshot and _sk_cutoff (microseconds; null: not asked), any other columns    n rows
    rows     of `rows_between`, for moments that cover all that is asked
    returns  asks and, per field, its value of the field's dtype in the column `Output.name`              n rows

    A null join key is an entity without rows. No answer depends on partitions, order or cores.
    """
    program, outputs = bound.program, list(zip(bound.program.outputs, bound.view.schema, strict=True))
    computed = [T.StructField(output.name, bound.natural_type(item)) for output, item in outputs]
    schema = T.StructType([*asks.schema.fields, *computed])
    result, prepared = to_arrow_schema(schema), to_arrow_schema(rows.schema)

    def of_bucket(asks: pa.Table, rows: pa.Table) -> pa.Table:
        """Spark gives a side without rows as a table without columns."""
        if not asks.num_columns:
            return result.empty_table()
        rows = rows if rows.num_columns else prepared.empty_table()
        return kernel.answer(program, asks.drop_columns([BUCKET]), rows)

    keys = [F.col(quoted(key)).cast(spark_type) for key, spark_type in bound.key_types.items()]
    by_bucket = _bucketed(asks, keys).cogroup(_bucketed(rows, [F.col(key) for key in bound.row_keys]))
    answered = by_bucket.applyInArrow(of_bucket, schema=schema)
    finished = [_finished(F.col(output.name), item).alias(output.name) for output, item in outputs]
    return answered.select(*map(quoted, asks.columns), *finished)


def _bucketed(frame: DataFrame, keys: Sequence[Column]) -> GroupedData:
    return frame.withColumn(BUCKET, F.pmod(F.xxhash64(*keys), F.lit(BUCKETS))).groupBy(BUCKET)


def _finished(value: Column, item: Field) -> Column:
    """Cast to the dtype, then fill the default. An integer that does not fit is an error, as ANSI SQL has it."""
    cast = value.cast(item.dtype.spark)
    return cast if item.default is None else F.coalesce(cast, constant(item.default, item))


def constant(value: object, item: Field) -> Column:
    """A Python value of a field's dtype as a column."""
    return F.lit(list(value) if isinstance(value, tuple) else value).cast(item.dtype.spark)


def snapshot(bound: BoundView, moment: Moment) -> DataFrame:
    """Compute the complete state of a view: every entity with a visible row inside the view's reach.

    returns  join keys, then fields, one row per entity, in no order
    """
    rows = rows_between(bound, moment, moment)
    asks = (
        rows.select(
            *(F.col(row).alias(key) for row, key in zip(bound.row_keys, bound.view.join_keys, strict=True))
        )
        .dropna()
        .distinct()
        .select("*", F.lit(moment.snapshot).alias(SNAPSHOT), F.lit(moment.cutoff).alias(CUTOFF))
    )
    outputs = zip(bound.program.outputs, bound.view.schema, strict=True)
    fields = [F.col(output.name).alias(item.name) for output, item in outputs]
    return answer(asks, rows, bound).select(*bound.view.join_keys, *fields)


def rows_between(bound: BoundView, first: Moment, last: Moment) -> DataFrame:
    """The prepared rows that some snapshot from the first to the last may see; of one moment, those that it sees."""
    rows, reach = _visible_between(bound, first, last), bound.view.reach
    if reach is None:
        return rows
    return rows.where(within(F.col(EVENT), F.lit(first.snapshot), F.lit(reach // MICROSECOND)))


def newest_event(bound: BoundView, moment: Moment) -> int | None:
    """The newest event time that a snapshot sees in its source, however long ago; None where it sees none."""
    found = _visible_between(bound, moment, moment).agg(F.max(EVENT)).first()
    return None if found is None else found[0]


def _visible_between(bound: BoundView, first: Moment, last: Moment) -> DataFrame:
    rows = bound.rows.where(stands_between(first.cutoff, last.cutoff))
    return rows.where(happened(F.col(EVENT), F.lit(last.snapshot)))
