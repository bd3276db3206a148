"""A view of many users: its publish takes long enough to be interrupted."""

from datetime import timedelta

from features._shop import HOURLY, payments_view, source_of

crowd = payments_view("crowd", source_of("crowd"), schedule=HOURLY, window=timedelta(days=1))
