"""What every Spark session is started with, whoever starts it: a local server, local[*] or a cluster."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SPARK_CONF = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.python.daemon.module": "skewless.offline.worker_daemon",
    "spark.driver.extraJavaOptions": "-Duser.timezone=UTC -XX:+ExitOnOutOfMemoryError",
}

# Made by skewless.local.class_archive; of this interpreter, because it fits one pyspark at one place only.
CLASS_ARCHIVE = Path(sys.prefix) / "share" / "skewless" / "spark.jsa"

# For tables of megabytes on few cores; the defaults start hundreds of tasks for them.
SMALL_TABLES_CONF = {
    "spark.sql.shuffle.partitions": "4",
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "2",
    "spark.databricks.delta.snapshotPartitions": "1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",  # its bar would stand among our own lines of progress
    "spark.log.level": "WARN",
}


def java_options(*instead: str) -> dict[str, str]:
    """Give the conf of a JVM that starts on this machine: from the class archive where there is one, or with others."""
    archive = [f"-XX:SharedArchiveFile={CLASS_ARCHIVE}"] if CLASS_ARCHIVE.exists() else []
    key = "spark.driver.extraJavaOptions"
    return {key: " ".join([SPARK_CONF[key], *map(shlex.quote, instead or archive)])}


# What a value would depend on: all times are UTC, and an integer that does not fit is an error.
_MEANING = ("spark.sql.session.timeZone", "spark.sql.ansi.enabled")


def settled(spark: SparkSession) -> SparkSession:
    """The session with UTC and ANSI SQL; whoever had set it otherwise finds it so from then on.

    It is not given back afterwards, because Spark computes a result when it is fetched.
    """
    for key in _MEANING:
        if spark.conf.get(key) != SPARK_CONF[key]:
            spark.conf.set(key, SPARK_CONF[key])
    return spark
