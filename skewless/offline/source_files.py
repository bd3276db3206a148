"""What a source's log tells of its data files: which may hold rows of a box, and how many."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skewless.model import DeltaSource
from skewless.offline.boxes import Box
from skewless.offline.columns import NEVER
from skewless.offline.ranges import Flags, Indices
from skewless.timeline import after, due, known

_MILLISECOND = 1000  # to which the log's statistics are cut off, in microseconds


@dataclass(frozen=True)
class SourceFiles:
    """Data files, and between which instants their rows happened and became known, in microseconds; both included.

    Where the log does not tell, a file may hold anything.
    """

    paths: Sequence[str]
    rows: Indices
    event: tuple[Indices, Indices]
    known: tuple[Indices, Indices]

    @classmethod
    def of(cls, source: DeltaSource, files: pa.Table) -> SourceFiles:
        """Read them from a log's listing of files."""
        event = _bounds(files, source.timestamp_field)
        known = event
        if source.created_timestamp_column:
            created = _bounds(files, source.created_timestamp_column)
            complete = _count(files, f"null_count.{source.created_timestamp_column}", default=1) == 0
            known = (
                np.where(complete, created[0], np.minimum(created[0], event[0])),
                np.where(complete, created[1], np.maximum(created[1], event[1])),
            )
        return cls(files["path"].to_pylist(), _count(files, "num_records", default=0), event, known)

    def meeting(self, box: Box) -> Flags:
        """Which files may hold rows of a box."""
        meets = known(self.known[0], box.cutoff)
        if box.learnt is not None:
            meets = meets & due(box.learnt, self.known[1])
        if box.until is not None:
            meets = meets & after(box.until, self.event[0])
        if box.since is not None:
            meets = meets & due(box.since, self.event[1])
        return np.asarray(meets, dtype=np.bool_)

    def rows_of(self, boxes: Sequence[Box]) -> int:
        """How many rows are in files that may hold rows of some box."""
        meets = np.logical_or.reduce([self.meeting(box) for box in boxes])
        return int(self.rows[meets].sum())

    def digest(self, box: Box) -> str | None:
        """A hash of which files may hold rows of a box: files never change, so it stands for those rows; None: none."""
        paths = sorted(self.paths[place] for place in np.flatnonzero(self.meeting(box)).tolist())
        return hashlib.sha256("\0".join(paths).encode()).hexdigest()[:16] if paths else None


def _bounds(files: pa.Table, column: str) -> tuple[Indices, Indices]:
    """The least and the greatest value of a column in each file."""
    least = _micros(files, f"min.{column}", -NEVER)
    most = _micros(files, f"max.{column}", NEVER)
    return least, np.where(most == NEVER, NEVER, most + (_MILLISECOND - 1))


def _micros(files: pa.Table, name: str, unknown: int) -> Indices:
    if name not in files.column_names or not pa.types.is_timestamp(files[name].type):
        return np.full(len(files), unknown)
    micros = files[name].cast(pa.timestamp("us", tz=files[name].type.tz)).cast(pa.int64())
    found: Indices = pc.fill_null(micros, unknown).to_numpy()
    return found


def _count(files: pa.Table, name: str, *, default: int) -> Indices:
    if name not in files.column_names:
        return np.full(len(files), default)
    found: Indices = pc.fill_null(files[name].cast(pa.int64()), default).to_numpy()
    return found
