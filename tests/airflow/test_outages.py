"""What dies under a run: a task, its command, Spark, Valkey, PostgreSQL. Runs end well, and nothing is lost."""

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
import redis

from skewless.local.parts import parts, watcher
from skewless.local.process import Child
from skewless.settings import Settings
from tests.airflow import sources
from tests.airflow.stack import PATIENCE, STEP, Run, Stack, consistent, until

pytestmark = pytest.mark.slow
HOUR = timedelta(hours=1)


def child(settings: Settings, name: str) -> Child:
    """The process of a service."""
    return next(part.child for part in parts(settings) if part.name == name)


def answers(settings: Settings, name: str) -> bool:
    """Whether a service works."""
    return next(part.healthy() for part in parts(settings) if part.name == name)


def kill(child: Child) -> int:
    """End it without a chance to say so; give the id that it had."""
    pid = child.pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    return pid


# -- a task that is killed --------------------------------------------------------------------------------


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
    yield
    airflow.unpause(*others)


def command_of(settings: Settings, *words: str) -> int | None:
    """The process of one of our commands, as Airflow started it."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            told = (process / "cmdline").read_bytes().decode().split("\0")
            inside = f"SKEWLESS_NAMESPACE={settings.namespace}".encode()
            if all(word in told for word in words) and inside in (process / "environ").read_bytes():
                return int(process.name)
    return None


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


# -- a server that is killed --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def crowd(airflow: Stack) -> Run:
    """A run of a view of many users, whose Spark server died while it was built, and Valkey while it was published."""
    at = airflow.begin + HOUR
    sources.write(airflow.settings, "crowd", sources.crowd(150_000, at - HOUR))
    airflow.define("crowd")
    run = until("a run of crowd", lambda: airflow.run_of("features.crowd", at))
    return run


def test_a_killed_spark_is_back_within_a_minute_and_the_task_is_tried_again(
    airflow: Stack, crowd: Run
) -> None:
    until("the build of crowd", airflow.task_is(crowd, "build", "running", "success"))
    until("its command", lambda: command_of(airflow.settings, "build", "crowd"))
    dead = kill(child(airflow.settings, "Spark"))
    until("Spark to be back", lambda: answers(airflow.settings, "Spark"), seconds=60)
    assert child(airflow.settings, "Spark").pid() not in (None, dead)
    until("the check of crowd", airflow.task_is(crowd, "check", "success"), seconds=2 * PATIENCE)
    tries = [airflow.tasks(crowd)[name]["try_number"] for name in ("build", "check")]
    assert max(tries) > 1, "the server was killed too late"


def test_a_valkey_killed_during_a_publish_is_back_and_the_retry_publishes(airflow: Stack, crowd: Run) -> None:
    at = airflow.begin + HOUR
    with redis.Redis.from_url(airflow.settings.redis_url) as server:
        key = f"{{{airflow.settings.namespace}:crowd}}:s"
        deadline = time.monotonic() + PATIENCE
        while not int(server.hget(key, "writing") or 0):
            assert time.monotonic() < deadline, airflow.logs(crowd)
    kill(child(airflow.settings, "Valkey"))
    airflow.succeeded("features.crowd", at)
    assert airflow.tasks(crowd)["publish"]["try_number"] > 1
    assert airflow.live("crowd")[1] == at
    rows = airflow.lookup("crowd", 0, 75_000, 149_999)
    assert [row["crowd__amount"] for row in rows] == [0.0, 18_750.0, 149_999 / 4]
    consistent(airflow.ledger("crowd"))


def test_a_database_that_is_away_for_a_minute_loses_no_run(airflow: Stack, caught_up: list[datetime]) -> None:
    chosen = caught_up[9:12]
    airflow.backfill("features.steady", chosen[0] - STEP, chosen[-1] - STEP, reprocess_behavior="completed")
    run = airflow.run_of("features.steady", chosen[0])
    assert run is not None
    until("the backfill to begin", airflow.task_is(run, "build", "running", "success"))
    postgres = child(airflow.settings, "PostgreSQL")
    with stopped(watcher(airflow.settings).child):
        kill(postgres)
        time.sleep(50)  # the outage itself
        assert postgres.pid() is None
    until("Airflow to be back", lambda: airflow.runs("features.steady"))
    for process in ("scheduler", "dag-processor", "triggerer"):
        until(f"the {process}", lambda name=process: answers(airflow.settings, name))
    airflow.succeeded("features.steady", *chosen, seconds=2 * PATIENCE)
    for at in chosen:
        assert len(airflow.content_hashes("steady", at)) == 1
        assert airflow.kinds("steady", at)[-1] in ("offline_only", "published")
    consistent(airflow.ledger("steady"))


@contextlib.contextmanager
def stopped(child: Child) -> Iterator[None]:
    """A process that does nothing meanwhile."""
    pid = child.pid()
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
