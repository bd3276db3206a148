"""What maintenance does to a table of revisions: joins small files in order, and takes revisions away.

Without Spark, a snapshot at a time in memory. One commit names the files that it replaces and those that it adds, so
builds that append meanwhile are not concerned. What is killed before it leaves files that the next clean-up finds.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError
from deltalake.fs import DeltaStorageHandler
from deltalake.transaction import AddAction, RemoveAction
from pyarrow.fs import PyFileSystem

from skewless.ledger.delta import files_of
from skewless.ledger.upkeep import FILE, MANY, SMALL
from skewless.offline.tables import REVISION, SNAPSHOT_TIME
from skewless.timeline import SystemClock, format_instant, from_micros, to_micros


@dataclass(frozen=True, slots=True)
class Piece:
    """The rows of one revision in one file."""

    file: str
    revision: str
    appended: datetime
    size: int


def pieces(table: DeltaTable) -> tuple[Piece, ...]:
    """What each file holds of each revision; sizes by their share of the file's rows.

    Where the table is not partitioned by revision, that column is read.
    """
    by, told = _partition_column(table), _told(table)
    if by == REVISION:
        counted = {path: Counter([row[f"partition.{by}"]]) for path, row in told.items()}
    else:
        counted = {part.path: _revisions_in(part) for part in table.to_pyarrow_dataset().get_fragments()}
    return tuple(
        Piece(
            file=path,
            revision=revision,
            appended=from_micros(told[path]["modification_time"] * 1000),
            size=told[path]["size_bytes"] * rows // counts.total(),
        )
        for path, counts in counted.items()
        for revision, rows in counts.items()
    )


def worn(table: DeltaTable, doomed: Iterable[Piece]) -> list[tuple[str, ...]]:
    """The files to write anew, by partition: those with rows that go, and small ones where they are many."""
    by, told = _partition_column(table), _told(table)
    small: dict[str, list[str]] = {}
    for path, row in told.items():
        if by != REVISION and row["size_bytes"] < SMALL:
            small.setdefault(row[f"partition.{by}"], []).append(path)
    chosen = {path for paths in small.values() if len(paths) >= MANY for path in paths}
    chosen |= {piece.file for piece in doomed}
    each: dict[str, list[str]] = {}
    for path in sorted(chosen):
        each.setdefault(told[path][f"partition.{by}"], []).append(path)
    return [tuple(each[value]) for value in sorted(each)]


def rewrite(table: DeltaTable, files: Sequence[str], going: Collection[str], keys: Sequence[str]) -> int:
    """Replace files of one partition by as few, sorted by snapshot time, revision and keys, without some revisions.

    Gives how many files there are fewer; none where another commit replaced one of them first.
    """
    by, told = _partition_column(table), _told(table)
    partition = {by: told[files[0]][f"partition.{by}"]}
    now, fewer_rows = to_micros(SystemClock().now()) // 1000, bool(going)
    removed = [RemoveAction(path, fewer_rows, now, told[path]["size_bytes"], partition) for path in files]
    written = () if by == REVISION else _written(table, files, partition, going, keys)
    added = [AddAction(file.path, file.size, partition, now, fewer_rows, file.stats) for file in written]
    try:
        table.create_write_transaction([*removed, *added], "append", table.schema(), [by])
    except CommitFailedError:
        return 0
    return len(files) - len(added)


def _partition_column(table: DeltaTable) -> str:
    (by,) = table.metadata().partition_columns
    return str(by)


def _told(table: DeltaTable) -> dict[str, dict[str, Any]]:
    """What the log tells of each file."""
    return {row["path"]: row for row in files_of(table).to_pylist()}


def _revisions_in(part: ds.Fragment) -> Counter[str]:
    found: Counter[str] = Counter()
    for batch in part.to_batches(columns=[REVISION]):
        for value in batch[REVISION].value_counts():
            found[value["values"].as_py()] += value["counts"].as_py()
    return found


# -- writing ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Written:
    """A file that no commit names yet; its statistics as a log has them."""

    path: str
    size: int
    stats: str


def _written(
    table: DeltaTable,
    files: Sequence[str],
    partition: Mapping[str, str],
    going: Collection[str],
    keys: Sequence[str],
) -> Iterator[_Written]:
    storage = PyFileSystem(DeltaStorageHandler(table.table_uri))
    ((by, value),) = partition.items()
    ordered = _in_order(_of_files(table, files), going, keys)
    for rows in _filling(part.drop_columns([by]) for part in ordered):
        path = f"{by}={value}/part-{uuid.uuid4()}.parquet"
        pq.write_table(rows, path, filesystem=storage, compression="zstd")
        yield _Written(path, storage.get_file_info(path).size, _stats(rows))


def _of_files(table: DeltaTable, files: Sequence[str]) -> ds.Dataset:
    whole, chosen = table.to_pyarrow_dataset(), {*files}
    parts = [part for part in whole.get_fragments() if part.path in chosen]
    return ds.FileSystemDataset(parts, whole.schema, parts[0].format, parts[0].filesystem)


def _in_order(rows: ds.Dataset, going: Collection[str], keys: Sequence[str]) -> Iterator[pa.Table]:
    """The rows that stay, sorted, one table for each snapshot."""
    stays = ~pc.field(REVISION).isin(pa.array(sorted(going), pa.string()))
    times: set[Any] = set()
    for batch in rows.to_batches(columns=[SNAPSHOT_TIME], filter=stays):
        times.update(batch[SNAPSHOT_TIME].unique())
    for t in sorted(times, key=lambda item: item.value):
        of_snapshot = rows.to_table(filter=stays & (pc.field(SNAPSHOT_TIME) == t))
        yield of_snapshot.sort_by([(name, "ascending") for name in (REVISION, *keys)])


def _filling(parts: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Parts put together to about the size of a file, in memory a few times what it is stored."""
    held: list[pa.Table] = []
    for part in parts:
        held.append(part)
        if sum(each.nbytes for each in held) >= _IN_MEMORY * FILE:
            yield pa.concat_tables(held)
            held = []
    if held:
        yield pa.concat_tables(held)


_IN_MEMORY = 3


def _stats(rows: pa.Table) -> str:
    """Rows are sorted by snapshot time; readers choose files by it."""
    first, last = (rows[SNAPSHOT_TIME][place].as_py() for place in (0, -1))
    ends = pc.min_max(rows[REVISION]).as_py()
    return json.dumps(
        {
            "numRecords": len(rows),
            "minValues": {SNAPSHOT_TIME: _as_log(first), REVISION: ends["min"]},
            "maxValues": {SNAPSHOT_TIME: _as_log(last), REVISION: ends["max"]},
            "nullCount": {SNAPSHOT_TIME: 0, REVISION: 0},
        }
    )


def _as_log(t: datetime) -> str:
    """An instant as a log has it; snapshot times are whole minutes."""
    return format_instant(t).removesuffix("Z") + ".000Z"
