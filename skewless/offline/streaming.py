"""Rows of a dataset's Parquet files in small batches: a few pages of a file are in memory at a time.

A dataset's own scanner reads whole groups of rows, which may be gigabytes, and runs ahead of a slower reader.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow.dataset import Dataset, ParquetFileFragment

_ROWS = 20_000
_BUFFER = 1 << 20  # bytes of each column


def stream(dataset: Dataset, columns: Sequence[str], where: tuple[str, str]) -> Iterator[pa.RecordBatch]:
    """The columns of rows in which one column has one value, in the dataset's types.

    where  that column, which may be one by which the files are partitioned, and its value
    """
    name, value = where
    wanted, schema = pc.field(name) == value, pa.schema([dataset.schema.field(column) for column in columns])
    for fragment in dataset.get_fragments(wanted):
        for batch in _batches(fragment.subset(wanted, schema=dataset.schema), [*columns, name]):
            rows = batch.filter(pc.equal(batch[name], value)) if name in batch.schema.names else batch
            if len(rows):
                yield rows.select(columns).cast(schema)


def _batches(fragment: ParquetFileFragment, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    groups = [group.id for group in fragment.row_groups]
    with fragment.open() as file, pq.ParquetFile(file, buffer_size=_BUFFER, pre_buffer=False) as parquet:
        there = [name for name in dict.fromkeys(columns) if name in parquet.schema_arrow.names]
        yield from parquet.iter_batches(_ROWS, groups, there, use_threads=False)
