"""Lookups over HTTP: `skewless serve` and `feast serve`, one process of each, one beside the other's silence."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.columns import FIELDS, Floats, Integers
from benchmarks.online import feast_online, load
from benchmarks.online.figures import Figure
from benchmarks.online.names import FEAST, OURS, saturated, steadily
from benchmarks.online.server import PYTHON
from benchmarks.online.stage import FEATURES, NAMES, NAMESPACE, Stage, demand_exact, matrix
from benchmarks.online.timing import percentiles
from benchmarks.processes import cpu_of
from benchmarks.storage import ROOT
from skewless.local.port import free_port

RATE = 200.0
_BATCHES = (1, 100)
_BODIES = 500
_PATIENCE = 60.0


@dataclass(frozen=True)
class Door:
    """A server's: how it is started, where and how it is asked, and what its answer says, as rows x 10."""

    command: Callable[[int], Sequence[str | Path]]
    folder: Path
    path: str
    question: Callable[[list[int]], Any]
    values: Callable[[Any], Floats]


def ours(stage: Stage) -> Iterator[Figure]:
    """Of `skewless serve`, as the platform's own environment has it."""
    command = [PYTHON, "-m", "skewless.cli", "serve", "--port"]
    yield from _measured(
        OURS,
        stage,
        Door(
            command=lambda port: [*command, str(port)],
            folder=ROOT,
            path="/v1/features",
            question=lambda users: {"features": FEATURES, "entities": {"user_id": users}},
            values=lambda answer: matrix([row[name] for row in answer["rows"]] for name in NAMES),
        ),
    )


def feast(stage: Stage) -> Iterator[Figure]:
    """Of `feast serve`; it would begin a new process after 1,000 requests, but for the 0."""
    folder = feast_online.folder(stage)
    command = [
        Path(sys.executable).with_name("feast"),
        "serve",
        "--no-access-log",
        "--max-requests",
        "0",
        "--port",
    ]

    def values(answer: Any) -> Floats:
        columns = dict(zip(answer["metadata"]["feature_names"], answer["results"], strict=True))
        return matrix(columns[name]["values"] for name in FIELDS)

    yield from _measured(
        FEAST,
        stage,
        Door(
            command=lambda port: [*command, str(port)],
            folder=folder,
            path="/get-online-features",
            question=lambda users: {"features": FEATURES, "entities": {"user_id": users}},
            values=values,
        ),
    )


def _measured(name: str, stage: Stage, door: Door) -> Iterator[Figure]:
    random = np.random.default_rng()
    with _serving(stage, door) as (url, process):

        def read(users: Integers) -> Floats:
            with load.connected(url) as connection:
                return door.values(_answer(connection, url, door, users))

        some = random.permutation(stage.peer_users)[:1000]
        for start in range(0, len(some), 100):
            demand_exact(read, some[start : start + 100], stage.expected(1))
        for size in _BATCHES:
            bodies = [_body(door, random.choice(stage.peer_users, size)) for _ in range(_BODIES)]
            load.steady(url, bodies, RATE, 1.0)  # warm
            found = load.steady(url, bodies, RATE, stage.sizes.seconds)
            yield Figure(name, steadily(size), percentiles(found.latencies) | {"rate": found.rate})
            cpu = cpu_of(process.pid)
            most = load.saturated(url, bodies, stage.sizes.seconds, stage.scratch)
            spent = (cpu_of(process.pid) - cpu) / stage.sizes.seconds
            each = {"request_us": 1e6 / most["rate"], "cpu_us": spent / most["rate"] * 1e6}
            yield Figure(name, saturated(size), most | each)


@contextmanager
def _serving(stage: Stage, door: Door) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The server's URL and its process, once it answers."""
    port = free_port()
    url = f"http://127.0.0.1:{port}{door.path}"
    given = {
        "SKEWLESS_REDIS_URL": stage.url,
        "SKEWLESS_NAMESPACE": NAMESPACE,
        "SKEWLESS_HOME": str(stage.scratch),
    }
    process = subprocess.Popen(door.command(port), cwd=door.folder, env=os.environ | given, stdout=sys.stderr)
    try:
        _await(url, door, process, stage)
        yield url, process
    finally:
        process.terminate()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def _await(url: str, door: Door, process: subprocess.Popen[bytes], stage: Stage) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            with load.connected(url) as connection:
                _answer(connection, url, door, stage.peer_users[:1])
                return
        except OSError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{door.path} is not served; see what stands above") from error
            time.sleep(0.05)


def _answer(connection: load.Connection, url: str, door: Door, users: Integers) -> Any:
    return json.loads(connection.ask(load.request(url, _body(door, users))))


def _body(door: Door, users: Integers) -> bytes:
    return json.dumps(door.question(users.tolist())).encode()
