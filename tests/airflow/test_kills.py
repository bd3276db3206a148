"""Who ends a task ends its query: Spark does not compute for nobody."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from skewless.settings import Settings
from tests.airflow import sources
from tests.airflow.processes import child, command_of
from tests.airflow.stack import Run, Stack, until

pytestmark = pytest.mark.slow
HOUR = timedelta(hours=1)


def busy(settings: Settings) -> bool:
    """Whether Spark computes, seen from outside: threads of its executor that want a core, most of a second."""
    pid = child(settings, "Spark").pid()
    looks = []
    for _ in range(10):
        looks.append(any(_wants_a_core(thread) for thread in Path(f"/proc/{pid}/task").iterdir()))
        time.sleep(0.1)
    return sum(looks) > 5


def _wants_a_core(thread: Path) -> bool:
    try:
        name, state = re.findall(r"\((.*)\) (\w)", (thread / "stat").read_text())[0]
    except OSError:  # it has just ended
        return False
    return bool(name.startswith("Executor task") and state == "R")


def quiet_within(settings: Settings, seconds: float) -> None:
    """Demand that Spark soon computes nothing any more, three times in a row."""
    quiet: list[bool] = []

    def idle() -> bool:
        quiet.append(not busy(settings))
        return quiet[-3:] == [True] * 3

    until("Spark to be idle", idle, seconds=seconds)


@contextlib.contextmanager
def alone(airflow: Stack) -> Iterator[None]:
    """No other DAG begins anything meanwhile."""
    others = [dag_id for dag_id in airflow.dag_ids() if dag_id != "features.heavy"]
    for dag_id in others:
        airflow.pause(dag_id)
    try:
        yield
    finally:
        airflow.unpause(*others)


def computing(airflow: Stack, run: Run) -> int:
    """The process of the build of `heavy`, once Spark has begun to compute for it."""
    until(
        "the build of heavy to run",
        airflow.task_is(run, "build", "running"),
        explain=lambda: airflow.logs(run),
    )
    pid = until("its command", lambda: command_of(airflow.settings, "build", "heavy"))
    until("Spark to compute", lambda: all(busy(airflow.settings) for _ in range(3)))
    return pid


@pytest.fixture(scope="module")
def heavy(airflow: Stack) -> Iterator[Run]:
    """A run whose build takes minutes; nothing else runs beside it."""
    at = airflow.begin + HOUR
    for part in range(100):  # many files: Spark looks between them whether to go on
        sources.write(airflow.settings, "heavy", hard_work(part, at - HOUR), mode="append")
    with alone(airflow):
        airflow.define("heavy")
        run = until("a run of heavy", lambda: airflow.run_of("features.heavy", at))
        yield run
        airflow.pause("features.heavy")


def hard_work(part: int, event: datetime) -> pa.Table:
    """The rows of one file: some hundred users of its own."""
    return sources.crowd(300, event).set_column(0, "user_id", pa.array(np.arange(300) + 300 * part))


def test_the_query_of_a_killed_command_ends_and_the_task_is_tried_again(airflow: Stack, heavy: Run) -> None:
    os.kill(computing(airflow, heavy), signal.SIGKILL)
    until("the task to wait for its retry", airflow.task_is(heavy, "build", "up_for_retry"))
    quiet_within(airflow.settings, 30)
    assert "signal 9" in airflow.log(heavy, "build", 1)


def test_the_query_of_a_task_that_is_marked_failed_ends(airflow: Stack, heavy: Run) -> None:
    pid = computing(airflow, heavy)
    airflow.api.patch(f"{heavy.path}/taskInstances/build", {"new_state": "failed"})
    quiet_within(airflow.settings, 30)
    assert not Path(f"/proc/{pid}").exists()
    assert airflow.over(heavy).state == "failed"
    assert airflow.kinds("heavy", airflow.begin + HOUR) == []
