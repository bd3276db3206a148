"""The columns that all data sets share, and the instants from which their times are counted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

START = datetime(2025, 1, 1, tzinfo=UTC)  # the first snapshot time
START_MICROS = int(START.timestamp()) * 1_000_000
SECOND, HOUR = 1_000_000, 3_600_000_000
DUE = timedelta(minutes=15)  # the views' publish_delay
DUE_MICROS = 900 * SECOND
FIELDS = tuple(f"f{number}" for number in range(10))
INSTANT = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True)
class Expected:
    """One column of the right answer, in the order of label_id; null where not valid."""

    name: str
    values: npt.NDArray[np.generic]
    valid: npt.NDArray[np.bool_] | None = None


ExpectedColumns = Iterator[Expected]


def instants(micros: Integers) -> pa.Array:
    """Microseconds since 1970 as UTC timestamps."""
    return pa.array(micros).cast(INSTANT)


def numbers(seed: tuple[int, ...], rows: int) -> Floats:
    """Ten columns of random numbers: rows x 10."""
    return np.random.default_rng(seed).standard_normal((rows, len(FIELDS)), dtype=np.float32)


def feature_rows(users: Integers, times: Integers, values: Floats) -> pa.Table:
    """Rows of a view as its source has them: user_id, event_timestamp, f0 to f9."""
    columns = {name: values[:, number] for number, name in enumerate(FIELDS)}
    return pa.table({"user_id": users, "event_timestamp": instants(times), **columns})


def label_rows(users: Integers, times: Integers) -> pa.Table:
    """A spine: label_id (0 to n - 1), user_id, event_timestamp."""
    return pa.table({"label_id": np.arange(len(users)), "user_id": users, "event_timestamp": instants(times)})
