"""Standard deviations and quantiles of ranges, against rational arithmetic."""

import math
import random
import statistics
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from skewless.offline.spread import deviations, quantiles, root

INF, NAN, MOST, LEAST = math.inf, math.nan, 1.7976931348623157e308, 5e-324


def deviation(*values: Any, denominator: int = 1, kind: Any = None) -> float:
    found = deviations(np.array(values, dtype=kind), np.array([0]), np.array([len(values)]), denominator)
    return float(found[0])


def quantile(q: str, *values: Any, denominator: int = 1, kind: Any = None) -> float:
    ranks = np.arange(len(values), dtype=np.int32)
    ends = np.array([0]), np.array([len(values)])
    return float(quantiles(np.array(values, dtype=kind), ranks, *ends, Fraction(q), denominator)[0])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([3.0, 1.0, 4.0, 2.0], 1.2909944487358056),
        ([5.0, 5.0, 5.0], 0.0),
        ([0.0, -0.0], 0.0),
        ([1e16, 1e16 + 2], math.sqrt(2.0)),
        ([LEAST, 3 * LEAST], LEAST),  # 1.41 of the least float
        ([MOST, -MOST], INF),
        ([2.0**1023, 0.0], math.ldexp(math.sqrt(0.5), 1023)),  # whose variance is far out of range
        ([2.0**-700, 0.0], math.ldexp(math.sqrt(0.5), -700)),
        ([INF, 1.0], NAN),
        ([NAN, 1.0, 2.0], NAN),
    ],
)
def test_a_deviation_is_the_root_of_the_exact_variance(values: list[float], expected: float) -> None:
    found = deviation(*values)
    assert math.isnan(found) if math.isnan(expected) else found == expected


@pytest.mark.parametrize("sizes", [(-1074, 1000), (-3, 3), (0, 0), (-300, -200), (400, 600)])
def test_many_deviations_are_what_rational_arithmetic_says(sizes: tuple[int, int]) -> None:
    rng = random.Random(sum(sizes))
    values = [rng.choice([-1, 1, 1000]) * rng.random() * 2.0 ** rng.randint(*sizes) for _ in range(200)]
    values += [round(rng.uniform(0, 100), 2) for _ in range(200)]
    lo = np.array([rng.randint(0, 398) for _ in range(300)])
    hi = np.minimum(lo + 2 + np.array([rng.randint(0, 30) for _ in lo]), 400)
    found = deviations(np.array(values), lo, hi, 1)
    for a, b, said in zip(lo.tolist(), hi.tolist(), found.tolist(), strict=True):
        assert said == float(statistics.stdev(map(Fraction, values[a:b])))


def test_a_root_beside_half_a_step_rounds_by_what_lies_beyond() -> None:
    half = 2**53 + 1  # between 2**53 and 2**53 + 2
    assert [root(half**2 + more, 1, 0) for more in (-1, 0, 1)] == [2.0**53, 2.0**53, 2.0**53 + 2]
    assert root(4 * half**2 + 1, 4, -1100) == math.ldexp(2.0**53 + 2, -1100)


def test_integers_and_decimals_deviate_exactly() -> None:
    assert deviation(2**63 - 1, -(2**63)) == statistics.stdev([Fraction(2**63 - 1), Fraction(-(2**63))])
    assert deviation(2**53 + 1, 2**53, 2**53 - 1) == 1.0
    assert deviation(10**30 + 2, 10**30, denominator=10, kind=object) == math.sqrt(0.02)


@pytest.mark.parametrize(
    ("q", "values", "expected"),
    [
        ("0.5", [1.0, 2.0, 3.0, 4.0], 2.5),
        ("0.1", [1.0, 2.0, 3.0, 4.0], 1.3),
        ("0", [1.0, 9.0], 1.0),
        ("1", [1.0, 9.0], 9.0),
        ("0.5", [-0.0], 0.0),
        ("0.5", [-1.0, 1.0], 0.0),
        (
            "0.1",
            [float(n) for n in range(11)],
            1.0,
        ),  # a tenth of ten is a place, as 0.1 * 10 in floats is by luck
        ("0.3", [float(n) for n in range(11)], 3.0),  # and 0.3 * 10 is not
        ("0.5", [MOST, MOST], MOST),
        ("0.5", [-MOST, MOST], 0.0),
        ("0.5", [LEAST, 2 * LEAST], 2 * LEAST),  # half a step: to even
        ("0.9", [-LEAST, 0.0], 0.0),  # it rounds to zero, which has no sign
        ("0.5", [-INF, 1.0], -INF),
        ("0.5", [-INF, INF], NAN),
        ("0.5", [1.0, NAN], NAN),
        ("0", [1.0, NAN], 1.0),
        ("0.5", [INF, INF], INF),
    ],
)
def test_a_quantile_lies_on_the_line_between_two_values(q: str, values: list[float], expected: float) -> None:
    found = quantile(q, *values)
    assert (
        math.isnan(found) if math.isnan(expected) else math.copysign(1, found) == math.copysign(1, expected)
    )
    assert math.isnan(expected) or found == expected


def test_many_quantiles_are_what_rational_arithmetic_says() -> None:
    rng = random.Random(5)
    values = sorted(rng.choice([rng.uniform(-1, 1), round(rng.uniform(0, 9), 1)]) for _ in range(50))
    for q in ("0.5", "0.95", "0.333333333333", "1e-05", "0.1234567890123456"):
        for length in range(1, 50):
            place = (length - 1) * Fraction(q)
            below, above = Fraction(values[math.floor(place)]), Fraction(values[math.ceil(place)])
            exact = below + (above - below) * (place - math.floor(place))
            assert quantile(q, *values[:length]) == float(exact)


def test_quantiles_half_a_step_between_floats_go_to_the_even_one() -> None:
    rng = random.Random(8)
    cents = sorted(
        round(rng.uniform(0, 300), 2) for _ in range(2000)
    )  # nine tenths of the way is a tie in one of ten
    ends = np.arange(2000), np.minimum(np.arange(2000) + 2, 2000)
    ranks = np.arange(2000, dtype=np.int32)
    found = quantiles(np.array(cents), ranks, *ends, Fraction("0.9"), 1).tolist()
    exact = [float(Fraction(a) + (Fraction(b) - Fraction(a)) * Fraction("0.9")) for a, b in pairwise(cents)]
    assert found[:-1] == exact


def test_quantiles_of_integers_and_decimals_are_exact() -> None:
    assert quantile("0.5", 2**53, 2**53 + 2) == float(2**53 + 1)
    assert quantile("0.5", 2**62 - 1, 2**62 + 1) == 2.0**62
    assert quantile("0", 2**53 + 1, 2**53 + 2) == float(2**53)
    assert quantile("0.5", 1, 2, denominator=10, kind=object) == 0.15
