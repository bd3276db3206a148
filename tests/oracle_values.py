"""What the oracle makes of values: their order, null rules, exact arithmetic, casts. Nothing comes from skewless."""

from __future__ import annotations

import math
import statistics
import struct
from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any

BOUNDS = {"int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1)}
NUMBERS = (bool, int, float)
ACCEPTS: dict[str, tuple[type, ...]] = dict.fromkeys(
    ("int32", "int64", "float32", "float64", "bool"), NUMBERS
)
ACCEPTS |= {"string": (str, bool, int), "timestamp": (datetime,)}  # of the rest the oracle has no opinion


class OracleOverflow(ArithmeticError):
    """A whole number left the range of its type: the engine must fail, not wrap."""


def order(value: Any) -> tuple[Any, ...]:
    """A key that sorts nulls first, -0.0 below 0.0, and NaN above all numbers."""
    if value is None:
        return (0,)
    if isinstance(value, float):
        return (2,) if math.isnan(value) else (1, value, math.copysign(1.0, value))
    return (1, value)


def null_rule(rule: str, values: Sequence[Any], zero: float) -> list[Any]:
    """Values, oldest first, as the rule has them."""
    treated, last = [], None
    for value in values:
        filled = {"skip": None, "zero": zero, "forward_fill": last}[rule] if value is None else value
        last = filled
        treated.append(filled)
    return treated


def float_sum(values: Sequence[float]) -> float:
    """The real sum, rounded once; infinities and NaN as IEEE 754 has them; zero is 0.0."""
    endless = {value for value in values if math.isinf(value)}
    if any(math.isnan(value) for value in values) or len(endless) == 2:
        return math.nan
    if endless:
        return endless.pop()
    total = sum((Fraction(value) for value in values), Fraction(0))
    try:
        return float(total)
    except OverflowError:  # it would round to infinity
        return math.inf if total > 0 else -math.inf


def deviation(values: Sequence[float]) -> float | None:
    """The sample's standard deviation: the root of the exact variance, rounded once."""
    if len(values) < 2:
        return None
    if not all(map(math.isfinite, values)):
        return math.nan
    try:
        return float(statistics.stdev(map(Fraction, values)))
    except OverflowError:  # it would round to infinity
        return math.inf


def quantile(values: Sequence[float], q: str) -> float:
    """Linear between the two sorted values beside (n - 1) * q, in rational numbers; infinities as IEEE 754."""
    ordered, place = sorted(values, key=order), (len(values) - 1) * Fraction(q)
    below, above = ordered[math.floor(place)], ordered[math.ceil(place)]
    weight = place - math.floor(place)
    if below == above or weight == 0:
        return float(below) + 0.0
    if not (math.isfinite(below) and math.isfinite(above)):
        return below * 0.5 + above * 0.5  # whatever the weights are
    return (
        float(Fraction(below) * (1 - weight) + Fraction(above) * weight) + 0.0
    )  # no -0.0, if it rounds to zero


def cast(value: Any, dtype: str) -> Any:
    """The value as `dtype`; null stays null, floats lose their fraction, NaN is the one canonical NaN."""
    if value is None:
        return None
    if dtype.startswith("array<"):
        return tuple(cast(item, dtype[len("array<") : -1]) for item in value)
    if dtype in BOUNDS and isinstance(value, float) and not math.isfinite(value):
        raise OracleOverflow(f"{value} is no {dtype}")
    accepted = isinstance(value, ACCEPTS[dtype])
    if not accepted:
        raise TypeError(f"the oracle does not say what {value!r} is as {dtype}")
    if dtype in BOUNDS:
        return in_range(int(value), dtype)
    if dtype in ("float32", "float64"):
        return to_float32(value) if dtype == "float32" else canonical(float(value))
    if dtype == "string" and not isinstance(value, str):
        return str(value).lower()  # 12, true
    return bool(value) if dtype == "bool" else value


def to_float32(value: float) -> float:
    """The nearest float32, as a Python float; beyond its range, infinity."""
    if isinstance(value, int) and abs(value) > 2**53:
        raise ValueError(f"{value} would be rounded twice; the oracle does not say what becomes of it")
    try:
        return canonical(struct.unpack("<f", struct.pack("<f", value))[0])
    except OverflowError:
        return math.copysign(math.inf, value)


def canonical(value: float) -> float:
    """The value, NaN with the one canonical pattern of bits."""
    return math.nan if math.isnan(value) else value


def in_range(value: int, dtype: str) -> int:
    """The whole number, if its type can hold it."""
    lowest, highest = BOUNDS[dtype]
    if not lowest <= value <= highest:
        raise OracleOverflow(f"{value} is no {dtype}")
    return value


def bits(value: Any) -> Any:
    """The value so that `==` means the same bits: floats as 8 bytes, anything else with its type."""
    if isinstance(value, list | tuple):
        return ("array", [bits(item) for item in value])
    return struct.pack("<d", canonical(value)) if isinstance(value, float) else (type(value).__name__, value)
