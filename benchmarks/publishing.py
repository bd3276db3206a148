"""What a publish costs: seconds, CPU and peak memory, full and of what changed: `python -m benchmarks.publishing`.

A table of so many entities with ten float32, two revisions that differ in one of twenty entities, and a Valkey of
its own; each operation is a process of its own, so that its peak is its own.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.columns import DUE, FIELDS, INSTANT
from benchmarks.storage import HOME, ROOT, write_table
from skewless.ledger.events import Event, Kind
from skewless.ledger.table import Ledger
from skewless.local import down, up
from skewless.local.port import free_port
from skewless.model import DeltaSource, Entity, FeatureView, Field
from skewless.offline.tables import PERIOD, REVISION, SNAPSHOT_TIME, FeatureTable
from skewless.online.connection import Session
from skewless.online.publication import Progress, Publication
from skewless.online.publisher import publish
from skewless.online.reconcile import OnlineView
from skewless.online.verify import Definition, verify
from skewless.settings import Settings, load_settings
from skewless.timeline import SystemClock
from skewless.types import Float32

PLACE = HOME / "publishing"
CHANGED = 20  # one of so many entities has another row in the second revision
SLICE = 500_000
NOW = SystemClock().now()
REVISIONS = {"first": NOW - timedelta(hours=3), "second": NOW - timedelta(hours=2)}
VIEW = FeatureView(
    name="spending",
    entities=[Entity(name="user", join_keys=["user_id"])],
    source=DeltaSource(name="payments", path="sources/payments", timestamp_field="event_timestamp"),
    publish_delay=DUE,
    schema=[Field(name=name, dtype=Float32) for name in FIELDS],
)
HEAD = "| work | entities | wall s | CPU s | server's CPU s | peak MB |\n|---|--:|--:|--:|--:|--:|"


@dataclass(frozen=True)
class Point:
    """One measurement: seconds on the clock, of the process and of the server, and the process' peak in bytes."""

    work: str
    entities: int
    wall: float
    cpu: float
    server: float
    peak: int

    @property
    def row(self) -> str:
        """A line of a Markdown table."""
        seconds = f"{self.wall:.1f} | {self.cpu:.1f} | {self.server:.1f}"
        return f"| {self.work} | {self.entities:,} | {seconds} | {self.peak / 2**20:,.0f} |"


def main() -> None:
    """Make the tables, start a server, and measure one operation after the other."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.publishing", description=__doc__)
    parser.add_argument("--entities", type=int, default=1_000_000)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--work", help=argparse.SUPPRESS, choices=WORKS)
    asked = parser.parse_args()
    if asked.work:
        print(json.dumps(asdict(_measured(asked.work, asked.entities, asked.url))))
        return
    make(asked.entities)
    print(HEAD, flush=True)
    with server() as settings:
        for work in WORKS:
            arguments = ["--work", work, "--url", settings.redis_url, "--entities", str(asked.entities)]
            command = [sys.executable, "-m", "benchmarks.publishing", *arguments]
            done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
            print(Point(**json.loads(done.stdout)).row, flush=True)


def _table() -> FeatureTable:
    return FeatureTable.of(VIEW, "0" * 64, str(PLACE))


def _place(url: str) -> OnlineView:
    ledger = Ledger(str(PLACE / "ledger"), SystemClock())
    return OnlineView(redis_url=url, namespace="benchmark", view=VIEW.name, ledger=ledger)


def make(entities: int) -> None:
    """Both revisions in one table, and in the ledger as built."""
    write_table(PLACE / "ledger", [])
    uri = Path(_table().uri)
    write_table(uri, _rows(entities), partition_by=[PERIOD])
    for revision, at in REVISIONS.items():
        about = {"snapshot_time": at, "revision": revision, "fingerprint": "0" * 64}
        built = Event(kind=Kind.BUILT, rows=entities, **about)
        _place("").ledger.append(built, Event(kind=Kind.PASSED, **about))


def _rows(entities: int) -> Iterator[pa.Table]:
    for revision, at in REVISIONS.items():
        chance = np.random.default_rng(0)
        for start in range(0, entities, SLICE):
            users = np.arange(start, min(start + SLICE, entities))
            values = chance.random((len(FIELDS), len(users)), np.float32)
            values[:, (users % CHANGED == 0) & (revision == "second")] += 1
            stamps = {
                SNAPSHOT_TIME: pa.repeat(pa.scalar(at, INSTANT), len(users)),
                REVISION: pa.repeat(revision, len(users)),
                PERIOD: pa.repeat("today", len(users)),
            }
            yield pa.table({"user_id": users, **stamps, **dict(zip(FIELDS, values, strict=True))})


@contextmanager
def server() -> Iterator[Settings]:
    """An empty Valkey as `skewless up` starts it."""
    home = PLACE / "home"
    shutil.rmtree(home / "valkey", ignore_errors=True)
    settings = load_settings(home=home, redis_url=f"redis://127.0.0.1:{free_port()}/0", spark="local[*]")
    up(settings)
    try:
        yield settings
    finally:
        down(settings)
        shutil.rmtree(home / "valkey")


def publish_revision(
    url: str,
    entities: int,
    revision: str,
    *,
    full: bool = False,
    progress: Progress = lambda step, rows: None,
) -> None:
    """Publish one of the two."""
    publication = Publication(
        view=VIEW,
        fingerprint="0" * 64,
        snapshot_time=REVISIONS[revision],
        revision=revision,
        rows=entities,
    )
    publish(_place(url), publication, _table().reader, full=full, report=print_error, progress=progress)


def _verify(url: str) -> None:
    found = verify(_place(url), Definition(view=VIEW, fingerprint="0" * 64), lambda _: _table().reader)
    assert found.same, str(found)


def print_error(line: str) -> None:
    """Progress, beside the result."""
    print(line, file=sys.stderr)


WORKS: dict[str, Callable[[str, int], None]] = {
    "full": lambda url, entities: publish_revision(url, entities, "first"),
    "what changed": lambda url, entities: publish_revision(url, entities, "second"),
    "verify": lambda url, entities: _verify(url),
    "full again": lambda url, entities: publish_revision(url, entities, "second", full=True),
}


def _measured(work: str, entities: int, url: str) -> Point:
    server, cpu, wall = _server_seconds(url), time.process_time(), time.perf_counter()
    WORKS[work](url, entities)
    return Point(
        work=work,
        entities=entities,
        wall=time.perf_counter() - wall,
        cpu=time.process_time() - cpu,
        server=_server_seconds(url) - server,
        peak=_peak(),
    )


def _server_seconds(url: str) -> float:
    with Session(url, "any") as session:
        told = dict(line.split(b":") for line in session.call("INFO", "cpu").splitlines() if b":" in line)
    return float(told[b"used_cpu_sys"]) + float(told[b"used_cpu_user"])


def _peak() -> int:
    """The most memory that this process ever had, in bytes."""
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024


if __name__ == "__main__":
    main()
