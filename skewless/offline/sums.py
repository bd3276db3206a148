"""Exact sums of many ranges of numbers at once, in linear time, each rounded once to float64.

A number is written in digits of so many bits, from the column's highest bit on. A digit fits int64 with room for the
longest range, so prefix sums of each digit give the digit's sum over every range without an error: where a prefix
sum itself leaves int64 it wraps around, which the difference of two does not notice.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from skewless.errors import DataError
from skewless.offline.ranges import Flags, Indices, counts_before

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[Any]  # of float64, of int64, or of Python integers: decimals without their point

_MANTISSA, _WORD = 52, 62  # the bits of a float64 that a digit may hold; those of int64 that sums may fill


def sums_of_floats(values: Floats, lo: Indices, hi: Indices) -> Floats:
    """Give the exact real sum of each range, rounded once; +-infinity out of range, 0.0 where it is zero.

    Infinities and NaN are counted apart and follow IEEE 754, so that they spoil no other range.

    >>> sums_of_floats(np.array([1e16, 1.0, -1e16]), np.array([0, 1, 2]), np.array([3, 2, 2]))
    array([1., 1., 0.])
    """
    finite = np.isfinite(values)
    if finite.all():
        return _finite_sums(values, lo, hi)
    sums = _finite_sums(np.where(finite, values, 0.0), lo, hi)
    up, down = _meets(values == np.inf, lo, hi), _meets(values == -np.inf, lo, hi)
    sums[up], sums[down] = np.inf, -np.inf
    sums[(up & down) | _meets(np.isnan(values), lo, hi)] = np.nan
    return sums


def _meets(flags: Flags, lo: Indices, hi: Indices) -> Flags:
    before = counts_before(flags)
    met: Flags = before[hi] > before[lo]
    return met


def _finite_sums(values: Floats, lo: Indices, hi: Indices) -> Floats:
    width = min(_MANTISSA, _WORD - longest(lo, hi).bit_length())
    top, digits = digits_of(values, width)
    return rounded({place: range_sums(digit, lo, hi) for place, digit in digits}, top, width, len(lo))


def longest(lo: Indices, hi: Indices) -> int:
    """The length of the longest range."""
    return int((hi - lo).max(initial=0))


def range_sums(values: Numbers, lo: Indices, hi: Indices) -> Indices:
    """Sum each range of whole numbers, modulo 2**64."""
    prefix = np.zeros(len(values) + 1, dtype=values.dtype)
    np.cumsum(values, out=prefix[1:])
    sums: Indices = prefix[hi] - prefix[lo]
    return sums


def digits_of(values: Numbers, width: int) -> tuple[int, Iterator[tuple[int, Indices]]]:
    """Write finite floats, or int64, in digits: the bits that they reach up to, and (place, digit) from the highest.

    A value is the sum of digit * 2**(top - width * (place + 1)); its digits have its sign, and |digit| < 2**width.
    Places at which all digits are zero are left out.
    """
    if values.dtype.kind == "i":
        top = width * -(-_largest(values).bit_length() // width)
        return top, _integer_digits(values, top, width)
    top = _reach(values)
    return top, _float_digits(values, top, width)


def _integer_digits(values: Indices, top: int, width: int) -> Iterator[tuple[int, Indices]]:
    magnitude, sign = (
        np.abs(values).view(np.uint64),
        np.sign(values),
    )  # of -2**63 too, as a number without a sign
    for place in range(top // width):
        digit = (magnitude >> (top - width * (place + 1))) & ((1 << width) - 1)
        if digit.any():
            yield place, digit.astype(np.int64) * sign


def _reach(values: Floats) -> int:
    return int(np.frexp(max(values.max(initial=0.0), -values.min(initial=0.0)))[1])


def _float_digits(rest: Floats, top: int, width: int) -> Iterator[tuple[int, Indices]]:
    """Cut the highest digits off until nothing is left; scaling by a power of two and the differences are exact."""
    while rest.any():
        place = (top - _reach(rest)) // width
        exponent = top - width * (place + 1)
        digit = _scaled(rest, -exponent).astype(np.int64)
        yield place, digit
        rest = rest - _scaled(digit.astype(np.float64), exponent)


def _scaled(values: Floats, exponent: int) -> Floats:
    """Multiply by 2**exponent, which is no float itself when it is large."""
    scaled: Floats = values * 2.0**exponent if abs(exponent) < 1000 else np.ldexp(values, exponent)
    return scaled


def rounded(sums: dict[int, Indices], top: int, width: int, count: int) -> Floats:
    """Round the numbers whose digits, in the places of `digits_of`, are these sums: half to even, once.

    sums  per place: |sum| < 2**62, of any signs; a place that is absent is zero
    """
    places = [sums.get(place, np.zeros(count, dtype=np.int64)) for place in range(max(sums, default=0) + 1)]
    carried = _carried(places, width)
    negative = carried[0] < 0
    if negative.any():
        carried = _carried([np.where(negative, -place, place) for place in places], width)
    leading, scale, inexact = _leading_bits(carried, top - width, width)
    with np.errstate(over="ignore"):
        found = np.ldexp((leading | inexact).astype(np.float64), scale)
    return np.where(negative, -found, found)


def _carried(places: list[Indices], width: int) -> list[Indices]:
    """The same numbers with every digit but the highest in 0 <= digit < 2**width."""
    carried: list[Indices] = []
    carry: Any = 0
    for place in reversed(places[1:]):
        place = place + carry
        carried.append(place & ((1 << width) - 1))
        carry = place >> width
    return [places[0] + carry, *reversed(carried)]


def _leading_bits(places: list[Indices], exponent: int, width: int) -> tuple[Indices, Indices, Flags]:
    """The leading bits of numbers that are not negative, their unit's exponent, and whether lower bits are set.

    At least 60 bits, or all that there are: so a lowest bit that stands for all that follow rounds as they would.
    """
    leading, scale = places[0], np.full(len(places[0]), exponent, dtype=np.int64)
    inexact = np.zeros(len(leading), dtype=np.bool_)
    for place in places[1:]:
        room = np.maximum(_WORD - np.frexp(leading.astype(np.float64))[1], 0)
        taken = np.minimum(room, width).astype(np.int64)
        left = width - taken
        leading = (leading << taken) | (place >> left)
        inexact = inexact | ((place & ((np.int64(1) << left) - 1)) != 0)
        scale = scale - taken
    return leading, scale, inexact


def sums_of_integers(values: Indices, lo: Indices, hi: Indices) -> Indices:
    """Give the exact sum of each range of int64; DataError where one is no int64.

    >>> sums_of_integers(np.array([2**62, 2**62, -2**62]), np.array([0]), np.array([3]))
    array([4611686018427387904])
    """
    sums = range_sums(values, lo, hi)
    if _largest(values) * longest(lo, hi) >= 2**63:
        high, low = (range_sums(digit, lo, hi) for digit in (values >> 32, values & 0xFFFFFFFF))
        wrong = np.flatnonzero((high + (low >> 32)) != (sums >> 32))
        if len(wrong):
            at = wrong[0]
            total = (int(high[at]) << 32) + int(low[at])
            raise DataError(
                f"the sum {total} of {hi[at] - lo[at]} integers does not fit int64; "
                "sum them as floats, e.g. agg.sum('CAST(n AS DOUBLE)', ...)"
            )
    return sums


def _largest(values: Indices) -> int:
    return max(int(values.max(initial=0)), -int(values.min(initial=0)))


def real_sums(values: Numbers, lo: Indices, hi: Indices, denominator: int) -> Floats:
    """Give the exact sum of each range, rounded once to float64: of floats, of int64, or of decimals.

    denominator  what decimals were multiplied with to be Python integers
    """
    if values.dtype.kind == "f":
        return sums_of_floats(values, lo, hi)
    if values.dtype.kind == "i":
        top, digits = digits_of(values, 32)
        return rounded({place: range_sums(digit, lo, hi) for place, digit in digits}, top, 32, len(lo))
    totals = range_sums(values, lo, hi)
    return np.array([int(total) / denominator for total in totals], dtype=np.float64)
