"""What a contender gets: a data set's folder, the views it is asked for, and a Spark session if it wants one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.storage import ROOT

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

DEFINITIONS = ROOT / "benchmarks" / "features"
CORES = 2


def local_session() -> SparkSession:
    """A session of this process on two cores, with the conf that the engine sets; the same for all contenders."""
    from skewless.local.java import find_java
    from skewless.offline.session import open_session

    find_java()
    return open_session(f"local[{CORES}]", ROOT / ".skewless" / "jars")


@dataclass
class Inputs:
    """A data set as a contender sees it."""

    folder: Path
    views: tuple[str, ...]
    session: Callable[[], SparkSession] = local_session

    @cached_property
    def spark(self) -> SparkSession:
        """The session, opened when first asked for."""
        return self.session()

    def path(self, table: str) -> str:
        """Where a table is."""
        return str(self.folder / table)

    def read(self, table: str) -> DataFrame:
        """A Delta table in Spark."""
        return self.spark.read.format("delta").load(self.path(table))
