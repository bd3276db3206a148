"""The flights: honest instants across both changes of the clocks, and what is missing stays missing."""

import math
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import features.flights as definitions
from examples import flights, weather
from examples.flights import first_reading, timed_flights
from skewless import FeatureView
from tests import independent

UNMOVED = timedelta(0)
MINUTE = pd.Timedelta(minutes=1)


@pytest.fixture(scope="module")
def timed() -> pd.DataFrame:
    return timed_flights()


@pytest.fixture(scope="module")
def departures() -> pd.DataFrame:
    return flights.departures(UNMOVED)


@pytest.fixture(scope="module")
def arrivals() -> pd.DataFrame:
    return flights.arrivals(UNMOVED)


@pytest.fixture(scope="module")
def spine() -> pd.DataFrame:
    return flights.flights_spine(UNMOVED)


def at(text: str) -> pd.Timestamp:
    return pd.Timestamp(text, tz="UTC")


def the_flight(timed: pd.DataFrame, month: int, day: int, carrier: str, number: int) -> pd.Series:
    found = timed[
        (timed.month == month) & (timed.day == day) & (timed.carrier == carrier) & (timed.flight == number)
    ]
    assert len(found) == 1
    return found.iloc[0]


def clock_readings(instants: pd.Series, zone: str) -> pd.Series:
    local = instants.dt.tz_convert(zone)
    return local.dt.hour * 100 + local.dt.minute


def read(earliest: str, reading: float, zone: str) -> pd.Timestamp:
    return first_reading(pd.Series([at(earliest)]).dt.as_unit("us"), pd.Series([reading]), zone).iloc[0]


# -- what is there --------------------------------------------------------------------------------------


def test_every_flight_is_a_departure_or_a_cancellation(departures):
    assert len(departures) == 336_776
    assert departures.cancelled.sum() == departures.dep_delay.isna().sum() == 8_255
    assert departures.flight_id.is_unique


def test_flights_that_never_reached_their_destination_are_no_arrivals(timed, arrivals):
    assert len(arrivals) == 328_063
    assert (timed.departed.notna() & timed.landed.isna()).sum() == 458
    assert len(arrivals) + 8_255 + 458 == len(timed)


def test_a_diverted_flight_lands_with_an_unknown_delay(arrivals):
    assert arrivals.arr_delay.isna().sum() == arrivals.air_time.isna().sum() == 717


def test_the_year_is_whole(departures, arrivals):
    assert departures.event_timestamp.min() == at("2013-01-01T10:17")
    assert departures.event_timestamp.max() == at("2014-01-01T05:26")
    assert arrivals.event_timestamp.min() == at("2013-01-01T12:02")
    assert arrivals.event_timestamp.max() == at("2014-01-01T10:53")


def test_only_cancelled_flights_lack_a_tail_number(departures):
    unknown = departures[departures.tailnum.isna()]
    assert len(unknown) == 2_512
    assert (unknown.cancelled == 1).all()


# -- instants -------------------------------------------------------------------------------------------


def test_at_every_departure_new_yorks_clock_shows_the_recorded_time(timed):
    left = timed[timed.departed.notna()]
    assert (clock_readings(left.departed, "America/New_York") == left.dep_time % 2400).all()
    scheduled = clock_readings(timed.scheduled_departure, "America/New_York")
    assert (scheduled == timed.sched_dep_time).all()


def test_at_every_arrival_the_destinations_clock_shows_the_recorded_time_but_for_one_that_was_skipped(timed):
    zones = timed.dest.map(flights.zones())
    landed = timed[timed.landed.notna()]
    shown = pd.concat(
        [clock_readings(rows.landed, zone) for zone, rows in landed.groupby(zones[landed.index])]
    )
    wrong = landed[shown.reindex(landed.index) != landed.arr_time % 2400]
    assert wrong[["month", "day", "carrier", "flight", "arr_time"]].values.tolist() == [
        [3, 9, "B6", 35, 203.0]
    ]


def test_elapsed_times_agree_with_the_time_in_the_air(timed):
    on_the_ground = (timed.landed - timed.departed) / MINUTE - timed.air_time
    assert on_the_ground.count() == 328_063 - 717
    assert on_the_ground.min() == 5
    assert on_the_ground.max() == 235
    assert on_the_ground.median() == 28


def test_an_hour_is_lost_in_spring(timed):
    eve, morning = the_flight(timed, 3, 9, "B6", 79), the_flight(timed, 3, 10, "B6", 79)
    assert eve.scheduled_departure == at("2013-03-09T11:00")  # 06:00 EST
    assert morning.scheduled_departure == at("2013-03-10T10:00")  # 06:00 EDT
    assert morning.departed == at("2013-03-10T10:08")


def test_an_hour_is_won_in_autumn(timed):
    eve, morning = the_flight(timed, 11, 2, "AA", 303), the_flight(timed, 11, 3, "AA", 303)
    assert eve.departed == at("2013-11-02T10:25")  # 06:25 EDT
    assert morning.departed == at("2013-11-03T11:25")  # 06:25 EST
    assert (eve.landed, morning.landed) == (
        at("2013-11-02T12:45"),
        at("2013-11-03T13:36"),
    )  # Chicago moves too


def test_a_landing_read_off_a_clock_that_was_not_yet_moved(timed):
    night = the_flight(timed, 3, 9, "B6", 35)  # JFK 23:06 EST, 141 minutes in the air, Palm Beach "02:03"
    assert night.departed == at("2013-03-10T04:06")
    assert night.landed == at("2013-03-10T07:03")  # 03:03 EDT


def test_a_flight_over_the_spring_change_to_where_clocks_stay(timed):
    night = the_flight(timed, 3, 9, "B6", 727)  # JFK 00:53 EST, Puerto Rico 05:04 AST
    assert night.departed == at("2013-03-10T05:53")
    assert night.landed == at("2013-03-10T09:04")


def test_a_landing_at_a_reading_that_the_autumn_night_shows_twice(timed):
    night = the_flight(timed, 11, 2, "VX", 413)  # JFK 22:17 EDT, 339 minutes in the air, Los Angeles "01:14"
    assert night.departed == at("2013-11-03T02:17")
    assert night.landed == at("2013-11-03T08:14")  # the first 01:14: 18 minutes on the ground, not 78


def test_the_first_reading_that_is_late_enough():
    zone = "America/New_York"
    assert read("2013-11-03T05:10", 130, zone) == at("2013-11-03T05:30")  # shown twice: the first
    assert read("2013-11-03T05:40", 130, zone) == at("2013-11-03T06:30")  # the first is over: the second
    assert read("2013-11-03T05:30", 130, zone) == at("2013-11-03T05:30")  # at once
    assert read("2013-11-03T06:40", 130, zone) == at("2013-11-04T06:30")  # both over: the next day
    assert read("2013-03-10T06:50", 230, zone) == at("2013-03-10T07:30")  # skipped: 03:30 EDT
    assert read("2013-07-01T03:50", 2400, zone) == at("2013-07-01T04:00")  # midnight
    assert read("2013-07-01T04:00", 2400, zone) == at("2013-07-01T04:00")  # midnight at once
    assert read("2013-07-01T03:50", 5, zone) == at("2013-07-01T04:05")  # past midnight


def test_puerto_rico_and_the_virgin_islands_have_zones():
    zones = flights.zones()
    assert {dest: zones[dest] for dest in ("BQN", "PSE", "SJU")} == dict.fromkeys(
        ("BQN", "PSE", "SJU"), "America/Puerto_Rico"
    )
    assert zones["STT"] == "America/St_Thomas"


# -- when it became known -------------------------------------------------------------------------------


def test_nothing_is_known_before_it_happened(departures, arrivals, spine):
    for table in (departures, arrivals, spine, weather.weather(UNMOVED)):
        assert (table.created_timestamp > table.event_timestamp).all()


def test_reports_take_minutes_and_now_and_then_hours(departures):
    lag = departures.created_timestamp - departures.event_timestamp
    assert lag.min() >= timedelta(minutes=1)
    assert (lag > timedelta(minutes=10)).mean() == pytest.approx(0.02, abs=0.002)
    assert timedelta(hours=5) < lag.max() <= timedelta(hours=6)


def test_a_cancellation_is_an_event_at_the_scheduled_departure(departures):
    cancelled = departures[departures.cancelled == 1]
    assert (cancelled.event_timestamp == cancelled.scheduled_departure).all()


def test_the_question_is_asked_two_hours_before_and_answered_when_the_departure_is_known(spine, departures):
    assert (spine.scheduled_departure - spine.event_timestamp == timedelta(hours=2)).all()
    by_flight = departures.set_index("flight_id")
    asked = spine.set_index("flight_id").reindex(by_flight.index)
    assert (asked.created_timestamp == by_flight.created_timestamp).all()
    assert (spine.created_timestamp - spine.event_timestamp).max() < definitions.flight_delays.label_delay


def test_late_means_more_than_fifteen_minutes_and_a_cancelled_flight_has_no_answer(spine, departures):
    delay = departures.set_index("flight_id").dep_delay.reindex(spine.flight_id).to_numpy()
    assert spine.late.isna().equals(spine.cancelled)
    assert not spine.late[delay == 15].any()
    assert spine.late[delay == 16].all()
    assert (spine.late.sum(), len(spine)) == (70_774, 336_776)


def test_moving_by_weeks_moves_every_instant_and_nothing_else(arrivals):
    shift = timedelta(weeks=700)
    moved = flights.arrivals(shift)
    expected = arrivals.assign(
        event_timestamp=arrivals.event_timestamp + shift, created_timestamp=arrivals.created_timestamp + shift
    )
    assert_frame_equal(moved, expected)


# -- weather --------------------------------------------------------------------------------------------


def test_the_hour_that_autumn_repeats_is_two_observations():
    observed = weather.weather(UNMOVED)
    assert len(observed) == 26_115
    assert not observed.duplicated(["origin", "event_timestamp"]).any()
    night = observed[observed.event_timestamp.between(at("2013-11-03T05:00"), at("2013-11-03T06:00"))]
    assert night[night.origin == "JFK"].temp.tolist() == [53.96, 51.98]  # 01:00 EDT, 01:00 EST


def test_spring_skips_no_observation():
    observed = weather.weather(UNMOVED)
    night = observed[observed.event_timestamp.between(at("2013-03-10T05:00"), at("2013-03-10T08:00"))]
    assert night.groupby("origin").size().to_dict() == {"EWR": 4, "JFK": 4, "LGA": 4}


def test_measures_that_were_not_taken_are_null():
    missing = weather.weather(UNMOVED)[list(weather.MEASURES)].isna().sum()
    assert missing.to_dict() == {
        **dict.fromkeys(("temp", "dewp", "humid"), 1),
        "wind_dir": 460,
        "wind_speed": 4,
        "wind_gust": 20_778,
        "precip": 0,
        "pressure": 2_729,
        "visib": 0,
    }


# -- the definitions, and their second computation ------------------------------------------------------


def views() -> dict[str, FeatureView]:
    return {view.name: view for view in vars(definitions).values() if isinstance(view, FeatureView)}


def test_the_second_computation_has_the_fields_and_times_of_the_definitions():
    assert set(views()) == set(independent.VIEWS)
    for name, view in views().items():
        by_hand = independent.VIEWS[name]
        assert tuple(by_hand.absent) == tuple(view.fields)
        assert tuple(by_hand.absent.values()) == view.absent_row
        assert tuple(by_hand.expired.values()) == view.expired_row
        assert by_hand.keys == view.join_keys
        assert by_hand.source == view.source.name
        durations = [by_hand.every, by_hand.due, by_hand.wait, by_hand.stale, by_hand.reach]
        assert [timedelta(microseconds=duration) for duration in durations] == [
            view.timetable.longest_interval,
            view.publish_delay,
            view.source.data_delay,
            view.max_staleness,
            view.reach,
        ]


DEPARTED = pd.DataFrame(
    [
        ("AA", "JFK", 10, 0, "2030-01-02T07:00", "2030-01-02T07:05"),
        ("AA", "JFK", None, 1, "2030-01-02T08:00", "2030-01-02T08:05"),
        ("AA", "LGA", 31, 0, "2030-01-02T09:00", "2030-01-02T09:05"),
        ("AA", "JFK", 90, 0, "2030-01-02T09:30", "2030-01-02T10:10"),  # known at the cutoff: too late
    ],
    columns=["carrier", "origin", "dep_delay", "cancelled", "event_timestamp", "created_timestamp"],
).astype({"event_timestamp": "datetime64[us, UTC]", "created_timestamp": "datetime64[us, UTC]"})


def ask(t: str, **skipped: list[pd.Timestamp]) -> pd.Series:
    question = pd.DataFrame(
        {"carrier": ["AA"], "origin": ["JFK"], "tailnum": ["N1"], "event_timestamp": [at(t).as_unit("us")]}
    )
    nothing = pd.DataFrame(
        columns=["origin", "tailnum", "dest", "air_time", "arr_delay", *independent.MEASURES]
    )
    nothing = nothing.assign(
        event_timestamp=DEPARTED.event_timestamp[:0], created_timestamp=DEPARTED.event_timestamp[:0]
    )
    sources = {"departures": DEPARTED, "arrivals": nothing, "weather": nothing}
    return independent.flight_features(sources, question, skipped).iloc[0]


def test_the_second_computation_by_hand():
    seen = ask("2030-01-02T10:20")
    assert seen.carrier_delays__snapshot_time == at("2030-01-02T10:00")
    assert seen.carrier_delays__avg_delay_1d == np.float32(20.5)
    assert seen.carrier_delays__avg_delay_7d == np.float32(17.0)  # 10, 10 carried forward, 31
    assert seen.carrier_delays__late_share_7d == np.float32(0.5)
    assert math.isclose(seen.carrier_delays__cancelled_share_7d, 1 / 3)
    assert (seen.carrier_delays__departures_1d, seen.carrier_delays__flights_7d) == (2, 3)
    assert seen.airport_carrier_delays__avg_delay_3h == np.float32(10)  # from 07:00 on, 07:00 included
    assert seen.airport_carrier_delays__delay_minutes_1d == 10
    assert (seen.aircraft_month__arrivals_30d, seen.aircraft_last_arrival__arr_delay) == (0, None)


def test_the_second_computation_waits_until_a_snapshot_is_due():
    assert ask("2030-01-02T10:19").carrier_delays__snapshot_time == at("2030-01-02T09:00")
    assert ask("2030-01-02T10:19").carrier_delays__flights_7d == 2  # 09:00 itself is not before 09:00


def test_the_second_computation_skips_and_expires():
    skipped = [at("2030-01-02T10:00"), at("2030-01-02T09:00")]
    seen = ask("2030-01-02T10:20", carrier_delays=skipped)
    assert (seen.carrier_delays__snapshot_time, seen.carrier_delays__flights_7d) == (
        at("2030-01-02T08:00"),
        1,
    )
    stale = ask(
        "2030-01-02T10:20", carrier_delays=list(pd.date_range(at("2030-01-02T05:00"), periods=6, freq="h"))
    )
    assert (stale.carrier_delays__snapshot_time, stale.carrier_delays__flights_7d) == (
        at("2030-01-02T04:00"),
        None,
    )


def test_the_second_computation_at_its_boundaries():
    view = independent.VIEWS["carrier_delays"]
    rows = independent.rows_by_entity(view, DEPARTED)[("AA",)]
    at_nine = [row["event"] for row in rows][2]
    assert (
        independent.entity_features(view, rows, at_nine)["flights_7d"] == 2
    )  # the event at 09:00 is not before it
    assert independent.entity_features(view, rows, at_nine + 1)["flights_7d"] == 3
    a_week_on = rows[0]["event"] + view.reach
    assert (
        independent.entity_features(view, rows, a_week_on)["flights_7d"] == 4
    )  # the window's start is in it
    assert independent.entity_features(view, rows, a_week_on + 1)["flights_7d"] == 3
