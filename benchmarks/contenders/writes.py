"""Writing a snapshot: as the engine lays its tables out, and as people write to Delta by hand."""

from __future__ import annotations

from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from benchmarks.columns import FIELDS
from benchmarks.increments import NEW_REVISION, NEW_SNAPSHOT_TIME
from benchmarks.inputs import Inputs
from benchmarks.stored import open_store, stamped


def ours(inputs: Inputs, output: Path) -> None:
    """Append a revision to a feature table, which may hold others."""
    store = open_store(output, inputs.spark)
    table = store.workspace.feature_table(store.workspace.repo.view("view_0"))
    table.append(stamped(inputs.read("sources/new")), {NEW_SNAPSHOT_TIME: NEW_REVISION})


def plain_append(inputs: Inputs, output: Path) -> None:
    """Append a partition, in the order in which the rows come."""
    _hour(inputs).write.format("delta").mode("append").partitionBy("hour").save(f"{output}/plain")


def overwrite(inputs: Inputs, output: Path) -> None:
    """Replace the hour's partition."""
    writer = _hour(inputs).write.format("delta").mode("overwrite").option("replaceWhere", _this_hour(""))
    writer.save(f"{output}/rerun")


def merge(inputs: Inputs, output: Path) -> None:
    """Merge into the hour's partition by key."""
    _hour(inputs).createOrReplaceTempView("new")
    inputs.spark.sql(
        f"MERGE INTO delta.`{output}/rerun` AS t USING new AS s"
        f" ON {_this_hour('t.')} AND t.user_id = s.user_id"
        " WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"
    )


def _hour(inputs: Inputs) -> DataFrame:
    rows = inputs.read("sources/new").select("user_id", *FIELDS)
    return rows.withColumn("hour", F.lit(NEW_SNAPSHOT_TIME.isoformat()))


def _this_hour(side: str) -> str:
    return f"{side}hour = '{NEW_SNAPSHOT_TIME.isoformat()}'"
