"""The total order of values, as integers that numpy can sort: nulls first, -0.0 below 0.0, NaN above all numbers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Ranks = npt.NDArray[np.int64]

_NULL = np.iinfo(np.int64).min
_NAN = np.iinfo(np.int64).max


def ranks(column: pa.Array) -> list[Ranks]:
    """Give sort keys of a column, most significant first; equal values, and only those, have equal keys."""
    valid = column.is_valid().to_numpy(zero_copy_only=False)
    if pa.types.is_floating(column.type):
        return [np.where(valid, float_ranks(pc.fill_null(column, 0.0)), _NULL)]
    if pa.types.is_integer(column.type) or pa.types.is_boolean(column.type):
        numbers = pc.fill_null(column.cast(pa.int64()), 0).to_numpy(zero_copy_only=False)
        return [valid.astype(np.int64), numbers]
    if pa.types.is_temporal(column.type):
        return ranks(column.cast(pa.int32() if pa.types.is_date32(column.type) else pa.int64()))
    return [np.where(valid, _ranks_among_distinct(column), _NULL)]


def float_ranks(column: pa.Array) -> Ranks:
    """Give integers in the order of the floats: the bits, with those of negative numbers turned around."""
    values = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    bits = values.view(np.int64)
    ordered: Ranks = np.where(bits < 0, bits ^ np.int64(2**63 - 1), bits)
    return np.where(np.isnan(values), _NAN, ordered)


def _ranks_among_distinct(column: pa.Array) -> Ranks:
    """Rank strings, binaries and decimals among the values that occur; strings in the order of their UTF-8 bytes."""
    encoded = column.dictionary_encode()
    by_value = np.empty(len(encoded.dictionary), dtype=np.int64)
    by_value[pc.array_sort_indices(encoded.dictionary).to_numpy()] = np.arange(len(encoded.dictionary))
    codes = pc.fill_null(encoded.indices, 0).to_numpy(zero_copy_only=False)
    return by_value[codes] if len(by_value) else np.zeros(len(column), dtype=np.int64)
