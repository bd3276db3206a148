"""The first job of a Spark server, run as `python -m skewless.local.warm_up sc://HOST:PORT FOLDER`."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
from pyspark.sql.connect.session import SparkSession


def warm_up(url: str, folder: Path) -> None:
    """Write and read a small Delta table, through an Arrow function that imports Skewless in a worker."""
    spark = SparkSession.builder.remote(url).getOrCreate()
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        table = f"{scratch}/warm_up"
        for mode in ("overwrite", "append"):
            spark.range(10).write.format("delta").mode(mode).save(table)
        counted = spark.read.format("delta").load(table).mapInArrow(_through_a_worker, "id long").count()
    if counted != 20:
        raise RuntimeError(f"wrote 20 rows to a Delta table and read {counted}")


def _through_a_worker(batches: Iterable[pa.RecordBatch]) -> Iterable[pa.RecordBatch]:
    import skewless  # noqa: F401  (a worker that cannot import it would fail later, in the middle of a build)

    yield from batches


if __name__ == "__main__":
    warm_up(sys.argv[1], Path(sys.argv[2]))
