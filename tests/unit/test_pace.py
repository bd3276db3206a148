"""A long job says how far it is, how fast it goes, and when it will be done; a short one says nothing."""

from __future__ import annotations

from dataclasses import dataclass

from skewless.jobs.pace import Pace


@dataclass
class Watch:
    """Seconds that a test lets pass."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def told(*steps: tuple[float, int], of: int) -> list[str]:
    """What is told where so many rows are done after so many seconds."""
    watch, lines = Watch(), list[str]()
    pace = Pace("publishing stats", lines.append, watch)
    for after, rows in steps:
        watch.now = 100.0 + after
        pace.tell(rows, of)
    return lines


def test_it_tells_rows_rate_and_what_is_left_every_five_seconds() -> None:
    steps = [(4.9, 490_000), (5.0, 500_000), (9.9, 990_000), (10.0, 2_000_000), (16.0, 4_000_000)]
    assert told(*steps, of=4_000_000) == [
        "publishing stats: 500,000 of 4,000,000 rows, 100,000 a second, 35 s left",
        "publishing stats: 2,000,000 of 4,000,000 rows, 200,000 a second, 10 s left",
        "publishing stats: 4,000,000 of 4,000,000 rows, 250,000 a second",
    ]


def test_a_short_job_says_nothing() -> None:
    assert told((1.0, 5), (4.99, 10), of=10) == []


def test_before_the_first_row_nobody_knows_how_long_it_takes() -> None:
    assert told((60.0, 0), of=10) == ["publishing stats: 0 of 10 rows, 0 a second"]


def test_long_times_are_told_in_minutes_and_hours() -> None:
    assert told((10.0, 10), of=610)[0].endswith("1 a second, 10 min left")
    assert told((10.0, 10), of=7510)[0].endswith("1 a second, 2 h 5 min left")
