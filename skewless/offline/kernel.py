"""The one place where a feature's value is computed: from one bucket of asks and one bucket of source rows.

It runs in Spark's Python workers, on Arrow tables, and knows nothing of Spark. Both the build of a snapshot and a
training set come here, so their values have equal bits. An ask is an entity at a snapshot time with a cutoff.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from skewless.agg import Function, Nulls
from skewless.offline.exact import Numbers, average, total
from skewless.offline.ordering import Ranks, ranks
from skewless.timeline import happened, known, superseded, within

Indices = npt.NDArray[np.int64]

# Columns that the engine adds; users' columns never begin so.
EVENT, KNOWN, SUPERSEDED = "_sk_event", "_sk_known", "_sk_superseded"
SNAPSHOT, CUTOFF, BUCKET = "_sk_snapshot", "_sk_cutoff", "_sk_bucket"

_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Output:
    """One field, as the kernel computes it. Durations are microseconds; columns are the prepared ones of the rows.

    function  None passes the newest row's value through; then `reach` is the ttl, or None
    """

    name: str
    function: Function | None
    column: str | None
    where: str | None
    nulls: Nulls
    reach: int | None


@dataclass(frozen=True, slots=True)
class Program:
    """What the kernel needs to know of a view: its keys, the columns that break ties, its fields.

    keys      the key columns of the asks
    row_keys  the same of the rows; other names, because Spark mixes up a cogroup's sides that share a column
    """

    keys: tuple[str, ...]
    row_keys: tuple[str, ...]
    tie_breakers: tuple[str, ...]
    outputs: tuple[Output, ...]


def answer(program: Program, asks: pa.Table, rows: pa.Table) -> pa.Table:
    """Give every ask its values.

    asks     keys, _sk_snapshot, _sk_cutoff (microseconds; null: not asked), any other columns     n rows
    rows     row keys, _sk_event, _sk_known, _sk_superseded (microseconds), prepared columns       any number
    returns  asks, and one column per field                                                        n rows, same order

    A value is null where no visible row gives one; a count is 0 there. Errors: DataError where integers overflow.
    """
    asked, rows = _entity_codes(program, asks, rows.combine_chunks())
    rows, owners = _sorted_newest_last(program, *rows)
    history = _History(rows, owners)
    selections = list(_selections(asks, asked, history))
    for output in program.outputs:
        asks = asks.append_column(output.name, _column(output, selections, rows))
    return asks


def _entity_codes(
    program: Program, asks: pa.Table, rows: pa.Table
) -> tuple[Indices, tuple[pa.Table, Indices]]:
    """Number the entities of both tables alike; -1 where a key is null. Composite keys compare column by column."""
    codes = np.zeros(len(asks) + len(rows), dtype=np.int64)
    for key, row_key in zip(program.keys, program.row_keys, strict=True):
        kind = rows[row_key].type
        column = pa.chunked_array([*asks[key].cast(kind).chunks, *rows[row_key].chunks], type=kind)
        found = _numbered(column.combine_chunks())
        together = np.where((codes < 0) | (found < 0), -1, codes * len(codes) + found)
        codes = _numbered(pa.array(together, mask=together < 0))
    return codes[: len(asks)], (rows, codes[len(asks) :])


def _numbered(column: pa.Array) -> Indices:
    """Number the distinct values from 0; -1 for null. So two numbered columns make pairs that fit int64."""
    indices = pc.fill_null(column.dictionary_encode().indices, -1)
    numbers: Indices = indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return numbers


def _sorted_newest_last(program: Program, rows: pa.Table, owners: Indices) -> tuple[pa.Table, Indices]:
    """Sort by entity, then in the order of *newest*: event time, known time, then the columns that are read."""
    columns = [_array(rows, name) for name in program.tie_breakers]
    keys: list[Ranks] = [owners, _instants(rows, EVENT), _instants(rows, KNOWN)]
    keys += [key for column in columns for key in ranks(column)]
    order = np.lexsort(keys[::-1])
    return rows.take(pa.array(order)).combine_chunks(), owners[order]


class _History:
    """The rows of a bucket, sorted, as arrays of microseconds: which of them an ask can see."""

    def __init__(self, rows: pa.Table, owners: Indices) -> None:
        self.owners = owners
        self.event = _instants(rows, EVENT)
        self.known = _instants(rows, KNOWN)
        self.superseded = _instants(rows, SUPERSEDED)

    def visible(self, owner: int, snapshot: int, cutoff: int) -> Indices:
        """Rows of the entity, oldest first, that were known before the cutoff and happened before the snapshot."""
        start, end = np.searchsorted(self.owners, [owner, owner + 1])
        rows = np.arange(start, end)
        seen = known(self.known[rows], cutoff) & ~superseded(self.superseded[rows], cutoff)
        visible: Indices = rows[seen & happened(self.event[rows], snapshot)]
        return visible

    def reaching(self, rows: Indices, snapshot: int, reach: int | None) -> Indices:
        """Those of the rows that a window or ttl reaches."""
        return rows if reach is None else rows[within(self.event[rows], snapshot, reach)]


@dataclass(frozen=True, slots=True)
class _Selection:
    """What one ask sees."""

    snapshot: int
    visible: Indices
    history: _History


def _selections(asks: pa.Table, asked: Indices, history: _History) -> Iterator[_Selection | None]:
    """For each ask what it sees; None where nothing is asked."""
    snapshots, cutoffs = asks[SNAPSHOT].to_pylist(), asks[CUTOFF].to_pylist()
    nothing = np.empty(0, dtype=np.int64)
    for owner, snapshot, cutoff in zip(asked.tolist(), snapshots, cutoffs, strict=True):
        if snapshot is None:
            yield None
        else:
            rows = nothing if owner < 0 else history.visible(owner, snapshot, cutoff)
            yield _Selection(snapshot, rows, history)


def _column(output: Output, selections: Sequence[_Selection | None], rows: pa.Table) -> pa.Array:
    """Compute one field for every ask."""
    if output.function is None:
        return _picked(_array(rows, output.column), [_newest(output, seen) for seen in selections])
    window = _Window(output, rows)
    if output.function in ("min", "max", "first", "last"):
        return _picked(window.values, [None if seen is None else window.pick(seen) for seen in selections])
    results = [None if seen is None else window.reduce(seen) for seen in selections]
    return pa.array(results, type=window.result_type)


def _newest(output: Output, seen: _Selection | None) -> int | None:
    if seen is None:
        return None
    newest = seen.history.reaching(seen.visible[-1:], seen.snapshot, output.reach)
    return int(newest[0]) if len(newest) else None


def _picked(values: pa.Array, chosen: Sequence[int | None]) -> pa.Array:
    """Take rows by number, null for None; NaN leaves in its one canonical form."""
    picked = values.take(pa.array(chosen, type=pa.int64()))
    if not pa.types.is_floating(picked.type):
        return picked
    return pc.if_else(pc.fill_null(pc.is_nan(picked), False), pa.scalar(np.nan, type=picked.type), picked)


class _Window:
    """One aggregate over the rows of a bucket: its filter and its values after the null rule."""

    def __init__(self, output: Output, rows: pa.Table) -> None:
        self.output = output
        self.accepted = _flags(rows, output.where)
        self.values = _array(rows, output.column) if output.column else None
        if self.values is not None and output.nulls == "zero":
            self.values = pc.fill_null(self.values, pa.scalar(0, type=self.values.type))
        if self.values is not None:
            self.valid = self.values.is_valid().to_numpy(zero_copy_only=False)
        if output.function in ("sum", "avg"):
            self.numbers = _numbers(self.values)
        if output.function in ("min", "max"):
            self.order = np.lexsort(ranks(self.values)[::-1]).argsort(kind="stable")

    @property
    def result_type(self) -> pa.DataType:
        """The type of a count, sum or average."""
        if self.output.function == "count":
            return pa.int64()
        integers = self.output.function == "sum" and self.numbers.dtype.kind == "i"
        return pa.int64() if integers else pa.float64()

    def rows(self, seen: _Selection) -> Indices:
        """The rows whose values are aggregated: in the window, accepted by `where`, then the null rule."""
        rows = seen.history.reaching(seen.visible, seen.snapshot, self.output.reach)
        if self.accepted is not None:
            rows = rows[self.accepted[rows]]
        if self.values is None:
            return rows
        if self.output.nulls == "forward_fill":
            return _forward_filled(rows, self.valid)
        filled: Indices = rows[self.valid[rows]]
        return filled

    def pick(self, seen: _Selection) -> int | None:
        """The row whose value is the answer of min, max, first or last."""
        rows = self.rows(seen)
        if not len(rows):
            return None
        if self.output.function in ("first", "last"):
            return int(rows[0 if self.output.function == "first" else -1])
        order = self.order[rows]
        return int(rows[order.argmin() if self.output.function == "min" else order.argmax()])

    def reduce(self, seen: _Selection) -> int | float | None:
        """The answer of count, sum or avg."""
        rows = self.rows(seen)
        if self.output.function == "count":
            return len(rows)
        if not len(rows):
            return None
        values = self.numbers[rows]
        return average(values) if self.output.function == "avg" else total(values)


def _forward_filled(rows: Indices, valid: npt.NDArray[np.bool_]) -> Indices:
    """For each row the newest row up to it whose value is not null; rows before the first such are left out."""
    positions = np.where(valid[rows], np.arange(len(rows)), -1)
    filled = np.maximum.accumulate(positions) if len(rows) else positions
    return rows[filled[filled >= 0]]


def _numbers(values: pa.Array) -> Numbers:
    """Values to sum, with 0 for null: int64, float64, or decimals, which no cast to float64 rounds right."""
    if pa.types.is_decimal(values.type):
        return np.array([value or 0 for value in values.to_pylist()], dtype=object)
    wanted = pa.int64() if pa.types.is_integer(values.type) else pa.float64()
    array: Numbers = pc.fill_null(values.cast(wanted), 0).to_numpy(zero_copy_only=False)
    return array


def _flags(rows: pa.Table, name: str | None) -> npt.NDArray[np.bool_] | None:
    """A filter's column; null does not accept a row, as in SQL."""
    return pc.fill_null(_array(rows, name), False).to_numpy(zero_copy_only=False) if name else None


def _instants(rows: pa.Table, name: str) -> Indices:
    """A column of microseconds; null means never."""
    instants: Indices = pc.fill_null(_array(rows, name), _NEVER).to_numpy(zero_copy_only=False)
    return instants


def _array(rows: pa.Table, name: str | None) -> pa.Array:
    column = rows[name].combine_chunks()
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
