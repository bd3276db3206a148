"""The DAGs of a project as a whole: the commands that they run, and when."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from airflow.serialization.serialized_objects import DagSerialization

from skewless.orchestration.chores import backfill_dag, maintenance_dag
from skewless.orchestration.runner import Runner
from tests.unit.airflow_runs import run_of

FROM, TO = "2026-07-01T00:00:00Z", "2026-07-08T00:00:00Z"


def runner(folder: Path, code: str = "print(json.dumps({'words': words}))") -> Runner:
    """Commands are a small program that may look at `words`, its arguments."""
    program = f"import json, sys; words = sys.argv[1:]\n{code}"
    command = shlex.join([sys.executable, "-c", program])
    return Runner(command, folder, "dev", str(folder / "warehouse"), folder / "features")


def ran(dag: DAG, **params: Any) -> Any:
    """What the DAG's one task gives, triggered with these parameters."""
    (task,) = dag.tasks
    values = {name: dag.params[name] for name in dag.params if name not in params} | params
    task.render_template_fields({"params": values})  # type: ignore[arg-type]
    return type(task).execute.__wrapped__(task, run_of(None))  # type: ignore[attr-defined]


def test_maintenance_runs_every_night_and_never_twice_at_once(tmp_path: Path):
    dag = maintenance_dag(runner(tmp_path), "spark")
    assert (dag.dag_id, dag.schedule.expression, dag.catchup) == ("skewless.maintenance", "30 3 * * *", False)
    assert (dag.max_active_runs, dag.is_paused_upon_creation, dag.tasks[0].pool) == (1, False, "spark")
    assert ran(dag) == {"words": ["maintain", "--json"]}


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"view": "b", "from": FROM}, ["b", f"--from={FROM}"]),
        ({"from": FROM, "to": TO}, ["a", f"--from={FROM}", f"--to={TO}"]),
        ({"from": FROM, "rebuild": True}, ["a", f"--from={FROM}", "--rebuild"]),
    ],
)
def test_a_backfill_is_the_command_that_a_person_would_type(
    tmp_path: Path, params: dict[str, Any], words: list[str]
):
    dag = backfill_dag(runner(tmp_path), "spark", ["a", "b"])
    assert (dag.dag_id, dag.schedule) == ("skewless.backfill", None)
    assert ran(dag, **params) == {"words": ["backfill", *words, "--json"]}


@pytest.mark.parametrize(("code", "kind"), [(3, AirflowFailException), (1, AirflowException)])
def test_blocked_intervals_are_not_tried_again_and_failures_are(
    tmp_path: Path, code: int, kind: type[Exception]
):
    error = {"error": "1 of 9 intervals are blocked", "exit_code": code}
    dag = backfill_dag(
        runner(tmp_path, f"print(json.dumps({error}), file=sys.stderr); sys.exit({code})"), "spark", ["a"]
    )
    with pytest.raises(AirflowException, match="1 of 9 intervals are blocked") as raised:
        ran(dag, **{"from": FROM})
    assert type(raised.value) is kind


def test_airflow_can_store_them(tmp_path: Path):
    for dag in (maintenance_dag(runner(tmp_path), "spark"), backfill_dag(runner(tmp_path), "spark", ["a"])):
        stored = DagSerialization.to_dict(dag)
        assert DagSerialization.from_dict(json.loads(json.dumps(stored))).dag_id == dag.dag_id
