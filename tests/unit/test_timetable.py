"""Our schedule and Airflow's timetable agree: the same expression gives the same intervals, wherever one looks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise

import pendulum
import pytest
from airflow.sdk import CronDataIntervalTimetable
from airflow.serialization.encoders import coerce_to_core_timetable
from airflow.timetables.base import DataInterval, TimeRestriction
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from skewless.timeline import PRESETS, Interval, Schedule, format_instant

DECADE = datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
LEAP_DAY = datetime(2024, 2, 29, tzinfo=UTC)
FAR = datetime(2200, 1, 1, tzinfo=UTC)
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


def airflows(schedule: Schedule, start: datetime) -> Iterator[Interval]:
    """The intervals that Airflow's scheduler makes of it, from a start date on."""
    timetable = coerce_to_core_timetable(CronDataIntervalTimetable(schedule.cron, timezone="UTC"))
    limits = TimeRestriction(earliest=pendulum.instance(start), latest=None, catchup=True)
    last: DataInterval | None = None
    while info := timetable.next_dagrun_info(last_automated_data_interval=last, restriction=limits):
        last = info.data_interval
        yield Interval(last.start, last.end)


def of_a_run_by_hand(schedule: Schedule, logical_date: datetime) -> Interval:
    """The interval that Airflow gives to a run that a person triggers."""
    timetable = coerce_to_core_timetable(CronDataIntervalTimetable(schedule.cron, timezone="UTC"))
    found = timetable.infer_manual_data_interval(run_after=pendulum.instance(logical_date))
    return Interval(found.start, found.end)


def ours(schedule: Schedule, start: datetime) -> Iterator[Interval]:
    return (Interval(*ends) for ends in pairwise(schedule.ticks(start, FAR)))


def agree(schedule: Schedule, start: datetime, count: int) -> None:
    expected = list(islice(ours(schedule, start), count))
    assert list(islice(airflows(schedule, start), len(expected))) == expected, (schedule, start)
    for interval in expected:
        assert schedule.interval_ending(interval.end) == interval


# -- fields of a cron expression --------------------------------------------------------------------------


def field(least: int, most: int, names: tuple[str, ...] = ()) -> st.SearchStrategy[str]:
    """A field: a star, a value, a name, a range, a step or a list of these."""
    number = st.integers(least, most)
    value = number.map(str) | st.sampled_from(names) if names else number.map(str)
    span = st.tuples(number, number).map(sorted).map(lambda ends: f"{ends[0]}-{ends[1]}")
    step = st.integers(1, most)
    single = st.one_of(value, value, span, st.builds("{}/{}".format, st.just("*") | span, step))
    several = st.lists(single, min_size=2, max_size=3).map(",".join)
    return st.one_of(st.just("*"), single, several)


NTH = st.builds("{}#{}".format, st.integers(0, 6), st.integers(1, 5)) | st.integers(0, 6).map("L{}".format)
CRONS = st.one_of(
    st.sampled_from(sorted(PRESETS)),
    st.tuples(
        field(0, 59),
        field(0, 23),
        field(1, 31) | st.just("L"),
        field(1, 12, MONTHS),
        field(0, 7, DAYS) | NTH,
    ).map(" ".join),
)
INSTANTS = st.datetimes(DECADE[0].replace(tzinfo=None), DECADE[1].replace(tzinfo=None)).map(
    lambda t: t.replace(tzinfo=UTC)
)


@example(cron="30 6 13 * fri", starts=[LEAP_DAY])  # the 13th or a Friday
@example(cron="0 0 */2 * 1", starts=[LEAP_DAY])
@example(cron="0 0 1-7 * mon", starts=[LEAP_DAY])
@settings(max_examples=70, deadline=None)
@given(cron=CRONS, starts=st.lists(INSTANTS, min_size=2, max_size=3))
def test_random_expressions_have_the_same_intervals_anywhere_in_ten_years(cron: str, starts: list[datetime]):
    try:
        schedule = Schedule(cron)
    except ValueError:
        assume(False)
    for start in starts:
        agree(schedule, start, count=6)
        newest = schedule.newest_at(start)
        assert of_a_run_by_hand(schedule, start) == schedule.interval_ending(newest)
        assert of_a_run_by_hand(schedule, newest) == schedule.interval_ending(newest)


@pytest.mark.parametrize(
    "cron",
    ["@monthly", "@quarterly", "@yearly", "0 0 29 2 *", "0 12 L * *", "15 3 31 * *", "0 9 * * mon#1"],
)
def test_every_interval_of_ten_years_is_the_same(cron: str):
    schedule = Schedule(cron)
    agree(schedule, DECADE[0], count=sum(1 for _ in schedule.ticks(*DECADE)))


@pytest.mark.parametrize("cron", ["@hourly", "*/5 * * * *", "7,37 8-18/2 * * 1-5"])
def test_dense_schedules_agree_around_leap_days_and_new_year(cron: str):
    schedule = Schedule(cron)
    for year in range(2020, 2030):
        for month, day in ((2, 28), (12, 31)):
            agree(schedule, datetime(year, month, day, 22, tzinfo=UTC), count=15)


def test_a_start_on_a_boundary_begins_with_it_and_one_between_with_the_next():
    schedule, tick = Schedule("@hourly"), datetime(2024, 2, 29, 10, tzinfo=UTC)
    for start, first in ((tick, tick), (tick + timedelta(microseconds=1), tick + timedelta(hours=1))):
        interval = next(airflows(schedule, start))
        assert interval == next(ours(schedule, start))
        assert format_instant(interval.start) == format_instant(first)
