"""One Valkey and one Spark server for the whole run, each started when the first test asks for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from skewless.local import down, session_url, up
from skewless.local.port import free_port
from skewless.offline.session import open_session
from skewless.settings import Settings, load_settings

# While writing tests: a folder in which the servers of one run stay up for the next, and their ports.
KEPT = os.environ.get("TESTS_HOME")
KEPT_PORTS = tuple(map(int, os.environ.get("TESTS_PORTS", "6399,15099").split(",")))
ROOT = Path(__file__).parents[1]
JARS = Path(os.environ.get("SKEWLESS_JARS", ROOT / ".skewless" / "jars"))


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of this run: its own home, free ports; whatever a test brings up for it ends with the run."""
    with pytest.MonkeyPatch.context() as variables:
        for name in [name for name in os.environ if name.startswith("SKEWLESS_")]:
            variables.delenv(name)
        valkey_port, spark_port = KEPT_PORTS if KEPT else (free_port(), free_port())
        run = load_settings(
            home=KEPT or tmp_path_factory.mktemp("home"),
            jars=JARS,
            features=ROOT / "features",
            redis_url=f"redis://127.0.0.1:{valkey_port}/0",
            spark=f"sc://127.0.0.1:{spark_port}",
            actor="tests",
        )
        yield run
        if not KEPT:
            down(run)


@pytest.fixture(scope="session")
def redis_url(settings: Settings) -> str:
    """The address of a real server; each test takes a namespace of its own in it."""
    up(settings.model_copy(update={"spark": "local[*]"}))  # Spark can wait for a test that needs it
    return settings.redis_url


@pytest.fixture(scope="session")
def services(settings: Settings) -> Iterator[Settings]:
    """The settings, with Valkey and Spark running."""
    up(settings)
    yield settings
    if not KEPT:  # a kept server refuses the name of a session that was stopped
        _session(settings).stop()  # else its threads look for the server for minutes after it has ended


@pytest.fixture(scope="session")
def spark(services: Settings) -> SparkSession:
    """A session of the run's warm Spark server."""
    return _session(services)


def _session(settings: Settings) -> SparkSession:
    """The session of this process, whoever opened it first."""
    return open_session(session_url(settings), settings.jars)
