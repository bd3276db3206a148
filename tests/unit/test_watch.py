"""When the watcher restarts a service, and when it lets it be."""

from __future__ import annotations

import itertools
import os
import time
from pathlib import Path

import pytest

from skewless.errors import UsageError
from skewless.local.logs import log_lines, rotate
from skewless.local.process import Child
from skewless.local.watch import Watched
from skewless.settings import load_settings


def look(watched: Watched, now: float, *, alive: bool = True, answers: bool = True) -> str | None:
    return watched.judge(alive=alive, answers=alive and answers, patience=30.0, now=now)


def test_a_service_that_ended_is_restarted_at_once() -> None:
    assert look(Watched(), 0.0, alive=False) == "has ended"


def test_a_service_that_does_not_answer_is_restarted_after_its_patience() -> None:
    watched = Watched()
    assert [look(watched, now, answers=False) for now in (0.0, 10.0, 29.0)] == [None] * 3
    assert look(watched, 30.0, answers=False) == "has not answered for 30 s"


def test_one_answer_within_the_patience_ends_the_doubt() -> None:
    watched = Watched()
    looks = [(0.0, False), (20.0, False), (25.0, True), (40.0, False), (50.0, False)]
    assert [look(watched, now, answers=answers) for now, answers in looks] == [None] * 5


def test_two_late_answers_are_no_failure_however_long_they_took() -> None:
    watched = Watched()
    assert [look(watched, now, answers=False) for now in (0.0, 500.0)] == [None] * 2


def test_a_service_that_does_not_hold_is_restarted_ever_more_rarely() -> None:
    watched, restarted = Watched(), []
    for second in range(400):
        if look(watched, float(second), alive=False):
            restarted.append(second)
            watched.restarted(float(second))
    assert [later - earlier for earlier, later in itertools.pairwise(restarted)] == [1, 20, 40, 80, 160]


def test_a_service_that_held_is_restarted_at_once_again() -> None:
    watched = Watched()
    for now in (0.0, 1.0, 21.0):
        watched.restarted(now)
    assert look(watched, 22.0, alive=False) is None
    assert look(watched, 700.0) is None
    watched.restarted(701.0)
    assert look(watched, 702.0, alive=False) == "has ended"


# -- logs -------------------------------------------------------------------------------------------------


def test_logs_are_shown_by_name_and_an_unknown_name_gets_the_nearest(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "valkey.log").write_text("one\ntwo\n")
    (tmp_path / "run" / "scheduler.log").write_text("three\n")
    assert list(log_lines(settings, ["VALKEY"], lines=1, follow=False)) == [("Valkey", "two")]
    assert ("scheduler", "three") in list(log_lines(settings, lines=5, follow=False))
    with pytest.raises(UsageError, match=r"'schedular' \(did you mean 'scheduler'\?\)"):
        list(log_lines(settings, ["schedular"], lines=1, follow=False))


def test_a_followed_log_gives_new_lines_whole_also_after_it_began_again(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path)
    (tmp_path / "run").mkdir()
    log = tmp_path / "run" / "valkey.log"
    log.write_text("before\n")
    told = log_lines(settings, ["valkey"], lines=1, follow=True)
    assert next(told)[1] == "before"
    with log.open("a") as file:
        file.write("after\nhalf a l")
    assert next(told)[1] == "after"
    log.write_text("new\n")
    assert next(told)[1] == "new"


def test_a_large_log_begins_again_while_its_process_writes_on(tmp_path: Path) -> None:
    child = Child("service", tmp_path)
    os.mkfifo(tmp_path / "go")
    command = ["sh", "-c", "head -c 20000001 /dev/zero; read x < go; echo later"]
    child.start(command, env=os.environ, cwd=tmp_path)
    while child.log.stat().st_size < 20_000_001:
        time.sleep(0.05)
    rotate(child)
    (tmp_path / "go").write_text("now\n")
    while not child.log.stat().st_size:
        time.sleep(0.05)
    assert child.log.read_text() == "later\n"
    assert (tmp_path / "service.log.1").stat().st_size == 20_000_001
    child.stop()
