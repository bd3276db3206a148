"""The aggregates, each over many ranges of rows at once."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa

from skewless.agg import Function, Nulls
from skewless.offline.columns import Column
from skewless.offline.ranges import Indices, count_below, least, places_of
from skewless.offline.spread import deviations, quantiles
from skewless.offline.sums import range_sums, real_sums, sums_of_integers
from skewless.offline.windows import Treated

# What these give is the same whether nulls are skipped or filled from before.
_BLIND_TO_FILLING = ("min", "max", "first", "last", "count_distinct")


@dataclass(frozen=True, slots=True)
class Measure:
    """What is computed of the rows in a window, whatever its length.

    function  None passes the newest row's value through
    n, q      what `last_n` and `quantile` ask for
    weights   a column that says how many rows each row stands for, to `count` and `avg`; None: for itself
    """

    function: Function | None
    column: str | None
    where: str | None
    nulls: Nulls
    n: int | None = None
    q: Fraction | None = None
    weights: str | None = None

    @property
    def rows_read(self) -> tuple[str, str, Nulls]:
        """What decides which rows are aggregated: column, filter and null rule."""
        blind = self.function in _BLIND_TO_FILLING and self.nulls == "forward_fill"
        return self.column or "", self.where or "", "skip" if blind else self.nulls

    def answer(
        self,
        column: Column | None,
        treated: Treated,
        lo: Indices,
        hi: Indices,
        weights: Indices | None = None,
    ) -> pa.Array:
        """Give the value of each range: of the column's type, int64, float64, or an array of the column's type.

        column   None counts rows
        treated  the rows after filter and null rule; lo, hi are ranges of them
        weights  the column of that name, by row of the bucket
        """
        counts = hi - lo if weights is None else range_sums(treated.taken(weights), lo, hi)
        if self.function == "count" or column is None:
            return pa.array(counts)
        match self.function:
            case "first" | "last":
                return column.picked(self.rows(treated, lo, hi))
            case "last_n":
                ends = np.cumsum(np.minimum(hi - lo, self.n or 0))
                offsets = pa.array(np.concatenate([[0], ends]).astype(np.int32))
                return pa.ListArray.from_arrays(offsets, column.picked(self.rows(treated, lo, hi)))
            case "min" | "max":
                return _extreme(column, treated, lo, hi, greatest=self.function == "max")
            case "count_distinct":
                return pa.array(_distinct(treated.taken(column.codes), lo, hi))
            case "quantile":
                return _quantile(column, treated, lo, hi, self.q or Fraction(0))
        return _reckoned(self.function, column, treated, lo, hi, counts)

    def rows(self, treated: Treated, lo: Indices, hi: Indices) -> Indices:
        """The rows of the bucket whose values first or last give, -1 for an empty range; of last_n all of them."""
        if self.function == "first":
            return _rows(treated, lo, lo < hi)
        if self.function == "last":
            return _rows(treated, hi - 1, lo < hi)
        places = places_of(np.maximum(lo, hi - (self.n or 0)), hi)
        return _rows(treated, places, np.ones(len(places), dtype=np.bool_))


def _rows(treated: Treated, places: Indices, there: Any) -> Indices:
    """The rows at these places; -1 where there is none."""
    found = np.full(len(places), -1)
    found[there] = places[there] if treated.rows is None else treated.rows[places[there]]
    return found


def _extreme(column: Column, treated: Treated, lo: Indices, hi: Indices, *, greatest: bool) -> pa.Array:
    ranks = treated.taken(column.rank)
    there = lo < hi
    found = -least(-ranks, lo, hi) if greatest else least(ranks, lo, hi)
    rows = np.full(len(lo), -1)
    rows[there] = column.by_rank[found[there]]
    return column.picked(rows)


def _distinct(codes: Indices, lo: Indices, hi: Indices) -> Indices:
    """How many values of a range do not occur in it before."""
    order = np.argsort(codes, kind="stable")
    again = codes[order[1:]] == codes[order[:-1]]
    earlier = np.zeros(len(codes), dtype=np.int32)  # the place after the value's occurrence before this one
    earlier[order[1:][again]] = order[:-1][again] + 1
    return count_below(earlier, lo, hi, lo + 1)


def _quantile(column: Column, treated: Treated, lo: Indices, hi: Indices, q: Fraction) -> pa.Array:
    there = np.flatnonzero(lo < hi)
    values, ranks = column.numbers[column.by_rank], treated.taken(column.rank)
    found = np.full(len(lo), np.nan)
    found[there] = quantiles(values, ranks, lo[there], hi[there], q, column.denominator)
    return pa.array(found, mask=lo >= hi)


def _reckoned(
    function: str | None, column: Column, treated: Treated, lo: Indices, hi: Indices, counts: Indices
) -> pa.Array:
    """Sum, average and standard deviation."""
    numbers = treated.taken(column.numbers)
    if function == "stddev":
        return pa.array(deviations(numbers, lo, hi, column.denominator), mask=counts < 2)
    if function == "sum" and numbers.dtype.kind == "i":
        return pa.array(sums_of_integers(numbers, lo, hi), mask=lo == hi)
    sums = real_sums(numbers, lo, hi, column.denominator)
    return pa.array(sums if function == "sum" else sums / np.maximum(counts, 1), mask=lo == hi)
