"""Revisions on disk, in buckets by the hash of their keys: two that are too large for memory meet bucket by bucket.

The files have no names: whatever ends the process, their room is free again.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import IO, NamedTuple

import numpy as np
import pyarrow as pa

from skewless.errors import DataError
from skewless.online.columns import buckets
from skewless.online.rows import Piece, Shape

_MOST = 250  # files of one revision
_SLICE = 100_000  # rows
_BUFFER = 1 << 17  # bytes that wait for each


class Revision(NamedTuple):
    """A revision's rows, which can be read once, and how many the ledger says there are."""

    batches: pa.RecordBatchReader
    rows: int


@dataclass(frozen=True, slots=True)
class Limit:
    """What of one revision is compared in memory at once; a single row may be larger."""

    rows: int = 1_000_000
    size: int = 64_000_000

    def holds(self, rows: int, size: int) -> bool:
        """Whether that is little enough."""
        return rows <= 1 or (rows <= self.rows and size <= self.size)


@dataclass
class Side:
    """A revision that is being read: what is held of it so far, and the rest."""

    shape: Shape
    revision: Revision
    held: list[Piece]
    rows: int = 0
    size: int = 0

    @classmethod
    def begun(cls, shape: Shape, revision: Revision, limit: Limit) -> Side:
        """Read until all is held, or more than the limit."""
        side = cls(shape, revision, [Piece.of(shape, revision.batches.schema.empty_table())])
        for batch in revision.batches:
            side.hold(Piece.of(shape, batch))
            if not limit.holds(side.rows, side.size):
                return side
        side.demand_count(side.rows)
        return side

    def hold(self, piece: Piece) -> None:
        """Keep some more rows."""
        self.held.append(piece)
        self.rows += len(piece)
        self.size += piece.nbytes

    def buckets_wanted(self, limit: Limit) -> float:
        """Into how many buckets it goes, if its rows are all as large as those that are held."""
        size = self.size * self.revision.rows / max(self.rows, 1)
        return max(self.revision.rows / limit.rows, size / limit.size)

    def whole(self) -> Piece:
        """All of it, where all is held."""
        held, self.held = self.held, []
        return Piece.joined(self.shape, held)

    def laid_out(self, count: int, salt: int, opened: ExitStack) -> list[Bucket]:
        """Write all of it into so many buckets."""
        schema = self.shape.schema(self.revision.batches.schema)
        found = [Bucket.empty(schema, opened) for _ in range(count)]
        rows = 0
        for piece in self._pieces():
            rows += len(piece)
            numbers = buckets(piece.packed_keys(), count, salt)
            order = np.argsort(numbers, kind="stable")
            ends = np.searchsorted(numbers[order], np.arange(count + 1))
            for bucket, start, end in zip(found, ends, ends[1:], strict=False):
                if end > start:
                    bucket.add(piece.take(order[start:end]))
            del piece  # which would keep a whole batch while the next is read
        self.demand_count(rows)
        return found

    def _pieces(self) -> Iterator[Piece]:
        while self.held:
            yield from _slices(self.held.pop(0))
        for batch in self.revision.batches:
            yield from _slices(Piece.of(self.shape, batch))
            del batch  # before the next is read

    def demand_count(self, rows: int) -> None:
        """DataError unless it has as many rows as the ledger says."""
        if rows != self.revision.rows:
            raise DataError(
                f"a revision of {self.shape.view!r} has {rows} rows, but the ledger says {self.revision.rows}; "
                "build it again. Nothing was published"
            )


def _slices(piece: Piece) -> Iterator[Piece]:
    """Each with a share for every bucket that is worth a write, and not so many that their keys take much room."""
    return (piece.slice(start, _SLICE) for start in range(0, len(piece), _SLICE))


@dataclass
class Bucket:
    """Some rows of a revision, in a file."""

    schema: pa.Schema
    file: IO[bytes]
    writer: pa.RecordBatchStreamWriter
    rows: int = 0

    @classmethod
    def empty(cls, schema: pa.Schema, opened: ExitStack) -> Bucket:
        """One without rows."""
        file = tempfile.TemporaryFile(buffering=_BUFFER)  # noqa: SIM115 -- the stack closes it
        opened.push(file)
        return cls(schema, file, pa.ipc.new_stream(file, schema))

    def add(self, piece: Piece) -> None:
        """Append rows."""
        self.rows += len(piece)
        self.writer.write_batch(pa.record_batch([*piece.keys, *piece.fields], schema=self.schema))

    def revision(self) -> Revision:
        """Its rows, to be read once."""
        self.writer.close()
        self.file.seek(0)
        return Revision(pa.ipc.open_stream(self.file), self.rows)


def bucket_count(sides: Sequence[Side], limit: Limit) -> int:
    """Into how many buckets revisions are laid out, so that one of each fits into memory."""
    return max(2, min(_MOST, math.ceil(max(side.buckets_wanted(limit) for side in sides))))
