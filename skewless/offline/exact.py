"""Sums that do not depend on order: the exact real sum, rounded once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from skewless.errors import DataError

INT64 = range(-(2**63), 2**63)


def sum_floats(values: npt.NDArray[np.float64]) -> float:
    """Give the exact real sum rounded once to float64; +-infinity out of range; 0.0 where it is zero.

    Infinities and NaN are counted apart and follow IEEE 754. `math.fsum` (Shewchuk's algorithm, 1997) is exact
    and correctly rounded, but gives up where a partial sum leaves the range of float64; fractions do not.

    >>> sum_floats(np.array([1e16, 1.0, -1e16]))
    1.0
    >>> sum_floats(np.array([1e308, 1e308, -1e308]))
    1e+308
    >>> sum_floats(np.array([-1e308, -1e308]))
    -inf
    """
    finite = np.isfinite(values)
    if not finite.all():
        return float(sum(values[~finite].tolist()))
    numbers = values.tolist()
    try:
        return math.fsum(numbers) + 0.0
    except OverflowError:
        return _sum_by_fractions(numbers)


def _sum_by_fractions(numbers: Sequence[float | Decimal]) -> float:
    total = sum(map(Fraction, numbers), Fraction(0))
    try:
        return float(total)
    except OverflowError:
        return math.inf if total > 0 else -math.inf  # copysign would ask for a float of the total


def sum_integers(values: npt.NDArray[np.int64]) -> int:
    """Give the exact sum of int64 values; DataError where it is no int64.

    >>> sum_integers(np.array([2**62, 2**62, -2**62]))
    4611686018427387904
    """
    total: int = sum(values.tolist())
    if total not in INT64:
        raise DataError(
            f"the sum {total} of {len(values)} integers does not fit int64; "
            "sum them as floats, e.g. agg.sum('CAST(n AS DOUBLE)', ...)"
        )
    return total


Numbers = npt.NDArray[np.float64] | npt.NDArray[np.int64] | npt.NDArray[Any]  # of objects: of decimals


def total(values: Numbers) -> int | float:
    """Give the exact sum: of integers as an integer, of floats and decimals rounded once to float64.

    >>> total(np.array([Decimal("0.7"), Decimal("0.2")]))
    0.9
    """
    if values.dtype.kind == "i":
        return sum_integers(values.astype(np.int64, copy=False))
    return _real_sum(values)


def average(values: Numbers) -> float:
    """Divide the exact sum, rounded once to float64, by the number of values."""
    whole = float(sum(values.tolist())) if values.dtype.kind == "i" else _real_sum(values)
    return whole / len(values)


def _real_sum(values: npt.NDArray[Any]) -> float:
    if values.dtype.kind == "O":
        return _sum_by_fractions(values.tolist())
    return sum_floats(values.astype(np.float64, copy=False))
