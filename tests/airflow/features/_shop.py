"""What the views share: payments of a few users, one a minute."""

from datetime import timedelta

from features._begin import BEGIN

from skewless import DeltaSource, Entity, FeatureView, Field, agg
from skewless.types import Float64, Int64

HALF_HOUR = timedelta(minutes=30)
FIVE_MINUTES = "*/5 * * * *"
HOURLY = f"{BEGIN.minute} * * * *"  # no interval of these ends while the tests run

user = Entity(name="user", join_keys=["user_id"])


def source_of(name, *, path=None, data_delay=timedelta(seconds=30)):
    return DeltaSource(
        name=name,
        path=f"sources/{path or name}",
        timestamp_field="event_timestamp",
        created_timestamp_column="created_timestamp",
        data_delay=data_delay,
    )


def payments_view(
    name, source, *, schedule=FIVE_MINUTES, window=HALF_HOUR, publish_delay=timedelta(seconds=75), **more
):
    """A view of what each user paid lately; due soon after its interval."""
    return FeatureView(
        name=name,
        entities=[user],
        source=source,
        schedule=schedule,
        publish_delay=publish_delay,
        owner="payments team",
        tags=["payments"],
        schema=[
            Field(name="amount", dtype=Float64, value=agg.sum("amount", window=window)),
            Field(name="payments", dtype=Int64, value=agg.count(window=window)),
            Field(name="last_amount", dtype=Float64, value=agg.last("amount", window=window)),
        ],
        **more,
    )


payments = source_of("payments")
