"""Our own tables for a data set of snapshots: each appended as a revision that passed its checks."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from benchmarks.columns import DUE, DUE_MICROS, FIELDS, HOUR, START
from benchmarks.inputs import DEFINITIONS, local_session
from benchmarks.snapshots import Snapshots
from benchmarks.storage import ROOT, once
from skewless.ledger.events import Event, Kind
from skewless.offline.columns import SNAPSHOT
from skewless.plan.fingerprint import fingerprint
from skewless.store import FeatureStore
from skewless.timeline import MICROSECOND

if TYPE_CHECKING:
    from skewless.model import FeatureView


A_DAY = 24  # snapshots, which a backfill appends at once; the build of each hour appends one


def open_store(folder: Path, spark: SparkSession) -> FeatureStore:
    """The store whose warehouse a data set is."""
    return FeatureStore(DEFINITIONS, warehouse=str(folder), spark=spark)


def prepare(data: Snapshots, folder: Path, spark: SparkSession, at_once: int = A_DAY) -> None:
    """Append every snapshot of every view, so many at once, unless this code has done so before."""
    if data.snapshots:
        once(folder, "stored", _description(data, at_once), lambda: _append_all(data, folder, spark, at_once))


def is_prepared(data: Snapshots, folder: Path, at_once: int = A_DAY) -> bool:
    """Tell whether there is nothing to do, for which no Spark need be started."""
    stamp = folder / "stored.json"
    if not data.snapshots:
        return True
    return stamp.is_file() and stamp.read_text("utf-8") == json.dumps(
        _description(data, at_once), sort_keys=True
    )


def _description(data: Snapshots, at_once: int) -> dict[str, object]:
    files = sorted((ROOT / "skewless" / "offline").glob("*table*.py"))
    text = b"".join(file.read_bytes() for file in files)
    layout = {"layout": hashlib.sha256(text).hexdigest()}
    return asdict(data) | layout | ({} if at_once == A_DAY else {"at_once": at_once})


def _append_all(data: Snapshots, folder: Path, spark: SparkSession, at_once: int) -> None:
    for part in ("features", "ledger"):
        shutil.rmtree(folder / part, ignore_errors=True)
    store = open_store(folder, spark)
    for name in data.view_names:
        view = store.workspace.repo.view(name)
        rows = spark.read.format("delta").load(str(folder / "sources" / name))
        events: list[Event] = []
        for first in range(0, data.snapshots, at_once):
            hours = range(first, min(first + at_once, data.snapshots))
            revisions = {START + number * HOUR * MICROSECOND: f"{name}-{number:04d}" for number in hours}
            here = rows.where(rows.event_timestamp.between(min(revisions) + DUE, max(revisions) + DUE))
            store.workspace.feature_table(view).append(stamped(here), revisions)
            for snapshot_time, revision in revisions.items():
                events += _events(view, revision, snapshot_time, data.users)
        store.workspace.ledger(view).append(*events)


def stamped(rows: DataFrame) -> DataFrame:
    """Rows of a source as the engine hands computed snapshots to a feature table."""
    snapshot = F.unix_micros("event_timestamp") - DUE_MICROS
    return rows.select("user_id", snapshot.alias(SNAPSHOT), *FIELDS)


def _events(view: FeatureView, revision: str, snapshot_time: datetime, rows: int) -> list[Event]:
    told = {"snapshot_time": snapshot_time, "revision": revision, "fingerprint": fingerprint(view)}
    return [Event(kind=Kind.BUILT, rows=rows, **told), Event(kind=Kind.PASSED, **told)]  # type: ignore[arg-type]


def main() -> None:
    """Prepare one data set in a process of its own: its numbers as JSON, its folder, how many snapshots at once."""
    data = Snapshots(**json.loads(sys.argv[1]))
    prepare(data, Path(sys.argv[2]), local_session(), int(sys.argv[3]))


if __name__ == "__main__":
    main()
