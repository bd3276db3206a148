"""docker-compose.yaml, as far as it can be judged without Docker."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from sqlalchemy.engine import make_url

from skewless.local.airflow import POOL, POOL_SLOTS, PROCESSES, configuration
from skewless.settings import Settings, load_settings

ROOT = Path(__file__).parents[1]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())
SECRETS = ("fernet_key", "api_secret_key", "jwt_secret")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_has_a_version(name: str) -> None:
    assert re.fullmatch(r"[a-z/]+:\d+(\.\d+)*", SERVICES[name]["image"])


@pytest.mark.parametrize("name", SERVICES)
def test_every_variable_is_a_setting_with_a_good_value(name: str) -> None:
    given = {
        variable: value
        for variable, value in SERVICES[name].get("environment", {}).items()
        if not variable.startswith(("AIRFLOW__", "POSTGRES_"))
    }
    named = {setting.variable: setting.name for setting in Settings.describe()}
    assert set(given) <= set(named)
    load_settings(**{named[variable]: value for variable, value in given.items()})


def test_airflows_variables_override_what_is_of_one_machine(tmp_path: Path) -> None:
    given = SERVICES["scheduler"]["environment"]
    local = configuration(load_settings(home=tmp_path), dict.fromkeys(SECRETS, "secret"))
    assert {name for name in given if name.startswith("AIRFLOW__")} < set(local)
    database, variables = (
        make_url(given["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]),
        SERVICES["postgres"]["environment"],
    )
    assert [database.username, database.password, database.database] == list(variables.values())
    assert database.host in SERVICES
    assert urlsplit(given["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"]).hostname == "api-server"


def test_every_process_of_airflow_is_there_with_a_health_check_of_its_own() -> None:
    for process in PROCESSES:
        service = SERVICES[process]
        assert shlex.split(service["command"])[:3] == ["skewless", "airflow", process]
        test = shlex.split(service["healthcheck"]["test"])
        assert test == ["python", "-m", "skewless.local.health", "http://api-server:8080", process]
        assert service["depends_on"]["init"] == {"condition": "service_completed_successfully"}
    assert importlib.util.find_spec("skewless.local.health")


def test_the_pool_is_the_one_that_tasks_use() -> None:
    assert f"skewless airflow pools set {POOL} {POOL_SLOTS} " in SERVICES["init"]["command"]
    assert "skewless airflow db migrate && " in SERVICES["init"]["command"]


def test_addresses_name_services_and_the_ports_that_they_listen_at() -> None:
    environment = SERVICES["skewless"]["environment"]
    assert environment["SKEWLESS_REDIS_URL"] == "redis://valkey:6379/0"
    assert environment["SKEWLESS_SPARK"] == "sc://spark:15002"
    assert SERVICES["spark"]["command"].endswith(" 0.0.0.0 15002")
    assert set(SERVICES) >= {"valkey", "spark", *SERVICES["skewless"]["depends_on"]}


def test_ports_are_open_to_this_machine_only_and_are_those_of_the_default_settings() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    defaults = {field.default for field in Settings.model_fields.values()}
    assert len(published) == 4
    for port in published:
        address, outside, _ = port.split(":")
        assert address == "127.0.0.1"
        addresses = (
            f"redis://127.0.0.1:{outside}/0",
            f"sc://127.0.0.1:{outside}",
            f"http://127.0.0.1:{outside}",
            int(outside),
        )
        assert set(addresses) & defaults


def test_the_store_evicts_nothing() -> None:
    assert "--maxmemory-policy noeviction" in SERVICES["valkey"]["command"]
    assert "--appendonly yes" in SERVICES["valkey"]["command"]


def test_what_the_services_run_and_mount_exists() -> None:
    python, _, module, *_ = shlex.split(SERVICES["spark"]["command"])
    assert python == "python"
    assert importlib.util.find_spec(f"{module}.__main__")
    assert SERVICES["skewless"]["entrypoint"] == "skewless"
    mounted = [volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])]
    for source in mounted:
        assert (ROOT / source).is_dir() if source.startswith(".") else source in COMPOSE["volumes"]
