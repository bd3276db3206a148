"""A snapshot to write, and the tables that it is written into."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import DeltaTable

from benchmarks.answers import WrongAnswer
from benchmarks.columns import FIELDS, START, Expected, numbers
from benchmarks.snapshots import Snapshots
from benchmarks.storage import linked_copy, once, write_table

NEW = 60  # the number of the new snapshot
NEW_SNAPSHOT_TIME, NEW_REVISION = START + timedelta(hours=NEW), "new"


@dataclass(frozen=True)
class Increments(Snapshots):
    """A new snapshot of `users` rows, for tables that hold `snapshots` earlier ones.

    sources/new    the rows to write
    base/plain     a Delta table of the earlier snapshots, partitioned by hour
    base/rerun     the same with the new hour in it, of other values: who overwrites or merges repairs that
    features       our table, by `benchmarks.stored`
    """

    labels: int = 0
    seed: int = 9

    @property
    def rows(self) -> dict[str, int]:
        """How large it is."""
        return {"new rows": self.users, "rows before": self.snapshots * self.users}

    def prepare(self, folder: Path) -> None:
        """Write the sources and what they are written into."""
        super().prepare(folder)

        def make() -> None:
            write_table(folder / "sources" / "new", [self.snapshot(0, NEW)])
            for name, stale in (("plain", []), ("rerun", [NEW + 1])):
                tables = [self._hour(number) for number in (*range(self.snapshots), *stale)]
                shutil.rmtree(folder / "base" / name, ignore_errors=True)
                if tables:
                    write_table(folder / "base" / name, tables, partition_by=["hour"])

        once(folder, "increments", asdict(self), make)

    def _hour(self, number: int) -> pa.Table:
        """The rows of a snapshot; after the new one comes the new one with other values."""
        hour = START + timedelta(hours=min(number, NEW))
        rows = self.snapshot(0, number).drop_columns(["event_timestamp"])
        return rows.append_column("hour", pa.array([hour.isoformat()] * len(rows)))

    def copy_base(self, folder: Path, output: Path, base: str) -> None:
        """Give a run a table of its own to write into: `features`, `base/plain` or `base/rerun`."""
        output.mkdir(parents=True)
        if (folder / base).is_dir():
            linked_copy(folder / base, output / Path(base).name)

    def expected(self) -> Iterator[Expected]:
        """The new rows, by user_id."""
        values = numbers((self.seed, 0, NEW), self.users)
        for place, name in enumerate(FIELDS):
            yield Expected(name, np.ascontiguousarray(values[:, place]))

    def written(self, output: Path) -> ds.Dataset:
        """The new rows in the table that was written; WrongAnswer where it has not as many rows as it should."""
        logs = list(output.rglob("_delta_log"))
        if len(logs) != 1:
            raise WrongAnswer(f"there are {len(logs)} tables, not one")
        rows = DeltaTable(str(logs[0].parent)).to_pyarrow_dataset()
        wanted = (self.snapshots + 1) * self.users
        if rows.count_rows() != wanted:
            raise WrongAnswer(f"the table has {rows.count_rows():,} rows, not {wanted:,}")
        key, value = "hour", NEW_SNAPSHOT_TIME.isoformat()
        if key not in rows.schema.names:
            key, value = "_revision", NEW_REVISION
        return rows.filter(ds.field(key) == value)
