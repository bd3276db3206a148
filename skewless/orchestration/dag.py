"""A plan as an Airflow DAG: its steps in a row, one run per interval."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG, Asset, BaseOperator, CronDataIntervalTimetable, chain

from skewless.model import FeatureView
from skewless.orchestration.docs import doc_of
from skewless.orchestration.operators import Job, Wait
from skewless.orchestration.pages.links import GenerationLink, VerdictLink
from skewless.orchestration.runner import Runner
from skewless.orchestration.settling import WaitSettled
from skewless.plan.compile import Plan, Step

# Without `start`, a DAG begins with the interval in which it is first seen; Airflow wants some date in the past.
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)

_RETRIES = {
    "retries": 5,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=10),
}

# Runs that are nearly done go first, so that two cores finish some runs rather than begin all of them.
_WEIGHTS = {"wait_publish": 50, "publish": 40, "train": 30, "check": 20, "build": 10}
_WAIT_WEIGHT = 5

_LINKS = {"check": (VerdictLink(),), "publish": (GenerationLink(),)}


def to_dag(plan: Plan, runner: Runner, pool: str) -> DAG:
    """Make the DAG of a feature view or of a training set."""
    definition = plan.definition
    with DAG(
        dag_id=plan.dag_id,
        schedule=CronDataIntervalTimetable(plan.schedule.cron, timezone="UTC"),
        start_date=definition.start or LONG_AGO,
        catchup=definition.start is not None,
        max_active_runs=open_runs(plan),
        is_paused_upon_creation=False,
        description=definition.description or None,
        doc_md=doc_of(plan),
        tags=["skewless", *definition.tags],
        default_args={"owner": definition.owner or "skewless", "weight_rule": "absolute", **_RETRIES},
    ) as dag:
        chain(*(_task(plan, step, runner, pool) for step in plan.steps))
    return dag


def open_runs(plan: Plan) -> int:
    """How many runs may be open at once: all that wait to be due, the newest, and one beside them."""
    definition = plan.definition
    if isinstance(definition, FeatureView):
        delay = definition.publish_delay
    else:
        delay = definition.label_delay + definition.settle_timeout
    return plan.schedule.most_intervals_in(delay) + 2


def asset(namespace: str, view_name: str) -> Asset:
    """The asset that a view's runs update."""
    return Asset(f"skewless://{namespace}/{view_name}")


def _task(plan: Plan, step: Step, runner: Runner, pool: str) -> BaseOperator:
    common: dict[str, Any] = {
        "task_id": step.task,
        "plan": plan,
        "doc_md": step.detail,
        "priority_weight": _WEIGHTS.get(step.task, _WAIT_WEIGHT),
    }
    if step.after is not None:
        wait = {"delay": step.after, **common}
        return WaitSettled(runner=runner, **wait) if step.task == "wait_settled" else Wait(**wait)
    if step.task != "publish":
        common["pool"] = pool
    if step is plan.steps[-1] and isinstance(plan.definition, FeatureView):
        common["outlets"] = [asset(runner.namespace, plan.definition.name)]
    return Job(job=step.task, runner=runner, links=_LINKS.get(step.task, ()), **common)
