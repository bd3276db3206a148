"""Joins that people write in Spark by hand, and the floor under them all."""

from __future__ import annotations

from pathlib import Path

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from benchmarks.columns import FIELDS
from benchmarks.inputs import Inputs
from benchmarks.stored import open_store


def floor(inputs: Inputs, output: Path) -> None:
    """Read the files and columns that the engine reads; write the labels with as many random numbers."""
    store = open_store(inputs.folder, inputs.spark)
    for name in inputs.views:
        table = store.workspace.feature_table(store.workspace.repo.view(name))
        _read_through(
            inputs.spark.read.format("delta").load(table.uri).select("user_id", "_revision", *FIELDS)
        )
    _write_random(inputs, output)


def floor_of_sources(inputs: Inputs, output: Path) -> None:
    """The same for joins that read the source."""
    for name in inputs.views:
        _read_through(inputs.read(f"sources/{name}"))
    _write_random(inputs, output)


def _read_through(rows: DataFrame) -> None:
    rows.write.format("noop").mode("overwrite").save()


def _write_random(inputs: Inputs, output: Path) -> None:
    names = [f"{view}__{name}" for view in inputs.views for name in FIELDS]
    random = [F.rand(number).cast("float").alias(name) for number, name in enumerate(names)]
    inputs.read("labels").select("*", *random).write.parquet(str(output))


def range_join(inputs: Inputs, output: Path) -> None:
    """Join on keys and `<=`, number the rows of each label by time, keep the first."""
    joined = inputs.read("labels")
    for name in inputs.views:
        joined = _range_joined(joined, inputs.read(f"sources/{name}"), name)
    joined.write.parquet(str(output))


def _range_joined(labels: DataFrame, rows: DataFrame, view: str) -> DataFrame:
    rows = _named(rows, view)
    here = (labels.user_id == rows._user) & (rows._time <= labels.event_timestamp)
    newest = Window.partitionBy("label_id").orderBy(F.col("_time").desc())
    numbered = labels.join(rows, here, "left").withColumn("_number", F.row_number().over(newest))
    return numbered.where("_number = 1").drop("_number", "_user", "_time")


def union_window(inputs: Inputs, output: Path) -> None:
    """Rows and labels in one, sorted by key and time; each label takes the last row before it."""
    joined = inputs.read("labels")
    for name in inputs.views:
        joined = _union_joined(joined, inputs.read(f"sources/{name}"), name)
    joined.write.parquet(str(output))


def _union_joined(labels: DataFrame, rows: DataFrame, view: str) -> DataFrame:
    rows = _named(rows, view)
    values = [f"{view}__{name}" for name in FIELDS]
    facts = rows.select(
        F.col("_user").alias("user_id"), F.col("_time").alias("_at"), F.struct(*values).alias("_row")
    )
    asks = labels.withColumn("_at", F.col("event_timestamp"))
    before = Window.partitionBy("user_id").orderBy("_at").rowsBetween(Window.unboundedPreceding, 0)
    seen: Column = F.last("_row", ignorenulls=True).over(before)
    both = asks.unionByName(facts, allowMissingColumns=True).withColumn("_seen", seen)
    kept = [F.col(name) for name in labels.columns]
    return both.where("label_id IS NOT NULL").select(*kept, *(F.col(f"_seen.{name}") for name in values))


def _named(rows: DataFrame, view: str) -> DataFrame:
    values = [F.col(name).alias(f"{view}__{name}") for name in FIELDS]
    return rows.select(F.col("user_id").alias("_user"), F.col("event_timestamp").alias("_time"), *values)
