"""docker-compose.yaml, as far as it can be judged without Docker."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from skewless.settings import Settings, load_settings

ROOT = Path(__file__).parents[1]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_has_a_version(name: str) -> None:
    assert re.fullmatch(r"[a-z/]+:\d+(\.\d+)*", SERVICES[name]["image"])


@pytest.mark.parametrize("name", SERVICES)
def test_every_variable_is_a_setting_with_a_good_value(name: str) -> None:
    given = SERVICES[name].get("environment", {})
    named = {setting.variable: setting.name for setting in Settings.describe()}
    assert set(given) <= set(named)
    load_settings(**{named[variable]: value for variable, value in given.items()})


def test_addresses_name_services_and_the_ports_that_they_listen_at() -> None:
    environment = SERVICES["skewless"]["environment"]
    assert environment["SKEWLESS_REDIS_URL"] == "redis://valkey:6379/0"
    assert environment["SKEWLESS_SPARK"] == "sc://spark:15002"
    assert SERVICES["spark"]["command"].endswith(" 0.0.0.0 15002")
    assert set(SERVICES) >= {"valkey", "spark", *SERVICES["skewless"]["depends_on"]}


def test_ports_are_open_to_this_machine_only_and_are_those_of_the_default_settings() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    defaults = {field.default for field in Settings.model_fields.values()}
    assert len(published) == 2
    for port in published:
        address, outside, _ = port.split(":")
        assert address == "127.0.0.1"
        assert {f"redis://127.0.0.1:{outside}/0", f"sc://127.0.0.1:{outside}"} & defaults


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
