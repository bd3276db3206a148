"""Definitions for DAGs, and a task's context without an Airflow that runs: the run is Airflow's own data model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from airflow.sdk import DAG, Context
from airflow.sdk.api.datamodels._generated import DagRun, DagRunState, DagRunType

from skewless.orchestration.dag import to_dag
from skewless.orchestration.runner import Runner
from skewless.plan import load_repo
from skewless.plan.compile import compile_repo

SHOP = """
from datetime import UTC, datetime, timedelta

from skewless import DeltaSource, Entity, Expectation, FeatureService, FeatureView, Field, TrainingSet, agg
from skewless.types import Float32

user = Entity(name="user", join_keys=["user_id"])
orders = DeltaSource(
    name="orders", path="sources/orders", timestamp_field="at", data_delay=timedelta(minutes=5)
)
average = Field(name="average", dtype=Float32, value=agg.avg("amount", window=timedelta(days=7)))
more = dict(entities=[user], source=orders, schema=[average], publish_delay=timedelta(minutes=90))

hourly = FeatureView(
    name="hourly",
    owner="shop-team",
    tags=["shop"],
    description="What users spend.",
    start=datetime(2026, 7, 1, tzinfo=UTC),
    expectations=[Expectation("expect_column_values_to_be_between", column="average", min_value=0)],
    **more,
)
unserved = FeatureView(name="unserved", online=False, schedule="@daily", **more)
learned = TrainingSet(
    name="learned",
    service=FeatureService(name="model", features=[hourly]),
    spine=DeltaSource(name="labels", path="sources/labels", timestamp_field="at"),
    schedule="@hourly",
    label_delay=timedelta(hours=2),
)
"""


def shop(folder: Path, command: str = "skewless") -> dict[str, DAG]:
    """The DAGs of the shop, whose tasks run `command`."""
    features = folder / "features"
    features.mkdir(exist_ok=True)
    (features / "shop.py").write_text(SHOP)
    runner = Runner(command, folder, "dev", str(folder / "warehouse"), features)
    return {plan.dag_id: to_dag(plan, runner, "spark") for plan in compile_repo(load_repo(features))}


@dataclass
class Noted:
    """The seam to Airflow's server: what a task leaves there."""

    xcoms: dict[str, Any] = field(default_factory=dict)

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcoms[key] = value


def run_of(end: datetime | None, *, started: datetime | None = None, user: str | None = None) -> Context:
    """The context of a task whose run's interval ends then; None: a run without an interval."""
    run = DagRun(
        dag_id="features.hourly",
        run_id="a run",
        logical_date=end,
        data_interval_start=end,
        data_interval_end=end,
        run_after=end or started or datetime.now().astimezone(),
        start_date=started,
        end_date=None,
        run_type=DagRunType.MANUAL,
        state=DagRunState.RUNNING,
        consumed_asset_events=[],
        partition_key=None,
        triggering_user_name=user,
    )
    events: Mapping[Any, Any] = defaultdict(lambda: SimpleNamespace(extra=None))
    context: Any = {"dag_run": run, "ti": Noted(), "outlet_events": events}
    return context
