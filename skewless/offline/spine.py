"""Spines: the rows that a training set starts from, checked before anything is joined."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError
from pyspark.errors import AnalysisException, ParseException
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.pandas.types import from_arrow_schema

from skewless.errors import DataError, UsageError, did_you_mean, first_line
from skewless.offline.source import micros, span_of
from skewless.offline.spark_conf import settled
from skewless.plan.uris import under
from skewless.timeline import MICROSECOND, after, format_instant, from_micros, to_micros

if TYPE_CHECKING:
    import pandas as pd

    from skewless.offline.retrieval import Ask

Span = tuple[datetime, datetime]
Spine: TypeAlias = "DataFrame | pd.DataFrame | pa.Table | str"

# Before, the cron library loses microseconds; it reckons in floats.
_OLDEST, _LATEST = datetime(1800, 1, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_DAY, _GAP = timedelta(days=1) // MICROSECOND, 366
_SLOT = timedelta(minutes=15) // MICROSECOND
_PARTS = 64


@dataclass(frozen=True, slots=True)
class SpineTimes:
    """Where a spine's rows lie in time.

    spans  first and last time of each span, the oldest first. Spans are parted by more than a year without rows,
           so that a stray time costs no century of snapshots
    parts  instants in microseconds, ascending, between which lie about equally many rows
    """

    rows: int
    spans: tuple[Span, ...]
    parts: tuple[int, ...]

    @property
    def first(self) -> datetime:
        """The time of the first row."""
        return self.spans[0][0]

    @property
    def last(self) -> datetime:
        """The time of the last row."""
        return self.spans[-1][1]


def as_spark(spark: SparkSession, spine: Spine, warehouse: str) -> DataFrame:
    """A spine as Spark has it; one without rows keeps its columns. UsageError for what is no table of rows.

    A text names a Delta table, by its path under the warehouse or its URI, or a table that Spark knows.
    """
    settled(spark)  # a naive timestamp is read as UTC
    if isinstance(spine, DataFrame):
        return spine
    if isinstance(spine, str):
        return _named_table(spark, spine, warehouse)
    if not isinstance(spine, pa.Table) and not hasattr(spine, "iloc"):
        raise UsageError(
            f"a spine is a Spark or pandas DataFrame, a pyarrow Table or a table's name, not a {type(spine).__name__}"
        )
    try:
        return spark.createDataFrame(spine) if len(spine) else _without_rows(spark, spine)
    except pa.ArrowException as error:
        raise UsageError(f"the spine cannot be read as a table: {first_line(error)}") from error


def _named_table(spark: SparkSession, name: str, warehouse: str) -> DataFrame:
    """One version of a table, since a spine is read twice: for its times, and for its rows."""
    uri = under(warehouse, name)
    try:
        version = DeltaTable(uri).version()
    except TableNotFoundError:
        return _known_table(spark, name, uri)
    except (DeltaError, OSError, ValueError) as error:
        raise DataError(
            f"the spine's Delta table at {uri} cannot be read: {first_line(error)}; restore it, or name another"
        ) from error
    return spark.read.format("delta").option("versionAsOf", version).load(uri)


def _known_table(spark: SparkSession, name: str, uri: str) -> DataFrame:
    try:
        rows = spark.read.table(name)
        rows.schema  # noqa: B018 -- over Connect a missing table is noticed only when something is asked of it
    except (AnalysisException, ParseException) as error:
        raise UsageError(
            f"there is no Delta table at {uri}, and Spark knows no table {name!r}; give the path of a Delta table, "
            "a table's name, or the rows themselves"
        ) from error
    return rows


def _without_rows(spark: SparkSession, spine: pd.DataFrame | pa.Table) -> DataFrame:
    table = spine if isinstance(spine, pa.Table) else pa.Table.from_pandas(spine, preserve_index=False)
    return spark.createDataFrame([], from_arrow_schema(table.schema))


def check_columns(spine: DataFrame, asks: Sequence[Ask], added: Sequence[str], timestamp_field: str) -> None:
    """Refuse a spine that lacks a column, has one of the wrong type, or has one that would be written over."""
    types = {item.name: item.dataType for item in spine.schema.fields}
    if len({name.lower() for name in types}) < len(spine.schema.fields):
        raise UsageError(
            f"some of the spine's columns {', '.join(spine.schema.names)} have one name, or differ only in case; "
            "rename one"
        )
    _demand(types, timestamp_field, "its time; name another with timestamp_field=")
    if not isinstance(types[timestamp_field], T.TimestampType | T.TimestampNTZType | T.NullType):
        raise UsageError(
            f"the spine's {timestamp_field!r} is {types[timestamp_field].simpleString()}, no timestamp; cast it first"
        )
    for ask in asks:
        _check_keys(types, ask)
    _check_added(types, added)
    _check_names(types)


def _check_keys(types: dict[str, T.DataType], ask: Ask) -> None:
    view = ask.bound.view.name
    of = f"feature view {view!r}" if ask.prefix == view else f"alias {ask.prefix!r} of feature view {view!r}"
    for key, wanted in zip(ask.keys, ask.bound.key_types.values(), strict=True):
        _demand(types, key, f"a join key of {of}")
        fits = T.StringType if wanted == "string" else T.IntegralType
        if not isinstance(types[key], (fits, T.NullType)):
            raise UsageError(
                f"the spine's {key!r} is {types[key].simpleString()}, but the source of {view!r} "
                f"has {wanted}; cast it first"
            )


def _check_added(types: dict[str, T.DataType], added: Sequence[str]) -> None:
    """Refuse a spine, or a wish to explain, that takes the name of a column which the result adds."""
    lowered = {name.lower(): name for name in types}
    for number, name in enumerate(added):
        if name.lower() in lowered:
            raise UsageError(
                f"the spine has a column {lowered[name.lower()]!r}, which the result needs; rename it"
            )
        if name in added[:number]:
            raise UsageError(
                f"two columns of the result would be {name!r}, one of them of explain=True; ask without it"
            )


def _check_names(types: dict[str, T.DataType]) -> None:
    for name in types:
        if name.lower().startswith("_sk_"):
            raise UsageError(
                f"the spine's column {name!r} begins with _sk_, as the engine's own do; rename it"
            )
        if "`" in name:
            raise UsageError(
                f"the spine's column {name!r} has a backtick, which Spark cannot quote; rename it"
            )


def _demand(types: dict[str, T.DataType], column: str, role: str) -> None:
    if column not in types:
        raise UsageError(
            f"the spine has no column {column!r}{did_you_mean(column, types)}, {role}; it has {', '.join(types)}"
        )


def check_times(spine: DataFrame, timestamp_field: str, now: datetime) -> SpineTimes | None:
    """Refuse null, future and absurd times, and tell where the others lie, in one pass; None for an empty spine."""
    at = F.col("at")
    rows = spine.select(micros(timestamp_field, spine.schema[timestamp_field].dataType).alias("at"))
    future, absurd = after(at, F.lit(to_micros(now))), after(F.lit(to_micros(_OLDEST)), at)
    # By slots first: Spark compiles plain counting, but neither sets nor percentiles.
    slots = rows.groupBy(F.when(~future & ~absurd, span_of(at, _SLOT) * _SLOT).alias("slot")).agg(
        F.count("*").alias("rows"),
        F.count_if(at.isNull()).alias("nulls"),
        F.count_if(future).alias("future"),
        F.count_if(absurd).alias("absurd"),
        F.min("at").alias("first"),
        F.max("at").alias("last"),
    )
    counts = [F.sum(name).alias(name) for name in ("rows", "nulls", "future", "absurd")]
    found = slots.agg(
        *counts,
        F.min("first").alias("first"),
        F.max("last").alias("last"),
        F.collect_set(span_of(F.col("slot"), _DAY)).alias("days"),
        F.percentile("slot", [part / _PARTS for part in range(1, _PARTS)], F.col("rows")).alias("parts"),
    )
    counted = found.first()
    if counted is None or not counted["rows"]:
        return None
    for problem in _time_problems(counted, timestamp_field, now):
        raise UsageError(problem)
    spans = tuple(_spans(counted["first"], counted["last"], sorted(counted["days"])))
    return SpineTimes(counted["rows"], spans, tuple(sorted(set(map(int, counted["parts"])))))


def _time_problems(counted: Row, timestamp_field: str, now: datetime) -> Iterator[str]:
    of_rows = f"of the spine's {counted['rows']:,} rows"
    if counted["nulls"]:
        yield (
            f"{counted['nulls']:,} {of_rows} have no {timestamp_field!r}; "
            "a training row needs the instant at which it would have asked: drop or fill them"
        )
    if counted["future"]:
        latest = min(counted["last"], to_micros(_LATEST))
        yield (
            f"{counted['future']:,} {of_rows} lie after now ({format_instant(now)}), the "
            f"latest at {format_instant(from_micros(latest))}; nobody knows yet what they will see: "
            f"drop them, e.g. where {timestamp_field} < '{format_instant(now)}'"
        )
    if counted["absurd"]:
        yield (
            f"{counted['absurd']:,} {of_rows} lie before {format_instant(_OLDEST)}; no view was scheduled then: "
            "drop them"
        )


def _spans(first: int, last: int, days: Sequence[int]) -> Iterator[Span]:
    """From microseconds and the sorted days, counted from 1970, on which there are rows."""
    ends = [day for day, later in pairwise(days) if later - day > _GAP]
    starts = [later for day, later in pairwise(days) if later - day > _GAP]
    begins = [first, *(day * _DAY for day in starts)]
    closes = [*((day + 1) * _DAY - 1 for day in ends), last]
    for begin, close in zip(begins, closes, strict=True):
        yield from_micros(begin), from_micros(close)
