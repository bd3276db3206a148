"""The tasks of a run, executed without a scheduler: waits that defer or refuse, commands that run for real."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import threading
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.standard.triggers.temporal import DateTimeTrigger
from airflow.sdk.exceptions import AirflowException, AirflowFailException, TaskDeferred

from skewless.orchestration.notes import FAILURE
from skewless.timeline import SystemClock, format_instant
from tests.unit.airflow_runs import run_of, shop


def this_hour() -> datetime:
    """The newest end of an hour, by the clock that the tasks look at."""
    return SystemClock().now().replace(minute=0, second=0, microsecond=0)


HOUR = this_hour()  # or an earlier one, when the tests run


def task(folder: Path, name: str, code: str = "") -> Any:
    """A task of the shop; its command is a small program that may look at `words`, its arguments."""
    dag_id, _, task_id = name.rpartition(".")
    program = f"import json, os, sys, time; words = sys.argv[1:]\n{code}"
    return shop(folder, shlex.join([sys.executable, "-c", program]))[dag_id].get_task(task_id)


def execute(task: Any, context: Any) -> Any:
    """What the task's runner does: without its safeguard against a call of `execute` by hand."""
    return type(task).execute.__wrapped__(task, context)


# -- waits ------------------------------------------------------------------------------------------------


def test_a_wait_is_deferred_until_its_instant_and_ends_there(tmp_path: Path):
    end = this_hour()
    with pytest.raises(TaskDeferred) as deferred:
        execute(task(tmp_path, "features.hourly.wait_publish"), run_of(end))  # due 90 minutes after
    trigger = deferred.value.trigger
    assert isinstance(trigger, DateTimeTrigger)
    assert trigger.moment == end + timedelta(minutes=90)
    assert trigger.end_from_trigger


def test_a_wait_for_what_has_passed_returns_at_once(tmp_path: Path):
    assert execute(task(tmp_path, "features.hourly.wait_publish"), run_of(HOUR - timedelta(hours=2))) is None


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (None, "without a logical date"),
        (HOUR + timedelta(days=2), "has not ended"),
        (HOUR - timedelta(minutes=7), "ends no interval of '@hourly'"),
        (datetime.fromisoformat("2026-06-30T00:00Z"), "before the definition's start"),
    ],
)
@pytest.mark.parametrize("name", ["wait_data", "build"])
def test_a_run_that_makes_no_sense_fails_for_good_in_whichever_task(
    tmp_path: Path, name: str, end: datetime | None, words: str
):
    context = run_of(end)
    one = task(tmp_path, f"features.hourly.{name}", "open('ran', 'w')")
    with pytest.raises(AirflowFailException, match=words):
        execute(one, context)
    assert words in context["ti"].xcoms[FAILURE]["error"]
    assert not (tmp_path / "ran").exists()


# -- commands ---------------------------------------------------------------------------------------------


def test_a_job_runs_the_command_that_a_person_would_type(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    told = "{'words': words, 'actor': os.environ.get('SKEWLESS_ACTOR')}"
    code = f"print('building', file=sys.stderr); print(json.dumps({told}))"
    receipt = execute(task(tmp_path, "features.hourly.build", code), run_of(HOUR, user="ada"))
    when = format_instant(HOUR)
    assert receipt == {"words": ["build", "hourly", "--snapshot-time", when, "--json"], "actor": "ada"}
    said = capfd.readouterr().out
    assert f"$ skewless build hourly --snapshot-time {when}" in said
    assert "building" in said


def test_a_training_set_is_asked_for_by_its_intervals_end(tmp_path: Path):
    receipt = execute(
        task(tmp_path, "training.learned.train", "print(json.dumps({'words': words}))"), run_of(HOUR)
    )
    assert receipt["words"] == ["train", "learned", "--interval-end", format_instant(HOUR), "--json"]


def test_only_a_publish_that_began_late_gives_way_to_the_newest(tmp_path: Path):
    begun = {"late": HOUR + timedelta(minutes=150), "in time": HOUR + timedelta(minutes=149)}
    for name, expected in (("publish", {"late"}), ("build", set())):
        one = task(tmp_path, f"features.hourly.{name}", "print(json.dumps({'words': words}))")
        given = {when: execute(one, run_of(HOUR, started=start))["words"] for when, start in begun.items()}
        assert {when for when, words in given.items() if "--if-newest" in words} == expected


@pytest.mark.parametrize(
    ("code", "kind"), [(3, AirflowFailException), (2, AirflowFailException), (1, AirflowException)]
)
def test_a_blocked_check_and_misuse_are_not_tried_again_and_others_are(
    tmp_path: Path, code: int, kind: type[Exception], capfd: pytest.CaptureFixture[str]
):
    error = {"error": "1 of 2 checks failed\n  amount: 3 below 0", "exit_code": code}
    context = run_of(HOUR)
    with pytest.raises(AirflowException) as raised:
        execute(
            task(
                tmp_path,
                "features.hourly.check",
                f"print(json.dumps({error}), file=sys.stderr); sys.exit({code})",
            ),
            context,
        )
    assert type(raised.value) is kind
    assert str(raised.value) == error["error"]
    assert context["ti"].xcoms == {FAILURE: error}
    said = [line.partition("]")[2].partition("[")[0].strip() for line in capfd.readouterr().out.splitlines()]
    assert said[-2:] == ["1 of 2 checks failed", "amount: 3 below 0"]


def test_a_command_that_says_nothing_is_still_told(tmp_path: Path):
    for code, words in (
        ("os.kill(os.getpid(), 9)", "check was ended by signal 9"),
        ("sys.exit(1)", "exit code 1"),
        ("pass", "printed no receipt"),
    ):
        with pytest.raises(AirflowException, match=words) as raised:
            execute(task(tmp_path, "features.hourly.check", code), run_of(HOUR))
        assert type(raised.value) is AirflowException


def test_the_asset_event_carries_the_receipt(tmp_path: Path):
    one, context = task(tmp_path, "features.hourly.publish", "print('{\"generation\": 7}')"), run_of(HOUR)
    execute(one, context)
    assert context["outlet_events"][one.outlets[0]].extra == {"generation": 7}


def test_a_task_that_is_killed_ends_its_command(tmp_path: Path):
    one = task(tmp_path, "features.hourly.build", "open('ran', 'w').write(str(os.getpid())); time.sleep(600)")
    raised: list[BaseException] = []

    def run() -> None:
        try:
            execute(one, run_of(HOUR))
        except AirflowException as error:
            raised.append(error)

    running = threading.Thread(target=run, daemon=True)
    running.start()
    while not ((tmp_path / "ran").exists() and (tmp_path / "ran").read_text()):
        time.sleep(0.05)
    one.on_kill()
    running.join(10)
    assert [f"signal {signal.SIGTERM.value}" in str(error) for error in raised] == [True]
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "ran").read_text()), 0)
