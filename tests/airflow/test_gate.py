"""A failing expectation under Airflow: red, with words to act on; repaired and cleared, it publishes."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from skewless.ledger.events import Kind
from skewless.timeline import format_instant
from tests.airflow import sources
from tests.airflow.stack import Run, Stack

pytestmark = pytest.mark.slow
HOUR = timedelta(hours=1)
WRONG = -1_000_000.0


@pytest.fixture(scope="module")
def newest(airflow: Stack) -> datetime:
    """The snapshot time of the newest interval of `gated`."""
    return airflow.begin + HOUR


@pytest.fixture(scope="module")
def blocked(airflow: Stack, newest: datetime) -> Run:
    """The scheduled run of an interval whose source is wrong; the one before was published by hand."""
    for job in ("build", "check", "publish"):
        airflow.did(job, "gated", "--snapshot-time", (newest - HOUR).isoformat())
    wrong = sources.payment(1, WRONG, newest - timedelta(minutes=10))
    sources.write(airflow.settings, "orders", sources.rows(wrong), mode="append")
    airflow.define("gated")
    return airflow.ended("features.gated", newest)


def test_a_failing_expectation_turns_the_run_red_and_is_not_tried_again(airflow: Stack, blocked: Run) -> None:
    assert blocked.state == "failed"
    tasks = airflow.tasks(blocked)
    assert (tasks["check"]["state"], tasks["check"]["try_number"]) == ("failed", 1)
    assert tasks["publish"]["state"] == "upstream_failed"
    assert airflow.kinds("gated", newest_of(blocked)) == ["built", "blocked"]


def test_log_and_note_of_a_blocked_run_say_what_is_wrong_and_what_to_do(airflow: Stack, blocked: Run) -> None:
    at = f"{newest_of(blocked):%Y-%m-%dT%H:%M}"
    log = airflow.log(blocked, "check")
    for said in (
        "'gated'",
        at,
        "amount",
        "below 0",
        "Readers keep the previous snapshot",
        "clear the run from build",
        "skewless accept",
    ):
        assert said in log
    airflow.noted(blocked, f"{at}:00Z: 5 rows, blocked: 'gated' at {at}:00Z was not published")


def test_readers_of_a_blocked_view_keep_what_they_have(airflow: Stack, blocked: Run) -> None:
    assert airflow.live("gated") == (1, newest_of(blocked) - HOUR)
    (row,) = airflow.lookup("gated", 1)
    assert row["gated__amount"] > 0


def test_clearing_from_build_after_the_source_was_repaired_publishes(airflow: Stack, blocked: Run) -> None:
    first, last = airflow.begin - timedelta(hours=6), airflow.begin + timedelta(hours=4)
    sources.write(airflow.settings, "orders", sources.payments(first, last))
    airflow.clear(blocked, "build")
    at = newest_of(blocked)
    (run,) = airflow.succeeded("features.gated", at)
    airflow.noted(run, f"{format_instant(at)}: 5 rows, passed, generation 2")
    assert airflow.live("gated") == (2, at)
    assert [kind for kind in airflow.kinds("gated", at) if kind == Kind.PUBLISHED]
    (row,) = airflow.lookup("gated", 1)
    assert row["gated__amount"] > 0


def newest_of(run: Run) -> datetime:
    """The snapshot time of a run."""
    assert run.snapshot_time is not None
    return run.snapshot_time
