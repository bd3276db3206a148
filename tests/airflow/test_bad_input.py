"""What people do wrong: a message where they look, no half-run left, and all else goes on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from skewless.errors import SkewlessError, UsageError
from tests.airflow.dialog import Dialog
from tests.airflow.stack import STEP, Stack, until

pytestmark = pytest.mark.slow
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module", autouse=True)
def taken_away(airflow: Stack) -> str:
    """The DAG of a view whose definition is removed once Airflow knows it, which takes it two minutes to see."""
    airflow.define("doomed")
    (airflow.settings.features / "doomed.py").unlink()
    return "features.doomed"


# -- intervals that make no sense -------------------------------------------------------------------------


def test_a_backfill_before_start_is_refused_in_the_log_of_its_first_task(
    airflow: Stack, caught_up: list[datetime]
) -> None:
    at = airflow.begin - STEP
    airflow.backfill("features.steady", at - STEP, at - STEP)
    run = airflow.ended("features.steady", at)
    assert run.state == "failed"
    assert airflow.tasks(run)["wait_data"]["try_number"] == 1
    log = airflow.log(run, "wait_data")
    for said in (
        "features.steady",
        "before the definition's start",
        f"{airflow.begin:%Y-%m-%dT%H:%M}",
        "skewless build",
    ):
        assert said in log
    assert airflow.kinds("steady", at) == []


def test_airflow_itself_refuses_a_backfill_of_the_future(airflow: Stack) -> None:
    soon = datetime.now(UTC) + HOUR
    with pytest.raises(UsageError, match="future"):
        airflow.backfill("features.patient", soon, soon + HOUR)


def test_the_dialog_offers_no_run_of_the_future(airflow: Stack, page: Page, screenshots: Path) -> None:
    soon = datetime.now(UTC) + HOUR
    dialog = Dialog(page, airflow, screenshots)
    dialog.open("features.steady")
    dialog.choose(soon, soon + HOUR)
    assert dialog.says() == "No runs matching selected criteria."
    expect(dialog.runs).to_be_disabled()


def test_a_run_by_hand_of_the_future_begins_nothing_and_says_why(airflow: Stack) -> None:
    soon = airflow.begin + 24 * HOUR
    run = airflow.trigger("features.patient", soon)
    until("the run to be looked at", lambda: airflow.again(run).state == "running")
    told = airflow.api.get(f"{run.path}/taskInstances/wait_data/dependencies")["dependencies"]
    assert any("in the future" in item["reason"] for item in told), told
    assert airflow.kinds("patient", soon) == []
    airflow.api.patch(run.path, {"state": "failed"})  # or it would count as an active run until then


def test_a_trigger_without_a_logical_date_says_how_to_give_one(airflow: Stack) -> None:
    before = airflow.ledger("steady")
    run = airflow.trigger("features.steady", None)
    refused = airflow.over(run)
    assert refused.state == "failed"
    assert airflow.tasks(refused)["wait_data"]["try_number"] == 1
    log = airflow.log(refused, "wait_data")
    assert "without a logical date" in log
    assert "Nothing was done" in log
    new = [event for event in airflow.ledger("steady") if event not in before]
    assert all(event.snapshot_time and event.snapshot_time > airflow.begin for event in new)
    assert not [event for event in new if event.actor == "admin"]


# -- definitions that break or go ---------------------------------------------------------------------


def test_a_definition_that_breaks_is_told_with_file_and_line_and_others_go_on(
    airflow: Stack, caught_up: list[datetime]
) -> None:
    file = airflow.settings.features / "patient.py"
    good = file.read_text()
    broken = good.replace("= payments_view(", "= payment_view(")
    line = broken[: broken.index("= payment_view(")].count("\n") + 1
    file.write_text(broken)
    try:
        (told,) = until("an import error", airflow.import_errors)
        for said in (f"features/patient.py:{line}", "payment_view"):
            assert said in told
        at = caught_up[8]
        run = airflow.trigger("features.twin", at)
        assert airflow.over(run).state == "success", airflow.logs(run)
        assert airflow.kinds("twin", at)[:2] == ["built", "passed"]
    finally:
        file.write_text(good)
    until("the import error to go", lambda: not airflow.import_errors())
    until("the view to be back", lambda: "features.patient" in airflow.dag_ids())


def test_a_view_that_is_gone_takes_no_more_runs(airflow: Stack, taken_away: str) -> None:
    at = airflow.begin
    until("the view to be gone", lambda: taken_away not in airflow.dag_ids())
    with pytest.raises(UsageError, match=taken_away):
        airflow.trigger(taken_away, at)

    def deleted() -> bool:
        airflow.api.delete(f"dags/{taken_away}")
        return True

    until("its DAG to be deleted, with its runs", deleted, despite=(SkewlessError,))
    with pytest.raises(UsageError, match=taken_away):
        airflow.backfill(taken_away, at - 2 * HOUR, at - HOUR)
    assert airflow.kinds("doomed", at) == []
