"""The demo runs as a new user would run it, goes on where it was, and the README's examples work on what it made."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from skewless.local import down, status
from skewless.local.airflow_api import AirflowApi
from skewless.local.port import free_port, listens
from skewless.local.process import start_time
from skewless.settings import Settings, load_settings
from tests.conftest import JARS
from tests.documents import blocks

ROOT = Path(__file__).parents[2]
VIEWS = 6

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1500),
]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """The settings of a machine of its own: nothing of it runs yet, and nothing is left of it."""
    with pytest.MonkeyPatch.context() as variables:
        for name in [name for name in os.environ if name.startswith("SKEWLESS_")]:
            variables.delenv(name)
        settings = load_settings(
            home=tmp_path_factory.mktemp("demo"),
            jars=JARS,
            features=ROOT / "features",
            dags=ROOT / "dags",
            plugins=ROOT / "plugins",
            redis_url=f"redis://127.0.0.1:{free_port()}/0",
            spark=f"sc://127.0.0.1:{free_port()}",
            airflow_url=f"http://127.0.0.1:{free_port()}",
        )
        yield settings
        down(settings)


@pytest.fixture(scope="module")
def first(demo: Settings) -> subprocess.CompletedProcess[str]:
    return run(demo, "-m", "examples.demo", "--intervals", "1")


def run(settings: Settings, *command: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | settings.variables()
    return subprocess.run(
        [sys.executable, *command], env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_it_ends_with_views_a_lookup_a_training_table_and_airflows_address(
    first: subprocess.CompletedProcess[str], demo: Settings
):
    assert first.returncode in (0, 3), first.stdout + first.stderr  # 3: that hour's real data did not pass
    for part in ("== Views", "== An online lookup", "== A training table", "== Airflow goes on", "== Next"):
        assert part in first.stdout
    assert "transaction_stats__transactions_1d" in first.stdout
    assert "carrier_delays__late_share_7d" in first.stdout
    assert f"{demo.airflow_url} " in first.stdout


def test_every_view_is_live_or_says_what_blocked_it(first: subprocess.CompletedProcess[str], demo: Settings):
    views = json.loads(run(demo, "-m", "skewless.cli", "status", "--json").stdout)
    assert len(views) == VIEWS
    for view in views:
        blocked = view["newest_verdict"] == "blocked" and f"{view['view']!r} at" in first.stdout
        assert view["state"] == "live" or blocked
        assert {"view", "generation", "snapshot_time", "published_at", "verdict", "rows"} <= view.keys()


def test_airflow_ran_it_and_goes_on(first: subprocess.CompletedProcess[str], demo: Settings):
    with AirflowApi(demo) as api:
        dags = api.get("dags")["dags"]
        runs = api.get("dags/features.carrier_delays/dagRuns")["dag_runs"]
    assert len(dags) >= VIEWS + 2
    assert not any(dag["is_paused"] for dag in dags)
    assert any("rows" in (run["note"] or "") for run in runs)
    assert {service.state for service in status(demo)} == {"running"}


def test_a_second_run_goes_on_where_the_first_was(first: subprocess.CompletedProcess[str], demo: Settings):
    second = run(demo, "-m", "examples.demo", "--intervals", "1")
    assert second.returncode == first.returncode, second.stdout + second.stderr
    assert "Spark is running at" in second.stdout
    assert "written in" not in second.stdout  # the data are not loaded again
    assert "flight_delays" in second.stdout


def test_the_readmes_lookup_and_training_rows_work(first: subprocess.CompletedProcess[str], demo: Settings):
    examples = [block.code for block in blocks(ROOT / "README.md") if block.info == "python store"]
    assert len(examples) == 2
    checks = "assert len(answer.rows) == 1\nassert rows.count() == labels.count() > 0\n"
    done = run(demo, "-c", "\n".join([*examples, checks]))
    assert done.returncode == 0, done.stderr


def test_the_lookups_of_the_documentation_work(first: subprocess.CompletedProcess[str], demo: Settings):
    page = ROOT / "docs" / "lookup.md"
    examples = [block.code for block in blocks(page) if block.info == "python store"]
    checks = "assert len(answer.columns['transaction_stats__avg_transactions_1h']) == 3\nassert served.generation\n"
    done = run(demo, "-c", "\n".join([*examples, checks]))
    assert done.returncode == 0, done.stderr


def test_stop_leaves_nothing(first: subprocess.CompletedProcess[str], demo: Settings):
    processes = [service.pid for service in status(demo)]
    run(demo, "-m", "skewless.cli", "stop")
    assert [pid for pid in processes if pid and start_time(pid)] == []
    assert left_of(demo) == []
    assert not any(listens(httpx.URL(url).port or 0) for url in (demo.airflow_url, demo.redis_url))


def left_of(settings: Settings) -> list[str]:
    """The processes whose variables name this home: services, and the tasks that they started."""
    mark = f"SKEWLESS_HOME={settings.home}".encode()
    left = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes().split(b"\0"):
                left.append((process / "cmdline").read_text().replace("\0", " "))
        except OSError:  # it has just ended
            continue
    return left
