"""The Spark session, chosen by one setting: a Spark Connect server, this process, or a cluster.

In a script that spark-submit runs, it is the session of that spark-submit, with its master and jars.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from py4j.protocol import Py4JJavaError
from pyspark import SparkConf, SparkContext
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql.utils import is_remote

from skewless.errors import SetupError, first_line
from skewless.offline.spark_conf import SMALL_TABLES_CONF, SPARK_CONF, java_options

if TYPE_CHECKING:
    from pyspark.sql.connect.client.retries import RetryPolicy
    from pyspark.sql.connect.session import SparkSession as ConnectSession

_CONNECTING = 5.0  # seconds: a server that is there takes a connection at once


def open_session(address: str, jars: Path | None = None, python: str = sys.executable) -> SparkSession:
    """Open the session at an address: `sc://host:port`, `local[*]`, or a cluster's master URL.

    jars    folder of the Delta jars, for a session of this process
    python  interpreter of its workers
    SetupError when no server or master answers, or Spark does not start.
    """
    if address.startswith("sc://") and not submitted():
        return _connect(address)
    os.environ.setdefault("PYSPARK_PYTHON", python)
    master = _submitted_master() if submitted() else address
    if master.startswith("spark://"):
        _demand_master(master)
    conf: dict[str, bool | float | int | str | None] = {**SPARK_CONF}
    if not submitted():
        files = sorted(jars.glob("*.jar")) if jars else []
        here = SMALL_TABLES_CONF | java_options() if address.startswith("local") else {}
        conf |= here | {"spark.master": address, "spark.jars": ",".join(map(str, files))}
    try:
        session = SparkSession.builder.config(map=conf).getOrCreate()
    except (PySparkException, RuntimeError, Py4JJavaError) as error:
        reason = error.java_exception.toString() if isinstance(error, Py4JJavaError) else first_line(error)
        raise SetupError(
            f"Spark does not start with spark={address!r} ({reason}); look at what it printed above, and correct "
            "the setting `spark`"
        ) from error
    if submitted():
        atexit.register(_end, session)
    return session


def _submitted_master() -> str:
    SparkContext._ensure_initialized()  # or the configuration is not yet that of spark-submit
    return str(SparkConf().get("spark.master", ""))


def _demand_master(address: str) -> None:
    """SetupError unless one of a cluster's masters answers: Spark would look for it for a minute, and then hang."""
    refused = []
    for place in address.removeprefix("spark://").split(","):
        try:
            url = urlsplit(f"//{place}")
            socket.create_connection((url.hostname or "", url.port or 7077), timeout=_CONNECTING).close()
            return
        except (OSError, ValueError) as error:
            refused.append(f"{place}: {first_line(error)}")
    setting = "the --master of spark-submit" if submitted() else "the setting `spark`"
    raise SetupError(
        f"no Spark master answers at {address} ({'; '.join(refused)}); start the cluster, or correct {setting}"
    )


def _end(session: SparkSession) -> None:
    """Close the way to Java while Python still runs: closed with its last objects, it lets native threads abort it."""
    gateway = session.sparkContext._gateway
    session.stop()
    if gateway is not None:
        gateway.close()


def _patience() -> RetryPolicy:
    """Look for a server that went away for about 15 seconds; Spark's client would for ten minutes.

    A server that comes back is a new one, and knows nothing of this session: the command has to begin again.
    """
    from pyspark.sql.connect.client.retries import DefaultPolicy

    return DefaultPolicy(max_retries=6, max_backoff=5_000, max_server_retry_delay=5_000)


def submitted() -> bool:
    """Tell whether spark-submit runs this process, which then has a Spark to itself."""
    return "PYSPARK_GATEWAY_PORT" in os.environ


def interrupt() -> None:
    """End what this process runs on a Spark Connect server, if it has a session there; never raises."""
    session = SparkSession.getActiveSession() if is_remote() else None
    if session is not None:
        with contextlib.suppress(PySparkException):  # no server, no query
            session.interruptAll()


def _connect(address: str) -> SparkSession:
    try:
        url = urlsplit(address)
        socket.create_connection((url.hostname or "", url.port or 15002), timeout=_CONNECTING).close()
        session = SparkSession.builder.remote(address).getOrCreate()
        cast("ConnectSession", session).client.set_retry_policies([_patience()])
        session.conf.set("spark.sql.session.timeZone", "UTC")
    except (PySparkException, RuntimeError, OSError, ValueError) as error:
        raise SetupError(
            f"no Spark server answers at {address.partition('/;')[0]} ({first_line(error)}); "
            "start it with `skewless up`, or correct the setting `spark`"
        ) from error
    return session
