"""The wait of a training set for the snapshots that its labels can see."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import Context

from skewless.orchestration.operators import IntervalTask
from skewless.orchestration.runner import Runner
from skewless.orchestration.triggers import SettledTrigger, still_unsettled
from skewless.timeline import Interval, SystemClock, due, format_instant


class WaitSettled(IntervalTask):
    """Wait until the snapshots that the labels can see are settled, at most until some time after the interval."""

    ui_color = "#f0f4f8"

    def __init__(self, *, runner: Runner, delay: timedelta, **more: Any) -> None:
        """Keep where the ledgers are, and how long after the interval's end the wait ends at the latest."""
        super().__init__(**more)
        self.asked = {
            "features": str(runner.features),
            "warehouse": runner.warehouse,
            "training_set": self.plan.definition.name,
        }
        self.delay = delay

    def execute(self, context: Context) -> None:
        """End at once where nothing is missing, or its time is over; else let the triggerer look again."""
        labels, deadline = self._labels(context)
        missing = self._missing(labels)
        if not missing or due(deadline, SystemClock().now()):
            self._tell(missing)
            return
        self.log.info("waiting, at the latest until %s, for:", format_instant(deadline))
        for line in missing:
            self.log.info("  %s", line)
        trigger = SettledTrigger(
            features=self.asked["features"],
            warehouse=self.asked["warehouse"],
            training_set=self.asked["training_set"],
            start=format_instant(labels.start),
            end=format_instant(labels.end),
            deadline=format_instant(deadline),
        )
        self.defer(trigger=trigger, method_name="execute_complete")

    def execute_complete(self, context: Context, event: Any = None) -> None:
        """Say what is still missing, which the join computes from the source."""
        labels, _ = self._labels(context)
        self._tell(self._missing(labels))

    def _labels(self, context: Context) -> tuple[Interval, datetime]:
        end = self.interval_end(context)
        return self.plan.schedule.interval_ending(end), end + self.delay

    def _missing(self, labels: Interval) -> list[str]:
        found = still_unsettled(**self.asked, labels=labels)
        return [f"{item.view} at {format_instant(item.snapshot_time)}" for item in found]

    def _tell(self, missing: list[str]) -> None:
        if not missing:
            self.log.info("every snapshot that the labels can see is settled")
            return
        self.log.warning("not settled in time, and so computed from the source where nothing is stored:")
        for line in missing:
            self.log.warning("  %s", line)
