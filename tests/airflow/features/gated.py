"""A view whose source somebody can break."""

from datetime import timedelta

from features._shop import HOURLY, payments_view, source_of

from skewless import Expectation

gated = payments_view(
    "gated",
    source_of("orders"),
    schedule=HOURLY,
    window=timedelta(hours=3),
    expectations=[Expectation("expect_column_values_to_be_between", column="amount", min_value=0)],
)
