"""The columns of a bucket's rows, as what the kernel needs of them; each made once, when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Context
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skewless.offline.ordering import ranks
from skewless.offline.ranges import Flags, Indices, Ranks
from skewless.offline.sums import Numbers

# Columns that the engine adds; users' columns never begin so.
EVENT, KNOWN, SUPERSEDED = "_sk_event", "_sk_known", "_sk_superseded"
SNAPSHOT, CUTOFF, BUCKET = "_sk_snapshot", "_sk_cutoff", "_sk_bucket"

NEVER = np.iinfo(np.int64).max

_WIDE = Context(prec=80)


def array_of(rows: pa.Table, name: str) -> pa.Array:
    """A column in one piece."""
    column = rows[name].combine_chunks()
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def restored(rows: pa.Table, copies: Mapping[str, str | None]) -> pa.Table:
    """Rows with the columns that did not travel.

    copies  by name, of which other column each is a copy; None: it is all null
    """
    for name, original in copies.items():
        column = pa.nulls(len(rows), pa.int64()) if original is None else rows[original]
        rows = rows.append_column(name, column)
    return rows


def instants(rows: pa.Table, name: str) -> Indices:
    """A column of microseconds; null means never."""
    found: Indices = pc.fill_null(array_of(rows, name), NEVER).to_numpy(zero_copy_only=False)
    return found


def flags(rows: pa.Table, name: str) -> Flags:
    """A filter's column; null does not accept a row, as in SQL."""
    found: Flags = pc.fill_null(array_of(rows, name), False).to_numpy(zero_copy_only=False)
    return found


class Column:
    """A prepared column, its nulls as they are or as zeros; by row, not by place."""

    def __init__(self, rows: pa.Table, name: str, *, zero: bool) -> None:
        """Read the column; `zero` puts 0 for null."""
        array = array_of(rows, name)
        self.array = pc.fill_null(array, pa.scalar(0, type=array.type)) if zero else array

    @cached_property
    def valid(self) -> Flags:
        """Which values are not null."""
        found: Flags = self.array.is_valid().to_numpy(zero_copy_only=False)
        return found

    @cached_property
    def numbers(self) -> Numbers:
        """Values to reckon with, 0 for null: int64, float64, or decimals without their point as Python integers."""
        kind = self.array.type
        if pa.types.is_decimal(kind):
            unscaled = [0 if d is None else int(d.scaleb(kind.scale, _WIDE)) for d in self.array.to_pylist()]
            return np.array(unscaled, dtype=object)
        wanted = pa.int64() if pa.types.is_integer(kind) else pa.float64()
        found: Numbers = pc.fill_null(self.array.cast(wanted), 0).to_numpy(zero_copy_only=False)
        return found

    @property
    def denominator(self) -> int:
        """What decimals were multiplied with to be whole."""
        return 10**self.array.type.scale if pa.types.is_decimal(self.array.type) else 1

    @cached_property
    def _ranked(self) -> tuple[Indices, Ranks]:
        keys = ranks(self.array)
        order = np.argsort(keys[0]) if len(keys) == 1 else np.lexsort(keys[::-1])
        new = np.zeros(len(order), dtype=np.bool_)
        new[:1] = True
        for key in keys:
            new[1:] |= key[order[1:]] != key[order[:-1]]
        rank = np.empty(len(order), dtype=np.int32)
        rank[order] = np.cumsum(new, dtype=np.int32) - 1
        return order[new], rank

    @property
    def by_rank(self) -> Indices:
        """A row of each distinct value, in the total order."""
        return self._ranked[0]

    @property
    def rank(self) -> Ranks:
        """The place of each row's value among the distinct ones."""
        return self._ranked[1]

    @cached_property
    def codes(self) -> Indices:
        """Numbers that are the same where values are equal as SQL has it: 0.0 and -0.0, NaN and NaN."""
        array = self.array
        if pa.types.is_floating(array.type):
            values = pc.fill_null(array, 0.0).to_numpy(zero_copy_only=False) + 0.0
            array = pa.array(np.where(np.isnan(values), np.nan, values))
        indices = pc.fill_null(array.dictionary_encode().indices, -1)
        codes: Indices = indices.to_numpy(zero_copy_only=False).astype(np.int64)
        return codes

    def picked(self, rows: Indices) -> pa.Array:
        """The values of rows by number, null for -1; NaN leaves in its one canonical form."""
        picked = self.array.take(pa.array(rows, mask=rows < 0))
        if not pa.types.is_floating(picked.type):
            return picked
        return pc.if_else(pc.fill_null(pc.is_nan(picked), False), pa.scalar(np.nan, type=picked.type), picked)
