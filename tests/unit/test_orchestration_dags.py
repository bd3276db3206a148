"""DAGs as Airflow gets them: ids, tasks, schedules, limits, documentation; and that making them loads no engine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization

from skewless.orchestration.dag import LONG_AGO
from tests.unit.airflow_runs import SHOP, shop

ROOT = Path(__file__).parents[2]


@pytest.fixture
def dags(tmp_path: Path) -> dict[str, DAG]:
    return shop(tmp_path)


def tasks(dag: DAG) -> list[Any]:
    return dag.topological_sort()


# -- structure --------------------------------------------------------------------------------------------


def test_each_definition_is_a_row_of_tasks(dags: dict[str, DAG]):
    assert {name: [task.task_id for task in tasks(dag)] for name, dag in dags.items()} == {
        "features.hourly": ["wait_data", "build", "check", "wait_publish", "publish"],
        "features.unserved": ["wait_data", "build", "check"],
        "training.learned": ["wait_labels", "wait_settled", "train"],
    }
    for dag in dags.values():
        names = [task.task_id for task in tasks(dag)]
        follow = [sorted(task.downstream_task_ids) for task in tasks(dag)]
        assert follow == [[name] for name in names[1:]] + [[]]


def test_runs_own_data_intervals_and_catch_up_only_from_a_start(dags: dict[str, DAG]):
    hourly, unserved = dags["features.hourly"], dags["features.unserved"]
    assert (hourly.schedule.expression, str(hourly.schedule.timezone)) == ("0 * * * *", "UTC")
    assert (hourly.catchup, hourly.start_date) == (True, datetime(2026, 7, 1, tzinfo=UTC))
    assert (unserved.catchup, unserved.start_date) == (False, LONG_AGO)
    assert hourly.is_paused_upon_creation is False


def test_enough_runs_are_open_for_those_that_wait(dags: dict[str, DAG]):
    assert dags["features.hourly"].max_active_runs == 2 + 2  # 90 minutes of hours wait to be due
    assert dags["features.unserved"].max_active_runs == 1 + 2
    assert dags["training.learned"].max_active_runs == 8 + 2  # and 8 hours of hours may wait to be settled


def test_what_uses_spark_shares_its_pool_and_what_is_nearly_done_goes_first(dags: dict[str, DAG]):
    everyone = {task.task_id: task for dag in dags.values() for task in tasks(dag)}
    assert {name for name, task in everyone.items() if task.pool == "spark"} == {"build", "check", "train"}
    weights = [everyone[name].priority_weight for name in ("publish", "check", "build")]
    assert weights == sorted(weights, reverse=True)
    assert len(set(weights)) == 3


def test_failures_are_tried_again_with_growing_pauses(dags: dict[str, DAG]):
    for dag in dags.values():
        for task in tasks(dag):
            assert (task.retries, task.retry_delay, task.max_retry_delay) == (
                5, timedelta(seconds=30), timedelta(minutes=10)
            )  # fmt: skip
            assert task.retry_exponential_backoff == 2


def test_the_last_task_of_a_view_updates_its_asset(dags: dict[str, DAG]):
    updated = {
        f"{name}.{task.task_id}": [asset.uri for asset in task.outlets]
        for name, dag in dags.items()
        for task in tasks(dag)
        if task.outlets
    }
    assert updated == {
        "features.hourly.publish": ["skewless://dev/hourly"],
        "features.unserved.check": ["skewless://dev/unserved"],
    }


def test_owner_tags_and_documents_are_the_definitions(dags: dict[str, DAG]):
    hourly = dags["features.hourly"]
    assert (hourly.owner, hourly.tags) == ("shop-team", {"skewless", "shop"})
    assert hourly.description == "What users spend."
    for words in (
        "wait_publish  until T + 1:30:00",
        "| user_id | join key |",
        "| average | float32 | avg of `amount` over 7 days, 0:00:00 |",
        "`expect_column_values_to_be_between` (column='average', min_value=0): critical",
        "Intervals from 2026-07-01T00:00:00Z on are scheduled",
        "skewless accept hourly --snapshot-time T",
    ):
        assert words in (hourly.doc_md or ""), words
    assert "- hourly:average" in (dags["training.learned"].doc_md or "")
    assert dags["features.unserved"].owner == "skewless"


def test_check_and_publish_lead_to_their_pages(dags: dict[str, DAG]):
    links = {
        task.task_id: [link.name for link in task.operator_extra_links]
        for task in tasks(dags["features.hourly"])
    }
    assert links == {
        "wait_data": [], "build": [], "check": ["Verdict"], "wait_publish": [], "publish": ["Generation"]
    }  # fmt: skip


def test_airflow_can_store_the_dags_and_stores_the_same_twice(tmp_path: Path):
    first, second = ({n: DagSerialization.to_dict(d) for n, d in shop(tmp_path).items()} for _ in range(2))
    assert json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)
    restored = DagSerialization.from_dict(first["features.hourly"])
    assert restored.timetable.serialize() == {"expression": "0 * * * *", "timezone": "UTC"}


# -- parsing ----------------------------------------------------------------------------------------------

PARSE = """
import json, runpy, sys
from airflow.sdk import DAG
found = runpy.run_path(sys.argv[1])
print(json.dumps([sorted(name for name, it in found.items() if isinstance(it, DAG)), sorted(sys.modules)]))
"""


def parse(file: Path, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """What Airflow's DAG processor does with a file, started in some other folder."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("SKEWLESS_")}
    env |= {"AIRFLOW_HOME": str(folder / "airflow"), "PYTHONPATH": str(ROOT), **variables}
    words = [sys.executable, "-c", PARSE, str(file)]
    return subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True)


def project(folder: Path, **files: str) -> Path:
    """A project with the DAG files of this one and definitions of its own."""
    for name in ("feature_dags.py", "check_definitions.py"):
        (folder / "dags").mkdir(parents=True, exist_ok=True)
        (folder / "dags" / name).write_text((ROOT / "dags" / name).read_text())
    (folder / "features").mkdir()
    for name, text in files.items():
        (folder / "features" / f"{name}.py").write_text(text)
    return folder / "dags"


def test_parsing_loads_no_engine_wherever_airflow_was_started(tmp_path: Path):
    ran = parse(ROOT / "dags" / "feature_dags.py", tmp_path)
    assert ran.returncode == 0, ran.stderr
    dags, modules = json.loads(ran.stdout.splitlines()[-1])
    assert "features.transaction_stats" in dags
    assert "training.fraud_training" in dags
    assert {"skewless.maintenance", "skewless.backfill"} <= set(dags)
    engines = {"pyspark", "redis", "great_expectations", "pyarrow", "deltalake", "pandas"}
    assert not engines & set(modules)


def test_a_tasks_process_makes_its_own_dag_alone(tmp_path: Path):
    files = project(tmp_path, shop=SHOP)
    ran = parse(files / "feature_dags.py", tmp_path, _AIRFLOW_PARSING_CONTEXT_DAG_ID="features.hourly")
    assert json.loads(ran.stdout.splitlines()[-1])[0] == ["features.hourly"]


def test_a_definition_that_breaks_is_an_import_error_and_good_views_go_on(tmp_path: Path):
    broken = 'from skewless import FeatureView\nlost = FeatureView(name="lost", entities=[], source=None, schema=[])\n'
    files = project(tmp_path, shop=SHOP, broken=broken, worse="import nothing_of_this_name")
    good = parse(files / "feature_dags.py", tmp_path)
    assert json.loads(good.stdout.splitlines()[-1])[0] == [
        "features.hourly",
        "features.unserved",
        "skewless.backfill",
        "skewless.maintenance",
        "training.learned",
    ]
    told = parse(files / "check_definitions.py", tmp_path)
    assert told.returncode != 0
    assert "features/broken.py:2: lost: feature view 'lost' has no entity" in told.stderr
    assert "features/worse.py:1: worse: ModuleNotFoundError" in told.stderr


def test_a_project_file_beside_the_dags_counts(tmp_path: Path):
    files = project(tmp_path / "project", shop=SHOP)
    (tmp_path / "project" / "skewless.toml").write_text('features = "elsewhere"\n')
    ran = parse(files / "feature_dags.py", tmp_path)
    assert "there is no folder" in ran.stderr
    assert str(tmp_path / "project" / "elsewhere") in ran.stderr


def test_the_dag_files_are_seen_by_airflow_as_such():
    for file in (ROOT / "dags").glob("*.py"):
        text = file.read_text().lower()
        assert "airflow" in text, file
        assert "dag" in text, file
