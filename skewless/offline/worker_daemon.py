"""`spark.python.daemon.module`: Spark's daemon of Python workers, with pyspark from its folder, not its archive.

Spark puts pyspark.zip and the jar of its core before everything else on a worker's path, and has each task call
`importlib.invalidate_caches()`: zipimport then reads the list of files of both again, once for every package that was
imported from them. That is 0.15 of the 0.29 CPU seconds of a task that does nothing (Python 3.11, pyspark 4.1.4). Where
pyspark lies unpacked around the archive, as pip installs it, the archives are left out; elsewhere nothing is changed.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Sequence
from importlib.machinery import PathFinder
from pathlib import Path


def without_archives(path: Sequence[str]) -> list[str]:
    """A module search path without Spark's archives; as it is where the packages are not unpacked beside them."""
    zips = [place for place in path if Path(place).name == "pyspark.zip"]
    rest = [place for place in path if not _is_of_spark(Path(place).name)]
    found = PathFinder.find_spec("pyspark", rest)
    if found is None or found.origin is None or PathFinder.find_spec("py4j", rest) is None:
        return list(path)
    package = Path(found.origin).resolve().parent
    around = [Path(place).resolve().parents[2] for place in zips]  # pyspark/python/lib/pyspark.zip
    return rest if all(folder == package for folder in around) else list(path)


def _is_of_spark(name: str) -> bool:
    return (
        name == "pyspark.zip"
        or (name.startswith("py4j-") and name.endswith("-src.zip"))
        or (name.startswith("spark-core_") and name.endswith(".jar"))
    )


if __name__ == "__main__":
    sys.path[:] = without_archives(sys.path)
    sys.path_importer_cache.clear()
    runpy.run_module("pyspark.daemon", run_name="__main__", alter_sys=True)
