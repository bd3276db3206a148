"""Exact standard deviations and quantiles of many ranges of numbers, each rounded once to float64."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from skewless.offline.double import Pair, exact_sum, over, pair_of, plus, scaled, surely_rounded, times
from skewless.offline.ranges import Flags, Indices, Ranks, counts_before, nth_least
from skewless.offline.sums import Floats, Numbers, digits_of, longest, range_sums

_CHUNK = 1 << 16  # ranges whose sums are Python integers at one time

# -- standard deviations ----------------------------------------------------------------------------------


def deviations(values: Numbers, lo: Indices, hi: Indices, denominator: int) -> Floats:
    """Give the sample standard deviation of each range of two values or more; else NaN, as where one is not finite.

    The variance (n * sum(x * x) - sum(x)**2) / (n * (n - 1)) is an exact fraction; its root is rounded once.
    """
    if values.dtype.kind == "O":
        first, second = range_sums(values, lo, hi), range_sums(values * values, lo, hi)
        return _roots(hi - lo, first, second, 0, denominator**2)
    if values.dtype.kind == "i":
        return _of_digits(values, lo, hi)
    finite = np.isfinite(values)
    found = _of_digits(np.where(finite, values, 0.0), lo, hi)
    strange = counts_before(~finite)
    found[strange[hi] > strange[lo]] = np.nan
    return found


def _of_digits(values: Numbers, lo: Indices, hi: Indices) -> Floats:
    """The sums of digits, and those of products of two digits, make the sums of the values and of their squares."""
    width = (54 - longest(lo, hi).bit_length()) // 2  # eight bits are room for all products in one place
    top, in_places = digits_of(values, width)
    digits = dict(in_places)
    if not digits:
        return np.zeros(len(lo))
    last = max(digits)
    firsts = {place: range_sums(digit, lo, hi) for place, digit in digits.items()}
    seconds = {
        place: range_sums(products, lo, hi)
        for place in range(2 * last + 1)
        if (products := _products(digits, place)) is not None
    }
    exponent = top - width * (last + 1)
    with np.errstate(all="ignore"):
        found, sure = _nearly(hi - lo, _near(firsts, last, width), _near(seconds, 2 * last, width), exponent)
    unsure = np.flatnonzero(~sure & (hi - lo > 1))
    for start in range(0, len(unsure), _CHUNK):
        part = unsure[start : start + _CHUNK]
        first, second = _whole(firsts, last, width, part), _whole(seconds, 2 * last, width, part)
        found[part] = _roots((hi - lo)[part], first, second, exponent, 1)
    return found


def _near(sums: dict[int, Indices], last: int, width: int) -> Pair:
    """The sums of digits in the unit of the last place, to about 100 bits of what was added up."""
    near = pair_of(np.zeros_like(sums[min(sums)]))
    for place in range(last + 1):
        near = scaled(near, 2.0**width)
        near = plus(near, pair_of(sums[place])) if place in sums else near
    return near


def _nearly(counts: Indices, first: Pair, second: Pair, exponent: int) -> tuple[Floats, Flags]:
    """Standard deviations to about 100 bits, and which of them surely round as the exact ones do."""
    above, square = times(pair_of(counts), second), times(first, first)
    pairs = (counts * (counts - 1)).astype(np.float64)
    variance = over(plus(above, scaled(square, -1.0)), pairs)
    high = np.sqrt(variance[0])
    rest = plus(variance, scaled(times((high, 0 * high), (high, 0 * high)), -1.0))
    root = plus((high, 0 * high), (rest[0] / (2 * high), 0 * high))
    doubt = root[0] * 2.0**-96 * (above[0] / (variance[0] * pairs) + 1)
    fits = (pairs < 2.0**53) & (np.abs(np.log2(root[0]) + exponent) < 900)
    return np.ldexp(root[0], exponent), surely_rounded(root, doubt) & fits


def _products(digits: dict[int, Indices], place: int) -> Indices | None:
    """The sum, per value, of the products of two digits whose places add up to this one."""
    products = None
    for one, digit in digits.items():
        if one <= place - one and place - one in digits:
            product = digit * digits[place - one] * (1 if 2 * one == place else 2)
            products = product if products is None else products + product
    return products


def _whole(sums: dict[int, Indices], last: int, width: int, part: Indices) -> Any:
    """The sums of digits as Python integers, in the unit of the last place."""
    whole: Any = 0
    for place in range(last + 1):
        whole = whole << width if place else whole
        whole = whole + sums[place][part].astype(object) if place in sums else whole
    return whole


def _roots(counts: Indices, first: Any, second: Any, exponent: int, denominator: int) -> Floats:
    pairs = counts * (counts - 1)
    spread = (counts.astype(object) * second - first * first) if len(counts) else first
    return np.array(
        [
            root(above, below * denominator, exponent) if below else math.nan
            for above, below in zip(spread.tolist(), pairs.tolist(), strict=True)
        ],
        dtype=np.float64,
    )


def root(above: int, below: int, exponent: int) -> float:
    """Give the square root of above / below, times 2**exponent, rounded once; infinity out of range.

    >>> root(1, 2, 0) == math.sqrt(0.5)
    True
    """
    if not above:
        return 0.0
    shift = max(0, 60 - (above.bit_length() - below.bit_length()) // 2)
    square, rest = divmod(above << 2 * shift, below)
    whole = math.isqrt(square)
    leading = 2 * whole + (rest > 0 or whole * whole != square)  # 60 bits, and whether there are more
    exponent -= shift + 1
    try:
        return float(leading << exponent) if exponent > 0 else leading / (1 << -exponent)
    except OverflowError:
        return math.inf


# -- quantiles --------------------------------------------------------------------------------------------


def quantiles(
    values: Numbers, ranks: Ranks, lo: Indices, hi: Indices, q: Fraction, denominator: int
) -> Floats:
    """Give the quantile of each range, none of them empty: linear between the values beside place (n - 1) * q.

    values  by rank, NaN above all    ranks  the sequence, as places in `values`
    """
    lengths, which = np.unique(hi - lo, return_inverse=True)
    beside = [divmod((n - 1) * q, 1) for n in lengths.tolist()]
    places, weights = (
        np.array([place for place, _ in beside], dtype=np.int64),
        [weight for _, weight in beside],
    )
    above = np.array([weight > 0 for weight in weights], dtype=np.int64)
    lower = values[nth_least(ranks, lo, hi, places[which])]
    upper = values[nth_least(ranks, lo, hi, (places + above)[which])]
    with np.errstate(all="ignore"):
        found, sure = _between(lower, upper, weights, which)
    unsure = np.flatnonzero(~sure)
    for place, below, above in zip(unsure, lower[unsure].tolist(), upper[unsure].tolist(), strict=True):
        found[place] = _exactly(below, above, weights[which[place]], denominator)
    return found + 0.0


def _exactly(lower: float, upper: float, weight: Fraction, denominator: int) -> float:
    (a, b), (c, d) = lower.as_integer_ratio(), upper.as_integer_ratio()
    part, whole = weight.as_integer_ratio()
    return (a * d * (whole - part) + c * b * part) / (b * d * whole * denominator)


def _between(lower: Numbers, upper: Numbers, weights: list[Fraction], which: Indices) -> tuple[Floats, Flags]:
    """Interpolate with twice the precision of float64, and tell where that surely rounds as the exact value does."""
    if lower.dtype.kind == "O":
        return np.empty(len(lower)), np.zeros(len(lower), dtype=np.bool_)
    high = np.array([float(weight) for weight in weights])
    low = np.array([float(weight - Fraction(float(weight))) for weight in weights])[which]
    a, b, high = lower.astype(np.float64), upper.astype(np.float64), high[which]
    fits = np.ones(len(a), dtype=np.bool_)
    if lower.dtype.kind == "i":
        fits = (a.astype(object) == lower) & (b.astype(object) == upper)
    distance = exact_sum(b, -a)
    step = times(distance, (high, low))
    between = plus((a, 0 * a), step)
    sure = surely_rounded(between, 2.0**-96 * (np.abs(a) + np.abs(b)))
    sure &= (np.abs(step[0]) > 2.0**-900) & fits
    same, strange = a == b, ~(np.isfinite(a) & np.isfinite(b))
    found = np.where(strange, np.where(high > 0, a * (1 - high) + b * high, a), between[0])
    found = np.where(same & fits, a, found)
    return found, sure | (same & fits) | strange
