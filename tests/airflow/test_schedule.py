"""What Airflow does by itself: it catches up, waits without a worker, and publishes in time and in order."""

from __future__ import annotations

from datetime import datetime, timedelta
from statistics import median_low

import pytest

from skewless.ledger.events import Kind
from skewless.timeline import format_instant
from tests.airflow.stack import Run, Stack, consistent, until

pytestmark = pytest.mark.slow


def test_a_view_that_was_away_catches_up_and_publishes_only_the_newest(
    airflow: Stack, caught_up: list[datetime]
) -> None:
    for at in caught_up:
        assert airflow.kinds("steady", at)[:2] == ["built", "passed"]
    *overtaken, newest_due = caught_up
    for at in overtaken:
        assert airflow.kinds("steady", at)[2] == "offline_only"
    published = until("a publish", lambda: airflow.ledger("steady", Kind.PUBLISHED))
    assert all(event.snapshot_time and event.snapshot_time >= newest_due for event in published)
    consistent(airflow.ledger("steady"))


def test_a_dag_and_its_runs_speak_of_the_view(airflow: Stack, caught_up: list[datetime]) -> None:
    dag = airflow.api.get("dags/features.steady")
    assert dag["owners"] == ["payments team"]
    assert "payments" in {tag["name"] for tag in dag["tags"]}
    run = airflow.ended("features.steady", caught_up[0])
    airflow.noted(run, f"{format_instant(caught_up[0])}: 5 rows, passed, offline only")
    log = airflow.log(run, "build")
    assert "skewless build steady --snapshot-time" in log
    assert "building steady at" in log


def test_a_cleared_task_gives_the_same_revision_again(airflow: Stack, caught_up: list[datetime]) -> None:
    at = caught_up[2]
    before = airflow.ledger("steady", Kind.BUILT)
    run = airflow.ended("features.steady", at)
    airflow.clear(run, "build")
    airflow.succeeded("features.steady", at)
    known = {event.event_id for event in before}
    rebuilt = [event for event in airflow.ledger("steady", Kind.BUILT) if event.snapshot_time == at]
    assert len({event.revision for event in rebuilt}) == 1
    assert len(airflow.content_hashes("steady", at)) == 1
    assert known <= {event.event_id for event in airflow.ledger("steady", Kind.BUILT)}


# -- waiting ----------------------------------------------------------------------------------------------


def test_a_wait_is_deferred_and_holds_neither_a_worker_nor_the_pool(airflow: Stack) -> None:
    def waiting() -> Run | None:
        runs = airflow.runs("features.patient")
        return next((run for run in runs if airflow.task_is(run, "wait_data", "deferred")()), None)

    run = until("a run that waits for its data", waiting, explain=lambda: airflow.told("features.patient"))
    task = airflow.tasks(run)["wait_data"]
    assert task["trigger"] is not None
    assert task["pool"] != "spark"
    assert airflow.tasks(run)["build"]["state"] is None


def test_a_run_publishes_when_it_is_due_and_not_before(airflow: Stack) -> None:
    delay = airflow.view("patient").publish_delay

    def lags() -> list[timedelta]:
        """How long after they were due those flipped that had to wait for it."""
        runs = [run for run in airflow.runs("features.patient") if run.state == "success"]
        waited = {run.snapshot_time for run in runs if "DEFERRED" in airflow.log(run, "wait_publish", 1)}
        events = airflow.ledger("patient", Kind.PUBLISHED)
        return [
            event.effective_at - event.snapshot_time - delay
            for event in events
            if event.effective_at and event.snapshot_time and event.snapshot_time in waited
        ]

    waited = until(
        "a run that waited to be due",
        lags,
        seconds=13 * 60,
        explain=lambda: airflow.told("features.patient"),
    )
    assert min(waited) >= timedelta(0)
    # not of all: other tests pause views, and end the database
    assert median_low(waited) < timedelta(minutes=1), waited
