"""Writes a run's note when the run ends: in the scheduler, or in the server where a person sets its state.

A task has no way to the run's note; the process that ends the run has the run at hand, in a session of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.listeners import hookimpl

from skewless.orchestration.notes import FAILURE, note_of

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

RECEIPT = "return_value"
_OURS = ("features.", "training.")
log = logging.getLogger(__name__)


@hookimpl
def on_dag_run_success(dag_run: DagRun, msg: str) -> None:
    """Note what the run made."""
    write_note(dag_run)


@hookimpl
def on_dag_run_failed(dag_run: DagRun, msg: str) -> None:
    """Note why it stopped."""
    write_note(dag_run)


def write_note(dag_run: DagRun) -> None:
    """Set the note from what the run's tasks left; what a person wrote there stays."""
    from sqlalchemy.orm import object_session

    session = object_session(dag_run)
    if session is None or not dag_run.dag_id.startswith(_OURS):
        return
    present = dag_run.dag_run_note
    if present is not None and present.user_id is not None:
        return
    instances = dag_run.get_task_instances(session=session)
    states = {instance.task_id: str(instance.state) for instance in instances}
    left = _left(dag_run, session)
    unsaid = {"error": "its log says why"}
    done = {
        task: left[task][RECEIPT] for task in left if states.get(task) == "success" and RECEIPT in left[task]
    }
    failed = {task: left.get(task, {}).get(FAILURE, unsaid) for task in states if states[task] == "failed"}
    note = note_of([task for task in _ORDER if task in states], done, failed)
    if note is not None:
        dag_run.note = note
        log.info("%s %s: %s", dag_run.dag_id, dag_run.run_id, note)


_ORDER = ("wait_data", "build", "check", "wait_publish", "publish", "wait_labels", "wait_settled", "train")


def _left(dag_run: DagRun, session: Any) -> dict[str, dict[str, Mapping[str, Any]]]:
    """What each task handed on, by task and key."""
    from airflow.models.xcom import XComModel

    asked = XComModel.get_many(run_id=dag_run.run_id, dag_ids=dag_run.dag_id)
    found: dict[str, dict[str, Mapping[str, Any]]] = {}
    for row in session.scalars(asked):
        value = XComModel.deserialize_value(row)
        if row.key in (RECEIPT, FAILURE) and isinstance(value, dict):
            found.setdefault(row.task_id, {})[row.key] = value
    return found
