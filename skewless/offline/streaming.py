"""Rows of a dataset's Parquet files in batches that are bounded: a part of a file is in memory at a time.

A dataset's own scanner reads whole groups of rows, which may be gigabytes, and runs ahead of a slower reader.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow.dataset import Dataset, ParquetFileFragment

_ROWS = 20_000  # of a batch, where a value may be of any size
_BYTES = 48_000_000  # of a batch, where all are of one width
_BUFFER = 1 << 20  # bytes of each column


def stream(dataset: Dataset, columns: Sequence[str], where: tuple[str, str]) -> Iterator[pa.RecordBatch]:
    """The columns of rows in which one column has one value, in the dataset's types.

    where  that column, which may be one by which the files are partitioned, and its value
    """
    name, value = where
    wanted, schema = pc.field(name) == value, pa.schema([dataset.schema.field(column) for column in columns])
    for fragment in dataset.get_fragments(wanted):
        for batch in _batches(fragment.subset(wanted, schema=dataset.schema), columns, where):
            rows = batch.filter(pc.equal(batch[name], value)) if name in batch.schema.names else batch
            if len(rows):
                yield rows.select(columns).cast(schema)
            del batch, rows  # before the next is decoded


def _batches(
    fragment: ParquetFileFragment, columns: Sequence[str], where: tuple[str, str]
) -> Iterator[pa.RecordBatch]:
    """The columns, and that of the condition unless it is known to hold."""
    groups = [group.id for group in fragment.row_groups]
    with fragment.open() as file, pq.ParquetFile(file, buffer_size=_BUFFER, pre_buffer=False) as parquet:
        names = parquet.schema_arrow.names
        for group in groups:
            asked = [*columns] if _holds(parquet.metadata.row_group(group), where) else [*columns, where[0]]
            there = [name for name in dict.fromkeys(asked) if name in names]
            yield from parquet.iter_batches(_rows(parquet, there), [group], there, use_threads=False)


def _rows(parquet: pq.ParquetFile, names: Sequence[str]) -> int:
    """How many rows may be decoded at once: small batches of what is small anyway would only have to be joined."""
    types = [parquet.schema_arrow.field(name).type for name in names]
    if not types or not all(map(pa.types.is_primitive, types)):
        return _ROWS
    bits: int = sum(each.bit_width for each in types)
    return max(1, 8 * _BYTES // bits)


def _holds(group: pq.RowGroupMetaData, where: tuple[str, str]) -> bool:
    """Whether a condition is known to hold for all rows of a group: no other value, and no null."""
    name, value = where
    for number in range(group.num_columns):
        column = group.column(number)
        if column.path_in_schema == name:
            told = column.statistics
            return bool(told and told.has_min_max and told.min == told.max == value and told.null_count == 0)
    return False
