"""How far a long job is, how fast it goes, and when it will be done."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from skewless.jobs.receipts import Report

TOLD_EVERY = 5.0  # seconds

Seconds = Callable[[], float]


@dataclass
class Pace:
    """Reports a line now and then: what is being done, rows so far and in all, rows a second, and what is left.

    A job of less than five seconds says nothing. The rate is that since the first row.
    """

    doing: str
    report: Report
    seconds: Seconds = time.monotonic
    _begun: float = field(init=False)
    _told: float = field(init=False)

    def __post_init__(self) -> None:
        """It begins now."""
        self._begun = self._told = self.seconds()

    def tell(self, rows: int, of: int) -> None:
        """Tell it where it is time to; so many rows are done."""
        now = self.seconds()
        if now - self._told < TOLD_EVERY:
            return
        self._told = now
        rate = rows / (now - self._begun)
        left = f", {span((of - rows) / rate)} left" if rate and rows < of else ""
        self.report(f"{self.doing}: {rows:,} of {of:,} rows, {rate:,.0f} a second{left}")


def span(seconds: float) -> str:
    """A duration as people say it.

    >>> span(7.6), span(312), span(7300)
    ('8 s', '5 min', '2 h 2 min')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
