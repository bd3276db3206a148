"""Runs: contenders in turn, each in a process of its own, its answer checked before its time counts."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import stored
from benchmarks.answers import WrongAnswer
from benchmarks.cases import Case, Data, Entry, Scale, checked
from benchmarks.increments import Increments
from benchmarks.inputs import CORES
from benchmarks.processes import MemoryWatch, cpu_seconds, end_all
from benchmarks.snapshots import Snapshots
from benchmarks.storage import HOME, ROOT


@dataclass(frozen=True)
class Run:
    """One run: seconds of wall and CPU time, peaks of memory in bytes."""

    wall: float
    cpu: float
    memory: int
    python_worker: int


@dataclass
class Measured:
    """What came of one contender: its runs, how its answers compare, or why there are none."""

    cold: list[Run] = field(default_factory=list)
    warm: list[Run] = field(default_factory=list)
    answer: str = ""
    failure: str = ""

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


class _Failed(Exception):
    """A run that ended without an answer, or too late."""


def measure(case: Case, scale: Scale, runs: int, only: Iterable[str]) -> dict[str, Measured]:
    """Measure the contenders of a case whose names hold one of some texts, all of them `runs` times in turn."""
    entries = {name: entry for name, entry in case.entries.items() if any(text in name for text in only)}
    ours = {entry.data for entry in entries.values() if entry.reads_our_tables}
    data = {
        name: _prepared(case, scale, name, item, ours=name in ours) for name, item in case.data(scale).items()
    }
    found = {name: Measured() for name in entries}
    for number in range(runs):
        for name, entry in entries.items():
            if not found[name].failure:
                print(f"{case.name} {number + 1}/{runs} {name} ...", end=" ", flush=True)
                _measure_once(case, entry, *data[entry.data], found[name])
                print(_told(found[name]), flush=True)
    return found


def _prepared(case: Case, scale: Scale, name: str, data: Data, *, ours: bool) -> tuple[Data, Path]:
    folder = HOME / scale / f"{case.name}{'_' * bool(name)}{name}"
    prepared(data, folder, ours=ours)
    return data, folder


def prepared(data: Data, folder: Path, *, ours: bool) -> None:
    """Make what is not there yet; our own tables, if needed, in a process of its own, because Spark makes them."""
    folder.mkdir(parents=True, exist_ok=True)
    data.prepare(folder)
    if ours and isinstance(data, Snapshots) and not stored.is_prepared(data, folder):
        print(f"{folder.name}: appending {data.snapshots} snapshots to our tables", flush=True)
        command = [sys.executable, "-m", "benchmarks.stored", json.dumps(asdict(data)), str(folder)]
        subprocess.run(command, cwd=ROOT, env=environment("4g"), check=True)


def _measure_once(case: Case, entry: Entry, data: Data, folder: Path, measured: Measured) -> None:
    """One process: the first run is cold, and begins before Python does; the next ones are warm."""
    log = HOME / "logs" / f"{case.name}-{entry.contender.replace(':', '-')}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    output = HOME / f"output-{os.getpid()}"
    try:
        with log.open("w") as told, _worker(case, entry, data, folder, told) as worker:
            for number in range(1 + entry.warm):
                shutil.rmtree(output, ignore_errors=True)
                if isinstance(data, Increments):
                    data.copy_base(folder, output, entry.base)
                run = worker.run(output, entry.limit)
                measured.answer = checked(data, output, exact=entry.exact, answers=entry.answers)
                (measured.warm if number else measured.cold).append(run)
    except (_Failed, WrongAnswer) as error:
        measured.failure = (
            f"{error} (see {log.relative_to(ROOT)})" if "finish" not in str(error) else str(error)
        )
    finally:
        shutil.rmtree(output, ignore_errors=True)


class _Worker:
    """A contender's process; its first run began when it was started."""

    def __init__(self, command: list[str], environment: Mapping[str, str], log: Any) -> None:
        self._begun: float | None = time.monotonic()
        self._cpu = cpu_seconds()
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
        )

    def run(self, output: Path, limit: int) -> Run:
        begun = self._begun or time.monotonic()
        cpu = self._cpu if self._begun else cpu_seconds()
        self._begun = None
        with MemoryWatch() as memory:
            self._tell(f"{output}\n")
            said = self._answer(begun + limit)
            wall, spent = time.monotonic() - begun, cpu_seconds() - cpu
        if said != b"done\n":
            raise _Failed(f"did not finish in {limit} s" if said is None else "failed")
        return Run(wall, spent, memory.peak.total, memory.peak.python_worker)

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode())
        self._process.stdin.flush()

    def _answer(self, deadline: float) -> bytes | None:
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], max(0.0, deadline - time.monotonic()))
        return self._process.stdout.readline() if ready else None

    def end(self, *, kill: bool) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        end_all(patience=0 if kill else 20)


@contextmanager
def _worker(case: Case, entry: Entry, data: Data, folder: Path, log: Any) -> Iterator[_Worker]:
    asked = {"contender": entry.contender, "folder": str(folder), "views": data.view_names}
    command = [sys.executable, "-m", "benchmarks.worker", json.dumps(asked)]
    worker = _Worker(command, environment(case.heap), log)
    failed = True
    try:
        yield worker
        failed = False
    finally:
        worker.end(kill=failed)


def environment(heap: str) -> dict[str, str]:
    """The same for every contender; JVMs have the same heap."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SKEWLESS_")}
    return kept | {
        "PYTHONPATH": str(ROOT),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_SUBMIT_ARGS": f"--driver-memory {heap} pyspark-shell",
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_LOCAL_DIRS": str(HOME / "spark"),
        "POLARS_MAX_THREADS": str(CORES),
        "OMP_NUM_THREADS": str(CORES),
        "FEAST_USAGE": "False",
        "TZ": "UTC",
    }


def _told(measured: Measured) -> str:
    if measured.failure:
        return measured.failure
    runs = [("cold", measured.cold[-1]), *(("warm", run) for run in measured.warm[-1:])]
    return ", ".join(f"{state} {run.wall:.1f} s ({run.cpu:.1f} CPU s)" for state, run in runs)
