"""Spark's Python workers import pyspark from its folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa
from pyspark.sql import SparkSession


def test_workers_have_no_archive_of_spark_on_their_path(spark: SparkSession) -> None:
    def look(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import sys

        import pyspark

        for _ in batches:
            archives = [place for place in sys.path if place.endswith(("pyspark.zip", ".jar"))]
            yield pa.RecordBatch.from_pydict({"file": [pyspark.__file__], "archives": [archives]})

    row = spark.range(1).mapInArrow(look, "file string, archives array<string>").first()
    assert row is not None
    assert row["archives"] == []
    assert "pyspark.zip" not in row["file"]
