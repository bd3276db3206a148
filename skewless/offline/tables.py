"""The tables of revisions: appended, never changed; the ledger alone says which revision is in force."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError
from pyarrow.dataset import Dataset
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from skewless.errors import DataError, first_line
from skewless.ledger.delta import dataset, files_of
from skewless.model import FeatureView
from skewless.offline.columns import SNAPSHOT
from skewless.offline.source import quoted
from skewless.offline.streaming import stream
from skewless.plan.uris import feature_table
from skewless.timeline import to_micros

_FILE_ROWS = 1_000_000  # a reader of a few snapshots opens whole files
_INSTANT = pa.timestamp("us", tz="UTC")
_LOST_RACE = re.compile(r"DELTA_(?:PROTOCOL|METADATA)_CHANGED|DELTA_CONCURRENT")

# Microseconds also where a timestamp stands without a zone, or deep inside a value.
_JSON = {
    "ignoreNullFields": "true",
    "timestampFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX",
    "timestampNTZFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSS",
}

SNAPSHOT_TIME, REVISION, PERIOD = "_snapshot_time", "_revision", "_period"


@dataclass(frozen=True, slots=True)
class Content:
    """What a revision holds: its number of rows, and a hash that does not depend on their order."""

    rows: int
    content_hash: str


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One data file of a feature table, and what its statistics tell.

    path      under the table's folder
    first     the earliest snapshot time in it, and `last` the latest, in microseconds; None: nobody knows
    revision  the only one in it, where the table is partitioned by revision
    """

    path: str
    first: int | None
    last: int | None
    revision: str | None


@dataclass(frozen=True)
class FeatureTable:
    """The revisions of one view under one fingerprint.

    A training row sees one whole snapshot, so time is what files are laid out by: a partition `_period` holds the
    snapshots of a day (of a month, where intervals are a day or longer), and within a file rows are sorted by
    _snapshot_time, _revision and join keys. A build appends files of its own; maintenance may join those of a period.
    """

    view: FeatureView
    uri: str

    @classmethod
    def of(cls, view: FeatureView, fingerprint: str, warehouse: str) -> FeatureTable:
        """The table of a view in a warehouse."""
        return cls(view, feature_table(warehouse, view.name, fingerprint))

    def append(self, rows: DataFrame, revisions: Mapping[datetime, str]) -> None:
        """Add revisions of several snapshots at once, each named by its snapshot time.

        rows  of `engine.snapshots`: join keys, _sk_snapshot in microseconds, fields
        """
        at, revision = _stamps(revisions)
        stamped = rows.select(
            *self.view.join_keys, at.alias(SNAPSHOT_TIME), revision.alias(REVISION), *self.view.fields
        )
        order = [SNAPSHOT_TIME, *self.view.join_keys]  # here a snapshot has one revision
        if self._is_of_the_first_layout():
            append_frame(stamped.sortWithinPartitions(REVISION, *order), self.uri, REVISION)
            return
        often = self.view.timetable.longest_interval < timedelta(days=1)
        period = F.date_format(SNAPSHOT_TIME, "yyyy-MM-dd" if often else "yyyy-MM")
        ordered = stamped.withColumn(PERIOD, period).sortWithinPartitions(PERIOD, *order)
        append_frame(ordered, self.uri, PERIOD)

    def _is_of_the_first_layout(self) -> bool:
        """Tables were once partitioned by revision; such a one stays what it is."""
        with self._readable():
            if not DeltaTable.is_deltatable(self.uri):
                return False
            return DeltaTable(self.uri).metadata().partition_columns == [REVISION]

    def read(self, spark: SparkSession, revisions: Sequence[str]) -> DataFrame:
        """The rows of some revisions: join keys, _snapshot_time, _revision, fields."""
        rows = spark.read.format("delta").load(self.uri).where(F.col(REVISION).isin(list(revisions)))
        return rows.drop(PERIOD)

    def contents(self, spark: SparkSession, revisions: Sequence[str]) -> dict[str, Content]:
        """Count and hash some revisions as they are stored, in one job."""
        rows = self.read(spark, revisions).select(REVISION, *sorted(self.view.columns))
        return {revision: NO_ROWS for revision in revisions} | contents_of(rows, REVISION)

    def files(self) -> tuple[StoredFile, ...]:
        """The data files of the newest version; DataError where the table cannot be read."""
        with self._readable():
            told = files_of(DeltaTable(self.uri))
        columns = [
            _column(told, name)
            for name in ("path", f"min.{SNAPSHOT_TIME}", f"max.{SNAPSHOT_TIME}", f"partition.{REVISION}")
        ]
        return tuple(StoredFile(unquote(path), *rest) for path, *rest in zip(*columns, strict=True))

    def reader(self, revision: str, columns: Sequence[str] | None = None) -> pa.RecordBatchReader:
        """The rows of a revision, without Spark: join keys and fields, or some; DataError where they cannot be read.

        A bounded part of them is in memory at a time. All readers are of the version that the first one opened.
        """
        names = list(columns or self.view.columns)
        with self._readable():
            schema = pa.schema([self._opened.schema.field(name) for name in names])
        return pa.RecordBatchReader.from_batches(schema, self._streamed(revision, names))

    def _streamed(self, revision: str, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """The files are opened one by one, long after the table was."""
        with self._readable():
            yield from stream(self._opened, names, (REVISION, revision))

    @cached_property
    def _opened(self) -> Dataset:
        return dataset(DeltaTable(self.uri), self.uri)

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except TableNotFoundError as error:
            raise DataError(
                f"there is no table of {self.view.name!r} at {self.uri}; build it: skewless build {self.view.name}"
            ) from error
        except (DeltaError, pa.ArrowException, OSError) as error:
            raise DataError(
                f"the table of {self.view.name!r} at {self.uri} cannot be read: {first_line(error)}; "
                f"restore it, or remove it and build again: skewless build {self.view.name}"
            ) from error


def _stamps(revisions: Mapping[datetime, str]) -> tuple[Column, Column]:
    """The snapshot time and the revision of rows with _sk_snapshot.

    One snapshot's are literals, which Spark leaves out of a sort: that by one integer key is then three times as fast.
    """
    if len(revisions) == 1:
        ((at, revision),) = revisions.items()
        return F.timestamp_micros(F.lit(to_micros(at))), F.lit(revision)
    named = [F.lit(part) for at, revision in revisions.items() for part in (to_micros(at), revision)]
    snapshot = F.col(SNAPSHOT)
    return F.timestamp_micros(snapshot), F.create_map(*named)[snapshot]


def _column(told: pa.Table, name: str) -> list[Any]:
    """A column of a log's files; times as microseconds, nulls where the log does not tell."""
    if name not in told.column_names:
        return [None] * len(told)
    column = told[name]
    if pa.types.is_timestamp(column.type):
        column = column.cast(_INSTANT).cast(pa.int64())
    return list(column.to_pylist())


def append_frame(rows: DataFrame, uri: str, partition: str, **options: str) -> None:
    """Append rows to a Delta table that is partitioned by one column; the first makes it."""
    writer = (
        rows.write.format("delta")
        .mode("append")
        .options(**options)
        .partitionBy(partition)
        .option("maxRecordsPerFile", _FILE_ROWS)
    )
    try:
        writer.save(uri)
    except PySparkException as error:
        if not _LOST_RACE.search(str(error)):
            raise
        writer.save(uri)  # another interval's build made the table meanwhile


def content_of(rows: DataFrame) -> Content:
    """Count and hash rows, whatever their order."""
    return contents_of(rows.withColumn("_sk_all", F.lit("")), "_sk_all").get("", NO_ROWS)


def contents_of(rows: DataFrame, by: str) -> dict[str, Content]:
    """Count and hash the rows of each value of a string column, whatever their order, without that column.

    Each row's canonical JSON is hashed with SHA-256, whose first 240 bits are summed in four parts: equal multisets
    of rows, and in all likelihood only those, have equal sums. JSON tells -0.0 from 0.0 and leaves nulls out.
    """
    fields = [item for item in rows.schema.fields if item.name != by]
    digests = rows.select(F.col(by).alias("by"), F.sha2(canonical_json(fields), 256).alias("digest"))
    parts = [
        F.conv(F.substring("digest", 1 + 15 * part, 15), 16, 10).cast("decimal(38,0)") for part in range(4)
    ]
    found = digests.groupBy("by").agg(F.count("*"), *(F.sum(part) for part in parts)).collect()
    return {name: _content(count, sums) for name, count, *sums in found}


def _content(count: int, sums: Sequence[object]) -> Content:
    return Content(count, hashlib.sha256(repr([count, *map(str, sums)]).encode()).hexdigest())


NO_ROWS = _content(0, [None] * 4)


def hash_of_each_column(rows: DataFrame) -> dict[str, int | None]:
    """A hash of each column's values, whatever their order: to say where contents differ."""
    hashes = [F.xxhash64(canonical_json([item])).cast("decimal(38,0)") for item in rows.schema.fields]
    found = rows.agg(*(F.sum(value).alias(f"c{number}") for number, value in enumerate(hashes))).first()
    return dict(zip(rows.columns, found or (), strict=True))


def canonical_json(fields: Sequence[T.StructField]) -> Column:
    """Columns as one JSON text that loses nothing, whatever the session says."""
    columns = [_exact(item).alias(item.name) for item in fields]
    return F.to_json(F.struct(*columns), _JSON)


def _exact(item: T.StructField) -> Column:
    """A column whose JSON loses nothing: timestamps, also within arrays, as microseconds."""
    column = F.col(quoted(item.name))
    if isinstance(item.dataType, T.TimestampType):
        return F.unix_micros(column)
    if isinstance(item.dataType, T.ArrayType) and isinstance(item.dataType.elementType, T.TimestampType):
        return F.transform(column, lambda element: F.unix_micros(element))
    return column
