"""The Spark Connect server of this machine: one warm JVM that every command, notebook and test shares."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import time
import uuid
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

from skewless.errors import SetupError
from skewless.local.java import find_java
from skewless.local.port import demand_free, is_loopback, listens
from skewless.local.process import Child
from skewless.offline.spark_conf import SMALL_TABLES_CONF, SPARK_CONF, java_options
from skewless.settings import Settings

_SERVER = "org.apache.spark.sql.connect.service.SparkConnectServer"


def child(settings: Settings) -> Child:
    """Give the service's process, running or not."""
    return Child("spark", settings.home / "run")


def port(settings: Settings) -> int | None:
    """Give the port that `spark` names on this machine; None when the session is another's to run."""
    url = urlsplit(settings.spark)
    ours = settings.local_services and url.scheme == "sc" and is_loopback(url.hostname)
    return (url.port or 15002) if ours else None


def healthy(number: int, patience: float = 10.0) -> bool:
    """Tell whether the server answers a client's cheapest call within `patience` seconds; it runs no job."""
    import grpc
    from pyspark.sql.connect import proto
    from pyspark.sql.connect.proto.base_pb2_grpc import SparkConnectServiceStub

    asked = proto.AnalyzePlanRequest(
        session_id=str(uuid.uuid5(uuid.NAMESPACE_URL, "skewless health")),
        user_context=proto.UserContext(user_id="skewless"),
        spark_version=proto.AnalyzePlanRequest.SparkVersion(),
    )
    with grpc.insecure_channel(f"127.0.0.1:{number}", options=[("grpc.enable_http_proxy", 0)]) as channel:
        try:
            SparkConnectServiceStub(channel).AnalyzePlan(asked, timeout=patience)  # type: ignore[no-untyped-call]
        except grpc.RpcError:
            return False
    return True


def start(settings: Settings, number: int, *java: str) -> None:
    """Start the server, with more options for Java; `wait` tells when it can be used.

    SetupError when Java or the jars are missing, or the port is taken.
    """
    demand_free(number, service="Spark Connect", setting="spark", example=f"sc://127.0.0.1:{number + 1}")
    folder = settings.home / "spark"
    command, environment = _command(settings, "127.0.0.1", number, *java), _environment(settings)
    shutil.rmtree(folder / "tmp", ignore_errors=True)  # what a killed server left
    child(settings).start(command, env=environment, cwd=folder)


def wait(settings: Settings, number: int) -> None:
    """Wait until a real client has written and read a Delta table through the server.

    SetupError when the server or its client fails; the server is ended then.
    """
    server = child(settings)
    try:
        _wait_until_listening(server, number)
        _warm_up(settings)
    except BaseException:
        server.stop(patience=5.0)
        raise


def serve(settings: Settings, address: str, number: int) -> NoReturn:
    """Become the server, listening at an address of this machine, until somebody ends it."""
    folder = settings.home / "spark"
    folder.mkdir(parents=True, exist_ok=True)
    command, environment = _command(settings, address, number), _environment(settings)
    os.chdir(folder)
    os.execve(command[0], command, environment)


def session_address(settings: Settings, slot: int) -> str:
    """Give the address of the running server's session number `slot`; a new server has new sessions."""
    name = uuid.uuid5(uuid.NAMESPACE_URL, f"{settings.home}#{child(settings).pid()}#{slot}")
    return f"{settings.spark.rstrip('/')}/;session_id={name}"


def _command(settings: Settings, address: str, number: int, *java: str) -> list[str]:
    folder = settings.home / "spark"
    cores = settings.spark_cores or "*"
    conf = SPARK_CONF | SMALL_TABLES_CONF | java_options(*java) | _server_conf(folder, address, number)
    return [
        str(_pyspark() / "bin" / "spark-submit"),
        *("--class", _SERVER, "--master", f"local[{cores}]", "--driver-memory", settings.spark_memory),
        *("--jars", ",".join(map(str, delta_jars(settings)))),
        *(part for key, value in conf.items() for part in ("--conf", f"{key}={value}")),
        "spark-internal",
    ]


def _server_conf(folder: Path, address: str, number: int) -> dict[str, str]:
    return {
        "spark.connect.grpc.binding.address": address,
        "spark.connect.grpc.binding.port": str(number),
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.local.dir": str(folder / "tmp"),
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.sql.catalogImplementation": "in-memory",
        # A killed client's query ends within 8 + 12 + 2 seconds: the server notices a lost client only when
        # its stream is due, waits for it to come back, and looks for such queries at intervals. The session
        # stays, for the next client of the slot.
        "spark.connect.execute.reattachable.senderMaxStreamDuration": "8s",
        "spark.connect.execute.manager.detachedTimeout": "12s",
        "spark.connect.execute.manager.maintenanceInterval": "2s",
        "spark.connect.session.manager.defaultSessionTimeout": "-1",
    }


def _environment(settings: Settings) -> dict[str, str]:
    java_home = find_java().resolve().parents[1]
    return _plain_environment() | {
        "JAVA_HOME": str(java_home),
        "SPARK_HOME": str(_pyspark()),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYSPARK_PYTHON": settings.spark_python,
    }


def _plain_environment() -> dict[str, str]:
    """Give this process' variables without those that change Spark, or slow its Python workers down."""
    foreign = ("SPARK_", "PYSPARK_", "PYTHONDONTWRITEBYTECODE", "PYTHONWARNINGS")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)}


def _pyspark() -> Path:
    spec = importlib.util.find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise SetupError("pyspark is not installed; pip install 'skewless[spark]'")
    return Path(spec.origin).parent


def delta_jars(settings: Settings) -> list[Path]:
    """Give the Delta jars; SetupError when they are not there."""
    folder = settings.jars or settings.home / "jars"
    jars = sorted(folder.glob("*.jar"))
    if not any(jar.name.startswith("delta-spark") for jar in jars):
        raise SetupError(
            f"no Delta jars in {folder}; type: make jars   (or set SKEWLESS_JARS to their folder)"
        )
    return jars


def _wait_until_listening(server: Child, number: int) -> None:
    deadline = time.monotonic() + 300
    while not listens(number):
        if server.pid() is None:
            raise SetupError(f"Spark did not start; its log {server.log} ends with\n{server.tail()}")
        if time.monotonic() > deadline:
            raise SetupError(f"the Spark server did not listen within five minutes; look at {server.log}")
        time.sleep(0.1)


def _warm_up(settings: Settings) -> None:
    """Run the first Delta write, which takes longest, in a process of its own: this one keeps none."""
    address, folder = session_address(settings, slot=0), settings.home / "spark"
    command = [settings.spark_python, "-m", "skewless.local.warm_up", address, str(folder)]
    log = child(settings).log
    try:
        said = subprocess.run(
            command, env=_plain_environment(), capture_output=True, text=True, timeout=600, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise SetupError(
            f"the Spark server started, but its first job takes more than ten minutes ({log})"
        ) from error
    if said.returncode:
        raise SetupError(
            f"the Spark server started, but its first job failed ({log}):\n{said.stderr.strip()[-2000:]}"
        )
