"""Making tiles: the rows of a piece from which an output may take its value, and totals of what adds up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skewless.offline.columns import EVENT, KNOWN, Column, instants
from skewless.offline.entities import numbers_of
from skewless.offline.history import ordered
from skewless.offline.kernel import Output
from skewless.offline.ranges import Flags, Indices, Ranks, counts_before
from skewless.offline.sums import Floats, Numbers, longest, sums_of_floats
from skewless.offline.tiles import SELECTING, Part, Tiling
from skewless.offline.windows import Treated


def tiles_of(tiling: Tiling, rows: pa.Table) -> pa.Table:
    """Reduce rows to tiles.

    rows     prepared, of whole pieces, none superseded, no key null                     any number
    returns  the columns of `tiling.columns`: rows that stay, and totals                 no more than rows and pieces
    """
    rows = tiling.treated(rows)
    pieces = _Pieces.of(tiling, rows)
    sums = {part: _Sums.of(part, rows, pieces) for part in tiling.parts if part.count in rows.column_names}
    deciding = _deciding(tiling, rows, pieces)
    for each in sums.values():
        deciding |= each.alone[pieces.of_row]
    kept = np.flatnonzero(deciding)
    staying = rows.take(pa.array(kept))
    for part, each in sums.items():
        for name in {part.total, part.count} & set(rows.column_names):
            column = staying[name].combine_chunks()
            theirs = pc.if_else(
                pa.array(each.alone[pieces.of_row[kept]]), column, pa.scalar(None, column.type)
            )
            staying = staying.set_column(staying.column_names.index(name), name, theirs)
    return pa.concat_tables([staying, *_totals(tiling, rows, pieces, sums)])


@dataclass(frozen=True)
class _Pieces:
    """Rows by piece, in the order of *newest*: ranges of places, and the piece of each row."""

    order: Indices
    lo: Indices
    hi: Indices
    of_row: Indices
    event_days: Indices
    known_days: Indices

    @classmethod
    def of(cls, tiling: Tiling, rows: pa.Table) -> _Pieces:
        event, known = instants(rows, EVENT), instants(rows, KNOWN)
        days = [event // tiling.day, known // tiling.day]
        owners = numbers_of([*(rows[key] for key in tiling.keys), *map(pa.array, days)])
        order = ordered(rows, owners, event, tiling.tie_breakers)
        order = np.arange(len(rows)) if order is None else order
        lo = np.flatnonzero(np.diff(owners[order], prepend=-1))
        hi = np.append(lo[1:], len(rows))[: len(lo)]
        of_row = np.empty(len(rows), dtype=np.int64)
        of_row[order] = np.repeat(np.arange(len(lo)), hi - lo)
        return cls(order, lo, hi, of_row, *(day[order[lo]] for day in days))

    def counted(self, column: Column) -> tuple[Treated, Indices, Indices]:
        """The rows whose value is not null, and each piece's range of them."""
        treated = Treated.of(self.order, None, column.valid, "skip")
        return treated, *treated.ranges(self.lo, self.hi)


def _deciding(tiling: Tiling, rows: pa.Table, pieces: _Pieces) -> Flags:
    """Rows from which an output may take its value: the newest of each piece, and those that are selected."""
    deciding = np.zeros(len(rows), dtype=np.bool_)
    deciding[pieces.order[pieces.hi - 1]] = True
    for output in tiling.tiled:
        if output.function in SELECTING and output.column is not None:
            column = Column(rows, output.column, zero=False)
            chosen = _chosen(output, column, *pieces.counted(column))
            deciding[chosen[chosen >= 0]] = True
    return deciding


def _chosen(output: Output, column: Column, treated: Treated, lo: Indices, hi: Indices) -> Indices:
    match output.function:
        case "count_distinct":
            places = _each_once(treated.taken(column.codes), lo, hi)
        case "min":
            places = _least(treated.taken(column.rank), lo, hi)
        case "max":
            places = _least(-treated.taken(column.rank), lo, hi)
        case _:
            return output.measure.rows(treated, lo, hi)
    return places if treated.rows is None else treated.rows[places]


def _each_once(codes: Indices, lo: Indices, hi: Indices) -> Indices:
    """A place of each distinct code of each range; the ranges lie side by side."""
    owners = np.repeat(np.arange(len(lo)), hi - lo)
    both = owners * (int(codes.max(initial=0)) + 1) + codes
    places: Indices = np.unique(both, return_index=True)[1]
    return places


def _least(ranks: Ranks, lo: Indices, hi: Indices) -> Indices:
    """A place of the least rank of each range that has any; the ranges lie side by side."""
    there = lo < hi
    if not there.any():
        return lo[there]
    least = np.minimum.reduceat(ranks, lo[there])
    owners = np.repeat(np.arange(len(least)), (hi - lo)[there])
    places: Indices = np.flatnonzero(ranks == least[owners])
    _, first = np.unique(owners[places], return_index=True)
    return places[first]


@dataclass(frozen=True)
class _Sums:
    """What a part's rows add up to, by piece.

    alone   pieces whose rows stay as they are, because no numbers add up to their exact sum
    counts  rows that count, 0 for pieces that stay alone
    totals  numbers whose exact sum is that of the piece; empty where rows are only counted
    """

    alone: Flags
    counts: Indices
    totals: list[Floats] | list[Indices]

    @classmethod
    def of(cls, part: Part, rows: pa.Table, pieces: _Pieces) -> _Sums:
        adds = part.total in rows.column_names
        column = Column(rows, part.total if adds else part.count, zero=False)
        treated, lo, hi = pieces.counted(column)
        if not adds:
            return cls(np.zeros(len(lo), dtype=np.bool_), hi - lo, [])
        alone, totals = _added(treated.taken(column.numbers), lo, hi)
        return cls(alone, np.where(alone, 0, hi - lo), totals)

    def columns(self, part: Part, number: int) -> Iterator[tuple[str, pa.Array]]:
        """The columns of the totals of that number, null where a piece has none."""
        counted = self.counts > 0
        yield part.count, pa.array(self.counts, mask=~counted if number == 0 else np.ones_like(counted))
        if self.totals:
            there = number < len(self.totals)
            total = self.totals[number if there else 0]
            yield part.total, pa.array(total, mask=~(counted & there & ((total != 0) | (number == 0))))


def _added(numbers: Numbers, lo: Indices, hi: Indices) -> tuple[Flags, list[Floats] | list[Indices]]:
    """Which ranges stay alone, and the totals of the others."""
    if numbers.dtype.kind == "i":
        before = np.concatenate([[0], np.cumsum(numbers)])
        most = max(int(numbers.max(initial=0)), -int(numbers.min(initial=0)))
        alone = np.full(len(lo), most * longest(lo, hi) >= 2**63)
        return alone, [before[hi] - before[lo]]
    strange = counts_before(~np.isfinite(numbers))
    numbers = np.where(np.isfinite(numbers), numbers, 0.0)
    alone = (strange[hi] > strange[lo]) | np.isinf(sums_of_floats(numbers, lo, hi))
    return alone, expansions(numbers, lo, np.where(alone, lo, hi))


def expansions(values: Floats, lo: Indices, hi: Indices) -> list[Floats]:
    """Give floats whose exact sum is that of each range: its rounded sum, what that lacks, and so on to nothing.

    values  finite; the ranges do not overlap, and are ascending; no sum is out of range

    >>> expansions(np.array([1e16, 1.0, 1.0, 2.0]), np.array([0, 2]), np.array([2, 4]))
    [array([1.e+16, 3.e+00]), array([1., 0.])]
    """
    found: list[Floats] = []
    while (sums := sums_of_floats(values, lo, hi)).any() or not found:
        found.append(sums)
        values = np.insert(values, hi, -sums)
        before = np.arange(len(lo))
        lo, hi = lo + before, hi + before + 1
    return found


def _totals(tiling: Tiling, rows: pa.Table, pieces: _Pieces, sums: dict[Part, _Sums]) -> Iterator[pa.Table]:
    """The rows of totals: the first of every piece, the second of those that have one, and so on."""
    for number in range(max((len(each.totals) for each in sums.values()), default=0) or 1):
        columns = dict(pair for part, each in sums.items() for pair in each.columns(part, number))
        there = np.zeros(len(pieces.lo), dtype=np.bool_)
        for column in columns.values():
            there |= column.is_valid().to_numpy(zero_copy_only=False)
        here = np.flatnonzero(there)
        keys = rows.select(tiling.keys).take(pa.array(pieces.order[pieces.lo[here]]))
        columns = {name: column.take(pa.array(here)) for name, column in columns.items()}
        columns |= {key: keys[key] for key in tiling.keys}
        columns[EVENT] = pa.array(pieces.event_days[here] * tiling.day)
        columns[KNOWN] = pa.array(pieces.known_days[here] * tiling.day)
        nothing = (columns.get(name, pa.nulls(len(here), rows[name].type)) for name in rows.column_names)
        yield pa.table(dict(zip(rows.column_names, nothing, strict=True)))
