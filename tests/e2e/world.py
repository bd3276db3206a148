"""A small world: a folder of definitions, a warehouse with a handful of payments, a clock that one can set.

The online store flips by its server's clock, so the snapshots lie in the hours before now.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, Self

import msgpack
import pyarrow as pa
import pytest
from deltalake import write_deltalake
from redis import Redis

from skewless import jobs
from skewless.cli import main
from skewless.jobs.receipts import Built, Published
from skewless.ledger.events import Event, Kind
from skewless.offline.tables import REVISION, SNAPSHOT_TIME
from skewless.plan.fingerprint import fingerprint
from skewless.plan.repo import load_repo
from skewless.plan.uris import under
from skewless.settings import Settings
from skewless.store import FeatureStore
from skewless.timeline import FixedClock, SystemClock, format_instant
from skewless.workspace import Workspace

HOUR = SystemClock().now().replace(minute=0, second=0, microsecond=0)
_INSTANT = pa.timestamp("us", tz="UTC")
_SOURCE = pa.schema(
    [
        ("user_id", pa.int64()),
        ("payment_id", pa.string()),
        ("amount", pa.float64()),
        ("event_timestamp", _INSTANT),
        ("created_timestamp", _INSTANT),
    ]
)

# Two served views of different reach, and one that is for training only.
PAYMENTS = """
from datetime import timedelta

from skewless import DeltaSource, Entity, Expectation, FeatureView, Field, agg
from skewless.types import Float64, Int64

payments = DeltaSource(
    name="payments",
    path="sources/payments",
    timestamp_field="event_timestamp",
    created_timestamp_column="created_timestamp",
    event_id=["payment_id"],
    data_delay=timedelta(minutes=5),
    max_silence=timedelta(hours=3),
)


def view(name, window, default=None, **more):
    return FeatureView(
        name=name,
        entities=[Entity(name="user", join_keys=["user_id"])],
        source=payments,
        publish_delay=timedelta(minutes=15),
        max_staleness=timedelta(days=3),
        schema=[
            Field(name="amount", dtype=Float64, value=agg.sum("amount", window=window), default=default),
            Field(name="payments", dtype=Int64, value=agg.count(window=window)),
        ],
        **more,
    )


recent = view(
    "recent",
    timedelta(hours=4),
    expectations=[
        Expectation("expect_column_values_to_be_between", column="amount", min_value=0),
        Expectation("expect_column_values_to_be_between", column="payments", max_value=2, severity="warning"),
    ],
)
daily = view("daily", timedelta(days=1), default=-1.0)
unserved = view("unserved", timedelta(hours=1), online=False)
"""


def minutes(number: float) -> timedelta:
    """So many minutes."""
    return timedelta(minutes=number)


def hours_ago(number: int) -> datetime:
    """The full hour so many hours before the present one."""
    return HOUR - timedelta(hours=number)


def payment(
    user: int, amount: float | None, event: datetime, *, known: datetime | None = None, id: str | None = None
) -> dict[str, Any]:
    """A row of the source, known a second after it happened unless told otherwise."""
    return {
        "user_id": user,
        "payment_id": id or uuid.uuid4().hex,
        "amount": amount,
        "event_timestamp": event,
        "created_timestamp": known or event + timedelta(seconds=1),
    }


class Ran(NamedTuple):
    """What a command said, and how it ended."""

    code: int
    out: str
    err: str


@dataclass
class World:
    """One deployment in a folder, in a namespace of its own of the run's servers."""

    services: Settings
    folder: Path
    definitions: str
    clock: FixedClock = field(default_factory=lambda: FixedClock(HOUR))
    namespace: str = field(default_factory=lambda: f"e2e-{uuid.uuid4().hex[:12]}")

    def __post_init__(self) -> None:
        self.settings = self.services.model_copy(
            update={
                "warehouse": str(self.folder / "warehouse"),
                "features": self.folder / "features",
                "namespace": self.namespace,
            }
        )
        self.define(self.definitions)

    def define(self, definitions: str) -> None:
        """Write the definitions, as an author would, and load them."""
        path = self.folder / "features" / "payments.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(definitions)
        self.definitions = definitions
        self.workspace = Workspace(self.settings, load_repo(self.settings.features), self.clock)

    def copy(self, folder: Path) -> Self:
        """The same world, to go on with elsewhere: whatever happens there does not happen here."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        other = type(self)(self.services, folder, self.definitions, FixedClock(self.clock.at))
        with contextlib.closing(Redis.from_url(self.settings.redis_url)) as server:
            for key in server.scan_iter(match=f"{{{self.namespace}:*"):
                name = key.replace(self.namespace.encode(), other.namespace.encode())
                server.restore(name, max(server.pexpiretime(key), 0), server.dump(key), absttl=True)
        return other

    def at(self, t: datetime) -> World:
        """Set the clock."""
        self.clock.at = t
        return self

    # -- the source ---------------------------------------------------------------------------------------

    def load(self, *payments: dict[str, Any]) -> None:
        """Append rows to the source."""
        self._write("sources/payments", payments, mode="append")

    def rewrite(self, *payments: dict[str, Any]) -> None:
        """Replace the source's rows."""
        self._write("sources/payments", payments, mode="overwrite")

    def _write(self, path: str, rows: Sequence[dict[str, Any]], mode: Any) -> None:
        table = pa.Table.from_pylist(list(rows), schema=_SOURCE)
        write_deltalake(under(self.settings.warehouse, path), table, mode=mode)

    # -- jobs ---------------------------------------------------------------------------------------------

    def build(self, view: str, t: datetime, **how: Any) -> Built:
        """Build a snapshot."""
        return jobs.build(self.workspace, view, t, **how)

    def check(self, view: str, t: datetime) -> Any:
        """Check its newest revision."""
        return jobs.check(self.workspace, view, t)

    def publish(self, view: str, t: datetime) -> Published:
        """Publish its newest revision."""
        return jobs.publish(self.workspace, view, t)

    def run(self, view: str, t: datetime) -> Published:
        """The way of one interval, on time."""
        self.at(t + self.workspace.repo.view(view).publish_delay)
        self.build(view, t)
        self.check(view, t)
        return self.publish(view, t)

    def stored(
        self, view_name: str, t: datetime, *rows: tuple[Any, ...], verdict: Kind | None = Kind.PASSED
    ) -> str:
        """Enter a revision without Spark: its rows in the table, its build and verdict in the ledger."""
        view, revision = self.workspace.repo.view(view_name), str(uuid.uuid4())
        named = [dict(zip(view.columns, row, strict=True)) for row in rows]
        stamps = {SNAPSHOT_TIME: t, REVISION: revision}
        schema = [(key, pa.int64()) for key in view.join_keys]
        schema += [(SNAPSHOT_TIME, _INSTANT), (REVISION, pa.string())]
        schema += [(item.name, item.dtype.arrow()) for item in view.schema]
        table = pa.Table.from_pylist([row | stamps for row in named], schema=pa.schema(schema))
        write_deltalake(self.workspace.feature_table(view).uri, table, mode="append", partition_by=[REVISION])
        about = {"snapshot_time": t, "revision": revision, "fingerprint": fingerprint(view)}
        built = Event(kind=Kind.BUILT, rows=len(rows), content_hash=revision, **about)
        self.workspace.ledger(view).append(built, *([Event(kind=verdict, **about)] if verdict else []))
        return revision

    def told(self, view: str, *kinds: Kind) -> list[Event]:
        """The ledger's events of those kinds."""
        ledger = self.workspace.ledger(self.workspace.repo.view(view))
        return [event for event in ledger.read() if event.kind in kinds]

    # -- asking -------------------------------------------------------------------------------------------

    def lookup(self, features: Any, *users: int) -> list[dict[str, Any]]:
        """What readers get."""
        with contextlib.closing(FeatureStore.of(self.workspace)) as store:
            return store.get_online_features(features, [{"user_id": user} for user in users]).rows

    def seen(self, view: str) -> tuple[int, datetime]:
        """The generation and snapshot that readers have."""
        with contextlib.closing(FeatureStore.of(self.workspace)) as store:
            served = store.get_online_features([view], [{"user_id": 1}]).views[view]
        return served.generation, served.snapshot_time

    def train(self, features: Any, asks: Sequence[tuple[int, datetime]]) -> list[dict[str, Any]]:
        """Training rows for users at instants, in that order, with what each saw."""
        store = FeatureStore.of(self.workspace)
        rows = [
            {"place": place, "user_id": user, "event_timestamp": t} for place, (user, t) in enumerate(asks)
        ]
        schema = pa.schema([("place", pa.int64()), ("user_id", pa.int64()), ("event_timestamp", _INSTANT)])
        spine = store.spark.createDataFrame(pa.Table.from_pylist(rows, schema=schema))
        joined = store.get_historical_features(spine, features, explain=True).toArrow().to_pylist()
        return sorted(joined, key=lambda row: row["place"])

    # -- the command line ---------------------------------------------------------------------------------

    def variables(self) -> dict[str, str]:
        """The settings as the environment has them."""
        named = ("home", "warehouse", "features", "namespace", "redis_url", "spark", "jars", "actor")
        given = {f"SKEWLESS_{name.upper()}": str(getattr(self.settings, name)) for name in named}
        return given | {"SKEWLESS_NOW": format_instant(self.clock.at)}

    def cli(self, *arguments: str) -> Ran:
        """Run a command in this process."""
        out, err, code = io.StringIO(), io.StringIO(), 0
        with pytest.MonkeyPatch.context() as environment:
            for name, value in self.variables().items():
                environment.setenv(name, value)
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                try:
                    main(arguments)
                except SystemExit as end:
                    code = int(end.code or 0)
        return Ran(code, out.getvalue(), err.getvalue())

    def command(self, *arguments: str) -> Ran:
        """Run a command as a user does."""
        ran = subprocess.run(
            [sys.executable, "-m", "skewless.cli", *arguments],
            env=os.environ | self.variables(),
            capture_output=True,
            text=True,
        )
        return Ran(ran.returncode, ran.stdout, ran.stderr)


def service_record(redis_url: str, namespace: str, service: str) -> Any:
    """A feature service as readers of every language find it; None: there is none."""
    with Redis.from_url(redis_url) as server:
        raw = server.get(f"{namespace}:service:{service}")
    return None if raw is None else msgpack.unpackb(raw)
