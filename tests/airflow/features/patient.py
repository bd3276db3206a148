"""A view that is always waiting: its newest interval is due only after the next one has ended."""

from datetime import timedelta

from features._shop import payments_view, source_of

patient = payments_view(
    "patient",
    source_of("late_payments", path="payments", data_delay=timedelta(minutes=5, seconds=30)),
    publish_delay=timedelta(minutes=6, seconds=15),
)
