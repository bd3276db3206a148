"""The entities of a bucket, numbered alike in its asks and its rows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skewless.offline.ranges import Indices


def numbered(
    asks: pa.Table, keys: Sequence[str], rows: pa.Table, row_keys: Sequence[str]
) -> tuple[Indices, Indices]:
    """Number the entities of both tables alike, from 0; -1 where a key is null.

    Composite keys compare column by column. The keys of asks are cast to the type of the rows'.
    """
    columns = []
    for key, row_key in zip(keys, row_keys, strict=True):
        kind = rows[row_key].type
        columns.append(pa.chunked_array([*asks[key].cast(kind).chunks, *rows[row_key].chunks], type=kind))
    codes = numbers_of(columns)
    return codes[: len(asks)], codes[len(asks) :]


def numbers_of(columns: Sequence[pa.ChunkedArray | pa.Array]) -> Indices:
    """Number the distinct rows of some columns, from 0, with gaps; -1 where one is null."""
    first, *others = map(_numbered, columns)
    return reduce(_paired, others, first)


def _paired(one: Indices, two: Indices) -> Indices:
    """Number the distinct pairs; both are less than their length in number, so a pair fits int64."""
    null = (one < 0) | (two < 0)
    return _numbered(pa.array(one * (int(two.max(initial=0)) + 1) + two, mask=null))


def _numbered(column: pa.Array | pa.ChunkedArray) -> Indices:
    """Number the distinct values; -1 for null. Integers close together are their own numbers."""
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if pa.types.is_integer(column.type) and column.null_count < len(column):
        bounds = pc.min_max(column)
        least, most = bounds["min"].as_py(), bounds["max"].as_py()
        if most - least <= 2 * len(column):
            numbers = column.fill_null(least).to_numpy(zero_copy_only=False).astype(np.int64) - least
            return np.where(_nulls(column), -1, numbers) if column.null_count else numbers
    indices = pc.fill_null(column.dictionary_encode().indices, -1)
    codes: Indices = indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return codes


def _nulls(column: pa.Array) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    flags: np.ndarray[tuple[int], np.dtype[np.bool_]] = column.is_null().to_numpy(zero_copy_only=False)
    return flags
