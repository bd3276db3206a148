"""Engines of one process: DuckDB, Polars and numpy, on as many threads as Spark has cores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

from benchmarks.columns import DUE_MICROS, FIELDS, HOUR
from benchmarks.inputs import CORES, Inputs
from benchmarks.payments import WINDOW_HOURS


def duckdb_asof(inputs: Inputs, output: Path) -> None:
    """ASOF LEFT JOIN over the Delta tables' files, copied to Parquet."""
    import duckdb

    database = duckdb.connect(config={"threads": CORES})
    columns, joins = ["labels.*"], ""
    for name in inputs.views:
        columns += [f"{name}.{column} AS {name}__{column}" for column in FIELDS]
        joins += (
            f" ASOF LEFT JOIN read_parquet({_files(inputs, f'sources/{name}')}) AS {name}"
            f" ON labels.user_id = {name}.user_id AND labels.event_timestamp >= {name}.event_timestamp"
        )
    query = f"SELECT {', '.join(columns)} FROM read_parquet({_files(inputs, 'labels')}) AS labels{joins}"
    output.mkdir()
    database.execute(f"COPY ({query}) TO '{output}/answer.parquet' (FORMAT parquet, COMPRESSION snappy)")
    database.close()


def _files(inputs: Inputs, table: str) -> list[str]:
    uris = DeltaTable(inputs.path(table)).file_uris()
    return [uri.removeprefix("file://") for uri in uris]


def polars_join(inputs: Inputs, output: Path) -> None:
    """`join_asof` by key over the Delta tables, both sides sorted by time as it demands."""
    import polars as pl

    labels = pl.scan_delta(inputs.path("labels")).sort("event_timestamp")
    for name in inputs.views:
        rows = pl.scan_delta(inputs.path(f"sources/{name}")).sort("event_timestamp")
        rows = rows.rename({column: f"{name}__{column}" for column in FIELDS})
        labels = labels.join_asof(
            rows, on="event_timestamp", by="user_id", check_sortedness=False, coalesce=True
        )
    output.mkdir()
    labels.collect().write_parquet(output / "answer.parquet", compression="snappy")


def polars_windows(inputs: Inputs, output: Path) -> None:
    """Prefix sums of floats, looked up by `join_asof` at both ends of every window."""
    import polars as pl

    time, before = "event_timestamp", "_before"
    rows = (
        pl.scan_delta(inputs.path("sources/payments"))
        .sort(time)
        .select(
            "user_id",
            pl.col(time).alias(before),
            pl.col("amount").cum_sum().over("user_id").alias("_sum"),
            pl.int_range(1, pl.len() + 1).over("user_id").alias("_count"),
        )
    )
    points = pl.scan_delta(inputs.path("labels")).with_columns(
        _end=pl.col(time) - pl.duration(microseconds=DUE_MICROS)
    )
    points = points.sort("_end")
    for name, hours in {"end": 0, **WINDOW_HOURS}.items():
        ends = points.with_columns(_at=pl.col("_end") - pl.duration(hours=hours))
        found = ends.join_asof(
            rows,
            left_on="_at",
            right_on=before,
            by="user_id",
            allow_exact_matches=False,
            check_sortedness=False,
        )
        points = found.rename({"_sum": f"_sum_{name}", "_count": f"_count_{name}"}).drop(
            "_at", before, strict=False
        )
    columns = ["label_id", "user_id", time]
    for name in WINDOW_HOURS:
        both = [(pl.col(f"_{what}_{end}").fill_null(0)) for what in ("sum", "count") for end in ("end", name)]
        count = both[2] - both[3]
        total = pl.when(count > 0).then(both[0] - both[1])
        columns += [total.alias(f"spending__sum_{name}"), count.alias(f"spending__count_{name}")]
    output.mkdir()
    points.select(columns).collect().write_parquet(output / "answer.parquet", compression="snappy")


def numpy_windows(inputs: Inputs, output: Path) -> None:
    """Prefix sums of floats on one core, looked up by bisection."""
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    events = DeltaTable(inputs.path("sources/payments")).to_pyarrow_table()
    points = DeltaTable(inputs.path("labels")).to_pyarrow_table()
    times = events["event_timestamp"].cast(pa.int64()).to_numpy()
    asked = points["event_timestamp"].cast(pa.int64()).to_numpy() - DUE_MICROS
    first = min(times.min(), asked.min()) - 720 * HOUR
    span = max(times.max(), asked.max()) - first + 1
    codes = events["user_id"].to_numpy() * span + times - first
    order = np.argsort(codes)
    codes = codes[order]
    sums = np.concatenate([[0.0], np.cumsum(events["amount"].to_numpy()[order])])
    asked = points["user_id"].to_numpy() * span + asked - first
    end = np.searchsorted(codes, asked)
    for name, hours in WINDOW_HOURS.items():
        start = np.searchsorted(codes, asked - hours * HOUR)
        total = pa.array(sums[end] - sums[start], mask=end == start)
        points = points.append_column(f"spending__sum_{name}", total)
        points = points.append_column(f"spending__count_{name}", pa.array(end - start))
    output.mkdir()
    pq.write_table(points, output / "answer.parquet")
