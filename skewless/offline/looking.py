"""What a worker knows of a spine row without computing: which snapshot it sees, and the values that are stored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import types as T
from pyspark.sql.pandas.types import from_arrow_type, to_arrow_schema

from skewless.errors import DataError
from skewless.model import Field
from skewless.offline.seen import NOT_STORED, Finder, Instants, Seen
from skewless.offline.spine import SpineTimes
from skewless.offline.stored import StoredRevisions
from skewless.timeline import EPOCH, after, to_micros

ABSENT, EXPIRED, NULL_IN_SOURCE = "absent", "expired", "null in source"

# So many rows are looked up together: each time, a task reads the files of its snapshots again.
_TOGETHER = 500_000


@dataclass(frozen=True)
class Look:
    """One view of a request, as a worker needs it.

    keys       the spine's key columns
    fields     what is asked for; `added` are the names of the result's columns
    explained  the names of what `explain` adds, or nothing
    moment     the names of two columns: snapshot time and cutoff, in microseconds, where values must be computed
    """

    finder: Finder
    stored: StoredRevisions | None
    keys: tuple[str, ...]
    fields: tuple[Field, ...]
    added: tuple[str, ...]
    explained: tuple[str, ...]
    moment: tuple[str, str]

    @property
    def computes(self) -> bool:
        """Whether some row's values must be computed."""
        return self.finder.computes

    @property
    def schema(self) -> list[T.StructField]:
        """The columns that `columns` gives."""
        kinds = [from_arrow_type(item.dtype.arrow()) for item in self.fields]
        columns: list[tuple[str, T.DataType]] = list(zip(self.added, kinds, strict=True))
        if self.explained:
            told = (T.TimestampType(), T.StringType(), T.StringType())
            columns += zip(self.explained, told, strict=True)
        if self.computes:
            columns += [(name, T.LongType()) for name in self.moment]
        return [T.StructField(name, kind) for name, kind in columns]

    def columns(self, rows: pa.Table, at: Instants) -> Iterator[tuple[str, pa.Array]]:
        """What the view adds to some rows of the spine, asked at these instants."""
        seen = self.finder.find(at)
        has, values = self._values(rows, seen)
        yield from zip(self.added, values, strict=True)
        if self.explained:
            why = self._why_null(seen, has, values)
            told = (pa.array(seen.snapshot).cast(pa.timestamp("us", tz="UTC")), seen.how, why)
            yield from zip(self.explained, told, strict=True)
        if self.computes:
            others = (seen.revision != NOT_STORED) | seen.expired
            for name, moment in zip(self.moment, (seen.snapshot, seen.cutoff), strict=True):
                yield name, pa.array(moment, mask=others)

    def _values(self, rows: pa.Table, seen: Seen) -> tuple[np.ndarray, list[pa.Array]]:
        """Whether each row was found in its revision, and its features; null where they must be computed."""
        asked = np.where(seen.expired, NOT_STORED, seen.revision)
        has, found = np.zeros(len(asked), dtype=bool), pa.table({})
        if self.stored is not None and (asked != NOT_STORED).any():
            keys = [
                rows[key].combine_chunks().cast(kind)
                for key, kind in zip(self.keys, self.stored.kinds, strict=True)
            ]
            has, found = self.stored.find(keys, asked)
        # each row takes one of: the rows found, then null, absent, expired
        place = np.where(
            seen.expired, len(found) + 2, np.where(asked == NOT_STORED, len(found), len(found) + 1)
        )
        place[has] = np.arange(len(found))
        values = []
        for number, item in enumerate(self.fields):
            kind = item.dtype.arrow()
            constants = pa.array([None, item.of_no_rows, item.of_nothing_known], type=kind)
            column = found.column(number).cast(kind) if found.num_columns else pa.chunked_array([], type=kind)
            chunks = pa.chunked_array([*column.chunks, constants])
            values.append(chunks.take(pa.array(place)).combine_chunks())
        return has, values

    def _why_null(self, seen: Seen, has: np.ndarray, values: list[pa.Array]) -> pa.Array:
        null = np.zeros(len(has), dtype=bool)
        for value in values:
            null |= value.is_null().to_numpy(zero_copy_only=False)
        null &= (seen.revision != NOT_STORED) | seen.expired
        why = np.where(seen.expired, 0, np.where(has, 2, 1))
        return pa.array([EXPIRED, ABSENT, NULL_IN_SOURCE]).take(pa.array(why, mask=~null))


@dataclass(frozen=True)
class Looking:
    """The looks of a request, for `mapInArrow`; `at` is the column of the rows' times in microseconds."""

    looks: tuple[Look, ...]
    at: str
    times: SpineTimes | None
    schema: T.StructType

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Add to each row what the looks find."""
        wanted = to_arrow_schema(self.schema)
        for rows in self._together(batches):
            at = _checked(rows[self.at].combine_chunks(), self.times).to_numpy(zero_copy_only=False)
            columns = {name: rows[name] for name in rows.column_names if name != self.at}
            for look in self.looks:
                columns |= look.columns(rows, at)
            yield from pa.table(columns).cast(wanted).to_batches(max_chunksize=10_000)

    def _together(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
        """Batches as they come, or many at once where files have to be read for them."""
        enough = _TOGETHER if any(look.stored for look in self.looks) else 1
        held: list[pa.RecordBatch] = []
        rows = 0
        for batch in batches:
            held, rows = [*held, batch], rows + batch.num_rows
            if rows >= enough:
                yield pa.Table.from_batches(held)
                held, rows = [], 0
        if rows:
            yield pa.Table.from_batches(held)


def _checked(at: pa.Array, times: SpineTimes | None) -> pa.Array:
    """The times, if they are still those that were checked: a spine may change between two readings."""
    if len(at):
        first, last = map(to_micros, (times.first, times.last) if times else (EPOCH, EPOCH))
        found = pc.min_max(at).as_py()
        if times is None or at.null_count or after(first, found["min"]) or after(found["max"], last):
            raise DataError(
                "the spine changed while it was read: a time is not among those that were checked; write it to a "
                "table first, and read one version of that"
            )
    return at
