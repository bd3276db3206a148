"""Made-up card transactions and their labels: nulls, late rows and corrections, all from a seed.

Rows depend on the seed and on the anchor, the instant that they surround, and on nothing else. docs/data.md
has the rules.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from examples.flights import INSTANT
from examples.noise import integers, reporting_lag, seconds, uniform

SEED = 7
BEFORE, AFTER = timedelta(days=31), timedelta(days=14)
EVENTS, USERS, MERCHANTS = 196_000, 500, 40
CORRECTED_EVERY, LABELLED_EVERY = 49, 20
UNNUMBERED_EVERY = 490  # a multiple of 49: what has no number is never corrected
REPORTING_SECONDS = (1, 240)
LATE_SECONDS = (600, 12 * 3600)
CORRECTION_SECONDS = (60, 48 * 3600)

TRANSACTIONS = pa.schema(
    [
        ("transaction_id", pa.string()),
        ("user_id", pa.int64()),
        ("amount", pa.float64()),
        ("merchant", pa.string()),
        ("event_timestamp", INSTANT),
        ("created_timestamp", INSTANT),
    ]
)
LABELS = pa.schema([("user_id", pa.int64()), ("event_timestamp", INSTANT), ("fraud", pa.bool_())])


def transactions(anchor: datetime, *, seed: int = SEED) -> pd.DataFrame:
    """200,000 rows: 196,000 transactions around the anchor, and a correction of every 49th."""
    original = _originals(anchor, seed)
    rows = pd.concat([original, _corrections(original, seed)])
    return rows[TRANSACTIONS.names].sort_values(["created_timestamp", "transaction_id"], ignore_index=True)


def labels(anchor: datetime, *, seed: int = SEED) -> pd.DataFrame:
    """What became of every 20th transaction, asked at its instant; one in 50 asks of a user without any."""
    asked = _originals(anchor, seed).iloc[::LABELLED_EVERY]
    stranger = uniform(asked.index, f"{seed}: stranger") < 0.02
    return pd.DataFrame(
        {
            "user_id": asked.user_id + np.where(stranger, USERS, 0),
            "event_timestamp": asked.event_timestamp,
            "fraud": uniform(asked.index, f"{seed}: fraud") < 0.03,
        }
    ).sort_values(["event_timestamp", "user_id"], ignore_index=True)


def _originals(anchor: datetime, seed: int) -> pd.DataFrame:
    ids = np.arange(EVENTS)
    merchants = integers(ids, f"{seed}: merchant", 1, MERCHANTS)
    happened = pd.Series(pd.Timestamp(anchor).as_unit("us") - BEFORE + seconds(_moments(ids, seed)))
    lag = reporting_lag(ids, f"{seed}: lag", REPORTING_SECONDS, late=LATE_SECONDS, late_share=0.03)
    return pd.DataFrame(
        {
            "transaction_id": pd.Series([f"t{i:06d}" for i in ids]).mask(ids % UNNUMBERED_EVERY == 1),
            "user_id": _users(ids, f"{seed}: user"),
            "amount": pd.Series(_amounts(ids, f"{seed}: amount")).mask(
                uniform(ids, f"{seed}: no amount") < 0.05
            ),
            "merchant": pd.Series([f"merchant-{m:02d}" for m in merchants]).mask(
                uniform(ids, f"{seed}: no merchant") < 0.005
            ),
            "event_timestamp": happened,
            "created_timestamp": happened + lag,
        }
    )


def _corrections(original: pd.DataFrame, seed: int) -> pd.DataFrame:
    """A later version of every 49th row: another amount; a fifth has another user, a fifth another time."""
    rows = original.iloc[::CORRECTED_EVERY]
    ids, kind = rows.index, uniform(rows.index, f"{seed}: kind of correction")
    moved = np.where((kind >= 0.2) & (kind < 0.4), integers(ids, f"{seed}: moved", -7200, 7200), 0)
    happened = rows.event_timestamp + seconds(moved)
    reported = rows.created_timestamp + seconds(
        integers(ids, f"{seed}: corrected after", *CORRECTION_SECONDS)
    )
    return rows.assign(
        user_id=np.where(kind < 0.2, _users(ids, f"{seed}: right user"), rows.user_id),
        amount=_amounts(ids, f"{seed}: right amount"),
        event_timestamp=happened,
        created_timestamp=reported.where(reported > happened, happened + timedelta(seconds=1)),
    )


def _moments(ids: npt.ArrayLike, seed: int) -> npt.NDArray[np.int64]:
    """Seconds since the first instant; one in a hundred lies on a whole hour, where intervals end."""
    moments = integers(ids, f"{seed}: moment", 0, int((BEFORE + AFTER).total_seconds()) - 1)
    on_the_hour = uniform(ids, f"{seed}: on the hour") < 0.01
    return np.where(on_the_hour, moments - moments % 3600, moments)


def _users(ids: npt.ArrayLike, salt: str) -> npt.NDArray[np.int64]:
    """Users 1 to 500; the lower the number, the more they buy."""
    drawn = uniform(ids, salt)
    return 1 + np.floor(drawn * drawn * USERS).astype(np.int64)


def _amounts(ids: npt.ArrayLike, salt: str) -> npt.NDArray[np.float64]:
    """1.00 to 500.99, mostly small; by multiplication alone, so that every machine has the same cents."""
    drawn = uniform(ids, salt)
    return (100 + np.floor(drawn * drawn * drawn * 50_000)) / 100
