"""Sources as Spark reads them: one version of a table, with the columns that time needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError
from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from skewless.errors import DataError, did_you_mean, first_line
from skewless.ledger.delta import files_of
from skewless.model import DeltaSource
from skewless.offline.spark_conf import settled
from skewless.plan.uris import under


@dataclass(frozen=True)
class SourceRows:
    """The rows of a source at one version of its table (None where the source is not a Delta path).

    size   how many rows the table's log tells of; None: it does not
    files  the data files of that version, as its log tells of them; None: it does not, or rows go without their file
    """

    source: DeltaSource
    rows: DataFrame
    version: int | None
    size: int | None = None
    files: pa.Table | None = None

    @property
    def types(self) -> dict[str, T.DataType]:
        """The Spark types of the columns."""
        return {item.name: item.dataType for item in self.rows.schema.fields}

    @property
    def event(self) -> Column:
        """When each row happened, in microseconds."""
        return self._micros(self.source.timestamp_field)

    @property
    def known(self) -> Column:
        """When each row became known, in microseconds; where that is not told, when it happened."""
        created = self.source.created_timestamp_column
        return F.coalesce(self._micros(created), self.event) if created else self.event

    def null_event_times(self) -> int:
        """How many rows have no event time: they are never visible."""
        event = F.col(quoted(self.source.timestamp_field))
        return self.rows.where(event.isNull()).count()  # Delta opens only files whose statistics tell of some

    def _micros(self, column: str) -> Column:
        return micros(column, self.types[column])


def micros(column: str, found: T.DataType) -> Column:
    """A timestamp column as microseconds since 1970 UTC; a naive timestamp is read as UTC."""
    if isinstance(found, T.TimestampNTZType):
        return F.expr(f"timestampdiff(MICROSECOND, TIMESTAMP_NTZ'1970-01-01 00:00:00', {quoted(column)})")
    return F.unix_micros(F.col(quoted(column)))


def span_of(at: Column, width: int) -> Column:
    """The number, from 1970 on, of the span of so many microseconds that holds an instant; by integers alone."""
    return F.call_function("div", at - F.pmod(at, F.lit(width)), F.lit(width))


def quoted(column: str) -> str:
    """A column's name as Spark reads it, whatever is in it.

    >>> quoted("paid.at"), quoted("a`b")
    ('`paid.at`', '`a``b`')
    """
    return f"`{column.replace('`', '``')}`"


def read_source(
    spark: SparkSession, source: DeltaSource, warehouse: str, version: int | None = None
) -> SourceRows:
    """Read a source, of the newest version or the one given; DataError where it is not what the definition says."""
    settled(spark)
    if source.table:
        found = SourceRows(source, _read_table(spark, source), None)
    else:
        uri = under(warehouse, source.location)
        table = _table(source, uri, version)
        found = _read_version(spark, source, uri, table)
    _demand_timestamps(found)
    for column in source.event_id:
        demand_column(found, column, "event_id")
    _demand_deleted(found)
    return found


def demand_column(found: SourceRows, column: str, role: str) -> None:
    """DataError, with the nearest name, unless the source has the column."""
    if column not in found.types:
        raise DataError(
            f"source {found.source.name!r} ({found.source.location}) has no column {column!r}, its {role}"
            f"{did_you_mean(column, found.types)}; it has {', '.join(found.types)}"
        )


def _read_table(spark: SparkSession, source: DeltaSource) -> DataFrame:
    try:
        rows = spark.read.table(str(source.table))
        rows.schema  # noqa: B018 -- over Connect a missing table is noticed only when something is asked of it
    except AnalysisException as error:
        raise DataError(
            f"source {source.name!r}: there is no table {source.table!r}; make it, or correct table= in its "
            f"definition ({first_line(error)})"
        ) from error
    return rows


def _read_version(spark: SparkSession, source: DeltaSource, uri: str, table: DeltaTable) -> SourceRows:
    rows = spark.read.format("delta").option("versionAsOf", table.version()).load(uri)
    files = files_of(table)
    whole = "deletionVectors" not in (table.protocol().reader_features or ())
    return SourceRows(source, rows, table.version(), _size(files), files if whole else None)


def _size(files: pa.Table) -> int | None:
    """The number of rows, where the statistics of every file tell it."""
    counts = files["num_records"] if "num_records" in files.column_names else None
    return None if counts is None or counts.null_count else int(pc.sum(counts).as_py() or 0)


def _table(source: DeltaSource, uri: str, asked: int | None) -> DeltaTable:
    """The version asked for, or the newest, if the table has it."""
    try:
        return DeltaTable(uri, version=asked)
    except TableNotFoundError as error:
        raise DataError(
            f"source {source.name!r}: there is no Delta table at {uri}; load it, or correct path= in its definition"
        ) from error
    except (DeltaError, OSError, ValueError) as error:
        what = "the Delta table" if asked is None else f"version {asked} of the Delta table"
        raise DataError(
            f"source {source.name!r}: {what} at {uri} cannot be read: {first_line(error)}; restore it, "
            "or load it again"
        ) from error


def _demand_deleted(found: SourceRows) -> None:
    column = found.source.deleted_column
    if column is None:
        return
    demand_column(found, column, "deleted_column")
    if not isinstance(found.types[column], T.BooleanType):
        raise DataError(
            f"source {found.source.name!r} ({found.source.location}): deleted_column {column!r} is "
            f"{found.types[column].simpleString()}, not a boolean; cast it where the table is written"
        )


def _demand_timestamps(found: SourceRows) -> None:
    named: dict[str, Any] = {
        "timestamp_field": found.source.timestamp_field,
        "created_timestamp_column": found.source.created_timestamp_column,
    }
    for role, column in named.items():
        if column is None:
            continue
        demand_column(found, column, role)
        if not isinstance(found.types[column], T.TimestampType | T.TimestampNTZType):
            raise DataError(
                f"source {found.source.name!r} ({found.source.location}): {role} {column!r} is "
                f"{found.types[column].simpleString()}, not a timestamp; cast it where the table is written"
            )
