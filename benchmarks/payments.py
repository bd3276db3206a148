"""Payments, and hourly points at which their sums and counts over four windows are asked."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benchmarks.columns import (
    DUE_MICROS,
    HOUR,
    START_MICROS,
    Expected,
    ExpectedColumns,
    Integers,
    instants,
    label_rows,
)
from benchmarks.storage import FILE_ROWS, once, write_table

WINDOW_HOURS = {"1h": 1, "1d": 24, "7d": 168, "30d": 720}
HISTORY = 720  # hours of payments before the first point


@dataclass(frozen=True)
class Payments:
    """`events` payments of `users` users over 30 days and `hours` hours; one point per user and hour of the latter.

    Amounts are cents, which binary floats cannot hold: sums of floats depend on their order, exact ones do not.
    hot   the share of the payments that user 0 makes
    """

    events: int
    users: int
    hours: int
    hot: float = 0.0
    seed: int = 8

    view_names = ("spending",)

    @property
    def rows(self) -> dict[str, int]:
        """How large it is."""
        return {"events": self.events, "points": self.users * self.hours}

    def prepare(self, folder: Path) -> None:
        """Write sources/payments and labels: the points, when their snapshot is due."""

        def make() -> None:
            write_table(folder / "sources" / "payments", (self._table(first) for first in self._files()))
            users, points = self._points()
            write_table(folder / "labels", [label_rows(users, points + DUE_MICROS)])

        once(folder, "plain", asdict(self), make)

    def _files(self) -> range:
        return range(0, self.events, FILE_ROWS)

    def _file(self, first: int) -> tuple[Integers, Integers, npt.NDArray[np.float64]]:
        """Users, times in their order, and amounts of one file."""
        rows = min(FILE_ROWS, self.events - first)
        random = np.random.default_rng((self.seed, first))
        users = random.integers(0, self.users, rows)
        users[random.random(rows) < self.hot] = 0
        span = (HISTORY + self.hours) * HOUR
        low, high = span * first // self.events, span * (first + rows) // self.events
        times = START_MICROS - HISTORY * HOUR + np.sort(random.integers(low, high, rows))
        return users, times, np.round(random.lognormal(2.5, 1.0, rows), 2) + 0.01

    def _table(self, first: int) -> pa.Table:
        users, times, amounts = self._file(first)
        return pa.table({"user_id": users, "event_timestamp": instants(times), "amount": amounts})

    def _points(self) -> tuple[Integers, Integers]:
        """Users and snapshot times of the points, by hours."""
        hours = START_MICROS + np.repeat(np.arange(self.hours), self.users) * HOUR
        return np.tile(np.arange(self.users), self.hours), hours

    def expected(self) -> ExpectedColumns:
        """The right answer, exactly: in whole numbers of 2^-59, kept as two halves, and rounded once."""
        files = [self._file(first) for first in self._files()]
        users, times, amounts = (np.concatenate(parts) for parts in zip(*files, strict=True))
        order = np.lexsort((times, users))
        span = (HISTORY + self.hours + 1) * HOUR
        codes = users[order] * span + times[order] - START_MICROS + HISTORY * HOUR
        high, low = _halves(amounts[order])
        askers, points = self._points()
        asked = askers * span + points - START_MICROS + HISTORY * HOUR
        end = np.searchsorted(codes, asked)
        for name, hours in WINDOW_HOURS.items():
            start = np.searchsorted(codes, asked - hours * HOUR)
            exact = _rounded(high[end] - high[start], low[end] - low[start])
            yield Expected(f"spending__sum_{name}", exact, end > start)
            yield Expected(f"spending__count_{name}", end - start)


_HIGH, _LOW = 20, 39  # an amount of at least 0.01 is a whole number of 2^-59


def _halves(amounts: npt.NDArray[np.float64]) -> tuple[Integers, Integers]:
    """Prefix sums of amounts times 2^20, whole part and the rest times 2^39: all of them exact."""
    scaled = np.ldexp(amounts, _HIGH)
    whole = np.floor(scaled)
    rest = np.ldexp(scaled - whole, _LOW)
    assert (rest == np.floor(rest)).all(), "an amount has bits below 2^-59"
    return tuple(np.concatenate([[0], np.cumsum(half.astype(np.int64))]) for half in (whole, rest))  # type: ignore[return-value]


def _rounded(high: Integers, low: Integers) -> npt.NDArray[np.float64]:
    """High and low halves as the nearest float: both are floats without loss, so their sum is rounded once."""
    high, low = high + (low >> _LOW), low & ((1 << _LOW) - 1)
    assert (high < 1 << 53).all(), "a sum is too large for this check"
    return np.ldexp(high.astype(np.float64) + np.ldexp(low.astype(np.float64), -_LOW), -_HIGH)
