"""Instants, boundaries and schedules. Schedules are held to a count of minutes that knows no cron library."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skewless import timeline
from skewless.timeline import FixedClock, Interval, Schedule

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
NOON = datetime(2013, 7, 1, 12, tzinfo=UTC)
instants = st.datetimes(datetime(1999, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
# minute, hour, day of month, month, weekday (Sunday is 0): sets of values, None where the field is '*'.
fields = st.tuples(
    st.sampled_from([None, {0}, {30}, {0, 30}, {5, 7, 59}]),
    st.sampled_from([None, {0}, {6, 18}, {23}]),
    st.sampled_from([None, None, {1}, {1, 15}, {29}, {31}]),
    st.sampled_from([None, None, {1}, {2, 3}, {12}]),
    st.sampled_from([None, None, {0}, {1, 2, 3, 4, 5}]),
)


def cron_of(parts: tuple[set[int] | None, ...]) -> str:
    return " ".join("*" if part is None else ",".join(map(str, sorted(part))) for part in parts)


def ticks_by_hand(parts: tuple[set[int] | None, ...], start: datetime, end: datetime) -> Iterator[datetime]:
    """Minute by minute. Where day and weekday are both given, either will do."""
    minute, hour, day, month, weekday = parts
    t = start.replace(second=0, microsecond=0)
    while t <= end:
        by_day = day is None or t.day in day
        by_weekday = weekday is None or t.isoweekday() % 7 in weekday
        right_day = (
            (by_day or by_weekday) if day is not None and weekday is not None else by_day and by_weekday
        )
        if right_day and (month is None or t.month in month):
            if t >= start and (hour is None or t.hour in hour) and (minute is None or t.minute in minute):
                yield t
            t += MINUTE
        else:
            t = t.replace(hour=0, minute=0) + DAY


# -- schedules --------------------------------------------------------------------------------------------


@settings(max_examples=60, derandomize=True, deadline=None)
@given(fields, instants, st.integers(0, 3 * 24 * 60))
def test_ticks_are_those_that_a_calendar_shows(parts, start, minutes):
    end = start + minutes * MINUTE
    assert list(Schedule(cron_of(parts)).ticks(start, end)) == list(ticks_by_hand(parts, start, end))


@settings(max_examples=60, derandomize=True, deadline=None)
@given(fields, instants)
def test_intervals_touch_and_every_instant_is_in_one(parts, t):
    schedule = Schedule(cron_of(parts))
    newest, following = schedule.newest_at(t), schedule.next_after(t)
    assert newest <= t < following
    assert schedule.interval_ending(following) == Interval(newest, following)
    assert schedule.is_tick(newest)
    assert schedule.previous_to(following) == newest
    assert schedule.is_tick(t) == (newest == t)
    assert list(schedule.ticks(newest, following)) == [newest, following]


@settings(max_examples=40, derandomize=True, deadline=None)
@given(fields, instants)
def test_no_interval_is_longer_than_the_longest(parts, t):
    schedule = Schedule(cron_of(parts))
    assert schedule.next_after(t) - schedule.newest_at(t) <= schedule.longest_interval


@pytest.mark.parametrize(
    ("expression", "longest"),
    [
        ("@hourly", HOUR),
        ("@daily", DAY),
        ("@weekly", 7 * DAY),
        ("@monthly", 31 * DAY),
        ("@quarterly", 92 * DAY),
        ("@yearly", 366 * DAY),
        ("*/5 * * * *", 5 * MINUTE),
        ("* * * * *", MINUTE),
        ("0 9-17 * * *", 16 * HOUR),
        ("0 1,23 * * *", 22 * HOUR),
        ("0 0 * * 1-5", 3 * DAY),
        ("0 0 30 * *", 60 * DAY),
        ("* * * 1 *", 335 * DAY + MINUTE),
        ("0 12 29 2 *", (8 * 365 + 1) * DAY),
    ],
)
def test_the_longest_interval_spans_nights_weekends_and_leap_years(expression: str, longest: timedelta):
    assert Schedule(expression).longest_interval == longest


@pytest.mark.parametrize(
    ("expression", "span", "most"),
    [
        ("@hourly", 0 * HOUR, 0),
        ("@hourly", HOUR, 1),
        ("@hourly", HOUR + MINUTE, 2),
        ("@daily", 30 * HOUR, 2),
        ("0,1 0 * * *", 24 * HOUR, 2),  # two a night are two, however near they lie
        ("0 9-17 * * 1-5", 5 * HOUR, 5),
        ("@yearly", HOUR, 1),
    ],
)
def test_how_many_intervals_end_within_a_span(expression: str, span: timedelta, most: int):
    assert Schedule(expression).most_intervals_in(span) == most


def test_in_a_long_span_intervals_are_counted_by_proportion():
    assert 1440 <= Schedule("* * * * *").most_intervals_in(24 * HOUR) <= 1450


@pytest.mark.parametrize(
    "expression",
    ["hourly", "@hour", "", "* * * *", "* * * * * *", "61 * * * *", "R * * * *", "H 3 * * *", 5, None],
)
def test_what_is_no_schedule_is_refused_with_advice(expression: object):
    with pytest.raises(ValueError, match="does not parse; write five UTC cron fields, or one of @hourly"):
        Schedule(expression)  # type: ignore[arg-type]


def test_a_day_that_never_comes_is_refused():
    with pytest.raises(ValueError, match="'0 0 31 2 \\*' has no date"):
        Schedule("0 0 31 2 *")


def test_an_instant_between_ticks_ends_no_interval_and_the_nearest_are_told():
    told = "12:30:00Z ends no interval of '@hourly'; near are 2013-07-01T12:00:00Z and 2013-07-01T13:00:00Z"
    with pytest.raises(ValueError, match=told):
        Schedule("@hourly").interval_ending(NOON + 30 * MINUTE)


def test_a_microsecond_after_a_tick_is_no_tick():
    assert Schedule("@hourly").is_tick(NOON)
    assert not Schedule("@hourly").is_tick(NOON + timeline.MICROSECOND)
    assert Schedule("@hourly").newest_at(NOON - timeline.MICROSECOND) == NOON - HOUR


def test_schedules_are_utc_whatever_zone_the_instant_is_in():
    in_kolkata = NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert Schedule("@hourly").newest_at(in_kolkata) == NOON
    assert Schedule("@daily").newest_at(in_kolkata) == datetime(2013, 7, 1, tzinfo=UTC)


# -- boundaries -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("holds", "before", "at", "later"),
    [
        (lambda t: timeline.known(t, NOON), True, False, False),
        (lambda t: timeline.superseded(t, NOON), True, False, False),
        (lambda t: timeline.happened(t, NOON), True, False, False),
        (lambda t: timeline.within(t, NOON + HOUR, HOUR), False, True, True),
        (lambda t: timeline.due(t, NOON), True, True, False),
        (lambda t: timeline.expired(t, NOON), True, True, False),
        (lambda t: timeline.after(t, NOON), False, False, True),
        (lambda t: t in Interval(NOON, NOON + HOUR), False, True, True),
        (lambda t: t in Interval(NOON - HOUR, NOON), True, False, False),
    ],
)
def test_each_boundary_takes_its_instant_in_or_leaves_it_out(holds, before: bool, at: bool, later: bool):
    tick = timeline.MICROSECOND
    assert [holds(NOON - tick), holds(NOON), holds(NOON + tick)] == [before, at, later]


# -- instants ---------------------------------------------------------------------------------------------


@settings(derandomize=True)
@given(instants)
def test_instants_survive_text_and_microseconds(t: datetime):
    assert timeline.parse_instant(timeline.format_instant(t)) == t
    assert timeline.from_micros(timeline.to_micros(t)) == t


def test_microseconds_are_counted_exactly_before_1970_too():
    assert timeline.to_micros(datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)) == -1


def test_a_naive_instant_is_utc_and_an_offset_is_followed():
    assert timeline.parse_instant("2013-07-01T12:00") == NOON
    assert timeline.parse_instant("2013-07-01T14:00+02:00") == NOON
    assert timeline.format_instant(NOON + timeline.MICROSECOND) == "2013-07-01T12:00:00.000001Z"


def test_text_that_is_no_instant_is_refused_with_the_form():
    with pytest.raises(ValueError, match="'noon' is not an instant; write it like 2013-07-01T10:00:00Z"):
        timeline.parse_instant("noon")


def test_a_fixed_clock_stands_still():
    clock = FixedClock(NOON)
    assert clock.now() == clock.now() == NOON
    assert abs(timeline.SystemClock().now() - datetime.now(UTC)) < MINUTE
