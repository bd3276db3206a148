"""Sums of ranges by hand: exact, rounded once, whatever the order and whatever stands beside."""

import math
import random
from itertools import permutations

import numpy as np
import pytest

from skewless.errors import DataError
from skewless.offline.sums import real_sums, sums_of_floats, sums_of_integers

INF, NAN, LEAST, MOST = math.inf, math.nan, 5e-324, 1.7976931348623157e308


def bits(value: float) -> bytes:
    return np.float64(value).tobytes()


def whole(values: list[float]) -> float:
    return float(sums_of_floats(np.array(values), np.array([0]), np.array([len(values)]))[0])


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
        ([MOST, 2.0**970, -LEAST], MOST),  # a hair less than half a step
        ([LEAST, LEAST], 1e-323),
        ([1.0, 2.0**-53], 1.0),  # half a step above 1: to even
        ([1.0, 2.0**-53, LEAST], 1.0 + 2.0**-52),  # a hair more than half: up, which two roundings would miss
        ([1.0, 2.0**-53, -LEAST], 1.0),
        ([-1.0, -(2.0**-53), -LEAST], -1.0 - 2.0**-52),
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
        found = whole(list(ordered))
        assert math.isnan(found) if math.isnan(expected) else bits(found) == bits(expected)


def test_a_range_is_spoilt_by_nothing_outside_it() -> None:
    values = np.array([1e16, 1.0, INF, 2.0, NAN, 3.0, MOST, -INF, 4.0, LEAST])
    places = np.array([1, 3, 5, 8, 8, 9, 0, 6])
    found = sums_of_floats(values, places, np.array([2, 4, 6, 9, 8, 10, 2, 8]))
    assert [bits(v) for v in found] == [bits(v) for v in (1.0, 2.0, 3.0, 4.0, 0.0, LEAST, 1e16, -INF)]


@pytest.mark.parametrize("sizes", [(-1074, 1023), (-3, 3), (-60, 60), (-1074, -1000), (900, 1023)])
def test_many_ranges_of_floats_of_every_size_are_what_fsum_says(sizes: tuple[int, int]) -> None:
    rng = random.Random(sum(sizes))
    values = [rng.choice([-1, 1]) * rng.random() * 2.0 ** rng.randint(*sizes) for _ in range(400)]
    lo = np.array([rng.randint(0, 400) for _ in range(1000)])
    hi = np.array([rng.randint(place, min(400, place + 60)) for place in lo.tolist()])
    found = sums_of_floats(np.array(values), lo, hi)
    for a, b, total in zip(lo.tolist(), hi.tolist(), found.tolist(), strict=True):
        try:
            assert bits(total) == bits(math.fsum(values[a:b]) + 0.0)
        except OverflowError:
            assert abs(total) > 1e300


def test_a_sum_of_integers_is_exact_or_an_error() -> None:
    most = 2**63 - 1
    found = sums_of_integers(
        np.array([most, 1, -1, -most, -1]), np.array([0, 3, 1, 2]), np.array([3, 5, 2, 2])
    )
    assert found.tolist() == [most, -(2**63), 1, 0]
    for too_much in ([most, 1], [-most, -2]):
        with pytest.raises(
            DataError, match=r"the sum -?9223372036854775\d\d\d of 2 integers does not fit int64"
        ):
            sums_of_integers(np.array(too_much), np.array([0]), np.array([2]))


def test_integers_and_decimals_become_real_sums_with_one_rounding() -> None:
    lo, hi = np.array([0, 1, 0]), np.array([3, 2, 0])
    integers = np.array([2**62, -(2**63), 2**62 + 2**53 + 1])
    assert real_sums(integers, lo, hi, 1).tolist() == [float(2**53 + 1), -(2.0**63), 0.0]
    tenths = np.array([7, 2, 10**30], dtype=object)
    assert real_sums(tenths, np.array([0, 2, 1]), np.array([2, 3, 1]), 10).tolist() == [0.9, 1e29, 0.0]
