"""The demo runs as a new user would run it, goes on where it was, and the README's examples work on what it made."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from skewless.settings import Settings
from tests.documents import blocks

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def environment(services: Settings, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The run's servers, and a warehouse and namespace for the demo alone."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SKEWLESS_")}
    return kept | {
        "SKEWLESS_HOME": str(services.home),
        "SKEWLESS_JARS": str(services.jars),
        "SKEWLESS_WAREHOUSE": str(tmp_path_factory.mktemp("warehouse")),
        "SKEWLESS_NAMESPACE": "demo",
        "SKEWLESS_REDIS_URL": services.redis_url,
        "SKEWLESS_SPARK": services.spark,
    }


@pytest.fixture(scope="module")
def first(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return run(environment, "-m", "examples.demo")


def run(environment: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command], env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_it_ends_with_views_a_lookup_and_training_rows(first: subprocess.CompletedProcess[str]):
    assert first.returncode in (0, 3), first.stderr  # 3: the real data of that hour did not pass a check
    for part in ("== Views", "== An online lookup", "== Training rows", "== Next"):
        assert part in first.stdout
    assert "transaction_stats__transactions_1d" in first.stdout
    assert "carrier_delays__how" in first.stdout


def test_every_view_is_live_or_says_what_blocked_it(
    first: subprocess.CompletedProcess[str], environment: dict[str, str]
):
    told = run(environment, "-m", "skewless.cli", "status", "--json")
    views = json.loads(told.stdout)
    assert "transaction_stats" in {view["view"] for view in views}
    for view in views:
        blocked = view["newest_verdict"] == "blocked" and f"{view['view']!r} at" in first.stdout
        assert view["state"] == "live" or blocked
        assert {"view", "generation", "snapshot_time", "published_at", "verdict", "rows"} <= view.keys()


def test_a_second_run_goes_on_where_the_first_was(
    first: subprocess.CompletedProcess[str], environment: dict[str, str]
):
    second = run(environment, "-m", "examples.demo")
    assert second.returncode == first.returncode
    assert "is live already" in second.stdout
    assert "written in" not in second.stdout  # the data are not loaded again


def test_the_readmes_lookup_and_training_rows_work(
    first: subprocess.CompletedProcess[str], environment: dict[str, str]
):
    examples = [block.code for block in blocks(ROOT / "README.md") if block.info == "python store"]
    assert len(examples) == 2
    checks = "assert len(answer.rows) == 1\nassert rows.count() == labels.count() > 0\n"
    done = run(environment, "-c", "\n".join([*examples, checks]))
    assert done.returncode == 0, done.stderr
