"""Training sets under Airflow: they wait for labels and for snapshots, and go on without what never settles."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from skewless.ledger.events import Event, Kind
from skewless.timeline import format_instant
from tests.airflow import sources
from tests.airflow.stack import STEP, Run, Stack, until

pytestmark = pytest.mark.slow
CHARGEBACKS, LATE = "training.chargebacks", "training.late"


def test_a_training_set_waits_for_its_labels_and_builds_a_version(airflow: Stack) -> None:
    def waited() -> Run | None:
        runs = [run for run in airflow.runs(CHARGEBACKS) if run.state == "success"]
        return next((run for run in runs if "DEFERRED" in airflow.log(run, "wait_labels", 1)), None)

    run = until("a run that waited for its labels", waited, explain=lambda: airflow.told(CHARGEBACKS))
    end = run.snapshot_time
    assert end is not None
    assert "skewless train chargebacks --interval-end" in airflow.log(run, "train")
    assert "settled" in airflow.log(run, "wait_settled")
    (built,) = (event for event in versions(airflow, "chargebacks") if event.snapshot_time == end)
    known = end + airflow.workspace.repo.training_set("chargebacks").label_delay
    expected = [
        row
        for row in sources.read(airflow.settings, "chargebacks")
        if end - STEP <= row["event_timestamp"] < end and row["created_timestamp"] < known
    ]
    assert built.rows == len(expected)
    airflow.noted(run, f"{format_instant(end)}: {built.rows} rows, passed")


@pytest.mark.long
def test_a_training_set_goes_on_without_a_snapshot_that_never_settles(airflow: Stack) -> None:
    training_set = airflow.workspace.repo.training_set("late")
    limit = training_set.label_delay + training_set.settle_timeout
    unchecked = airflow.view("endless").timetable.newest_at(datetime.now(UTC) - STEP)
    airflow.did("build", "endless", "--snapshot-time", format_instant(unchecked))
    with airflow.pool_closed("spark"):  # so that no run of the view comes to an end
        airflow.define("late")
        airflow.pause("features.endless")
    run = until("a run that waits", lambda: waiting(airflow), explain=lambda: airflow.told(LATE))
    assert "endless at" in airflow.log(run, "wait_settled", 1)
    ended = airflow.over(run)
    airflow.pause(LATE)
    assert ended.state == "success", airflow.logs(ended)
    assert ended.ended is not None
    assert ended.snapshot_time is not None
    assert ended.ended > ended.snapshot_time + limit
    assert "not settled in time" in airflow.log(ended, "wait_settled")
    assert [event for event in versions(airflow, "late") if event.snapshot_time == ended.snapshot_time]


def waiting(airflow: Stack) -> Run | None:
    """A run of `late` that waits for snapshots, as it is seen while it does."""
    runs = airflow.runs(LATE)
    return next((run for run in runs if airflow.task_is(run, "wait_settled", "deferred")()), None)


def versions(airflow: Stack, training_set: str) -> list[Event]:
    """What was built of a training set."""
    workspace = airflow.workspace
    ledger = workspace.training_ledger(workspace.repo.training_set(training_set))
    return [event for event in ledger.read() if event.kind is Kind.BUILT]
