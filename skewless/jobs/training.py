"""Training rows from the command line: a spine from a file, joined by the same engine as everything else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from skewless.errors import DataError, UsageError, first_line
from skewless.plan.repo import Features
from skewless.store import FeatureStore
from skewless.workspace import Workspace

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

    from skewless.offline.retrieval import AsOf


def training_rows(
    workspace: Workspace,
    spine: str,
    features: Features,
    *,
    as_of: str = "scheduled",
    explain: bool = False,
    timestamp_field: str = "event_timestamp",
    where: str | None = None,
) -> DataFrame:
    """Join a spine from a CSV or Parquet file, a Delta table, or a table that Spark knows, with features.

    where  a Spark SQL condition on the spine's rows
    """
    store = FeatureStore.of(workspace)
    rows = read_spine(workspace, spine)
    rows = _filtered(rows, where) if where else rows
    return store.get_historical_features(
        rows, features, as_of=cast("AsOf", as_of), explain=explain, timestamp_field=timestamp_field
    )


def _filtered(rows: DataFrame, where: str) -> DataFrame:
    from pyspark.errors import AnalysisException

    from skewless.offline.failures import silence_query_logs

    silence_query_logs()
    try:
        found = rows.where(where)
        found.schema  # noqa: B018 -- over Connect a condition is looked at only when something is asked of it
    except AnalysisException as error:
        raise UsageError(f"the condition {where!r} on the spine: {first_line(error)}") from error
    return found


def read_spine(workspace: Workspace, spine: str) -> DataFrame:
    """Read a spine; UsageError where there is none, DataError where it cannot be read."""
    from skewless.offline.spine import as_spark

    path = Path(spine)
    is_file = path.suffix in (".csv", ".parquet")
    if is_file and not path.is_file():
        raise UsageError(f"there is no spine at {path}")
    return as_spark(workspace.spark, _read_file(path) if is_file else spine, workspace.settings.warehouse)


def _read_file(path: Path) -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv, parquet

    try:
        return csv.read_csv(path) if path.suffix == ".csv" else parquet.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"the spine {path} cannot be read: {error}") from error


def write_rows(rows: DataFrame, output: str) -> str:
    """Write rows to a new Delta table, and give its address; UsageError where something is there already."""
    uri = output if "://" in output else str(Path(output).absolute())
    if "://" not in uri and Path(uri).exists():
        raise UsageError(f"{uri} is there already; name a new folder with --output")
    rows.write.format("delta").mode("error").save(uri)
    return uri
