"""What dies under a run: Spark, Valkey, PostgreSQL. Runs end well, and nothing is lost."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

import pytest
import redis

from skewless.local.parts import watcher
from tests.airflow import sources
from tests.airflow.processes import answers, child, command_of, kill, stopped
from tests.airflow.stack import PATIENCE, STEP, Run, Stack, consistent, until

pytestmark = pytest.mark.slow
HOUR = timedelta(hours=1)


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
    chosen = caught_up[7:9]
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
