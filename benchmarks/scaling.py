"""How cost grows with entities, events, ticks, labels and cores: `python -m benchmarks.scaling`, JSON and Markdown.

The public jobs on the benchmark's payments, each measured once after one that warms the process up; a process
for each number of cores.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.columns import START
from benchmarks.inputs import DEFINITIONS
from benchmarks.payments import Payments
from benchmarks.processes import MemoryWatch, adopt_orphans, cpu_seconds, end_all
from benchmarks.storage import HOME, ROOT

if TYPE_CHECKING:
    from skewless.workspace import Workspace

VIEW = "spending"  # eight aggregates over windows of an hour to 30 days
BASE = Payments(events=1_000_000, users=30_000, hours=24)
WARM_UP = Payments(events=50_000, users=1_000, hours=2)
ENTITIES, EVENTS, TICKS = (10_000, 30_000, 100_000), (300_000, 1_000_000, 3_000_000), (1, 8, 24)
TILED = (3_000_000, 10_000_000)  # events; the others are read as rows
TENTHS = (1, 3, 10)  # of the base's points, as labels
CORES = (2, 1)
PLACE = HOME / "scaling"


@dataclass(frozen=True)
class Point:
    """One measurement: what was done, how large it was, and what it took in seconds and bytes."""

    work: str
    cores: int
    entities: int
    events: int
    ticks: int
    labels: int
    wall: float
    cpu: float
    python_worker: int

    @property
    def row(self) -> str:
        """A line of a Markdown table."""
        sizes = f"{self.entities:,} | {self.events:,} | {self.ticks} | {self.labels:,}"
        worker = f"{self.python_worker / 2**20:,.0f}"
        return f"| {self.work} | {self.cores} | {sizes} | {self.wall:.1f} | {self.cpu:.1f} | {worker} |"


HEAD = (
    "| work | cores | entities | events | ticks | labels | wall s | CPU s | Python worker MB |\n"
    "|---|--:|--:|--:|--:|--:|--:|--:|--:|"
)


def main() -> None:
    """Measure with each number of cores, and print what was found."""
    found: list[dict[str, Any]] = []
    for cores in CORES:
        command = [sys.executable, "-m", "benchmarks.scaling", str(cores)]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
        found += [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    load = os.getloadavg()
    print(json.dumps({"load": load, "points": found}, indent=1))
    print(HEAD)
    for point in found:
        print(Point(**point).row)


def measured(cores: int) -> None:
    """Measure with this many cores, a line of JSON each."""
    adopt_orphans()
    place = _Place(cores)
    place.build(WARM_UP)
    place.backfill(WARM_UP, 2)
    place.join(WARM_UP, 10)
    if cores == CORES[0]:
        for entities in ENTITIES:
            place.told(place.build, replace(BASE, users=entities))
        for events in (*EVENTS, TILED[-1]):
            if events != BASE.events:
                place.told(place.build, replace(BASE, events=events))
        for events in TILED:
            for work in (place.build_making_tiles, place.build_from_tiles):
                place.told(work, replace(BASE, events=events))
        for ticks in TICKS:
            place.told(place.backfill, BASE, ticks)
        for tenths in TENTHS:
            place.told(place.join, BASE, tenths)
    else:
        place.told(place.build, BASE)
        place.told(place.backfill, BASE, TICKS[1])
    place.close()


class _Place:
    """Data sets, and jobs over them in one session."""

    def __init__(self, cores: int) -> None:
        self.cores = cores

    def told(self, work: Callable[..., dict[str, int]], data: Payments, *size: int) -> None:
        self._workspace(data)  # the data are made, and the definitions loaded
        began, cpu = time.monotonic(), cpu_seconds() + time.process_time()
        with MemoryWatch() as memory:
            sizes = {"ticks": 1, "labels": 0} | work(data, *size)
        wall, spent = time.monotonic() - began, cpu_seconds() + time.process_time() - cpu
        point = Point(
            work=work.__name__.replace("_", " "),
            cores=self.cores,
            entities=data.users,
            events=data.events,
            wall=round(wall, 2),
            cpu=round(spent, 2),
            python_worker=memory.peak.python_worker,
            **sizes,
        )
        print(json.dumps(vars(point)), flush=True)
        print(point.row, file=sys.stderr, flush=True)

    def build(self, data: Payments) -> dict[str, int]:
        """One snapshot."""
        from skewless import jobs

        receipt = jobs.build(self._workspace(data), VIEW, START)
        assert 0.9 * data.users < receipt.rows <= data.users, receipt
        return {}

    def build_making_tiles(self, data: Payments) -> dict[str, int]:
        """One snapshot, where no day is told by a tile yet."""
        shutil.rmtree(Path(self._workspace(data).settings.warehouse) / "tiles", ignore_errors=True)
        return self._tiled(data, START)

    def build_from_tiles(self, data: Payments) -> dict[str, int]:
        """The snapshot an hour later."""
        return self._tiled(data, START + timedelta(hours=1))

    def _tiled(self, data: Payments, at: datetime) -> dict[str, int]:
        from skewless import jobs

        workspace = self._workspace(data)
        settings = workspace.settings.model_copy(update={"tiles_from": 0})
        jobs.build(replace(workspace, settings=settings), VIEW, at)
        return {}

    def backfill(self, data: Payments, ticks: int) -> dict[str, int]:
        """So many snapshots, built and checked, in a folder that holds none."""
        from skewless import jobs

        workspace = self._workspace(data)
        for part in ("features", "ledger", "verdicts", "definitions"):
            shutil.rmtree(Path(workspace.settings.warehouse) / part, ignore_errors=True)
        hour = timedelta(hours=1)
        jobs.backfill(workspace, VIEW, START - hour, START + (ticks - 1) * hour)
        return {"ticks": ticks}

    def join(self, data: Payments, tenths: int) -> dict[str, int]:
        """Labels with the snapshots that the backfill stored, written to nowhere."""
        from skewless import FeatureStore

        workspace = self._workspace(data)
        spine = workspace.spark.read.format("delta").load(f"{workspace.settings.warehouse}/labels")
        spine = spine.where(f"label_id % 10 < {tenths}")
        rows = FeatureStore.of(workspace).get_historical_features(spine, [VIEW])
        rows.write.format("noop").mode("overwrite").save()
        return {"ticks": data.hours, "labels": data.users * data.hours * tenths // 10}

    def _workspace(self, data: Payments) -> Workspace:
        from skewless.settings import load_settings
        from skewless.workspace import Workspace

        folder = PLACE / f"{data.events}_{data.users}_{data.hours}"
        folder.mkdir(parents=True, exist_ok=True)
        data.prepare(folder)
        opened = Workspace.open(
            load_settings(
                warehouse=str(folder),
                features=DEFINITIONS,
                jars=ROOT / ".skewless" / "jars",
                spark=f"local[{self.cores}]",
                now=START + timedelta(days=400),
                tiles_from=1 << 40,
            )
        )
        offline = replace(opened.repo.view(VIEW), online=False)  # the online store is another measurement
        return replace(opened, repo=replace(opened.repo, views={VIEW: offline}))

    def close(self) -> None:
        """End Spark."""
        from pyspark.sql import SparkSession

        session = SparkSession.getActiveSession()
        if session is not None:
            session.stop()
        end_all()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measured(int(sys.argv[1]))
    else:
        main()
