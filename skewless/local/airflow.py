"""Airflow on this machine: four processes over PostgreSQL, configured by variables alone."""

from __future__ import annotations

import base64
import importlib.metadata
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote, urlsplit

from skewless.errors import SetupError
from skewless.local import postgres
from skewless.local.airflow_login import login
from skewless.local.port import demand_free, is_loopback
from skewless.local.process import Child
from skewless.settings import Settings

PROCESSES = ("api-server", "scheduler", "dag-processor", "triggerer")
POOL, POOL_SLOTS = "spark", 2
_NO_LOG_SERVER = ("scheduler", "triggerer")  # the API server reads the logs from the same folder
_HEALTH_OF = {"scheduler": "scheduler", "dag-processor": "dag_processor", "triggerer": "triggerer"}


def port(settings: Settings) -> int | None:
    """Give the port that `airflow_url` names on this machine; None when Airflow is another's to run."""
    url = urlsplit(settings.airflow_url)
    return (url.port or 80) if settings.local_services and is_loopback(url.hostname) else None


def child(settings: Settings, process: str) -> Child:
    """Give one of Airflow's processes, running or not."""
    return Child(process, settings.home / "run")


def environment(settings: Settings) -> dict[str, str]:
    """Give the variables of every Airflow process, task and command of this installation.

    They are this process' own, without what configures another Airflow, and the settings as they are here:
    so a task sees the same ones in whatever folder it runs. Secrets are made at the first call, and kept.
    Without local services, Airflow's own variables are left as they are given, and win: for containers.
    """
    foreign = (
        "AIRFLOW",
        "_AIRFLOW",
        "SKEWLESS_",
        "PYTHONDONTWRITEBYTECODE",
        "PYTHONWARNINGS",
        "SPARK_",
        "PYSPARK_",
    )
    plain = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    given = {name: value for name, value in os.environ.items() if name.startswith("AIRFLOW__")}
    made = configuration(settings, _secrets(settings)) | ({} if settings.local_services else given)
    return plain | settings.variables() | _process_variables(plain) | made


def configuration(settings: Settings, kept: Mapping[str, str]) -> dict[str, str]:
    """Give Airflow's configuration as variables, from the settings and the kept secrets alone."""
    home, url = settings.home / "airflow", settings.airflow_url.rstrip("/")
    address = urlsplit(url)
    database = f"//{postgres.USER}@/{postgres.DATABASE}?host={quote(str(postgres.socket_folder(settings)))}"
    options = {
        "core.dags_folder": settings.dags,
        "core.plugins_folder": settings.plugins,
        "core.executor": "LocalExecutor",
        "core.parallelism": 4,
        "core.load_examples": False,
        "core.default_timezone": "utc",
        "core.fernet_key": kept["fernet_key"],
        "core.execution_api_server_url": f"{url}/execution/",
        "core.simple_auth_manager_users": "admin:admin",
        "core.simple_auth_manager_passwords_file": home / "passwords.json",
        "core.min_serialized_dag_update_interval": 5,
        "database.sql_alchemy_conn": f"postgresql+psycopg2:{database}",
        "database.sql_alchemy_conn_async": f"postgresql+asyncpg:{database}",
        "logging.base_log_folder": home / "logs",
        "logging.dag_processor_child_process_log_directory": home / "logs" / "dag_processor",
        "logging.colored_console_log": False,
        "api.base_url": url,
        "api.host": address.hostname or "127.0.0.1",
        "api.port": address.port or 80,
        "api.workers": 1,
        "api.secret_key": kept["api_secret_key"],
        "api_auth.jwt_secret": kept["jwt_secret"],
        "dag_processor.parsing_processes": 1,
        "dag_processor.refresh_interval": 10,
        "dag_processor.min_file_process_interval": 20,
        "dag_processor.print_stats_interval": 600,
        # A scheduler that was killed left tasks behind: they are found, and tried again, soon.
        "scheduler.orphaned_tasks_check_interval": 30,
        "scheduler.task_instance_heartbeat_timeout": 60,
        "workers.execution_api_timeout": 60,  # on a busy machine the API server answers late
    }
    named = {"AIRFLOW__" + name.replace(".", "__").upper(): str(value) for name, value in options.items()}
    return {"AIRFLOW_HOME": str(home)} | named


def prepare(settings: Settings) -> None:
    """Bring the database's schema to this Airflow's version; nothing to do where it is there already."""
    for folder in (settings.dags, settings.plugins):
        if not folder.is_dir():
            raise SetupError(
                f"there is no folder {folder}; be in the project's folder, or set SKEWLESS_{folder.name.upper()}"
            )
    version, stamp = importlib.metadata.version("apache-airflow-core"), settings.home / "postgres" / "schema"
    if stamp.exists() and stamp.read_text("utf-8") == version:
        return
    said = run(settings, "db", "migrate")
    if said.returncode:
        raise SetupError(
            f"Airflow's database cannot be made: `airflow db migrate` said\n{said.stdout[-2000:]}"
        )
    stamp.write_text(version, "utf-8")


def run(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one of Airflow's own commands, and give what it printed."""
    command = [str(binary()), *arguments]
    folder = _home(settings)
    return subprocess.run(
        command,
        env=environment(settings),
        cwd=folder,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )


def become(settings: Settings, arguments: Sequence[str]) -> NoReturn:
    """Become one of Airflow's own commands, in this terminal."""
    command = [str(binary()), *arguments]
    os.execve(command[0], command, environment(settings))


def start(settings: Settings, process: str) -> None:
    """Start one process, the API server with a database that suits it; `wait` tells when it works.

    SetupError when the port is taken, a folder is missing, or Airflow is not installed.
    """
    number = port(settings)
    if process == "api-server" and number is not None:
        demand_free(
            number, service="Airflow", setting="airflow_url", example=f"http://127.0.0.1:{number + 1}"
        )
        prepare(settings)
    options = ["--skip-serve-logs"] if process in _NO_LOG_SERVER else []
    child(settings, process).start(
        [str(binary()), process, *options], env=environment(settings), cwd=_home(settings)
    )


def wait(settings: Settings, process: str) -> None:
    """Wait until a process that was started works; SetupError, with the end of its log, when it ends."""
    server = child(settings, process)
    deadline = time.monotonic() + 300
    while not healthy(settings, process):
        if server.pid() is None:
            raise SetupError(f"Airflow's {process} ended; its log {server.log} ends with\n{server.tail()}")
        if time.monotonic() > deadline:
            raise SetupError(f"Airflow's {process} does not work after five minutes; look at {server.log}")
        time.sleep(0.5)
    if process == "api-server":
        make_pool(settings)


def healthy(settings: Settings, process: str) -> bool:
    """Tell whether a process works: the API server answers, and has heard of the others lately."""
    from skewless.local.airflow_api import AirflowApi

    with AirflowApi(settings) as api:
        report = api.health()
    if process == "api-server":
        return report is not None
    part = (report or {}).get(_HEALTH_OF[process]) or {}
    return bool(part.get("status") == "healthy")


def make_pool(settings: Settings) -> None:
    """Make the pool of Spark's tasks; one that is there is left as it is."""
    from skewless.local.airflow_api import AirflowApi

    pool = {"name": POOL, "slots": POOL_SLOTS, "description": "Jobs that Spark does at a time"}
    with AirflowApi(settings) as api:
        if POOL not in {found["name"] for found in api.get("pools", limit=100)["pools"]}:
            api.post("pools", pool)


def binary() -> Path:
    """Find the `airflow` of this environment."""
    found = Path(sys.executable).with_name("airflow")
    if not found.exists():
        raise SetupError("Airflow is not installed; pip install 'skewless[airflow]'")
    return found


def _process_variables(plain: Mapping[str, str]) -> dict[str, str]:
    beside = str(Path(sys.executable).parent)
    direct = ",".join(filter(None, (plain.get("NO_PROXY") or plain.get("no_proxy"), "127.0.0.1,localhost")))
    return {
        "PATH": os.pathsep.join((beside, plain.get("PATH", os.defpath))),
        "NO_PROXY": direct,
        "no_proxy": direct,
        "SPT_NOENV": "1",  # the title that a process gives itself must not overwrite its environment
    }


def _home(settings: Settings) -> Path:
    folder = settings.home / "airflow"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _secrets(settings: Settings) -> dict[str, str]:
    """Read what only this installation knows; made once, readable by its user alone."""
    folder = _home(settings)
    _keep(folder / "passwords.json", {login(settings).user: secrets.token_urlsafe(12)})
    return _keep(
        folder / "secrets.json",
        {
            "fernet_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "api_secret_key": secrets.token_hex(32),
            "jwt_secret": secrets.token_hex(32),
        },
    )


def _keep(path: Path, made: dict[str, str]) -> dict[str, str]:
    """Give what the file holds, writing `made` to it when there is none yet; whole, or not at all."""
    if not path.exists():
        draft = path.with_suffix(f".{os.getpid()}")
        with open(
            os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8"
        ) as file:
            json.dump(made, file)
        draft.replace(path)
    kept: dict[str, str] = json.loads(path.read_text("utf-8"))
    return kept
