"""Chance that is the same everywhere: numbers drawn from a row's own number, not from a generator's state."""

from __future__ import annotations

import zlib

import numpy as np
import numpy.typing as npt
import pandas as pd

GOLDEN_GAMMA = np.uint64(0x9E3779B97F4A7C15)

LATE_SHARE = 0.02
LATE_SECONDS = (30 * 60, 6 * 3600)


def uniform(ids: npt.ArrayLike, salt: str) -> npt.NDArray[np.float64]:
    """Give one number in [0, 1) for each integer; equal for an equal id and salt, on every machine.

    SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).

    >>> uniform([0, 1], "example").round(6).tolist()
    [0.404373, 0.59355]
    """
    seed = np.uint64(zlib.crc32(salt.encode()))
    with np.errstate(over="ignore"):
        z = (np.asarray(ids, dtype=np.uint64) + np.uint64(1) + (seed << np.uint64(32))) * GOLDEN_GAMMA
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(11)).astype(np.float64) * 2.0**-53


def integers(ids: npt.ArrayLike, salt: str, low: int, high: int) -> npt.NDArray[np.int64]:
    """Give one integer in [low, high] for each id."""
    return low + np.floor(uniform(ids, salt) * (high - low + 1)).astype(np.int64)


def seconds(count: npt.ArrayLike) -> pd.TimedeltaIndex:
    """Give whole seconds as durations of microsecond precision."""
    return pd.to_timedelta(np.asarray(count), unit="s").as_unit("us")


def reporting_lag(
    ids: npt.ArrayLike,
    salt: str,
    usual: tuple[int, int],
    *,
    late: tuple[int, int] = LATE_SECONDS,
    late_share: float = LATE_SHARE,
) -> pd.TimedeltaIndex:
    """Give how long after its event each row became known, in whole seconds.

    usual, late   shortest and longest lag in seconds, both included
    late_share    the share of rows whose lag is a late one
    """
    is_late = uniform(ids, f"{salt}: late?") < late_share
    lag = np.where(is_late, integers(ids, f"{salt}: late", *late), integers(ids, f"{salt}: usual", *usual))
    return seconds(lag)
