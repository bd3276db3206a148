"""Instants, intervals, schedules and the clock: the only place with `<` and `<=` about time.

The comparisons below take anything that compares: a datetime, an integer of microseconds, a numpy
array, a Spark Column. So a boundary is decided here once, whoever asks.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from itertools import islice, pairwise
from math import ceil
from typing import Any, Protocol

from croniter import CroniterBadDateError, croniter

# croniter reads "R" as a random value and "H" as a hashed one: no schedule that everybody agrees on.
_RANDOM = re.compile(r"(?<![a-z])[rh](?![a-z])", re.IGNORECASE)

MICROSECOND = timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

PRESETS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 */3 *",
    "@yearly": "0 0 1 1 *",
}


# -- instants ---------------------------------------------------------------------------------------------


def utc(value: datetime) -> datetime:
    """Return the instant in UTC; a naive datetime is read as UTC."""
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def parse_instant(text: str) -> datetime:
    """Read an ISO instant; without an offset it is UTC.

    >>> parse_instant("2013-07-01T10:00Z")
    datetime.datetime(2013, 7, 1, 10, 0, tzinfo=datetime.timezone.utc)

    Raises ValueError with the accepted form when the text is no instant.
    """
    try:
        return utc(datetime.fromisoformat(text))
    except ValueError:
        raise ValueError(f"{text!r} is not an instant; write it like 2013-07-01T10:00:00Z") from None


def format_instant(t: datetime) -> str:
    """Write an instant as ISO with Z; microseconds only where they are not zero.

    >>> format_instant(datetime(2013, 7, 1, 10, tzinfo=UTC))
    '2013-07-01T10:00:00Z'
    """
    return utc(t).replace(tzinfo=None).isoformat() + "Z"


def to_micros(t: datetime) -> int:
    """Microseconds since 1970 UTC, exactly."""
    return (utc(t) - EPOCH) // MICROSECOND


def from_micros(micros: int) -> datetime:
    """The instant that many microseconds after 1970 UTC."""
    return EPOCH + micros * MICROSECOND


# -- the boundaries ---------------------------------------------------------------------------------------


def known(known_at: Any, cutoff: Any) -> Any:
    """A row is known at a cutoff when it became known strictly before it."""
    return known_at < cutoff


def superseded(superseded_at: Any, cutoff: Any) -> Any:
    """A version gives way once its successor is known."""
    return known(superseded_at, cutoff)


def happened(event_timestamp: Any, snapshot_time: Any) -> Any:
    """An event belongs to a snapshot when it happened strictly before it."""
    return event_timestamp < snapshot_time


def within(event_timestamp: Any, snapshot_time: Any, reach: Any) -> Any:
    """A window or ttl reaches back to, and includes, `snapshot_time - reach`."""
    return event_timestamp >= snapshot_time - reach


def due(usable_from: Any, t: Any) -> Any:
    """What is usable from an instant is usable at that instant."""
    return usable_from <= t


def expired(expires_at: Any, t: Any) -> Any:
    """What expires at an instant is gone at that instant."""
    return expires_at <= t


def after(a: Any, b: Any) -> Any:
    """`a` is strictly later than `b`."""
    return a > b


@dataclass(frozen=True, slots=True)
class Interval:
    """The instants start <= t < end, in UTC."""

    start: datetime
    end: datetime

    def __contains__(self, t: datetime) -> bool:
        """Whether the instant lies in the interval."""
        return self.start <= t < self.end

    def __str__(self) -> str:
        return f"[{format_instant(self.start)}, {format_instant(self.end)})"


# -- schedules --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Schedule:
    """A UTC cron expression of five fields, or a preset; its ticks are the ends of data intervals.

    Raises ValueError when it does not parse.
    """

    expression: str
    cron: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Resolve the preset and check the expression."""
        cron = PRESETS.get(self.expression, self.expression)
        plain = isinstance(cron, str) and len(cron.split()) == 5 and not _RANDOM.search(cron)
        if not plain or not croniter.is_valid(cron):
            raise ValueError(self._advice())
        if not _ever_ticks(cron):
            raise ValueError(f"schedule {self.expression!r} has no date: its day is in none of its months")
        object.__setattr__(self, "cron", cron)

    def _advice(self) -> str:
        presets = ", ".join(PRESETS)
        return f"schedule {self.expression!r} does not parse; write five UTC cron fields, or one of {presets}"

    def __str__(self) -> str:
        return self.expression

    def newest_at(self, t: datetime) -> datetime:
        """The newest tick at or before `t`."""
        tick: datetime = croniter(self.cron, utc(t) + MICROSECOND).get_prev(datetime)
        return tick

    def next_after(self, t: datetime) -> datetime:
        """The first tick after `t`."""
        tick: datetime = croniter(self.cron, utc(t)).get_next(datetime)
        return tick

    def previous_to(self, t: datetime) -> datetime:
        """The last tick before `t`."""
        tick: datetime = croniter(self.cron, utc(t)).get_prev(datetime)
        return tick

    def is_tick(self, t: datetime) -> bool:
        """Whether `t` ends a data interval."""
        return self.newest_at(t) == utc(t)

    def interval_ending(self, tick: datetime) -> Interval:
        """The data interval whose end is `tick`; ValueError, with the nearest ticks, if none ends there."""
        if not self.is_tick(tick):
            near = f"{format_instant(self.newest_at(tick))} and {format_instant(self.next_after(tick))}"
            raise ValueError(
                f"{format_instant(tick)} ends no interval of {self.expression!r}; near are {near}"
            )
        return Interval(self.previous_to(tick), utc(tick))

    def ticks(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """Every tick with start <= tick <= end, oldest first.

        The cron library steps from day to day only: a step takes it 80 microseconds, and hours are many.
        """
        start, end = utc(start), utc(end)
        midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
        days = croniter(" ".join(["0 0", *self.cron.split()[2:]]), midnight - MICROSECOND)
        day: datetime = days.get_next(datetime)
        while day <= end:
            yield from (tick for time in self._times_of_day if start <= (tick := day + time) <= end)
            day = days.get_next(datetime)

    @cached_property
    def _times_of_day(self) -> tuple[timedelta, ...]:
        minutes, hours = croniter.expand(self.cron)[0][:2]
        each_minute = range(60) if minutes == ["*"] else minutes
        each_hour = range(24) if hours == ["*"] else hours
        return tuple(sorted({timedelta(hours=h, minutes=m) for h in each_hour for m in each_minute}))

    @property
    def longest_interval(self) -> timedelta:
        """The longest time between two successive ticks."""
        return _longest_interval(self.cron)

    def most_intervals_in(self, span: timedelta) -> int:
        """How many intervals, at the most, end within a span of time, of the spans that begin with a tick."""
        return _most_ticks(self.cron, span)


@lru_cache(maxsize=256)
def _ever_ticks(cron: str) -> bool:
    """30 February parses, and never comes."""
    try:
        croniter(cron, datetime(2000, 1, 1, tzinfo=UTC)).get_next(datetime)
    except CroniterBadDateError:
        return False
    return True


@lru_cache(maxsize=256)
def _longest_interval(cron: str) -> timedelta:
    """The longest interval of 500 days that have ticks, from 2000, a leap year, on.

    Every such day has ticks at the same times. 500 of them are more than a year of daily ticks, and more than
    a leap cycle where fewer days of a year have some.
    """
    times = Schedule(cron)._times_of_day
    stepper = croniter(" ".join(["0 0", *cron.split()[2:]]), datetime(1999, 12, 31, tzinfo=UTC))
    days: list[datetime] = [stepper.get_next(datetime) for _ in range(500)]
    inside = (later - earlier for earlier, later in pairwise(times))
    across = ((later + times[0]) - (earlier + times[-1]) for earlier, later in pairwise(days))
    return max(*inside, *across)


@lru_cache(maxsize=256)
def _most_ticks(cron: str, span: timedelta) -> int:
    """The most ticks in [tick, tick + span), looked for from 2000, a leap year, on; a long span by proportion."""
    begin = datetime(2000, 1, 1, tzinfo=UTC)
    ticks = list(islice(Schedule(cron).ticks(begin, begin.replace(year=2400)), 500))
    looked_at = ticks[-1] - ticks[0]
    if not due(span, looked_at):
        return ceil(len(ticks) * (span / looked_at))
    return max(bisect_left(ticks, tick + span) - place for place, tick in enumerate(ticks))


# -- the clock --------------------------------------------------------------------------------------------


class Clock(Protocol):
    """Whoever needs to know what time it is asks one of these."""

    def now(self) -> datetime:
        """The present instant, in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The present instant, in UTC."""
        return datetime.now(UTC)


@dataclass
class FixedClock:
    """A clock that stands still until it is set: for tests, and for asking as if it were then."""

    at: datetime

    def now(self) -> datetime:
        """The instant that it was set to."""
        return utc(self.at)
