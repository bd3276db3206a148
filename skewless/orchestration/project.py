"""A project's folder, as a DAG file sees it: its settings, its good definitions, and what is wrong with others."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from airflow.sdk import DAG, get_parsing_context

from skewless.errors import DefinitionError
from skewless.orchestration.chores import BACKFILL, MAINTENANCE, backfill_dag, maintenance_dag
from skewless.orchestration.dag import to_dag
from skewless.orchestration.runner import Runner
from skewless.plan.compile import compile_repo
from skewless.plan.repo import check_repo
from skewless.settings import Settings, load_settings


@dataclass(frozen=True)
class Project:
    """The folder where commands run, and the settings that they find there."""

    folder: Path
    settings: Settings

    @classmethod
    def open(cls, folder: str | Path | None = None) -> Project:
        """Find the settings as a command in that folder would, wherever Airflow itself was started."""
        place = Path(folder or ".").absolute()
        with contextlib.chdir(place):
            return cls(place, load_settings())


def dags(folder: str | Path | None = None, *, pool: str = "spark") -> dict[str, DAG]:
    """One DAG per good feature view and training set, and those of the project as a whole, by their ids.

    folder  the project's: commands run there; its skewless.toml and SKEWLESS_* variables count. Default: here
    pool    Airflow's pool for the tasks that use Spark

    What is wrong with other definitions is left to `check_definitions`, so that good ones go on.
    """
    project = Project.open(folder)
    settings = project.settings
    repo, _ = check_repo(settings.features)
    runner = Runner(
        settings.command, project.folder, settings.namespace, settings.warehouse, settings.features
    )
    makers = {plan.dag_id: partial(to_dag, plan, runner, pool) for plan in compile_repo(repo)}
    if repo.views:
        makers[MAINTENANCE] = partial(maintenance_dag, runner, pool)
        makers[BACKFILL] = partial(backfill_dag, runner, pool, sorted(repo.views))
    asked = get_parsing_context().dag_id  # a task's process needs its own alone
    return {dag_id: make() for dag_id, make in makers.items() if asked in (None, dag_id)}


def check_definitions(folder: str | Path | None = None) -> None:
    """Raise DefinitionError with every mistake, file and line: Airflow shows it as an import error."""
    _, problems = check_repo(Project.open(folder).settings.features)
    if problems:
        raise DefinitionError(problems)
