"""Reckoning with pairs of float64 whose sum is meant: about 100 bits, and a way to tell whether they round surely.

The algorithms of Dekker (1971) and Knuth, as Hida, Li and Bailey (2001) put them together. Out of range a pair
becomes NaN, which never rounds surely.
"""

from __future__ import annotations

from skewless.offline.ranges import Flags, Indices
from skewless.offline.sums import Floats

Pair = tuple[Floats, Floats]


def pair_of(values: Indices) -> Pair:
    """Whole numbers of at most 62 bits, exactly."""
    high = values.astype("float64")
    return high, (values - high.astype("int64")).astype("float64")


def plus(a: Pair, b: Pair) -> Pair:
    """The sum."""
    high, low = exact_sum(a[0], b[0])
    return _tidy(high, low + (a[1] + b[1]))


def times(a: Pair, b: Pair) -> Pair:
    """The product."""
    high, low = _exact_product(a[0], b[0])
    return _tidy(high, low + (a[0] * b[1] + a[1] * b[0]))


def over(a: Pair, divisor: Floats) -> Pair:
    """The quotient by a float64."""
    high = a[0] / divisor
    product, lost = _exact_product(high, divisor)
    return _tidy(high, ((a[0] - product) - lost + a[1]) / divisor)


def scaled(a: Pair, factor: float) -> Pair:
    """The product with a power of two."""
    return a[0] * factor, a[1] * factor


def surely_rounded(a: Pair, doubt: Floats) -> Flags:
    """Whether every number that is no farther from the pair than that rounds to its first part."""
    high, low = a
    sure: Flags = (high + (low + doubt) == high) & (high + (low - doubt) == high)
    return sure


def exact_sum(a: Floats, b: Floats) -> Pair:
    """The sum, and what it lost to rounding."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def _exact_product(a: Floats, b: Floats) -> Pair:
    """The product, and what it lost to rounding, unless that is below all floats."""
    product = a * b
    (a1, a2), (b1, b2) = _halves(a), _halves(b)
    return product, ((a1 * b1 - product) + a1 * b2 + a2 * b1) + a2 * b2


def _halves(a: Floats) -> Pair:
    wide = a * 134217729.0
    high = wide - (wide - a)
    return high, a - high


def _tidy(high: Floats, low: Floats) -> Pair:
    total = high + low
    return total, low - (total - high)
