"""The tasks of a run: waits, which hold no worker, and commands, which run beside the task's interpreter."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
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


class Task(BaseOperator):
    """A task that says why it fails: in its log, and for its run's note."""

    def fail_for_good(self, context: Context, message: str, code: int) -> NoReturn:
        """Say why, in lines that can be read in the log, and fail without a retry."""
        self.leave(context, message, code)
        raise AirflowFailException(message)

    def leave(self, context: Context, message: str, code: int) -> None:
        """Write a failure's message into the log, and leave it for the run's note."""
        for line in message.splitlines():
            self.log.error("%s", line)
        context["ti"].xcom_push(key=FAILURE, value={"error": message, "exit_code": code})

    def end_of_interval(self, plan: Plan, context: Context) -> datetime:
        """The end of the run's interval; the task fails for good where the run makes no sense."""
        end = context["dag_run"].data_interval_end
        why = refusal(plan, end, SystemClock().now())
        if end is None or why is not None:
            self.fail_for_good(context, why or "this run has no data interval", MISUSE)
        return utc(end)


class IntervalTask(Task):
    """A task of a run that owns one interval of a plan."""

    def __init__(self, *, plan: Plan, **more: Any) -> None:
        """Keep the plan."""
        super().__init__(**more)
        self.plan = plan

    def interval_end(self, context: Context) -> datetime:
        """The end of the run's interval; the task fails for good where the run makes no sense."""
        return self.end_of_interval(self.plan, context)


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


class CommandTask(Task):
    """Run a command of ours, as a person would, and hand on its receipt."""

    ui_color = "#e3f2e8"
    template_fields: Sequence[str] = ("words",)

    def __init__(self, *, runner: Runner, words: Sequence[str] = (), **more: Any) -> None:
        """Keep how to run it, and its words, which may be templates; empty ones are left out."""
        super().__init__(**more)
        self.runner = runner
        self.words = list(words)
        self._command: Command | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """Give the command's receipt."""
        return self.run_command(context, [word for word in self.words if word])

    def run_command(self, context: Context, words: Sequence[str]) -> dict[str, Any]:
        """Give the command's receipt; a blocked check and misuse are not retried, anything else is."""
        self.log.info("$ %s", self.runner.typed(*words))
        environment = os.environ | _actor(context)
        self._command = Command(self.runner.words(*words, "--json"), self.runner.folder, environment)
        ended = self._command.run(lambda line: self.log.info("%s", line))
        if ended.code:
            self._fail(context, ended, words[0])
        if ended.receipt is None:
            raise AirflowException(f"{self.runner.typed(*words)} ended well, but printed no receipt")
        return ended.receipt

    def on_kill(self) -> None:
        """End the command, and whatever it started."""
        if self._command is not None:
            self._command.kill()

    def _fail(self, context: Context, ended: Ended, job: str) -> NoReturn:
        message = ended.error or _unexplained(job, ended.code)
        if ended.code in (BLOCKED, MISUSE):
            self.fail_for_good(context, message, ended.code)
        self.leave(context, message, ended.code)
        raise AirflowException(message)


class Job(CommandTask):
    """Run the command of one step for the run's interval."""

    template_fields = ()

    def __init__(
        self, *, job: str, plan: Plan, links: Collection[BaseOperatorLink] = (), **more: Any
    ) -> None:
        """Keep the command's name, and the plan whose interval it is for."""
        super().__init__(**more)
        self.job = job
        self.plan = plan
        self.operator_extra_links = links

    def execute(self, context: Context) -> dict[str, Any]:
        """Give the command's receipt, to those too who follow the view's asset."""
        end = self.end_of_interval(self.plan, context)
        words = [*self.plan.command(self.job, format_instant(end)), *self._conditions(context, end)]
        receipt = self.run_command(context, words)
        for asset in self.outlets:
            context["outlet_events"][asset].extra = receipt
        return receipt

    def _conditions(self, context: Context, end: datetime) -> list[str]:
        """A publish of a run that began late must not run ahead of the newest snapshot's own."""
        late = self.job == "publish" and started_late(self.plan, end, context["dag_run"].start_date)
        return ["--if-newest"] if late else []


def _actor(context: Context) -> dict[str, str]:
    """Who asked for the run, for the ledger: where a person did, and not the schedule."""
    name = context["dag_run"].triggering_user_name
    return {"SKEWLESS_ACTOR": name} if name else {}


def _unexplained(job: str, code: int) -> str:
    number = -code if code < 0 else code - 128  # the signal itself, or the shell's and our own way to tell it
    how = f"was ended by signal {number}" if number > 0 else f"ended with exit code {code}"
    return f"{job} {how} and said nothing of why; its last lines are above"
