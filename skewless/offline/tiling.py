"""Builds with tiles: days that are over are reduced once, and kept; a build reads them, and what they do not tell."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.pandas.types import to_arrow_schema

from skewless.ledger.delta import files_of, open_table
from skewless.offline import engine
from skewless.offline.binding import BoundView
from skewless.offline.boxes import Box
from skewless.offline.columns import BUCKET, EVENT, KNOWN, SUPERSEDED, restored
from skewless.offline.complete import Moment
from skewless.offline.kernel import Program
from skewless.offline.reducing import tiles_of
from skewless.offline.source import span_of
from skewless.offline.source_files import SourceFiles
from skewless.offline.tables import append_frame
from skewless.offline.tiled import TiledSnapshot
from skewless.offline.tiles import Tiling
from skewless.timeline import MICROSECOND

TILE = "_tile"  # the partition: a day, the files that its rows come from, and who made it
_IS_TILE = "_sk_is_tile"
DAY = timedelta(days=1) // MICROSECOND


@dataclass(frozen=True)
class Tiles:
    """The tiles of one view under one fingerprint, and from how many events in its reach on they are worth it."""

    uri: str
    worth: int

    def found(self) -> dict[str, tuple[str, int]]:
        """The tiles that are there, by day and digest: name and rows; of equal ones made at once, the first by name."""
        table = open_table(self.uri)
        if table is None:
            return {}
        names = files_of(table).rename_columns({f"partition.{TILE}": TILE}).group_by(TILE)
        told = names.aggregate([("num_records", "sum")]).sort_by([(TILE, "descending")])
        pairs = zip(told[TILE].to_pylist(), told["num_records_sum"].to_pylist(), strict=True)
        return {name.rpartition("-")[0]: (name, rows) for name, rows in pairs}


def snapshot(bound: BoundView, moment: Moment, tiles: Tiles, report: Callable[[str], None]) -> DataFrame:
    """Compute the complete state of a view at a moment, as `engine.snapshots` does and with equal bits.

    Long windows are read from tiles where the source has events enough; tiles that are missing, or whose source's files
    are others now, are made first.
    """
    found = _tiled(bound, moment, tiles)
    if found is None:
        return engine.snapshots(bound, [moment])
    tiled, files, wanted = found
    there = tiles.found()
    missing = {
        day: f"{prefix}-{uuid.uuid4().hex[:8]}" for day, prefix in wanted.items() if prefix not in there
    }
    told = f"{bound.view.name}: {len(wanted) - len(missing)} of {len(wanted)} days are told by tiles"
    report(f"{told}; making the others" if missing else told)
    if missing:
        append_frame(_made(bound, tiled, missing, files), tiles.uri, TILE)
        there = tiles.found()
    told_of = dict(there[prefix] for prefix in wanted.values() if prefix in there)
    rows = _rows(bound, tiled, tiles, list(told_of))
    size = files.rows_of(tiled.boxes) + sum(told_of.values())
    return engine.snapshots_of(bound, rows, _answering(tiled, bound), size)


def _tiled(
    bound: BoundView, moment: Moment, tiles: Tiles
) -> tuple[TiledSnapshot, SourceFiles, dict[int, str]] | None:
    """The snapshot from tiles, if it can be had and is worth it, and the tiles that it reads."""
    source = bound.source
    if source.files is None or source.source.event_id or source.source.deleted_column:
        return None
    tiling = Tiling.of(engine.program_of(bound), DAY, lambda column: _adds_up(bound.expression_types[column]))
    if tiling is None:
        return None
    tiled, files = TiledSnapshot(tiling, moment), SourceFiles.of(source.source, source.files)
    reached = Box(moment.cutoff, moment.snapshot, since=moment.snapshot - tiling.reaches[-1])
    if files.rows_of([reached]) < tiles.worth:
        return None
    wanted = _wanted(tiled, files)
    return (tiled, files, wanted) if wanted else None


def _adds_up(kind: T.DataType) -> bool:
    return isinstance(kind, T.IntegralType | T.FloatType | T.DoubleType)


def _wanted(tiled: TiledSnapshot, files: SourceFiles) -> dict[int, str]:
    """The tiles of a snapshot, by day: the day and the digest of the files that they come from."""
    digests = {day: files.digest(tiled.known_on(day, day)) for day in tiled.days}
    return {day: f"{_date(day)}-{digest}" for day, digest in digests.items() if digest is not None}


def _date(day: int) -> date:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)).date()


# -- making tiles -----------------------------------------------------------------------------------------


def _made(bound: BoundView, tiled: TiledSnapshot, named: Mapping[int, str], files: SourceFiles) -> DataFrame:
    """The tiles of some days, each under its name, from one reading of the rows that became known on them."""
    boxes = [tiled.known_on(first, last) for first, last in _stretches(sorted(named))]
    rows = engine.rows_inside(bound, boxes).dropna(subset=list(bound.row_keys))
    schema = _schema(tiled.tiling, rows.schema)
    wanted, tiling, copies = to_arrow_schema(schema), tiled.tiling, bound.copies

    def of_bucket(rows: pa.Table) -> pa.Table:
        return tiles_of(tiling, restored(rows, copies)).select(wanted.names)

    # Pieces lie within a day, so a key that has most of the rows is divided by days.
    keys = [*engine.row_keys(bound), _day(tiling)]
    by_bucket = (
        rows.withColumn(BUCKET, engine.bucket(keys, files.rows_of(boxes))).drop(*copies).groupBy(BUCKET)
    )
    made = by_bucket.applyInArrow(of_bucket, schema)
    names = F.create_map(*(F.lit(part) for pair in named.items() for part in pair))
    return made.withColumn(TILE, names[_day(tiling)]).repartition(TILE).sortWithinPartitions(EVENT)


def _day(tiling: Tiling) -> Column:
    """The day on which a row became known."""
    return span_of(F.col(KNOWN), tiling.day).cast("int")


def _stretches(days: list[int]) -> Iterator[tuple[int, int]]:
    """Days in a row.

    >>> list(_stretches([1, 2, 3, 7, 9]))
    [(1, 3), (7, 7), (9, 9)]
    """
    first = last = days[0]
    for day in days[1:]:
        if day != last + 1:
            yield first, last
            first = day
        last = day
    yield first, last


def _schema(tiling: Tiling, rows: T.StructType) -> T.StructType:
    """The columns of tiles, by Spark's types."""
    kinds = {item.name: item.dataType for item in rows.fields}
    for part in tiling.parts:
        kinds[part.value] = kind = kinds[part.column] if part.column else T.LongType()
        kinds[part.total] = T.LongType() if isinstance(kind, T.IntegralType) else T.DoubleType()
        kinds[part.count] = T.LongType()
    return T.StructType([T.StructField(name, kinds[name]) for name in tiling.columns])


# -- reading them -----------------------------------------------------------------------------------------


def _rows(bound: BoundView, tiled: TiledSnapshot, tiles: Tiles, names: list[str]) -> DataFrame:
    """Tiles, and the rows that are read beside them, in one frame: each has nulls in the other's columns."""
    rows = engine.rows_inside(bound, tiled.boxes).dropna(subset=list(bound.row_keys))
    stored = rows.sparkSession.read.format("delta").load(tiles.uri).where(F.col(TILE).isin(names))
    stored = stored.select(
        *(F.col(item.name).cast(item.dataType) for item in _schema(tiled.tiling, rows.schema))
    )
    beside = rows.withColumn(_IS_TILE, F.lit(False))
    return beside.unionByName(stored.withColumn(_IS_TILE, F.lit(True)), allowMissingColumns=True)


def _answering(tiled: TiledSnapshot, bound: BoundView) -> Callable[[Program, pa.Table], pa.Table]:
    """What a worker makes of a bucket; it must not carry the view's frames."""
    columns = [*bound.row_keys, EVENT, KNOWN, SUPERSEDED, *bound.tie_breakers, *bound.expressions]

    def of_bucket(_: Program, bucket: pa.Table) -> pa.Table:
        rows = bucket.filter(pc.invert(bucket[_IS_TILE]))
        return tiled.complete(rows.select(columns), bucket.filter(bucket[_IS_TILE]))

    return of_bucket
