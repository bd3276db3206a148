"""The tasks of a run: waits, which hold no worker, and commands, which run beside the task's interpreter."""

from __future__ import annotations

import os
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, NoReturn

from airflow.providers.standard.triggers.temporal import DateTimeTrigger
from airflow.sdk import BaseOperator, BaseOperatorLink, Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from skewless.orchestration.command import Command, Ended
from skewless.orchestration.intervals import refusal, started_late
from skewless.orchestration.notes import FAILURE
from skewless.orchestration.runner import Runner
from skewless.plan.compile import Plan
from skewless.timeline import SystemClock, due, format_instant, utc

BLOCKED, MISUSE = 3, 2


class IntervalTask(BaseOperator):
    """A task of a run that owns one interval of a plan."""

    def __init__(self, *, plan: Plan, **more: Any) -> None:
        """Keep the plan."""
        super().__init__(**more)
        self.plan = plan

    def interval_end(self, context: Context) -> datetime:
        """The end of the run's interval; the task fails for good where the run makes no sense."""
        end = context["dag_run"].data_interval_end
        why = refusal(self.plan, end, SystemClock().now())
        if end is None or why is not None:
            self.fail_for_good(context, why or "this run has no data interval", MISUSE)
        return utc(end)

    def fail_for_good(self, context: Context, message: str, code: int) -> NoReturn:
        """Say why, in lines that can be read in the log, and fail without a retry."""
        self.leave(context, message, code)
        raise AirflowFailException(message)

    def leave(self, context: Context, message: str, code: int) -> None:
        """Write a failure's message into the log, and leave it for the run's note."""
        for line in message.splitlines():
            self.log.error("%s", line)
        context["ti"].xcom_push(key=FAILURE, value={"error": message, "exit_code": code})


class Wait(IntervalTask):
    """Wait until some time after the interval's end; refuses runs that make no sense."""

    ui_color = "#f0f4f8"

    def __init__(self, *, delay: timedelta, **more: Any) -> None:
        """Keep how long after the interval's end the wait ends."""
        super().__init__(**more)
        self.delay = delay

    def execute(self, context: Context) -> None:
        """End at once where the time has come; else let the triggerer end the task when it has."""
        end = self.interval_end(context)
        moment = end + self.delay
        waiting = f"{format_instant(end)} + {self.delay} = {format_instant(moment)}"
        if due(moment, SystemClock().now()):
            self.log.info("nothing to wait for: %s has passed", waiting)
            return
        self.log.info("waiting until %s", waiting)
        self.defer(
            trigger=DateTimeTrigger(moment=moment, end_from_trigger=True), method_name="execute_complete"
        )

    def execute_complete(self, context: Context, event: Any = None) -> None:
        """Nothing is left to do."""


class Job(IntervalTask):
    """Run a command of ours for the interval, as a person would, and hand on its receipt."""

    ui_color = "#e3f2e8"

    def __init__(
        self, *, job: str, runner: Runner, links: Collection[BaseOperatorLink] = (), **more: Any
    ) -> None:
        """Keep the command's name, and how to run it."""
        super().__init__(**more)
        self.job = job
        self.runner = runner
        self.operator_extra_links = links
        self._command: Command | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """Give the command's receipt; a blocked check and misuse are not retried, anything else is."""
        end = self.interval_end(context)
        words = [*self.plan.command(self.job, format_instant(end)), *self._conditions(context, end)]
        self.log.info("$ %s", self.runner.typed(*words))
        environment = os.environ | _actor(context)
        self._command = Command(self.runner.words(*words, "--json"), self.runner.folder, environment)
        ended = self._command.run(lambda line: self.log.info("%s", line))
        if ended.code:
            self._fail(context, ended)
        if ended.receipt is None:
            raise AirflowException(f"{self.runner.typed(*words)} ended well, but printed no receipt")
        for asset in self.outlets:
            context["outlet_events"][asset].extra = ended.receipt
        return ended.receipt

    def on_kill(self) -> None:
        """End the command, and whatever it started."""
        if self._command is not None:
            self._command.kill()

    def _conditions(self, context: Context, end: datetime) -> list[str]:
        """A publish of a run that began late must not run ahead of the newest snapshot's own."""
        late = self.job == "publish" and started_late(self.plan, end, context["dag_run"].start_date)
        return ["--if-newest"] if late else []

    def _fail(self, context: Context, ended: Ended) -> None:
        message = ended.error or _unexplained(self.job, ended.code)
        if ended.code in (BLOCKED, MISUSE):
            self.fail_for_good(context, message, ended.code)
        self.leave(context, message, ended.code)
        raise AirflowException(message)


def _actor(context: Context) -> dict[str, str]:
    """Who asked for the run, for the ledger: where a person did, and not the schedule."""
    name = context["dag_run"].triggering_user_name
    return {"SKEWLESS_ACTOR": name} if name else {}


def _unexplained(job: str, code: int) -> str:
    number = -code if code < 0 else code - 128  # the signal itself, or the shell's and our own way to tell it
    how = f"was ended by signal {number}" if number > 0 else f"ended with exit code {code}"
    return f"{job} {how} and said nothing of why; its last lines are above"
