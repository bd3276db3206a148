"""Sums and counts of payments over four windows, every hour."""

from datetime import timedelta

from skewless import DeltaSource, Entity, FeatureView, Field, agg
from skewless.types import Float64, Int64

WINDOWS = {
    "1h": timedelta(hours=1),
    "1d": timedelta(days=1),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
}

payments = DeltaSource(name="payments", path="sources/payments", timestamp_field="event_timestamp")
sums = [
    Field(name=f"sum_{name}", dtype=Float64, value=agg.sum("amount", window=window))
    for name, window in WINDOWS.items()
]
counts = [
    Field(name=f"count_{name}", dtype=Int64, value=agg.count(window=window))
    for name, window in WINDOWS.items()
]

spending = FeatureView(
    name="spending",
    entities=[Entity(name="payer", join_keys=["user_id"])],
    source=payments,
    publish_delay=timedelta(minutes=15),
    schema=[*sums, *counts],
)
