"""The DAGs that belong to no definition: maintenance every night, and backfills of many intervals at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, CronTriggerTimetable, Param

from skewless.orchestration.operators import CommandTask
from skewless.orchestration.runner import Runner

MAINTENANCE, BACKFILL = "skewless.maintenance", "skewless.backfill"

_NIGHTLY = "30 3 * * *"
_MAINTENANCE_DOC = """
Runs `skewless maintain` every night: joins small files, and deletes what nothing refers to and the settings
`retention_days` and `vacuum_days` do not hold. It may be cleared, killed, or paused for some days.
"""
_BACKFILL_DOC = """
Runs `skewless backfill` for the view and the time that you give: many intervals by few Spark jobs, with the records of
one run each. Run it again when it was killed: it goes on. A red run with blocked intervals stays red: the others stand.
`skewless plan` says which intervals have no good revision.
"""


def maintenance_dag(runner: Runner, pool: str) -> DAG:
    """Make the DAG that keeps all tables small."""
    timetable = CronTriggerTimetable(_NIGHTLY, timezone="UTC")
    with _dag(MAINTENANCE, timetable, _MAINTENANCE_DOC) as dag:
        CommandTask(task_id="maintain", words=["maintain"], runner=runner, pool=pool)
    return dag


def backfill_dag(runner: Runner, pool: str, views: Sequence[str]) -> DAG:
    """Make the DAG that a person triggers with a view and two instants."""
    since, until = (
        "Snapshots later than this instant.",
        "Up to and with this one; none: the newest that is due.",
    )
    params = {
        "view": Param(views[0], type="string", enum=list(views), description="The feature view."),
        "from": Param(type="string", format="date-time", description=since),
        "to": Param(None, type=["null", "string"], format="date-time", description=until),
        "rebuild": Param(False, type="boolean", description="Those too that have a good revision."),
    }
    words = [
        "backfill",
        "{{ params.view }}",
        "--from={{ params['from'] }}",
        "{{ '--to=' ~ params.to if params.to else '' }}",
        "{{ '--rebuild' if params.rebuild else '' }}",
    ]
    with _dag(BACKFILL, None, _BACKFILL_DOC, params=params) as dag:
        CommandTask(task_id="backfill", words=words, runner=runner, pool=pool)
    return dag


def _dag(dag_id: str, schedule: Any, doc: str, **more: Any) -> DAG:
    return DAG(
        dag_id=dag_id,
        schedule=schedule,
        catchup=False,
        max_active_runs=1,
        is_paused_upon_creation=False,
        doc_md=doc,
        tags=["skewless"],
        default_args={"owner": "skewless", "retries": 2, "retry_delay": timedelta(minutes=5)},
        **more,
    )
