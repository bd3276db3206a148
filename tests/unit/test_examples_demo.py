"""What the demo asks of Airflow, and when it stops waiting: against a script of what Airflow answers."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from examples.demo import _exit_code
from examples.runs import Failure, Run, _best, _telling
from examples.screen import Cell, Screen
from examples.wanted import Wanted, wanted
from examples.watching import PATIENCE, SLEPT, Watch, cell_of
from skewless.errors import SetupError, UsageError
from skewless.plan.repo import load_repo
from skewless.timeline import FixedClock, Interval

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 24, 13, 17, tzinfo=UTC)
HOUR = timedelta(hours=1)


def interval(hour: int, dag: str = "features.shop") -> Wanted:
    """The interval of a view that ends at an hour of the day."""
    end = NOW.replace(hour=hour, minute=0)
    return Wanted(dag, dag.partition(".")[2], Interval(end - HOUR, end))


ITEM = interval(13)


def run(item: Wanted = ITEM, state: str = "success", **more: object) -> Run:
    return Run(item.dag_id, f"scheduled__{item.at.isoformat()}", state, None, **more)  # type: ignore[arg-type]


@dataclass
class Script:
    """Airflow's answers, one look after another; the last one stays."""

    looks: list[dict[Wanted, Run] | SetupError]
    dags: Mapping[str, bool] = field(default_factory=dict)
    failures: Mapping[Run, Failure] = field(default_factory=dict)
    open_backfill: bool = False
    refusal: str = ""
    asked: list[tuple[Wanted, ...]] = field(default_factory=list)

    def paused(self) -> Mapping[str, bool]:
        self._now = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        if isinstance(self._now, SetupError):
            raise self._now
        return self.dags

    def of(self, items: Sequence[Wanted]) -> dict[Wanted, Run]:
        assert not isinstance(self._now, SetupError)
        return {item: found for item, found in self._now.items() if item in items}

    def with_tasks(self, found: Mapping[Wanted, Run]) -> dict[Wanted, Run]:
        return dict(found)

    def failure(self, failed: Run) -> Failure:
        return self.failures.get(failed, Failure("out of memory", blocked=False))

    def backfill_is_open(self, dag_id: str) -> bool:
        return self.open_backfill

    def backfill(self, items: Sequence[Wanted]) -> None:
        self.asked.append(tuple(items))
        if self.refusal:
            raise UsageError(self.refusal)


def watch(script: Script, *items: Wanted, step: timedelta = timedelta(seconds=4)) -> tuple[list[Cell], str]:
    """Look on until it is over; the cells at the end, and what was printed."""
    clock, out = FixedClock(NOW), io.StringIO()

    def pause() -> None:
        clock.at += step

    screen = Screen(Console(file=out, width=200, soft_wrap=True))
    found = Watch(script, clock, lambda: items or (ITEM,), screen, pause).until_done()  # type: ignore[arg-type]
    return list(found.values()), out.getvalue()


# -- what is wanted ---------------------------------------------------------------------------------------


def ends(name: str) -> list[str]:
    """When the wanted intervals of the project's own definition end."""
    items = wanted(load_repo(ROOT / "features"), NOW, 3)
    return [f"{item.at:%d %H:%M}" for item in items if item.name == name]


def test_the_newest_due_intervals_of_a_view_are_wanted_oldest_first():
    assert ends("transaction_stats") == ["24 11:00", "24 12:00", "24 13:00"]  # due at 13:15
    assert ends("carrier_delays") == ["24 10:00", "24 11:00", "24 12:00"]  # 13:00 is due at 13:20
    assert ends("aircraft_last_arrival") == ["24 11:30", "24 12:00", "24 12:30"]


def test_a_daily_view_is_wanted_once():
    assert ends("aircraft_month") == ["24 00:00"]


def test_the_training_set_is_wanted_for_the_newest_labels_that_are_known():
    assert ends("flight_delays") == ["23 00:00"]  # the labels of the 23rd are known a day after its end


# -- asking -----------------------------------------------------------------------------------------------


def test_only_intervals_without_a_run_are_asked_for():
    first, last = interval(12), interval(13)
    script = Script([{first: run(first)}, {first: run(first), last: run(last)}])
    assert watch(script, first, last)[0] == [Cell("done", "done")] * 2
    assert script.asked == [(last,)]


def test_nothing_is_asked_where_all_is_there():
    script = Script([{ITEM: run()}])
    watch(script)
    assert script.asked == []


def test_an_open_backfill_is_waited_for():
    script = Script([{}, {ITEM: run()}], open_backfill=True)
    assert watch(script)[0] == [Cell("done", "done")]
    assert script.asked == []


def test_what_failed_before_is_asked_for_once_and_what_fails_now_is_told():
    failed = run(state="failed", task="build", task_state="failed", tried=6)
    again = run(state="failed", task="build", task_state="failed", tried=12)
    script = Script([{ITEM: failed}, {ITEM: run(state="queued")}, {ITEM: again}])
    cells, said = watch(script)
    assert cells == [Cell("failed", "build failed")]
    assert script.asked == [(ITEM,)]
    assert said.count("out of memory") == 2


def test_a_blocked_run_is_not_asked_for_again():
    blocked = run(state="failed", task="check", task_state="failed")
    script = Script([{ITEM: blocked}], failures={blocked: Failure("1 of its 5 checks failed", blocked=True)})
    cells, said = watch(script)
    assert cells == [Cell("blocked", "blocked")]
    assert script.asked == []
    assert "1 of its 5 checks failed" in said


def test_a_refused_backfill_ends_the_wait_with_the_reason():
    script = Script([{}], refusal="Airflow refused POST backfills: no runs to create")
    cells, said = watch(script)
    assert cells == [Cell("failed", "refused by Airflow")]
    assert "no runs to create" in said
    assert len(script.asked) == 1


# -- not hanging ------------------------------------------------------------------------------------------


def test_a_paused_dag_is_told_and_not_waited_for():
    script = Script([{}], dags={ITEM.dag_id: True})
    assert watch(script)[0] == [Cell("paused", "paused in Airflow")]
    assert script.asked == []


def test_airflow_may_be_away_for_a_while():
    script = Script([SetupError("Airflow does not answer"), SetupError("it does not"), {ITEM: run()}])
    cells, said = watch(script)
    assert cells == [Cell("done", "done")]
    assert said.count("waiting for it") == 1


def test_after_a_time_without_any_change_the_demo_stops_waiting():
    script = Script([{ITEM: run(state="running", task="build", task_state="queued")}])
    assert watch(script, step=PATIENCE / 10)[0] == [Cell("to come", "build queued")]


def test_a_machine_that_slept_waits_for_what_is_the_newest_now():
    stale, fresh = interval(12), interval(13)
    script = Script([{stale: run(stale, "running")}, {fresh: run(fresh)}])
    clock, wishes = FixedClock(NOW), [(stale,), (fresh,)]

    def sleep() -> None:
        clock.at += 2 * SLEPT

    out = io.StringIO()
    screen = Screen(Console(file=out, width=200))
    found = Watch(script, clock, lambda: wishes.pop(0), screen, sleep).until_done()  # type: ignore[arg-type]
    assert found == {fresh: Cell("done", "done")}
    assert "was asleep" in out.getvalue()


# -- words ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (None, "asked for"),
        (run(state="queued"), "queued"),
        (run(state="running", task="build", task_state="running", tried=1), "build"),
        (run(state="running", task="build", task_state="running", tried=2), "build, try 2"),
        (run(state="running", task="check", task_state="scheduled"), "check queued"),
        (run(state="running", task="build", task_state="up_for_retry"), "build failed, will be tried again"),
        (Run("d", "r", "success", "2026-11-24T13:00:00Z: 16 rows, passed"), "done: 16 rows, passed"),
    ],
)
def test_a_run_in_words(found: Run | None, words: str):
    assert cell_of(found, paused=False, blocked=False).words == words


def test_of_several_runs_the_one_that_succeeded_counts_else_the_newest():
    end = {"data_interval_end": ITEM.at.isoformat()}
    older, good, newer = (end | {"id": name, "state": name} for name in ("failed", "success", "running"))
    manual = {"data_interval_end": None, "state": "success"}
    assert _best([older, good, newer, manual], ITEM) == good
    assert _best([older, newer, manual], ITEM) == newer
    assert _best([manual], ITEM) is None


def test_the_task_that_failed_is_shown_of_a_failed_run():
    tasks = [
        {"dag_id": ITEM.dag_id, "dag_run_id": "r", "task_id": name, "state": state, "try_number": 1}
        for name, state in (("build", "success"), ("check", "failed"), ("publish", "upstream_failed"))
    ]
    found = _telling(Run(ITEM.dag_id, "r", "failed", None), tasks)
    assert (found.task, found.task_state) == ("check", "failed")
    assert _telling(Run("features.other", "r", "failed", None), tasks).task is None


@pytest.mark.parametrize(
    ("phases", "code"),
    [(("done", "paused"), 0), (("done", "blocked"), 3), (("blocked", "failed"), 1), (("done", "to come"), 1)],
)
def test_exit_codes(phases: tuple[str, ...], code: int):
    assert _exit_code({interval(hour): Cell(phase, "") for hour, phase in enumerate(phases, 5)}) == code
