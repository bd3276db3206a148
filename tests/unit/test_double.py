"""Pairs of floats carry about 100 bits, and tell where that is not enough."""

import random
from fractions import Fraction

import numpy as np

from skewless.offline import double
from skewless.offline.double import Pair, surely_rounded


def exact(pair: Pair) -> list[Fraction]:
    return [Fraction(a) + Fraction(b) for a, b in zip(pair[0].tolist(), pair[1].tolist(), strict=True)]


def test_pairs_are_reckoned_with_to_a_hundred_bits() -> None:
    rng = random.Random(3)
    wholes = [np.array([rng.randint(1, 2**61) for _ in range(200)]) for _ in range(2)]
    a, b = map(double.pair_of, wholes)
    assert exact(a) == wholes[0].tolist()
    for x, y, plus, times, over in zip(
        exact(a),
        exact(b),
        exact(double.plus(a, b)),
        exact(double.times(a, b)),
        exact(double.over(a, b[0])),
        strict=True,
    ):
        assert abs(plus - (x + y)) <= (x + y) / 2**98
        assert abs(times - x * y) <= x * y / 2**98
        assert abs(over - x / Fraction(float(y))) <= x / y / 2**98


def test_a_pair_beside_half_a_step_does_not_surely_round() -> None:
    beside = np.array([2.0**-53, 2.0**-53 - 2.0**-106, 2.0**-54, -(2.0**-55), np.nan])
    pair = np.ones(5), beside
    assert surely_rounded(pair, np.full(5, 2.0**-100)).tolist() == [False, False, True, True, False]
    assert surely_rounded(pair, np.full(5, 2.0**-53)).tolist() == [False] * 5
