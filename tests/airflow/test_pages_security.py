"""Who sees the pages: nobody who is not logged in, and everybody what Airflow lets him see."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from skewless.local import airflow as local_airflow
from skewless.local.airflow_login import login
from skewless.orchestration.pages.app import Access, make_app
from tests.airflow.stack import Stack

pytestmark = pytest.mark.slow
VIEW = "steady"
T = "2026-01-01T00:00:00Z"
NOBODY = Access(user=lambda: None, readable=lambda: set(), demand=lambda: None, login=str)
PATHS = [
    str(route.path).format(view=VIEW, snapshot_time=T, dag=f"features.{VIEW}")
    for route in make_app(NOBODY, lambda: None).routes  # type: ignore[arg-type]  # nobody asks it
]


def ask(
    airflow: Stack, path: str, *, token: str | None = None, accept: str = "application/json"
) -> httpx.Response:
    headers = {"Accept": accept} | ({"Authorization": f"Bearer {token}"} if token else {})
    address = f"{airflow.settings.airflow_url}/skewless{path}"
    return httpx.get(address, headers=headers, timeout=60, trust_env=False)


def run_inside(airflow: Stack, code: str, *arguments: str, **variables: str) -> Any:
    """Run code with the configuration and the secrets of that Airflow; gives the JSON of its last line."""
    ran = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=local_airflow.environment(airflow.settings) | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout.splitlines()[-1])


TOKEN = """
import json, sys
from airflow.api_fastapi.app import create_auth_manager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

print(json.dumps(create_auth_manager().generate_jwt(SimpleAuthManagerUser(username="bob", role=sys.argv[1] or None))))
"""


@pytest.fixture(scope="module")
def viewer(airflow: Stack) -> str:
    """The token of somebody who may look, and nothing else."""
    return str(run_inside(airflow, TOKEN, "VIEWER"))


@pytest.fixture(scope="module")
def stranger(airflow: Stack) -> str:
    """The token of somebody who may log in, and has no role."""
    return str(run_inside(airflow, TOKEN, ""))


def test_these_are_all_routes():
    assert len(PATHS) == 8
    assert not [path for path in PATHS if "{" in path]


@pytest.mark.parametrize("path", PATHS)
def test_without_a_login_a_program_gets_401_and_a_browser_the_login(airflow: Stack, path: str):
    answer = ask(airflow, path)
    assert (answer.status_code, answer.json()) == (401, {"error": "Not authenticated"})
    if not path.startswith("/api/"):
        browser = ask(airflow, path, accept="text/html")
        assert browser.status_code == 307
        assert browser.headers["Location"].startswith("/api/v2/auth/login?next=")
        assert not browser.content


@pytest.mark.parametrize("path", PATHS)
def test_a_token_that_airflow_did_not_sign_gets_nothing(airflow: Stack, viewer: str, path: str):
    head, body, _ = viewer.split(".")
    answer = ask(airflow, path, token=f"{head}.{body}.{'A' * 43}")
    assert (answer.status_code, answer.json()) == (403, {"error": "Invalid JWT token"})


@pytest.mark.parametrize("path", PATHS)
def test_somebody_without_a_role_gets_403(airflow: Stack, stranger: str, path: str):
    answer = ask(airflow, path, token=stranger)
    assert (answer.status_code, answer.json()) == (403, {"error": "Forbidden"})


def test_a_viewer_sees_what_the_admin_sees(airflow: Stack, viewer: str):
    admin = login(airflow.settings)
    made = httpx.post(
        f"{airflow.settings.airflow_url}/auth/token",
        json={"username": admin.user, "password": admin.password},
        trust_env=False,
    )
    for token in (viewer, made.json()["access_token"]):
        assert VIEW in [line["view"] for line in ask(airflow, "/api/views", token=token).json()["views"]]
        assert ask(airflow, f"/api/views/{VIEW}", token=token).json()["view"] == VIEW


def test_the_uis_cookie_is_a_login_too(airflow: Stack, viewer: str):
    answer = httpx.get(
        f"{airflow.settings.airflow_url}/skewless/views",
        headers={"Accept": "text/html"},
        cookies={"_token": viewer},
        trust_env=False,
    )
    assert answer.status_code == 200
    assert VIEW in answer.text


CAUTIOUS = f"""
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

class Cautious(SimpleAuthManager):
    def is_authorized_dag(self, *, method, user, access_entity=None, details=None):
        return details.id != "features.{VIEW}" and super().is_authorized_dag(method=method, user=user, details=details)
"""

ASK = """
import asyncio, json, sys
import httpx
from airflow.api_fastapi.app import create_app

async def main(token, *paths):
    app = httpx.ASGITransport(create_app("core"))
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
    async with httpx.AsyncClient(transport=app, base_url="http://airflow", headers=headers) as client:
        answers = [await client.get(f"/skewless{path}", timeout=60) for path in paths]
    print(json.dumps([[answer.status_code, answer.json()] for answer in answers]))

asyncio.run(main(*sys.argv[1:]))
"""


def test_a_view_whose_dag_one_may_not_read_is_hidden(airflow: Stack, viewer: str, tmp_path: Path):
    (tmp_path / "cautious.py").write_text(CAUTIOUS)
    asked = ["/api/views", f"/api/views/{VIEW}", f"/views/{VIEW}/{T}", "/api/views/twin"]
    (_, listed), *hidden, (code, other) = run_inside(
        airflow,
        ASK,
        viewer,
        *asked,
        AIRFLOW__CORE__AUTH_MANAGER="cautious.Cautious",
        PYTHONPATH=str(tmp_path),
    )
    assert "twin" in [line["view"] for line in listed["views"]]
    assert VIEW not in [line["view"] for line in listed["views"]]
    assert hidden == [[403, {"error": "Forbidden"}]] * 2
    assert (code, other["view"]) == (200, "twin")
