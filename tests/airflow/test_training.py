"""Training sets under Airflow: they wait for their labels, and build versions."""

from __future__ import annotations

from datetime import timedelta

import pytest

from skewless.ledger.events import Event, Kind
from skewless.timeline import format_instant
from tests.airflow import sources
from tests.airflow.stack import STEP, Run, Stack, until

pytestmark = pytest.mark.slow
CHARGEBACKS = "training.chargebacks"


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
    labels = sources.payments(end - timedelta(hours=1), end).to_pylist()
    known = end + airflow.workspace.repo.training_set("chargebacks").label_delay
    expected = [
        row for row in labels if row["event_timestamp"] >= end - STEP and row["created_timestamp"] < known
    ]
    assert built.rows == len(expected)
    airflow.noted(run, f"{format_instant(end)}: {built.rows} rows, passed")


def versions(airflow: Stack, training_set: str) -> list[Event]:
    """What was built of a training set."""
    workspace = airflow.workspace
    ledger = workspace.training_ledger(workspace.repo.training_set(training_set))
    return [event for event in ledger.read() if event.kind is Kind.BUILT]
