"""A view with a start, so that Airflow catches up from there; a service and a training set over it."""

from datetime import timedelta

from features._begin import BEGIN
from features._shop import payments, payments_view, source_of

from skewless import FeatureService, TrainingSet

steady = payments_view("steady", payments, start=BEGIN)

paying = FeatureService(name="paying", features=[steady])

chargebacks = TrainingSet(
    name="chargebacks",
    service=paying,
    spine=source_of("chargebacks"),
    schedule="*/5 * * * *",
    label_delay=timedelta(seconds=40),
    settle_timeout=timedelta(minutes=4),
)
