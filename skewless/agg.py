"""Aggregates: what a field may compute over a window of an entity's rows.

Each takes the rows with `snapshot_time - window <= event_timestamp < snapshot_time`, keeps those that
`where` accepts, applies the null rule to the column, and then aggregates.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from typing import Any, Literal, get_args

from skewless.errors import did_you_mean

Function = Literal[
    "count",
    "sum",
    "avg",
    "min",
    "max",
    "stddev",
    "first",
    "last",
    "last_n",
    "count_distinct",
    "quantile",
]
Nulls = Literal["skip", "zero", "forward_fill"]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One aggregate. `column` is a source column or a Spark SQL expression over them; None counts rows.

    n  how many values `last_n` keeps    q  which quantile: 0.5 is the median
    """

    function: Function
    column: str | None
    window: timedelta
    nulls: Nulls = "skip"
    where: str | None = None
    n: int | None = None
    q: float | None = None

    @property
    def result_of_nothing(self) -> int | tuple[()] | None:
        """What it gives over no rows: 0 for a count, nothing in an array for `last_n`, else null."""
        if self.function in ("count", "count_distinct"):
            return 0
        return () if self.function == "last_n" else None

    @property
    def exact_q(self) -> Fraction | None:
        """The quantile as the decimal that was written: 0.1 is a tenth, not the float64 nearest to it."""
        return None if self.q is None else Fraction(str(self.q))

    def problems(self) -> Iterator[str]:
        """Every mistake that can be seen without the source."""
        if not isinstance(self.window, timedelta):
            yield f"window={self.window!r} of {self.function} is none; give e.g. timedelta(hours=1)"
        elif self.window <= timedelta(0):
            yield f"window={self.window} of {self.function} is empty; it must be longer than zero"
        if self.nulls not in get_args(Nulls):
            yield f"nulls={self.nulls!r} is no null rule; use one of {', '.join(get_args(Nulls))}"
        if self.column is None and self.nulls != "skip":
            yield f"a count of rows has no nulls to treat; drop nulls={self.nulls!r} or name a column"
        of_rows = self.column is None and self.function == "count"
        if not of_rows and not (isinstance(self.column, str) and self.column.strip()):
            yield f"{self.function} needs a column or an SQL expression, not {self.column!r}"
        if self.where is not None and not (isinstance(self.where, str) and self.where.strip()):
            yield f"where={self.where!r} is no condition; give SQL, e.g. where='amount > 0'"
        yield from self._parameter_problems()

    def _parameter_problems(self) -> Iterator[str]:
        if self.function == "last_n":
            if not isinstance(self.n, int) or isinstance(self.n, bool):
                yield f"last_n keeps a whole number of values, not n={self.n!r}; give e.g. n=10"
            elif self.n < 1:
                yield f"last_n with n={self.n} keeps nothing; n is at least 1"
        if self.function == "quantile":
            if not isinstance(self.q, int | float) or isinstance(self.q, bool):
                yield f"quantile needs a number from 0 to 1, not q={self.q!r}; 0.5 is the median"
            elif not 0 <= self.q <= 1:
                yield f"there is no quantile q={self.q}; give a number from 0 to 1, e.g. q=0.95"


def count(
    column: str | None = None, *, window: timedelta, nulls: Nulls = "skip", where: str | None = None
) -> Aggregate:
    """How many rows, or with a column, how many values are not null after the null rule; else 0."""
    return Aggregate("count", column, window, nulls, where)


def sum(column: str, *, window: timedelta, nulls: Nulls = "skip", where: str | None = None) -> Aggregate:
    """The exact sum: integers as int64 (overflow is an error), floats as the real sum rounded once."""
    return Aggregate("sum", column, window, nulls, where)


def avg(column: str, *, window: timedelta, nulls: Nulls = "skip", where: str | None = None) -> Aggregate:
    """The exact sum, rounded once to float64, divided once by the number of values."""
    return Aggregate("avg", column, window, nulls, where)


def min(column: str, *, window: timedelta, nulls: Nulls = "skip", where: str | None = None) -> Aggregate:
    """The least value; -0.0 is below 0.0, NaN above all numbers."""
    return Aggregate("min", column, window, nulls, where)


def max(column: str, *, window: timedelta, nulls: Nulls = "skip", where: str | None = None) -> Aggregate:
    """The greatest value; -0.0 is below 0.0, NaN above all numbers."""
    return Aggregate("max", column, window, nulls, where)


def stddev(column: str, *, window: timedelta, nulls: Nulls = "skip", where: str | None = None) -> Aggregate:
    """The standard deviation of a sample: the root of the exact variance, rounded once to float64.

    Null below two values, 0.0 where all are equal, NaN where one of them is NaN or infinite.
    """
    return Aggregate("stddev", column, window, nulls, where)


def first(column: str, *, window: timedelta, nulls: Nulls = "skip", where: str | None = None) -> Aggregate:
    """The value of the oldest row whose value is not null."""
    return Aggregate("first", column, window, nulls, where)


def last(column: str, *, window: timedelta, nulls: Nulls = "skip", where: str | None = None) -> Aggregate:
    """The value of the newest row whose value is not null."""
    return Aggregate("last", column, window, nulls, where)


def last_n(
    column: str, n: int, *, window: timedelta, nulls: Nulls = "skip", where: str | None = None
) -> Aggregate:
    """The newest `n` values that are not null, oldest first, as an array; fewer where there are fewer.

    Give the field `dtype=Array(...)`. Over nothing it is an empty array, and never null.
    """
    return Aggregate("last_n", column, window, nulls, where, n=n)


def count_distinct(
    column: str, *, window: timedelta, nulls: Nulls = "skip", where: str | None = None
) -> Aggregate:
    """How many different values; equal as in SQL: -0.0 is 0.0, and NaN is one value. 0 over nothing."""
    return Aggregate("count_distinct", column, window, nulls, where)


def quantile(
    column: str, q: float, *, window: timedelta, nulls: Nulls = "skip", where: str | None = None
) -> Aggregate:
    """The quantile `q` of the values, as float64: 0 is the least, 0.5 the median, 1 the greatest.

    Linear between the two values beside place `(n - 1) * q` of the sorted ones: the exact result, rounded once.
    `q` is the decimal that is written; NaN sorts above all numbers, and infinities follow IEEE 754.
    """
    return Aggregate("quantile", column, window, nulls, where, q=q)


SYNONYMS = {
    "mean": "avg",
    "average": "avg",
    "std": "stddev",
    "stddev_samp": "stddev",
    "median": "quantile",
    "percentile": "quantile",
    "nunique": "count_distinct",
    "approx_count_distinct": "count_distinct",
    "collect_list": "last_n",
    "array_agg": "last_n",
}


def __getattr__(name: str) -> Any:
    """Say which function may be meant."""
    functions = get_args(Function)
    hint = f" (did you mean {SYNONYMS[name]!r}?)" if name in SYNONYMS else did_you_mean(name, functions)
    raise AttributeError(f"agg has no {name!r}{hint}; its functions are {', '.join(functions)}")
