"""Airflow's configuration, its secrets, and the client of its API: as far as they need no Airflow."""

from __future__ import annotations

import json
import os
import stat
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from skewless.errors import SetupError, UsageError
from skewless.local import airflow, login, postgres
from skewless.local.airflow_api import AirflowApi
from skewless.settings import Settings, load_settings

KEPT = {"fernet_key": "f", "api_secret_key": "a", "jwt_secret": "j"}


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in [name for name in os.environ if name.startswith(("SKEWLESS_", "AIRFLOW"))]:
        monkeypatch.delenv(name)
    return load_settings(
        home=tmp_path / "home",
        dags=tmp_path / "dags",
        plugins=tmp_path / "plugins",
        airflow_url="http://127.0.0.1:8123/",
        namespace="Tests",
    )


# -- configuration ----------------------------------------------------------------------------------------


def test_configuration_is_local_small_and_on_postgresql(settings: Settings) -> None:
    given = airflow.configuration(settings, KEPT)
    assert given["AIRFLOW_HOME"] == str(settings.home / "airflow")
    assert given["AIRFLOW__CORE__DAGS_FOLDER"] == str(settings.dags)
    assert given["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor"
    assert given["AIRFLOW__CORE__LOAD_EXAMPLES"] == "False"
    assert (given["AIRFLOW__API__HOST"], given["AIRFLOW__API__PORT"]) == ("127.0.0.1", "8123")
    assert given["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:8123/execution/"
    assert given["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].startswith("postgresql+psycopg2://airflow@/")
    assert given["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC"].startswith("postgresql+asyncpg://airflow@/")


def test_every_option_is_one_of_airflows(settings: Settings) -> None:
    """A mistyped option would be ignored by Airflow in silence."""
    from importlib.util import find_spec

    import yaml

    spec = find_spec("airflow")
    assert spec is not None
    assert spec.origin is not None
    known = yaml.safe_load(Path(spec.origin).with_name("config_templates").joinpath("config.yml").read_text())
    options = {
        f"AIRFLOW__{section}__{option}".upper()
        for section, held in known.items()
        for option in held["options"]
    }
    assert set(airflow.configuration(settings, KEPT)) - {"AIRFLOW_HOME"} - options == set()


def test_environment_has_the_settings_in_full_and_nothing_of_another_airflow(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    monkeypatch.setenv("AIRFLOW_CONFIG", "/elsewhere/airflow.cfg")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("NO_PROXY", "example.com")
    given = airflow.environment(settings)
    assert given["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor"
    assert not {"AIRFLOW_CONFIG", "PYTHONDONTWRITEBYTECODE"} & set(given)
    assert given["NO_PROXY"] == "example.com,127.0.0.1,localhost"
    assert (Path(given["PATH"].split(os.pathsep)[0]) / "skewless").exists()
    monkeypatch.chdir(tmp_path)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert load_settings() == settings


def test_without_local_services_the_given_configuration_wins(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__API__HOST", "0.0.0.0")
    deployed = settings.model_copy(update={"local_services": False})
    assert airflow.environment(deployed)["AIRFLOW__API__HOST"] == "0.0.0.0"
    assert airflow.environment(settings)["AIRFLOW__API__HOST"] == "127.0.0.1"


def test_secrets_are_made_once_and_readable_by_their_user_alone(settings: Settings) -> None:
    first, second = airflow.environment(settings), airflow.environment(settings)
    assert first == second
    assert len(first["AIRFLOW__CORE__FERNET_KEY"]) == 44
    for name in ("secrets.json", "passwords.json"):
        assert stat.S_IMODE((settings.home / "airflow" / name).stat().st_mode) == 0o600
    assert login(settings).password in (settings.home / "airflow" / "passwords.json").read_text()


def test_another_installation_has_other_secrets(settings: Settings, tmp_path: Path) -> None:
    other = settings.model_copy(update={"home": tmp_path / "other"})
    assert (
        airflow.environment(settings)["AIRFLOW__API_AUTH__JWT_SECRET"]
        != (airflow.environment(other)["AIRFLOW__API_AUTH__JWT_SECRET"])
    )
    assert login(settings).password != login(other).password


@pytest.mark.parametrize("name", ["home", "a home & more?", "deep/" * 30])
def test_the_sockets_folder_is_short_enough_and_survives_the_address(
    settings: Settings, tmp_path: Path, name: str
) -> None:
    from sqlalchemy.engine import make_url

    home = tmp_path / name
    here = settings.model_copy(update={"home": home})
    folder = postgres.socket_folder(here)
    assert len(os.fsencode(folder / ".s.PGSQL.5432.lock")) <= 107
    url = airflow.configuration(here, KEPT)["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
    assert make_url(url).query["host"] == str(folder)


def test_an_airflow_elsewhere_is_not_ours_to_start(settings: Settings) -> None:
    assert airflow.port(settings) == 8123
    assert airflow.port(settings.model_copy(update={"airflow_url": "https://airflow.example"})) is None
    assert airflow.port(settings.model_copy(update={"local_services": False})) is None


def test_a_missing_folder_of_dags_is_named_before_anything_is_made(settings: Settings) -> None:
    with pytest.raises(SetupError, match=f"no folder {settings.dags}; .* set SKEWLESS_DAGS"):
        airflow.prepare(settings)


# -- the API's client -------------------------------------------------------------------------------------


class _Airflow(BaseHTTPRequestHandler):
    """A server at the seam: it answers as Airflow does, and takes each token for one call only."""

    tokens: list[str]
    password: str

    def do_POST(self) -> None:
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path != "/auth/token":
            return self._answer(409, {"detail": "The pool is there already"})
        if sent != {"username": "admin", "password": self.password}:
            return self._answer(401, {"detail": "Invalid credentials"})
        self.tokens.append(f"token-{len(self.tokens)}")
        return self._answer(201, {"access_token": self.tokens[-1]})

    def do_GET(self) -> None:
        if self.headers.get("Authorization") != f"Bearer {(self.tokens or ['none'])[-1]}":
            return self._answer(401, {"detail": "Not authenticated"})
        self.tokens.append("used up")
        if self.path.startswith("/api/v2/missing"):
            return self._answer(422, {"detail": [{"loc": ["query", "limit"], "msg": "too large"}]})
        return self._answer(200, {"path": self.path})

    def _answer(self, status: int, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def api(settings: Settings) -> Iterator[AirflowApi]:
    airflow.environment(settings)
    handler = type("Handler", (_Airflow,), {"tokens": [], "password": login(settings).password})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield AirflowApi(
            settings.model_copy(update={"airflow_url": f"http://127.0.0.1:{server.server_port}"})
        )
        server.shutdown()


def test_the_client_logs_in_and_again_when_its_token_is_refused(api: AirflowApi) -> None:
    assert api.get("dags", limit=3) == {"path": "/api/v2/dags?limit=3"}
    assert api.get("dags") == {"path": "/api/v2/dags"}


def test_a_refusal_is_told_in_airflows_words(api: AirflowApi) -> None:
    with pytest.raises(UsageError, match=r"refused POST pools: The pool is there already \(status 409\)"):
        api.post("pools", {})
    with pytest.raises(UsageError, match=r"query\.limit: too large \(status 422\)"):
        api.get("missing")


def test_an_airflow_that_is_away_is_named_with_the_command_that_starts_it(settings: Settings) -> None:
    away = settings.model_copy(update={"airflow_url": "http://127.0.0.1:9"})
    with pytest.raises(SetupError, match=r"does not answer at http://127\.0\.0\.1:9 .*skewless up --airflow"):
        AirflowApi(away).get("dags")
    assert AirflowApi(away).health() is None


def test_without_a_first_start_there_is_no_password(settings: Settings) -> None:
    with pytest.raises(SetupError, match=r"no password in .*skewless up --airflow"):
        _ = login(settings).password
