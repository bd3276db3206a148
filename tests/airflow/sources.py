"""The small sources of the tests' world: payments of a few users, one a minute."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from skewless.plan.uris import under
from skewless.settings import Settings

USERS = 5
_INSTANT = pa.timestamp("us", tz="UTC")
_SCHEMA = pa.schema(
    [
        ("user_id", pa.int64()),
        ("amount", pa.float64()),
        ("event_timestamp", _INSTANT),
        ("created_timestamp", _INSTANT),
    ]
)


def write(settings: Settings, source: str, rows: pa.Table, mode: Any = "overwrite") -> None:
    """Put rows into a source, in place of its rows or, with `append`, beside them."""
    write_deltalake(under(settings.warehouse, f"sources/{source}"), rows, mode=mode)


def read(settings: Settings, source: str) -> list[dict[str, Any]]:
    """The rows of a source."""
    rows: list[dict[str, Any]] = (
        DeltaTable(under(settings.warehouse, f"sources/{source}")).to_pyarrow_table().to_pylist()
    )
    return rows


def payments(first: datetime, last: datetime) -> pa.Table:
    """One payment a minute, each user in turn; every seventh is told of three minutes late."""
    minutes = range(int((last - first).total_seconds()) // 60)
    return pa.Table.from_pylist(
        [
            payment(
                minute % USERS + 1,
                float(minute * 37 % 101) + 0.5,
                first + timedelta(minutes=minute, seconds=20),
                late=timedelta(minutes=3) if minute % 7 == 0 else timedelta(seconds=1),
            )
            for minute in minutes
        ],
        schema=_SCHEMA,
    )


def payment(
    user: int, amount: float, event: datetime, *, late: timedelta = timedelta(seconds=1)
) -> dict[str, Any]:
    """A row of the source."""
    return {
        "user_id": user,
        "amount": amount,
        "event_timestamp": event,
        "created_timestamp": event + late,
    }


def rows(*given: dict[str, Any]) -> pa.Table:
    """Rows as a table."""
    return pa.Table.from_pylist(list(given), schema=_SCHEMA)


def crowd(users: int, event: datetime) -> pa.Table:
    """One payment by each of many users, all at once."""
    return pa.table(
        {
            "user_id": np.arange(users),
            "amount": np.arange(users) / 4,
            "event_timestamp": pa.repeat(pa.scalar(event, _INSTANT), users),
            "created_timestamp": pa.repeat(pa.scalar(event, _INSTANT), users),
        },
        schema=_SCHEMA,
    )
