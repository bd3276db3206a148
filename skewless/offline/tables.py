"""The tables of revisions: appended, never changed; the ledger alone says which revision is in force."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from skewless.errors import DataError, first_line
from skewless.model import FeatureView
from skewless.offline.source import quoted
from skewless.plan.uris import feature_table
from skewless.timeline import to_micros

_LOST_RACE = re.compile(r"DELTA_(?:PROTOCOL|METADATA)_CHANGED|DELTA_CONCURRENT")

# Microseconds also where a timestamp stands without a zone, or deep inside a value.
_JSON = {
    "ignoreNullFields": "true",
    "timestampFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX",
    "timestampNTZFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSS",
}

SNAPSHOT_TIME, REVISION = "_snapshot_time", "_revision"


@dataclass(frozen=True, slots=True)
class Content:
    """What a revision holds: its number of rows, and a hash that does not depend on their order."""

    rows: int
    content_hash: str


@dataclass(frozen=True)
class FeatureTable:
    """The revisions of one view under one fingerprint."""

    view: FeatureView
    uri: str

    @classmethod
    def of(cls, view: FeatureView, fingerprint: str, warehouse: str) -> FeatureTable:
        """The table of a view in a warehouse."""
        return cls(view, feature_table(warehouse, view.name, fingerprint))

    def append(self, rows: DataFrame, snapshot_time: datetime, revision: str) -> None:
        """Add a revision: join keys, _snapshot_time, _revision, fields."""
        stamped = rows.select(
            *self.view.join_keys,
            F.timestamp_micros(F.lit(to_micros(snapshot_time))).alias(SNAPSHOT_TIME),
            F.lit(revision).alias(REVISION),
            *self.view.fields,
        )
        append_revision(stamped, self.uri)

    def read(self, spark: SparkSession, revisions: Sequence[str]) -> DataFrame:
        """The rows of some revisions: join keys, _snapshot_time, _revision, fields."""
        return spark.read.format("delta").load(self.uri).where(F.col(REVISION).isin(list(revisions)))

    def content(self, spark: SparkSession, revision: str) -> Content:
        """Count and hash a revision as it is stored."""
        return content_of(self.read(spark, [revision]).select(*sorted(self.view.columns)))

    def reader(self, revision: str) -> pa.RecordBatchReader:
        """The rows of a revision, without Spark: join keys and fields; DataError where they cannot be read."""
        with self._readable():
            rows = DeltaTable(self.uri).to_pyarrow_dataset(file_pruning_predicate=[(REVISION, "=", revision)])
            batches = rows.scanner(columns=list(self.view.columns)).to_reader()
        return pa.RecordBatchReader.from_batches(batches.schema, self._explained(batches))

    def _explained(self, batches: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        """The files are opened one by one, long after the table was."""
        with self._readable():
            yield from batches

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


def append_revision(stamped: DataFrame, uri: str, **options: str) -> None:
    """Append rows that bear the number of their revision in `_revision`; the table is made by the first."""
    writer = stamped.write.format("delta").mode("append").options(**options).partitionBy(REVISION)
    try:
        writer.save(uri)
    except PySparkException as error:
        if not _LOST_RACE.search(str(error)):
            raise
        writer.save(uri)  # another interval's build made the table meanwhile


def content_of(rows: DataFrame) -> Content:
    """Count and hash rows, whatever their order.

    Each row's canonical JSON is hashed with SHA-256, whose first 240 bits are summed in four parts: equal multisets
    of rows, and in all likelihood only those, have equal sums. JSON tells -0.0 from 0.0 and leaves nulls out.
    """
    digests = rows.select(F.sha2(canonical_json(rows.schema.fields), 256).alias("digest"))
    parts = [
        F.conv(F.substring("digest", 1 + 15 * part, 15), 16, 10).cast("decimal(38,0)") for part in range(4)
    ]
    count, *sums = digests.agg(F.count("*"), *(F.sum(part) for part in parts)).first() or (0,)
    return Content(int(count), hashlib.sha256(repr([count, *map(str, sums)]).encode()).hexdigest())


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
