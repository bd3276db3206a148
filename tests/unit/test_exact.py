"""Sums by hand: exact, rounded once, whatever the order."""

import math
from decimal import Decimal
from itertools import permutations

import numpy as np
import pytest

from skewless.errors import DataError
from skewless.offline.exact import average, sum_floats, sum_integers, total

INF, NAN, LEAST, MOST = math.inf, math.nan, 5e-324, 1.7976931348623157e308


def bits(value: float) -> bytes:
    return np.float64(value).tobytes()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1e16, 1.0, -1e16], 1.0),
        ([0.1] * 10, 1.0),
        ([1e308, 1e308, -1e308], 1e308),
        ([MOST, MOST, -MOST, -MOST, 3.0], 3.0),
        ([1e308, 1e308], INF),
        ([-1e308, -1e308], -INF),
        ([MOST, 2.0**969], MOST),  # less than half a step above the greatest float: rounds down
        ([MOST, 2.0**970], INF),  # half a step: to even, which is out of range
        ([LEAST, LEAST], 1e-323),
        ([1.0, 2.0**-53], 1.0),  # half a step above 1: to even
        ([1.0, 2.0**-53, LEAST], 1.0 + 2.0**-52),  # a hair more than half: up, which two roundings would miss
        ([-0.0, -0.0], 0.0),
        ([1.5, -1.5], 0.0),
        ([], 0.0),
        ([INF, 1.0], INF),
        ([-INF, MOST, MOST], -INF),
        ([INF, -INF], NAN),
        ([INF, -INF, NAN], NAN),
        ([NAN, 1.0], NAN),
    ],
)
def test_a_sum_of_floats_is_the_real_sum_rounded_once(values: list[float], expected: float) -> None:
    for ordered in list(permutations(values))[:24]:
        found = sum_floats(np.array(ordered, dtype=np.float64))
        assert math.isnan(found) if math.isnan(expected) else bits(found) == bits(expected)


def test_float32_values_are_summed_as_the_numbers_that_they_are() -> None:
    tenths = np.array([0.1] * 3, dtype=np.float32)
    assert total(tenths) == 3 * 13421773 / 2**27
    assert average(tenths) == 13421773 / 2**27


def test_a_sum_of_integers_is_exact_or_an_error() -> None:
    most = 2**63 - 1
    assert sum_integers(np.array([most, 1, -1])) == most
    assert sum_integers(np.array([-most, -1])) == -(2**63)
    assert sum_integers(np.array([2**53, 1])) == 2**53 + 1
    for too_much in ([most, 1], [-most, -2]):
        with pytest.raises(
            DataError, match=r"the sum -?9223372036854775\d\d\d of 2 integers does not fit int64"
        ):
            sum_integers(np.array(too_much))


def test_an_average_is_one_division_of_the_sum() -> None:
    assert average(np.array([1e16, 1.0, -1e16])) == 1 / 3
    assert (
        average(np.array([2**62, 2**62, 2**62])) == float(3 * 2**62) / 3
    )  # of int64, although the sum is none
    assert average(np.array([MOST, MOST])) == INF
    assert math.isnan(average(np.array([INF, -INF])))


def test_decimals_are_summed_as_decimals_and_rounded_once() -> None:
    assert (
        total(np.array([Decimal("0.7"), Decimal("0.2")], dtype=object)) == 0.9
    )  # 0.7 + 0.2 of floats is less
    assert average(np.array([Decimal("0.1")] * 3, dtype=object)) == 0.3 / 3
