"""A view that is taken away while Airflow runs."""

from features._shop import HOURLY, payments, payments_view

doomed = payments_view("doomed", payments, schedule=HOURLY)
