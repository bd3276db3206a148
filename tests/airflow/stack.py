"""One deployment under a real Airflow: what tests ask of it, and what they see in tables and in the online store."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pyarrow.compute as pc
from deltalake import DeltaTable

from skewless.errors import SetupError
from skewless.ledger.events import Event, Kind
from skewless.local.airflow_api import AirflowApi
from skewless.model import FeatureView
from skewless.offline.tables import REVISION
from skewless.plan.repo import load_repo
from skewless.settings import Settings
from skewless.store import FeatureStore
from skewless.timeline import format_instant, parse_instant
from skewless.workspace import Workspace

T = TypeVar("T")
STEP = timedelta(minutes=5)  # an interval of most views
PATIENCE = 600.0  # seconds: two cores are shared by a dozen processes, and perhaps by others
ENDED = ("success", "failed")


def until(
    what: str,
    found: Callable[[], T],
    *,
    seconds: float = PATIENCE,
    despite: tuple[type[Exception], ...] = (SetupError,),  # a busy Airflow answers late
    explain: Callable[[], str] = str,
) -> T:
    """Ask until there is an answer; an AssertionError that explains when time is up."""
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(*despite):
            if answer := found():
                return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:.0f} s in vain for {what}\n{explain()}")
        time.sleep(0.5)


@dataclass(frozen=True)
class Run:
    """A run of a DAG, as the REST API tells it."""

    dag_id: str
    run_id: str
    state: str
    run_type: str
    note: str
    snapshot_time: datetime | None
    ended: datetime | None

    @classmethod
    def of(cls, told: dict[str, Any]) -> Run:
        """Read it from a response."""

        def instant(name: str) -> datetime | None:
            return parse_instant(told[name]) if told[name] else None

        return cls(
            told["dag_id"],
            told["dag_run_id"],
            told["state"],
            told["run_type"],
            told["note"] or "",
            instant("data_interval_end"),
            instant("end_date"),
        )

    @property
    def path(self) -> str:
        """Where the API has it."""
        return f"dags/{self.dag_id}/dagRuns/{self.run_id}"


@dataclass(frozen=True)
class Stack:
    """A deployment of its own in the run's servers, and its Airflow.

    library  the folder of all definitions; Airflow knows those that a test put into `settings.features`
    """

    settings: Settings
    library: Path
    begin: datetime
    api: AirflowApi

    # -- definitions --------------------------------------------------------------------------------------

    def define(self, *names: str) -> None:
        """Put definitions where Airflow sees them, and wait until it does; it starts to schedule them."""
        for name in names:
            shutil.copy(self.library / f"{name}.py", self.settings.features)
        repo = load_repo(self.settings.features)
        wanted = {f"features.{name}" for name in repo.views} | {
            f"training.{name}" for name in repo.training_sets
        }
        until(f"the DAGs {wanted}", lambda: wanted <= self.dag_ids(), explain=self._import_errors)

    def dag_ids(self) -> set[str]:
        """The DAGs that Airflow has."""
        return {dag["dag_id"] for dag in self.api.get("dags", limit=100)["dags"]}

    def import_errors(self) -> list[str]:
        """What Airflow says of files that it cannot read."""
        return [error["stack_trace"] for error in self.api.get("importErrors")["import_errors"]]

    def _import_errors(self) -> str:
        return "\n".join(self.import_errors())

    # -- Airflow: DAGs and runs ---------------------------------------------------------------------------

    def pause(self, dag_id: str, paused: bool = True) -> None:
        """Take a DAG off its schedule."""
        self.api.patch(f"dags/{dag_id}", {"is_paused": paused})

    def unpause(self, *dag_ids: str) -> None:
        """Let a DAG run."""
        for dag_id in dag_ids:
            self.pause(dag_id, paused=False)

    def runs(self, dag_id: str) -> list[Run]:
        """Every run of a DAG, oldest first."""
        return [Run.of(told) for told in self.api.get(f"dags/{dag_id}/dagRuns", limit=100)["dag_runs"]]

    def run_of(self, dag_id: str, at: datetime) -> Run | None:
        """The run of the interval that ends then."""
        return next((run for run in self.runs(dag_id) if run.snapshot_time == at), None)

    def again(self, run: Run) -> Run:
        """The run as it is now."""
        return Run.of(self.api.get(run.path))

    def ended(self, dag_id: str, at: datetime, seconds: float = PATIENCE) -> Run:
        """The run of an interval, when it has ended."""
        run = until(f"a run of {dag_id} at {at}", lambda: self.run_of(dag_id, at), seconds=seconds)
        return self.over(run, seconds)

    def over(self, run: Run, seconds: float = PATIENCE) -> Run:
        """A run, when it has ended."""

        def found() -> Run | None:
            now = self.again(run)
            return now if now.state in ENDED else None

        return until(f"{run.run_id} to end", found, seconds=seconds, explain=lambda: self.told(run.dag_id))

    def succeeded(self, dag_id: str, *ats: datetime, seconds: float = PATIENCE) -> list[Run]:
        """The runs of intervals, when all have ended; each must be a success, or its logs are the message."""
        runs = [self.ended(dag_id, at, seconds) for at in ats]
        failed = [run for run in runs if run.state != "success"]
        assert not failed, "\n".join(f"{run.run_id} failed\n{self.logs(run)}" for run in failed)
        return runs

    def noted(self, run: Run, words: str) -> None:
        """Wait for a run's note, which Airflow writes after its end, to have the words."""

        def note() -> str:
            return self.again(run).note

        until(f"a note with {words!r}", lambda: words in note(), seconds=60, explain=note)

    def told(self, dag_id: str) -> str:
        """Where the runs of a DAG are, for a message."""
        lines = []
        for run in self.runs(dag_id):
            states = ", ".join(f"{name} {task['state']}" for name, task in self.tasks(run).items())
            lines.append(f"{run.run_id} {run.state}: {states}")
        return "\n".join(lines)

    def trigger(self, dag_id: str, logical_date: datetime | None) -> Run:
        """Start a run by hand."""
        body = {"logical_date": format_instant(logical_date) if logical_date else None}
        return Run.of(self.api.post(f"dags/{dag_id}/dagRuns", body))

    def backfill(self, dag_id: str, first: datetime, last: datetime, **how: Any) -> None:
        """Ask for a backfill of the intervals that begin from `first` to `last`."""
        body = {"dag_id": dag_id, "from_date": format_instant(first), "to_date": format_instant(last)}
        self.api.post("backfills", body | {"max_active_runs": 3} | how)

    def backfilled(self, dag_id: str, seconds: float = PATIENCE) -> None:
        """Wait until no backfill of a DAG is under way."""

        def over() -> bool:
            found = self.api.get("backfills", dag_id=dag_id)["backfills"]
            return all(item["completed_at"] for item in found)

        until(f"the backfill of {dag_id}", over, seconds=seconds, explain=lambda: self.told(dag_id))

    # -- Airflow: tasks -----------------------------------------------------------------------------------

    def tasks(self, run: Run) -> dict[str, dict[str, Any]]:
        """The tasks of a run by their ids."""
        found = self.api.get(f"{run.path}/taskInstances")["task_instances"]
        return {task["task_id"]: task for task in found}

    def task_is(self, run: Run, task_id: str, *states: str) -> Callable[[], bool]:
        """A question: whether a task is in one of the states."""
        return lambda: self.tasks(run)[task_id]["state"] in states

    @contextlib.contextmanager
    def pool_closed(self, name: str) -> Iterator[None]:
        """No task of a pool begins meanwhile."""
        told = self.api.get(f"pools/{name}")
        pool = {"pool": name} | {key: told[key] for key in ("slots", "description", "include_deferred")}
        self.api.patch(f"pools/{name}", pool | {"slots": 0})
        try:
            yield
        finally:
            self.api.patch(f"pools/{name}", pool)

    def clear(self, run: Run, task_id: str) -> None:
        """Clear a task and what comes after it, as a person does, and wait until it begins again."""
        before = self.tasks(run)[task_id]["try_number"]
        body = {
            "dry_run": False,
            "dag_run_id": run.run_id,
            "task_ids": [task_id],
            "include_downstream": True,
            "only_failed": False,
        }
        self.api.post(f"dags/{run.dag_id}/clearTaskInstances", body)
        until(f"{task_id} to begin again", lambda: self.tasks(run)[task_id]["try_number"] > before)

    def log(self, run: Run, task_id: str, attempt: int | None = None) -> str:
        """What a task's log says, of its last try unless told otherwise."""
        number = attempt or self.tasks(run)[task_id]["try_number"]
        content = self.api.get(f"{run.path}/taskInstances/{task_id}/logs/{number}")["content"]
        return "\n".join(str(line["event"] if isinstance(line, dict) else line) for line in content)

    def logs(self, run: Run) -> str:
        """The ends of the logs of the tasks that failed."""
        failed = [name for name, task in self.tasks(run).items() if task["state"] == "failed"]
        return "\n".join(f"--- {name}\n{self.log(run, name)[-3000:]}" for name in failed)

    # -- ours ---------------------------------------------------------------------------------------------

    def elsewhere(self, folder: Path) -> Stack:
        """The same definitions and sources, with other tables."""
        shutil.copytree(Path(self.settings.warehouse) / "sources", folder / "sources")
        return replace(self, settings=self.settings.model_copy(update={"warehouse": str(folder)}))

    @property
    def workspace(self) -> Workspace:
        """All definitions, whether Airflow knows them or not."""
        return Workspace.open(self.settings.model_copy(update={"features": self.library}))

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command as a person does beside Airflow."""
        return subprocess.run(
            [sys.executable, "-m", "skewless.cli", *arguments],
            env=os.environ | self.workspace.settings.variables(),
            capture_output=True,
            text=True,
            check=False,
        )

    def did(self, *arguments: str) -> None:
        """Run a command that must succeed."""
        ran = self.command(*arguments)
        assert ran.returncode == 0, ran.stderr

    def view(self, name: str) -> FeatureView:
        """A view's definition."""
        return self.workspace.repo.view(name)

    def ledger(self, view: str, *kinds: Kind) -> list[Event]:
        """A view's events, of some kinds or of all."""
        events = self.workspace.ledger(self.view(view)).read()
        return [event for event in events if not kinds or event.kind in kinds]

    def kinds(self, view: str, at: datetime) -> list[str]:
        """What the ledger tells of a snapshot, in order."""
        return [event.kind.value for event in self.ledger(view) if event.snapshot_time == at]

    def content_hashes(self, view: str, at: datetime) -> set[str | None]:
        """The content of every build of a snapshot."""
        return {event.content_hash for event in self.ledger(view, Kind.BUILT) if event.snapshot_time == at}

    def values(self, view: str, at: datetime) -> list[dict[str, Any]]:
        """The rows of the newest build of a snapshot, in the order of their keys."""
        defined = self.view(view)
        built = [event for event in self.ledger(view, Kind.BUILT) if event.snapshot_time == at]
        assert built, f"{view} at {at} was never built"
        table = DeltaTable(self.workspace.feature_table(defined).uri).to_pyarrow_table(
            filters=pc.field(REVISION) == built[-1].revision
        )
        rows = table.select(list(defined.columns)).to_pylist()
        return sorted(rows, key=lambda row: [row[key] for key in defined.join_keys])

    def live(self, view: str) -> tuple[int, datetime]:
        """The generation and snapshot that readers have."""
        key = self.view(view).join_keys[0]
        with contextlib.closing(FeatureStore.of(self.workspace)) as store:
            served = store.get_online_features([view], [{key: 1}]).views[view]
        return served.generation, served.snapshot_time

    def lookup(self, view: str, *users: int) -> list[dict[str, Any]]:
        """What readers get."""
        with contextlib.closing(FeatureStore.of(self.workspace)) as store:
            return store.get_online_features([view], [{"user_id": user} for user in users]).rows


def ends(first: datetime, number: int, step: timedelta = STEP) -> list[datetime]:
    """The ends of so many intervals, the first of which begins then."""
    return [first + step * place for place in range(1, number + 1)]


def consistent(events: Sequence[Event]) -> None:
    """Demand what holds of every ledger: no event twice, growing generations and times, a verdict before a publish."""
    assert len({event.event_id for event in events}) == len(events)
    published = [event for event in events if event.kind is Kind.PUBLISHED]
    for column in ("generation", "flip", "snapshot_time"):
        assert _grows(getattr(event, column) for event in published), (column, published)
    passed = {event.revision for event in events if event.kind in (Kind.PASSED, Kind.ACCEPTED)}
    assert {event.revision for event in published} <= passed


def _grows(values: Iterable[Any]) -> bool:
    listed = list(values)
    return listed == sorted(listed)
