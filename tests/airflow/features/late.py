"""A training set over a view whose runs never end: it waits for its time-out, and builds without."""

from datetime import timedelta

from features._shop import payments, payments_view, source_of

from skewless import FeatureService, TrainingSet

endless = payments_view("endless", payments)

late = TrainingSet(
    name="late",
    service=FeatureService(name="endless_ones", features=[endless]),
    spine=source_of("late_chargebacks", path="chargebacks"),
    schedule="* * * * *",
    label_delay=timedelta(seconds=10),
    settle_timeout=timedelta(seconds=100),
)
