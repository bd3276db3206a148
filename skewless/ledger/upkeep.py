"""Keeping Delta tables small: joining small files, checkpoints, and deleting files that nothing refers to.

Nothing here can make an append fail: appends read nothing, and so conflict with nothing. What is killed half-way
leaves the table as it was, and files that the next clean-up finds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError, TableNotFoundError
from deltalake.fs import DeltaStorageHandler
from pyarrow.fs import FileSelector, FileType, PyFileSystem

from skewless.ledger.delta import files_of

MANY = 8  # small files are joined where there are so many
SMALL = 32 << 20  # bytes
FILE = 64 << 20  # bytes that a joined file holds at the most: a reader may read it whole


@dataclass(frozen=True, slots=True)
class Freed:
    """Files that were deleted, or would be."""

    files: int = 0
    size: int = 0

    def __add__(self, other: Freed) -> Freed:
        return Freed(self.files + other.files, self.size + other.size)


def folders(uri: str) -> list[str]:
    """The names of the folders in a place; none where there is no such place."""
    above, _, name = uri.rstrip("/").rpartition("/")
    try:
        storage = PyFileSystem(DeltaStorageHandler(above))
    except TableNotFoundError:
        return []
    found = storage.get_file_info(FileSelector(name, allow_not_found=True))
    return sorted(item.base_name for item in found if item.type is FileType.Directory)


def small_files(files: pa.Table) -> int:
    """How many of the files are small."""
    return int(pc.sum(pc.less(files["size_bytes"], SMALL)).as_py() or 0)


def compact(table: DeltaTable) -> int:
    """Join the small files of a table without partitions where they are many; how many files there are fewer."""
    if small_files(files_of(table)) < MANY:
        return 0
    try:
        done = table.optimize.compact(target_size=FILE, max_concurrent_tasks=1)
    except CommitFailedError:  # another maintenance was first
        return 0
    return int(done["numFilesRemoved"]) - int(done["numFilesAdded"])


def forget(table: DeltaTable, partition: str, below: str, *, dry_run: bool) -> int:
    """Take the partitions out of a table that sort below a text; how many files there are fewer."""
    files = files_of(table)
    old = int(pc.sum(pc.less(files[f"partition.{partition}"], below)).as_py() or 0)
    if old and not dry_run:
        table.delete(f"{partition} < '{below}'")
        checkpoint(table)
    return old


def checkpoint(table: DeltaTable) -> None:
    """Let readers begin at the newest version; drop log entries that are past the table's own retention."""
    table.create_checkpoint()
    table.cleanup_metadata()


def clean(table: DeltaTable, unreferenced: timedelta, *, dry_run: bool) -> Freed:
    """Delete the files that no version refers to since so long: running readers and writers may need younger ones."""
    hours = math.ceil(unreferenced / timedelta(hours=1))

    def vacuum(*, dry_run: bool) -> list[str]:
        return table.vacuum(hours, dry_run=dry_run, enforce_retention_duration=False, full=True)

    freed = _found(table, vacuum(dry_run=True))
    if freed.files and not dry_run:
        vacuum(dry_run=False)
    return freed


def _found(table: DeltaTable, paths: list[str]) -> Freed:
    """Those that are there: the log goes on naming files that were deleted."""
    storage = PyFileSystem(DeltaStorageHandler(table.table_uri))
    sizes = [found.size for found in storage.get_file_info(paths) if found.type is FileType.File]
    return Freed(len(sizes), sum(size or 0 for size in sizes))
