"""Aggregates: what they give over nothing, and what is refused."""

from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest

from skewless import agg

DAY = timedelta(days=1)


def test_only_counts_of_nothing_are_numbers():
    assert agg.count(window=DAY).result_of_nothing == 0
    assert agg.count_distinct("amount", window=DAY).result_of_nothing == 0
    assert agg.last_n("amount", 3, window=DAY).result_of_nothing == ()
    assert agg.quantile("amount", 0.5, window=DAY).result_of_nothing is None
    for make in (agg.sum, agg.avg, agg.min, agg.max, agg.stddev, agg.first, agg.last):
        assert make("amount", window=DAY).result_of_nothing is None
        assert make("amount", window=DAY).function == make.__name__


def test_a_quantile_is_the_decimal_that_is_written():
    assert agg.quantile("amount", 0.1, window=DAY).exact_q == Fraction(1, 10)
    assert agg.quantile("amount", 1e-05, window=DAY).exact_q == Fraction(1, 100_000)
    assert agg.sum("amount", window=DAY).exact_q is None


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("median", "(did you mean 'quantile'?)"),
        ("mean", "(did you mean 'avg'?)"),
        ("count_distnct", "(did you mean 'count_distinct'?)"),
        (
            "zzz",
            "its functions are count, sum, avg, min, max, stddev, first, last, last_n, count_distinct, quantile",
        ),
    ],
)
def test_an_unknown_function_is_told_with_what_may_be_meant(name: str, hint: str):
    with pytest.raises(AttributeError, match=f"agg has no '{name}'") as raised:
        getattr(agg, name)
    assert hint in str(raised.value)


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
        (lambda: agg.last_n("a", 0, window=DAY), "last_n with n=0 keeps nothing; n is at least 1"),
        (lambda: agg.last_n("a", True, window=DAY), "a whole number of values, not n=True; give e.g. n=10"),
        (lambda: agg.last_n("a", 2.0, window=DAY), "a whole number of values, not n=2.0"),
        (lambda: agg.quantile("a", 95, window=DAY), "there is no quantile q=95; give a number from 0 to 1"),
        (lambda: agg.quantile("a", -0.1, window=DAY), "there is no quantile q=-0.1"),
        (lambda: agg.quantile("a", float("nan"), window=DAY), "there is no quantile q=nan"),
        (
            lambda: agg.quantile("a", "0.5", window=DAY),
            "a number from 0 to 1, not q='0.5'; 0.5 is the median",
        ),
        (lambda: agg.stddev(None, window=DAY), "stddev needs a column or an SQL expression, not None"),
    ],
)
def test_mistakes_are_told_with_what_would_be_right(aggregate: Any, message: str):
    (problem,) = aggregate().problems()
    assert message in problem


def test_a_right_aggregate_has_no_problem():
    assert not list(agg.count(window=DAY, where="amount > 0").problems())
    assert not list(agg.avg("amount / 100", window=timedelta.resolution, nulls="forward_fill").problems())
