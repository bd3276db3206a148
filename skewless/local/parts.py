"""What runs on this machine, as data: each service with the way to start it and to see whether it works."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from skewless.local import airflow, postgres, spark_connect, valkey
from skewless.local.process import Child
from skewless.online.endpoint import redacted
from skewless.settings import Settings

AIRFLOW = ("PostgreSQL", *airflow.PROCESSES, "watcher")  # what `up` starts only when asked for Airflow
# Their heartbeats are late on a busy machine, and to restart the scheduler ends its tasks.
_AIRFLOW_PATIENCE = dict.fromkeys(("scheduler", "dag-processor", "triggerer"), 300.0)


def _nothing() -> None:
    """For a service whose `start` waits until it works."""


@dataclass(frozen=True, slots=True)
class Part:
    """One service.

    ours      whether it is this installation's to start
    start     starts its process; `wait` returns once it works; both raise SetupError
    healthy   asks it a question that it can answer at any time
    patience  for how many seconds it may be without an answer before it counts as hung
    """

    name: str
    address: str
    child: Child
    ours: bool
    start: Callable[[], None]
    healthy: Callable[[], bool]
    wait: Callable[[], None] = _nothing
    patience: float = 20.0


def parts(settings: Settings) -> list[Part]:
    """Give all services that others use, in the order in which they start."""
    return [_valkey(settings), _spark(settings), _postgres(settings), *_airflow(settings)]


def watcher(settings: Settings) -> Part:
    """Give the process that restarts the others."""
    child = Child("watcher", settings.home / "run")
    command = [sys.executable, "-m", "skewless.local.watch"]
    env = {name: value for name, value in os.environ.items() if not name.startswith("SKEWLESS_")}
    return Part(
        name="watcher",
        address="all services",
        child=child,
        ours=airflow.port(settings) is not None,
        start=lambda: _started(child, command, env | settings.variables(), settings),
        healthy=lambda: child.pid() is not None,
    )


def _started(child: Child, command: list[str], env: dict[str, str], settings: Settings) -> None:
    child.start(command, env=env, cwd=settings.home / "run")


def _valkey(settings: Settings) -> Part:
    number = valkey.port(settings)

    def start() -> None:
        valkey.start(settings, number or 0)
        valkey.wait(settings, number or 0)

    return Part(
        name="Valkey",
        address=redacted(settings.redis_url),
        child=valkey.child(settings),
        ours=number is not None,
        start=start,
        healthy=lambda: valkey.healthy(number or 0),
    )


def _spark(settings: Settings) -> Part:
    number = spark_connect.port(settings)
    return Part(
        name="Spark",
        address=settings.spark,
        child=spark_connect.child(settings),
        ours=number is not None,
        start=lambda: spark_connect.start(settings, number or 0),
        healthy=lambda: spark_connect.healthy(number or 0),
        wait=lambda: spark_connect.wait(settings, number or 0),
        patience=60.0,
    )


def _postgres(settings: Settings) -> Part:
    return Part(
        name="PostgreSQL",
        address=str(postgres.socket_folder(settings)),
        child=postgres.child(settings),
        ours=airflow.port(settings) is not None,
        start=lambda: postgres.start(settings),
        healthy=lambda: postgres.healthy(settings),
        wait=_nothing,
        patience=30.0,
    )


def _airflow(settings: Settings) -> list[Part]:
    return [
        Part(
            name=process,
            address=settings.airflow_url,
            child=airflow.child(settings, process),
            ours=airflow.port(settings) is not None,
            start=partial(airflow.start, settings, process),
            healthy=partial(airflow.healthy, settings, process),
            wait=partial(airflow.wait, settings, process),
            patience=_AIRFLOW_PATIENCE.get(process, 120.0),
        )
        for process in airflow.PROCESSES
    ]
