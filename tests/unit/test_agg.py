"""Aggregates: what they give over nothing, and what is refused."""

from datetime import timedelta
from typing import Any

import pytest

from skewless import agg

DAY = timedelta(days=1)


def test_only_a_count_of_nothing_is_a_number():
    assert agg.count(window=DAY).result_of_nothing == 0
    for make in (agg.sum, agg.avg, agg.min, agg.max, agg.first, agg.last):
        assert make("amount", window=DAY).result_of_nothing is None
        assert make("amount", window=DAY).function == make.__name__


@pytest.mark.parametrize(
    ("aggregate", "message"),
    [
        (
            lambda: agg.sum("a", window=timedelta(0)),
            "window=0:00:00 of sum is empty; it must be longer than zero",
        ),
        (lambda: agg.sum("a", window=-DAY), "of sum is empty"),
        (lambda: agg.sum("a", window=3600), "window=3600 of sum is none; give e.g. timedelta(hours=1)"),
        (
            lambda: agg.sum("a", window=DAY, nulls="ffill"),
            "'ffill' is no null rule; use one of skip, zero, forward_fill",
        ),
        (lambda: agg.count(window=DAY, nulls="zero"), "a count of rows has no nulls to treat"),
        (lambda: agg.avg("", window=DAY), "avg needs a column or an SQL expression, not ''"),
        (lambda: agg.avg(7, window=DAY), "avg needs a column or an SQL expression, not 7"),
        (lambda: agg.avg(None, window=DAY), "avg needs a column or an SQL expression, not None"),
        (lambda: agg.count(window=DAY, where=" "), "where=' ' is no condition"),
    ],
)
def test_mistakes_are_told_with_what_would_be_right(aggregate: Any, message: str):
    (problem,) = aggregate().problems()
    assert message in problem


def test_a_right_aggregate_has_no_problem():
    assert not list(agg.count(window=DAY, where="amount > 0").problems())
    assert not list(agg.avg("amount / 100", window=timedelta.resolution, nulls="forward_fill").problems())
