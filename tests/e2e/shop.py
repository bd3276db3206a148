"""A small project as a user has it: definitions, sources, settings, and the command line; good views and bad ones."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import redis
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError, TableNotFoundError

from tests.e2e.world import World, hours_ago

DEFINITIONS = """
from datetime import timedelta

from skewless import DeltaSource, Entity, FeatureService, FeatureView, Field, agg
from skewless.types import Float64, Int32, Int64, String

user = Entity(name="user", join_keys=["user_id"])
DAY = timedelta(days=1)


def source(name, timestamp_field="event_timestamp", **more):
    return DeltaSource(name=name, path=f"sources/{name}", timestamp_field=timestamp_field, **more)


def view(name, source, *fields, **more):
    return FeatureView(name=name, entities=[user], source=source, schedule="@hourly",
                       publish_delay=timedelta(minutes=10), schema=list(fields), **more)


purchases = source("purchases")
spending = view("spending", purchases, Field(name="amount_1d", dtype=Float64, value=agg.sum("amount", window=DAY)),
                Field(name="purchases_1d", dtype=Int64, value=agg.count(window=DAY)),
                Field(name="shop", dtype=String))
offline = view("offline", purchases, Field(name="shop", dtype=String), online=False)
shop_v1 = FeatureService(name="shop_v1", features=[spending])

amount = Field(name="amount", dtype=Float64)
lost = view("lost", source("lost"), amount)
corrupt = view("corrupt", source("corrupt"), amount)
broken_log = view("broken_log", source("broken_log"), amount)
no_table = view("no_table", DeltaSource(name="no_table", table="nowhere", timestamp_field="event_timestamp"), amount)
timeless = view("timeless", source("purchases_by_hour", "event_timestmp"), amount)
wordy = view("wordy", source("wordy", "shop"), amount)
uncreated = view("uncreated", source("uncreated", created_timestamp_column="created"), amount)
nameless = view("nameless", source("nameless", event_id=["purchase"]), amount)
typo = view("typo", purchases, Field(name="total", dtype=Float64, value="amont * 2"))
mixed = view("mixed", purchases, Field(name="total", dtype=Float64, value="amount * true"))
misfit = view("misfit", purchases, Field(name="shop", dtype=Float64))
unsummable = view("unsummable", purchases, Field(name="n", dtype=Float64, value=agg.sum("shop", window=DAY)))
overflowing = view("overflowing", purchases, Field(name="n", dtype=Int64, value=agg.sum("huge", window=DAY)))
narrow = view("narrow", purchases, Field(name="n", dtype=Int32, value=agg.max("huge", window=DAY)))
uncastable = view("uncastable", purchases, Field(name="n", dtype=Int32, value="CAST(shop AS INT)"))
keyed_by_float = view("keyed_by_float", source("keyed_by_float"), amount)
keyless = view("keyless", source("keyless"), amount)
empty = view("empty", source("empty"), amount)
"""

INSTANT = pa.timestamp("us", tz="UTC")
PURCHASES = pa.schema(
    [
        ("user_id", pa.int64()),
        ("event_timestamp", INSTANT),
        ("amount", pa.float64()),
        ("shop", pa.string()),
        ("huge", pa.int64()),
    ]
)
AT = hours_ago(1)


class Shop(World):
    """The project; what is done to its folder and its keys can be told."""

    def supply(self, name: str, *rows: Mapping[str, Any], schema: pa.Schema = PURCHASES) -> Path:
        """Write a source anew, and give its folder."""
        folder = Path(self.settings.warehouse) / "sources" / name
        table = pa.Table.from_pylist([dict(row) for row in rows], schema=schema)
        write_deltalake(str(folder), table, mode="overwrite", schema_mode="overwrite")
        return folder

    def state(self) -> dict[str, Any]:
        """All that a command could leave behind: the versions of our tables, and Redis' keys and values."""
        with redis.Redis.from_url(self.settings.redis_url) as server:
            names = sorted(server.scan_iter(match=f"*{self.namespace}:*", count=1000))
            return self._versions() | {name.decode(): server.dump(name) for name in names}

    def _versions(self) -> dict[str, Any]:
        logs = sorted(Path(self.settings.warehouse).glob("[flv]*/**/_delta_log"))
        versions = {str(log.parent): _version(log.parent) for log in logs}
        return {table: version for table, version in versions.items() if version is not None}


def _version(table: Path) -> int | str | None:
    try:
        return DeltaTable(str(table)).version()
    except TableNotFoundError:
        return None  # a folder that Spark prepared before it failed: no commit, no table
    except DeltaError as error:  # a table that a test has broken
        return str(error)


def purchase(user: int, hours: float, **values: Any) -> dict[str, Any]:
    """A purchase so many hours before the snapshot."""
    when = AT - timedelta(hours=hours)
    return {"user_id": user, "event_timestamp": when, "amount": 1.5, "shop": "corner", "huge": 2**62} | values
