"""What changed between revisions of a view, told from their rows alone, and never from what the server has.

Revisions are compared in memory where they fit. Larger ones are laid on disk first, in buckets by the hash of their
keys, and compared bucket by bucket; a bucket that is too large all the same goes the same way once more.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skewless.errors import DataError
from skewless.online.buckets import Limit, Revision, Side, bucket_count
from skewless.online.columns import packed_column, packed_nil, spread
from skewless.online.records import Row
from skewless.online.rows import Piece, Shape
from skewless.types import FLOATS, DType

_LIMIT = Limit()
_NO_LIMIT = Limit(2**62, 2**62)
_DEEPEST = 3  # whatever three hashes leave together is one entity's, or will not be parted

Places = np.ndarray  # int64: where in a piece an entity stands; -1: nowhere


@dataclass(frozen=True)
class Difference:
    """Of revisions, or of one bucket of them.

    written  rows of the new one that the old one lacks, or has otherwise
    places   where in the old one their entities stand; -1: nowhere
    gone     rows of the old one whose entities the new one lacks
    dead     keys that only the revision before both has
    rows     how many the new one has
    """

    rows: int
    written: Piece
    places: Places
    old: Piece
    gone: Piece
    dead: Piece

    def row_before(self, place: int) -> Row | None:
        """The row that a written one replaces; None where there is none."""
        return None if self.places[place] < 0 else self.old.row(int(self.places[place]))

    def packed_before(self, start: int, stop: int) -> pa.LargeBinaryArray:
        """The rows that some written ones replace, packed; nil where there is none."""
        places = self.places[start:stop]
        known = places >= 0
        if not known.any():
            return packed_nil(len(places))
        packed = self.old.take(places[known]).packed_rows()
        return packed if known.all() else spread(packed, known)


def differences(
    shape: Shape, new: Revision, old: Revision, earlier: Revision, limit: Limit = _LIMIT, depth: int = 0
) -> Generator[Difference]:
    """Compare revisions, bucket by bucket; of the earlier one only the keys count.

    DataError where a revision has other rows than the ledger says, two of one entity, or a null key: when the first
    difference is asked for, if memory holds all, or with its bucket.
    Two NaN of other bits count as other rows: that costs a write, and changes nothing.
    """
    shapes = (shape, shape, shape.keys_only)
    sides = [
        Side.begun(each, revision, limit) for each, revision in zip(shapes, (new, old, earlier), strict=True)
    ]
    if all(limit.holds(side.rows, side.size) for side in sides):
        yield compare(*(side.whole() for side in sides))
        return
    deeper = limit if depth < _DEEPEST else _NO_LIMIT
    with ExitStack() as files:
        count = bucket_count(sides, limit)
        laid = [side.laid_out(count, depth, files) for side in sides]
        for trio in zip(*laid, strict=True):
            new, old, earlier = (bucket.revision() for bucket in trio)
            yield from differences(shape, new, old, earlier, deeper, depth + 1)
            for bucket in trio:
                bucket.file.close()


def compare(new: Piece, old: Piece, earlier: Piece) -> Difference:
    """Compare what is in memory."""
    places = _places(new, old)
    if places is None:
        written = before = np.flatnonzero(~_same(new, old))
        gone = old.slice(0, 0)
    else:
        known = np.flatnonzero(places >= 0)
        stays, left = np.zeros(len(new), bool), np.ones(len(old), bool)
        stays[known] = _same(new, old, pa.array(known), pa.array(places[known]))
        left[places[known]] = False
        written, gone = np.flatnonzero(~stays), old.take(np.flatnonzero(left))
        before = places[written]
        _demand_distinct(new.take(np.flatnonzero(places < 0)))
        if len(_lacking(gone, new)) < len(gone):
            raise _twice(new.shape)
    return Difference(
        rows=len(new),
        written=new.take(written),
        places=before,
        old=old,
        gone=gone,
        dead=earlier.take(_lacking(earlier, old, new)),
    )


def _lacking(rows: Piece, *others: Piece) -> Places:
    """Where the rows are whose entities none of the others has."""
    left = np.ones(len(rows), bool)
    for other in others:
        places = _places(rows, other)
        left &= False if places is None else places < 0
    return np.flatnonzero(left)


def _places(rows: Piece, among: Piece) -> Places | None:
    """Where the rows' entities stand among others; -1: nowhere; None: they are the same in the same order."""
    if len(rows) == len(among) and all(a.equals(b) for a, b in zip(rows.keys, among.keys, strict=True)):
        return None
    if not len(rows) or not len(among):
        return np.full(len(rows), -1)
    names, others = _names(rows), _names(among)
    if names.type != others.type:
        names, others = rows.packed_keys(), among.packed_keys()
    places: Places = pc.index_in(names, value_set=others).fill_null(-1).to_numpy().astype(np.int64)
    found = places[places >= 0]
    if len(found) and np.bincount(found).max() > 1:
        raise _twice(rows.shape)
    return places


def _names(rows: Piece) -> pa.Array:
    """What tells entities apart: the join key, or several as one."""
    one = len(rows.keys) == 1 and not rows.keys[0].null_count
    return rows.keys[0] if one else rows.packed_keys()


def _same(
    new: Piece, old: Piece, of_new: pa.Array | None = None, of_old: pa.Array | None = None
) -> np.ndarray:
    """Whether rows at places of one, or all, have the values of those of the other."""
    same = np.ones(len(new) if of_new is None else len(of_new), bool)
    for (_, dtype), ours, theirs in zip(new.shape.fields, new.fields, old.fields, strict=True):
        same &= _equal(_at(ours, of_new), _at(theirs, of_old), dtype)
    return same


def _at(column: pa.Array, places: pa.Array | None) -> pa.Array:
    return column if places is None else column.take(places)  # one column at a time: it is a copy


def _equal(ours: pa.Array, theirs: pa.Array, dtype: DType) -> np.ndarray:
    """Whether values have the same bits; a null equals a null."""
    if dtype.element is not None:
        ours, theirs = packed_column(ours, dtype), packed_column(theirs, dtype)
    elif dtype in FLOATS:
        bits = pa.int32() if dtype.name == "float32" else pa.int64()
        ours, theirs = ours.view(bits), theirs.view(bits)
    same = pc.equal(ours, theirs)
    if same.null_count:
        same = pc.if_else(same.is_valid(), same, pc.and_(ours.is_null(), theirs.is_null()))
    return np.asarray(same.to_numpy(zero_copy_only=False), bool)


def _demand_distinct(rows: Piece) -> None:
    if len(rows) and len(_names(rows).unique()) != len(rows):
        raise _twice(rows.shape)


def _twice(shape: Shape) -> DataError:
    return DataError(
        f"a revision of {shape.view!r} has two rows of one entity; build it again. Nothing was published"
    )
