"""The demo's loop: ask Airflow for what is wanted and missing, and look on until all of it is done."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby

from examples.runs import Failure, Run, Runs
from examples.screen import Cell, Screen
from examples.wanted import Wanted
from skewless.errors import SetupError, UsageError
from skewless.timeline import Clock, after

PAUSE = 4.0  # seconds between two looks
PATIENCE = timedelta(minutes=10)  # without any change; then the demo stops waiting
SLEPT = timedelta(minutes=3)  # a look takes seconds: after such a gap the machine was asleep

_TASK_WORDS = {
    "running": "{task}",
    "deferred": "{task}",
    "up_for_retry": "{task} failed, will be tried again",
    "queued": "{task} queued",
    "scheduled": "{task} queued",
}


def cell_of(run: Run | None, *, paused: bool, blocked: bool) -> Cell:
    """How far an interval is, in words."""
    if run is not None and run.state == "success":
        return Cell("done", f"done: {run.said}" if run.said else "done")
    if paused:
        return Cell("paused", "paused in Airflow")
    if run is None:
        return Cell("to come", "asked for")
    if run.state == "failed":
        return Cell("blocked", "blocked") if blocked else Cell("failed", f"{run.task or 'run'} failed")
    if run.task is None:
        return Cell("running" if run.state == "running" else "to come", run.state)
    again = f", try {run.tried}" if run.tried > 1 and run.task_state == "running" else ""
    phase = "to come" if run.task_state in ("queued", "scheduled") else "running"
    return Cell(phase, _TASK_WORDS[run.task_state or ""].format(task=run.task) + again)


class Watch:
    """What is wanted of Airflow, and how far it is."""

    def __init__(
        self,
        runs: Runs,
        clock: Clock,
        wanted: Callable[[], tuple[Wanted, ...]],
        screen: Screen,
        pause: Callable[[], None] = lambda: time.sleep(PAUSE),
    ) -> None:
        """Nothing is asked yet; `wanted` says what is due at the time, `pause` passes the time between two looks."""
        self._runs, self._clock, self._wanted, self._screen = runs, clock, wanted, screen
        self._pause = pause
        self._items = wanted()
        self._cells: dict[Wanted, Cell] = {}
        self._failed_before: set[Wanted] = set()  # by an earlier demo: asked for again, once
        self._refused: set[str] = set()
        self._failures: dict[Run, Failure] = {}
        self._away = False

    def until_done(self) -> dict[Wanted, Cell]:
        """Look on until every interval is over, or nothing has changed for `PATIENCE`."""
        looked = changed = self._clock.now()
        while True:
            now = self._clock.now()
            if after(now - looked, SLEPT):
                changed = self._wake_up(now)
            looked, before = now, dict(self._cells)
            self._try_to_look()
            self._screen.show(self._cells)
            changed = changed if self._cells == before else now
            if self._is_over() or after(now - changed, PATIENCE):
                return self._cells
            self._pause()

    def _is_over(self) -> bool:
        return bool(self._cells) and all(cell.over for cell in self._cells.values())

    def _wake_up(self, now: datetime) -> datetime:
        self._screen.say("this machine was asleep: waiting for the intervals that are the newest now")
        self._items, self._cells = self._wanted(), {}
        return now

    def _try_to_look(self) -> None:
        """Look once; while Airflow does not answer, the cells stay as they are."""
        try:
            self._look()
        except SetupError as error:
            if not self._away:
                self._screen.say(f"{error}\nthe watcher starts again what has ended: waiting for it")
            self._away = True
            return
        self._away = False

    def _look(self) -> None:
        """Look at what is not done yet."""
        paused = self._runs.paused()
        groups = [list(group) for _, group in groupby(self._items, key=lambda item: item.dag_id)]
        left = [items for items in groups if not all(self._is_done(item) for item in items)]
        runs: dict[Wanted, Run] = {}
        for items in left:
            runs |= self._runs.of(items)
        runs = self._runs.with_tasks(runs)
        self._note_failures(runs)
        for items in left:
            is_paused = paused.get(items[0].dag_id, False)
            asked = () if is_paused else self._ask_for_missing(items, runs)
            for item in items:
                run = None if item in asked else runs.get(item)
                self._cells[item] = self._cell(item, run, is_paused)

    def _is_done(self, item: Wanted) -> bool:
        return item in self._cells and self._cells[item].phase == "done"

    def _note_failures(self, runs: Mapping[Wanted, Run]) -> None:
        """Tell of each failure once; what failed before this demo, and was not blocked, is asked for again."""
        for item, run in runs.items():
            if not run.has_failed_task:
                continue
            if run not in self._failures:
                self._failures[run] = failure = self._runs.failure(run)
                head = f"{item.name} at {item.at:%d %b %H:%M}: {run.task or 'the run'} failed"
                self._screen.say(f"{head}\n{failure.message}")
            if item not in self._cells and run.state == "failed" and not self._failures[run].blocked:
                self._failed_before.add(item)

    def _ask_for_missing(self, items: Sequence[Wanted], runs: Mapping[Wanted, Run]) -> Sequence[Wanted]:
        """Ask for the intervals without a run, and for those that failed before; give those that were asked for."""
        missing = [item for item in items if item not in runs or item in self._failed_before]
        dag_id = items[0].dag_id
        if not missing or dag_id in self._refused or self._runs.backfill_is_open(dag_id):
            return ()
        self._failed_before -= set(items)
        try:
            self._runs.backfill(missing)
        except UsageError as error:
            self._screen.say(str(error))
            self._refused.add(dag_id)
            return ()
        return missing

    def _cell(self, item: Wanted, run: Run | None, paused: bool) -> Cell:
        if item.dag_id in self._refused and run is None:
            return Cell("failed", "refused by Airflow")
        if item in self._failed_before and not paused:
            return Cell("to come", "failed before, waits for another backfill")
        failure = self._failures.get(run) if run else None
        return cell_of(run, paused=paused, blocked=bool(failure and failure.blocked))
