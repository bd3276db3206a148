"""Aggregates: what a field may compute over a window of an entity's rows.

Each takes the rows with `snapshot_time - window <= event_timestamp < snapshot_time`, keeps those that
`where` accepts, applies the null rule to the column, and then aggregates.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, get_args

Function = Literal["count", "sum", "avg", "min", "max", "first", "last"]
Nulls = Literal["skip", "zero", "forward_fill"]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One aggregate. `column` is a source column or a Spark SQL expression over them; None counts rows."""

    function: Function
    column: str | None
    window: timedelta
    nulls: Nulls = "skip"
    where: str | None = None

    @property
    def result_of_nothing(self) -> int | None:
        """What it gives over no rows: 0 for a count, else null."""
        return 0 if self.function == "count" else None

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


def first(column: str, *, window: timedelta, nulls: Nulls = "skip", where: str | None = None) -> Aggregate:
    """The value of the oldest row whose value is not null."""
    return Aggregate("first", column, window, nulls, where)


def last(column: str, *, window: timedelta, nulls: Nulls = "skip", where: str | None = None) -> Aggregate:
    """The value of the newest row whose value is not null."""
    return Aggregate("last", column, window, nulls, where)
