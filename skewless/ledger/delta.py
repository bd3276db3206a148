"""Delta tables through delta-rs: opened; and small ones that are only ever appended to, made and written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.fs as pa_fs
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.fs import DeltaStorageHandler

from skewless.errors import SkewlessError, first_line

if TYPE_CHECKING:  # it would load pandas, where only the names of runs are wanted
    from pyarrow.dataset import Dataset

_ATTEMPTS = 5


def open_table(uri: str) -> DeltaTable | None:
    """The table at a URI; None where there is none yet. ValueError where its log was lost."""
    found = _opened(uri)
    if found is None and next(Path(uri.removeprefix("file://")).glob("*.parquet"), None) is not None:
        found = _opened(uri)  # somebody may have made it meanwhile: the log first, then the data
        if found is None:
            raise ValueError("it holds data but no Delta log")
    return found


def _opened(uri: str) -> DeltaTable | None:
    try:
        return DeltaTable(uri)
    except TableNotFoundError:
        return None


def filesystem(uri: str, *, mapped: bool = False) -> pa_fs.FileSystem:
    """The folder of a table: on this machine, or wherever Delta reaches.

    mapped  read files on this machine as memory, which is a little faster, and is counted as the process' own
    """
    if "://" not in uri:
        return pa_fs.SubTreeFileSystem(uri, pa_fs.LocalFileSystem(use_mmap=mapped))
    return pa_fs.PyFileSystem(DeltaStorageHandler(uri))


def dataset(table: DeltaTable, uri: str) -> Dataset:
    """The rows of a table; files on this machine are opened by Arrow, all others as delta-rs knows them."""
    return table.to_pyarrow_dataset(filesystem=None if "://" in uri else filesystem(uri))


def files_of(table: DeltaTable) -> pa.Table:
    """The data files of a table's version: path, size_bytes, modification_time, partition.*, statistics."""
    return pa.table(table.get_add_actions(flatten=True))


def append_rows(
    uri: str, rows: pa.Table, *, indexed_columns: int = 0, properties: Mapping[str, str] | None = None
) -> None:
    """Append rows in one commit; the table is made by the first, with the table properties given.

    Appends are many and small: statistics cost more to read than the rows, so only the first
    `indexed_columns` have them; an open reads every commit since the last checkpoint, so these come often.
    """
    configuration: dict[str, str | None] = {
        "delta.dataSkippingNumIndexedCols": str(indexed_columns),
        "delta.checkpointInterval": "20",
        **(properties or {}),
    }
    for attempt in range(_ATTEMPTS):
        try:
            table = open_table(uri) or DeltaTable.create(
                uri, rows.schema, mode="ignore", configuration=configuration
            )
            return write_deltalake(table, rows, mode="append")
        except CommitFailedError:
            # Appends never conflict with each other, but with another process that is making the same table.
            if attempt == _ATTEMPTS - 1:
                raise


@contextmanager
def failing_as(error: type[SkewlessError], what: str, advice: str) -> Iterator[None]:
    """Turn whatever a table's reading or writing raises into `error`: "<what>: <cause>. <advice>"."""
    try:
        yield
    except (DeltaError, pa.ArrowException, OSError, ValueError) as cause:
        raise error(f"{what}: {first_line(cause).rstrip('.')}. {advice}") from cause
