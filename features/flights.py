"""Flights out of New York: what is known two hours before a departure about its delay.

Data: examples/flights.py and examples/weather.py; delays are in minutes, early ones negative.
"""

from datetime import timedelta

from skewless import DeltaSource, Entity, Expectation, FeatureService, FeatureView, Field, TrainingSet, agg
from skewless.types import Bool, Float32, Float64, Int32, Int64, String, Timestamp

HOURS_3, DAY, WEEK, MONTH = timedelta(hours=3), timedelta(days=1), timedelta(days=7), timedelta(days=30)

carrier = Entity(
    name="carrier", join_keys=["carrier"], description="an airline, by its code of two characters"
)
airport = Entity(name="airport", join_keys=["origin"], description="an airport of departure: EWR, JFK or LGA")
airport_carrier = Entity(name="airport_carrier", join_keys=["origin", "carrier"])
aircraft = Entity(name="aircraft", join_keys=["tailnum"])

departures = DeltaSource(
    name="departures",
    path="sources/departures",
    timestamp_field="event_timestamp",
    created_timestamp_column="created_timestamp",
    data_delay=timedelta(minutes=10),
    max_silence=timedelta(hours=8),  # the longest night of the year is silent for six hours
)
arrivals = DeltaSource(
    name="arrivals",
    path="sources/arrivals",
    timestamp_field="event_timestamp",
    created_timestamp_column="created_timestamp",
    data_delay=timedelta(minutes=10),
    max_silence=timedelta(hours=6),  # nights are silent for less than four; a blizzard is longer
)
weather = DeltaSource(
    name="weather",
    path="sources/weather",
    timestamp_field="event_timestamp",
    created_timestamp_column="created_timestamp",
    data_delay=timedelta(minutes=20),
    max_silence=HOURS_3,
)

carrier_delays = FeatureView(
    name="carrier_delays",
    entities=[carrier],
    source=departures,
    schedule="@hourly",
    publish_delay=timedelta(minutes=20),
    max_staleness=timedelta(hours=6),
    schema=[
        Field(name="avg_delay_1d", dtype=Float32, value=agg.avg("dep_delay", window=DAY)),
        Field(
            name="avg_delay_7d",
            dtype=Float32,
            value=agg.avg("dep_delay", window=WEEK, nulls="forward_fill"),
            description="a cancelled flight counts as late as the carrier's flight before it",
        ),
        Field(name="late_share_7d", dtype=Float32, value=agg.avg("cast(dep_delay > 15 as int)", window=WEEK)),
        Field(name="cancelled_share_7d", dtype=Float64, value=agg.avg("cancelled", window=WEEK)),
        Field(name="departures_1d", dtype=Int64, value=agg.count(window=DAY, where="cancelled = 0")),
        Field(name="flights_7d", dtype=Int64, value=agg.count(window=WEEK)),
    ],
    expectations=[
        Expectation("expect_table_row_count_to_be_between", min_value=10, max_value=20),
        Expectation(
            "expect_column_values_to_be_between", column="avg_delay_1d", min_value=-60, max_value=1440
        ),
        Expectation(
            "expect_column_values_to_be_between", column="cancelled_share_7d", min_value=0, max_value=1
        ),
        Expectation(
            "expect_column_values_to_be_between",
            column="cancelled_share_7d",
            max_value=0.3,
            mostly=0.8,
            severity="warning",
        ),
        Expectation(
            "expect_column_values_to_not_be_null", column="avg_delay_1d", mostly=0.8, severity="warning"
        ),
    ],
)

airport_carrier_delays = FeatureView(
    name="airport_carrier_delays",
    entities=[airport_carrier],
    source=departures,
    schedule="@hourly",
    publish_delay=timedelta(minutes=20),
    max_staleness=timedelta(hours=6),
    schema=[
        Field(name="avg_delay_3h", dtype=Float32, value=agg.avg("dep_delay", window=HOURS_3)),
        Field(name="worst_delay_1d", dtype=Int32, value=agg.max("dep_delay", window=DAY)),
        Field(name="last_delay_1d", dtype=Int32, value=agg.last("dep_delay", window=DAY)),
        Field(
            name="delay_minutes_1d",
            dtype=Int64,
            value=agg.sum("dep_delay", window=DAY, nulls="zero"),
            description="0, not null, where every flight of the day was cancelled",
        ),
        Field(name="long_delays_7d", dtype=Int64, value=agg.count(window=WEEK, where="dep_delay > 60")),
        Field(name="cancelled_share_1d", dtype=Float32, value=agg.avg("cancelled", window=DAY), default=0.0),
    ],
    expectations=[
        Expectation("expect_column_values_to_be_in_set", column="origin", value_set=["EWR", "JFK", "LGA"]),
        Expectation(
            "expect_column_values_to_be_between", column="worst_delay_1d", min_value=-60, max_value=1440
        ),
        Expectation("expect_column_values_to_be_between", column="long_delays_7d", min_value=0),
    ],
)

aircraft_last_arrival = FeatureView(
    name="aircraft_last_arrival",
    entities=[aircraft],
    source=arrivals,
    schedule="*/30 * * * *",
    publish_delay=timedelta(minutes=20),
    max_staleness=timedelta(hours=6),
    ttl=WEEK,
    schema=[
        Field(name="arr_delay", dtype=Float32, description="null where the flight was diverted on its way"),
        Field(name="dest", dtype=String),
        Field(name="landed_at", dtype=Timestamp, value="event_timestamp"),
        Field(name="diverted", dtype=Bool, value="arr_delay IS NULL"),
    ],
    expectations=[
        Expectation("expect_column_values_to_match_regex", column="dest", regex="^[A-Z]{3}$"),
        Expectation("expect_column_values_to_not_be_null", column="landed_at"),
        Expectation("expect_column_values_to_be_between", column="arr_delay", min_value=-120, max_value=1440),
    ],
)

aircraft_month = FeatureView(
    name="aircraft_month",
    entities=[aircraft],
    source=arrivals,
    schedule="@daily",
    publish_delay=timedelta(hours=1),
    max_staleness=timedelta(hours=36),
    schema=[
        Field(name="arrivals_30d", dtype=Int64, value=agg.count(window=MONTH)),
        Field(name="airborne_hours_30d", dtype=Float64, value=agg.sum("air_time / 60", window=MONTH)),
        Field(name="avg_arr_delay_7d", dtype=Float32, value=agg.avg("arr_delay", window=WEEK)),
        Field(name="best_arr_delay_30d", dtype=Int32, value=agg.min("arr_delay", window=MONTH)),
    ],
    expectations=[
        Expectation("expect_column_values_to_be_between", column="arrivals_30d", min_value=1, max_value=300),
        Expectation(
            "expect_column_values_to_be_between", column="airborne_hours_30d", min_value=0, max_value=720
        ),
    ],
)

airport_weather = FeatureView(
    name="airport_weather",
    entities=[airport],
    source=weather,
    schedule="@hourly",
    publish_delay=timedelta(minutes=30),
    max_staleness=timedelta(hours=6),
    ttl=HOURS_3,
    schema=[
        Field(name="temp", dtype=Float32, description="degrees Fahrenheit"),
        Field(name="humid", dtype=Float32, description="relative humidity in percent"),
        Field(name="wind_speed", dtype=Float32, description="miles per hour"),
        Field(name="wind_gust", dtype=Float32, description="miles per hour; null in calm air"),
        Field(name="precip", dtype=Float32, description="inches in the hour"),
        Field(name="pressure", dtype=Float32, description="millibars at sea level"),
        Field(name="visib", dtype=Float32, description="miles, 10 at most"),
    ],
    expectations=[
        Expectation("expect_column_values_to_be_in_set", column="origin", value_set=["EWR", "JFK", "LGA"]),
        Expectation("expect_column_values_to_be_between", column="temp", min_value=-30, max_value=120),
        Expectation("expect_column_values_to_be_between", column="humid", min_value=0, max_value=100),
        Expectation("expect_column_values_to_be_between", column="wind_speed", min_value=0, max_value=150),
        Expectation("expect_column_values_to_be_between", column="visib", min_value=0, max_value=10),
        Expectation("expect_column_values_to_not_be_null", column="pressure", mostly=0.6, severity="warning"),
    ],
)

departure_delay_v1 = FeatureService(
    name="departure_delay_v1",
    features=[carrier_delays, airport_carrier_delays, aircraft_last_arrival, aircraft_month, airport_weather],
    description="Will this flight leave more than 15 minutes late? Asked two hours before it should leave.",
)
flight_delays = TrainingSet(
    name="flight_delays",
    service=departure_delay_v1,
    schedule="@daily",
    label_delay=timedelta(days=1),  # every departure of the year is known within 24 hours of the question
    spine=DeltaSource(
        name="flights_spine",
        path="sources/flights_spine",
        timestamp_field="event_timestamp",
        created_timestamp_column="created_timestamp",
    ),
    expectations=[
        Expectation("expect_column_values_to_be_unique", column="flight_id"),
        Expectation("expect_column_values_to_be_in_set", column="origin", value_set=["EWR", "JFK", "LGA"]),
        Expectation("expect_table_row_count_to_be_between", min_value=500, severity="warning"),
        # A cancelled flight has no answer: in a blizzard half of them.
        Expectation("expect_column_values_to_not_be_null", column="late", mostly=0.75, severity="warning"),
        # Carriers without flights for a week would mean that the join finds nobody.
        Expectation(
            "expect_column_values_to_be_between",
            column="carrier_delays__flights_7d",
            min_value=1,
            mostly=0.95,
            severity="warning",
        ),
    ],
)
