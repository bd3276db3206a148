"""The Spark session, chosen by one setting: a Spark Connect server, this process, or a cluster.

In a script that spark-submit runs, it is the session of that spark-submit, with its master and jars.
"""

from __future__ import annotations

import atexit
import os
import socket
import sys
from pathlib import Path
from urllib.parse import urlsplit

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from skewless.errors import SetupError, first_line
from skewless.offline.spark_conf import SMALL_TABLES_CONF, SPARK_CONF


def open_session(address: str, jars: Path | None = None, python: str = sys.executable) -> SparkSession:
    """Open the session at an address: `sc://host:port`, `local[*]`, or a cluster's master URL.

    jars    folder of the Delta jars, for a session of this process
    python  interpreter of its workers
    SetupError when no server answers, or Spark does not start.
    """
    if address.startswith("sc://") and not submitted():
        return _connect(address)
    os.environ.setdefault("PYSPARK_PYTHON", python)
    conf: dict[str, bool | float | int | str | None] = {**SPARK_CONF}
    if not submitted():
        files = sorted(jars.glob("*.jar")) if jars else []
        small = SMALL_TABLES_CONF if address.startswith("local") else {}
        conf |= small | {"spark.master": address, "spark.jars": ",".join(map(str, files))}
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


def _end(session: SparkSession) -> None:
    """Close the way to Java while Python still runs: closed with its last objects, it lets native threads abort it."""
    gateway = session.sparkContext._gateway
    session.stop()
    if gateway is not None:
        gateway.close()


def submitted() -> bool:
    """Tell whether spark-submit runs this process, which then has a Spark to itself."""
    return "PYSPARK_GATEWAY_PORT" in os.environ


def _connect(address: str) -> SparkSession:
    try:
        url = urlsplit(address)  # Spark's client would try for minutes
        socket.create_connection((url.hostname or "", url.port or 15002), timeout=5).close()
        session = SparkSession.builder.remote(address).getOrCreate()
        session.conf.set("spark.sql.session.timeZone", "UTC")
    except (PySparkException, RuntimeError, OSError, ValueError) as error:
        raise SetupError(
            f"no Spark server answers at {address.partition('/;')[0]} ({first_line(error)}); "
            "start it with `skewless up`, or correct the setting `spark`"
        ) from error
    return session
