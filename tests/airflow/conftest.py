"""One deployment under a real Airflow for all tests of this folder: with PostgreSQL, Spark, Valkey, and a browser."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from skewless.local import up
from skewless.local.airflow_api import AirflowApi
from skewless.local.airflow_login import login
from skewless.local.parts import AIRFLOW, parts, watcher
from skewless.local.port import free_port
from skewless.settings import Settings
from tests.airflow import sources
from tests.airflow.stack import PATIENCE, STEP, Stack, ends

collect_ignore = ["features"]  # read by Skewless, not by pytest
HERE = Path(__file__).parent
ROOT = HERE.parents[1]
KEPT = os.environ.get("TESTS_HOME")  # where servers stay up after a run, Airflow too
PAST = 12  # intervals of `steady` that have ended when the world begins; all but the last are due


@pytest.fixture(scope="package")
def airflow(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A deployment with three views on their schedules; tests define more while Airflow runs."""
    folder = tmp_path_factory.mktemp("deployment")
    port = os.environ.get("TESTS_AIRFLOW_PORT", 8099) if KEPT else free_port()
    own = settings.model_copy(
        update={
            "warehouse": str(folder / "warehouse"),
            "features": folder / "features",
            "dags": ROOT / "dags",
            "plugins": ROOT / "plugins",
            "namespace": f"airflow-{uuid.uuid4().hex[:12]}",
            "airflow_url": f"http://127.0.0.1:{port}",
        }
    )
    now = datetime.now(UTC)
    begin = now.replace(minute=now.minute // 5 * 5, second=0, microsecond=0) - PAST * STEP
    _forget(own)
    with AirflowApi(own) as api:
        stack = Stack(own, folder / "library", begin, api)
        _found(stack)
        try:
            up(own, with_airflow=True)
            stack.define("steady", "twin", "patient")
            yield stack
        finally:
            if not KEPT:
                _end_airflow(own)


@pytest.fixture(scope="package")
def caught_up(airflow: Stack) -> list[datetime]:
    """The snapshot times of `steady` that were due before Airflow knew it; all of their runs have ended well."""
    due = ends(airflow.begin, PAST - 1)
    airflow.succeeded("features.steady", *due, seconds=2 * PATIENCE)
    return due


def _found(stack: Stack) -> None:
    """Write definitions and sources: none of the views is defined for Airflow yet."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(HERE / "features", stack.library, ignore=ignored)
    begin = f"from datetime import datetime\n\nBEGIN = datetime.fromisoformat({stack.begin.isoformat()!r})\n"
    (stack.library / "_begin.py").write_text(begin)
    stack.settings.features.mkdir()
    for shared in stack.library.glob("_*.py"):
        shutil.copy(shared, stack.settings.features)
    first, last = stack.begin - timedelta(hours=6), stack.begin + timedelta(hours=4)
    for source in ("payments", "orders", "chargebacks"):
        sources.write(stack.settings, source, sources.payments(first, last))


def _forget(settings: Settings) -> None:
    """End an Airflow that an earlier run left up, to look at, and what it remembers."""
    _end_airflow(settings)
    for memory in ("postgres", "airflow"):
        shutil.rmtree(settings.home / memory, ignore_errors=True)


def _end_airflow(settings: Settings) -> None:
    """End what only this folder needs; Valkey and Spark serve the rest of the run."""
    watcher(settings).child.stop()
    for part in reversed(parts(settings)):
        if part.name in AIRFLOW:
            part.child.stop()


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """A real Chromium, as a person has it."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.fail("chromium is missing; type: sudo apt-get install -y chromium")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def page(airflow: Stack, browser: Browser) -> Iterator[Page]:
    """A page of Airflow in which the administrator is logged in."""
    context = browser.new_context(timezone_id="UTC", locale="en-US", viewport={"width": 1400, "height": 1100})
    opened = context.new_page()
    opened.set_default_timeout(60_000)
    opened.goto(airflow.settings.airflow_url)
    who = login(airflow.settings)
    opened.locator('input[name="username"]').fill(who.user)
    opened.locator('input[name="password"]').fill(who.password)
    opened.get_by_role("button", name="Sign in").click()
    opened.wait_for_url("**/")
    yield opened
    context.close()


@pytest.fixture
def screenshots(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Where pictures of a browser's steps go: TESTS_SCREENSHOTS, to keep them."""
    kept = os.environ.get("TESTS_SCREENSHOTS")
    folder = Path(kept) / request.node.name if kept else tmp_path / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
