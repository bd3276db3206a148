"""The Spark session, chosen by one setting: a Spark Connect server, this process, or a cluster."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from skewless.errors import SetupError
from skewless.offline.source import first_line
from skewless.offline.spark_conf import SMALL_TABLES_CONF, SPARK_CONF


def open_session(address: str, jars: Path | None = None, python: str = sys.executable) -> SparkSession:
    """Open the session at an address: `sc://host:port`, `local[*]`, or a cluster's master URL.

    jars    folder of the Delta jars, for a session of this process
    python  interpreter of its workers
    SetupError when no server answers.
    """
    if address.startswith("sc://"):
        return _connect(address)
    builder = SparkSession.builder.master(address)
    files = sorted(jars.glob("*.jar")) if jars else []
    os.environ.setdefault("PYSPARK_PYTHON", python)
    small = SMALL_TABLES_CONF if address.startswith("local") else {}
    for key, value in (SPARK_CONF | small | {"spark.jars": ",".join(map(str, files))}).items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


def _connect(address: str) -> SparkSession:
    try:
        session = SparkSession.builder.remote(address).getOrCreate()
        session.conf.set("spark.sql.session.timeZone", "UTC")
    except (PySparkException, RuntimeError) as error:
        raise SetupError(
            f"no Spark server answers at {address.partition('/;')[0]} ({first_line(error)}); "
            "start it with `skewless up`, or correct the setting `spark`"
        ) from error
    return session
