"""The demo's questions to Airflow's REST API: which DAGs there are, how far their runs are, and for a backfill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from examples.wanted import Wanted
from skewless.errors import BlockedError, UsageError
from skewless.local.airflow_api import AirflowApi
from skewless.timeline import format_instant, parse_instant

# The states of tasks that say where a run is, those that say most first.
_TELLING = ("failed", "running", "up_for_retry", "deferred", "queued", "scheduled")


@dataclass(frozen=True, slots=True)
class Run:
    """One run, and the task that it is at, or that failed, with its state and the number of its try."""

    dag_id: str
    run_id: str
    state: str
    note: str | None = field(compare=False)
    task: str | None = None
    task_state: str | None = None
    tried: int = 0

    @property
    def said(self) -> str:
        """What its note says of what it did; the note begins with the interval's end."""
        return (self.note or "").partition("Z: ")[2]

    @property
    def has_failed_task(self) -> bool:
        """Whether the task that it is at has failed, for good or until it is tried again."""
        return self.state == "failed" or self.task_state == "up_for_retry"


@dataclass(frozen=True, slots=True)
class Failure:
    """What a failed task said."""

    message: str
    blocked: bool


class Runs:
    """Airflow, as the demo needs it."""

    def __init__(self, api: AirflowApi) -> None:
        """Ask over this client."""
        self._api = api

    def paused(self) -> dict[str, bool]:
        """Every DAG that Airflow knows, and whether somebody paused it."""
        return {dag["dag_id"]: dag["is_paused"] for dag in self._api.get("dags", limit=100)["dags"]}

    def import_errors(self) -> tuple[str, ...]:
        """What Airflow says of the files that it could not read."""
        found = self._api.get("importErrors")["import_errors"]
        return tuple(f"{error['filename']}: {error['stack_trace'].strip()}" for error in found)

    def of(self, items: Sequence[Wanted]) -> dict[Wanted, Run]:
        """The run of each wanted interval of one DAG that has one; of several one that succeeded, else the newest."""
        asked = {"run_after_gte": format_instant(items[0].at), "order_by": "run_after", "limit": 100}
        runs = self._api.get(f"dags/{items[0].dag_id}/dagRuns", **asked)["dag_runs"]
        found = {item: best for item in items if (best := _best(runs, item))}
        return {
            item: Run(run["dag_id"], run["dag_run_id"], run["state"], run["note"])
            for item, run in found.items()
        }

    def with_tasks(self, found: Mapping[Wanted, Run]) -> dict[Wanted, Run]:
        """The same runs, each that runs or failed with the task that says most of it."""
        shown = [run for run in found.values() if run.state in ("running", "failed")]
        body = {
            "dag_ids": sorted({run.dag_id for run in shown}),
            "dag_run_ids": sorted({run.run_id for run in shown}),
            "state": _TELLING,
            "page_limit": 100,
        }
        tasks = self._api.post("dags/~/dagRuns/~/taskInstances/list", body)["task_instances"] if shown else []
        return {item: _telling(run, tasks) for item, run in found.items()}

    def failure(self, run: Run) -> Failure:
        """What the task that failed left for people, else the end of its log."""
        if run.task is None:
            return Failure("no task of it failed: somebody marked the run as failed", blocked=False)
        try:
            left = self._api.get(f"{_path(run)}/taskInstances/{run.task}/xcomEntries/failure")["value"]
            return Failure(left["error"], left["exit_code"] == BlockedError.exit_code)
        except UsageError:  # it was ended before it could say anything
            return Failure(self._end_of_log(run), blocked=False)

    def _end_of_log(self, run: Run, lines: int = 8) -> str:
        try:
            content = self._api.get(f"{_path(run)}/taskInstances/{run.task}/logs/{run.tried}")["content"]
        except UsageError as error:
            return str(error)
        said = [str(line["event"] if isinstance(line, dict) else line) for line in content]
        return "\n".join([line for line in said if not line.startswith("::")][-lines:])  # no marks of groups

    def backfill_is_open(self, dag_id: str) -> bool:
        """Whether a backfill of the DAG runs already; Airflow takes one at a time."""
        newest = self._api.get("backfills", dag_id=dag_id, order_by="-id", limit=1)["backfills"]
        return any(backfill["completed_at"] is None for backfill in newest)

    def backfill(self, items: Sequence[Wanted]) -> None:
        """Ask for the intervals of one DAG: those that have no run, or a failed one. UsageError where it refuses."""
        body = {
            "dag_id": items[0].dag_id,
            "from_date": format_instant(items[0].interval.start),
            "to_date": format_instant(items[-1].interval.start),
            "reprocess_behavior": "failed",
            "max_active_runs": len(items),
        }
        self._api.post("backfills", body)


def _telling(run: Run, tasks: Sequence[dict[str, Any]]) -> Run:
    states = ("failed",) if run.state == "failed" else _TELLING[1:] if run.state == "running" else ()
    own = [
        task
        for task in tasks
        if (task["dag_id"], task["dag_run_id"]) == (run.dag_id, run.run_id) and task["state"] in states
    ]
    if not own:
        return run
    task = min(own, key=lambda task: states.index(task["state"]))
    return replace(run, task=task["task_id"], task_state=task["state"], tried=task["try_number"])


def _path(run: Run) -> str:
    return f"dags/{run.dag_id}/dagRuns/{run.run_id}"


def _best(runs: Sequence[dict[str, Any]], item: Wanted) -> dict[str, Any] | None:
    of_interval = [
        run for run in runs if run["data_interval_end"] and parse_instant(run["data_interval_end"]) == item.at
    ]
    succeeded = [run for run in of_interval if run["state"] == "success"]
    return next(iter(succeeded or of_interval[::-1]), None)
