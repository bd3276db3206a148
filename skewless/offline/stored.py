"""Stored revisions as Spark's workers read them: a task opens only the files of the snapshots that its rows see.

A training row sees one whole revision, so there is nothing to search in time: rows meet by revision and join keys,
file after file, in Arrow, without a shuffle of the feature table.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from skewless.errors import DataError, first_line
from skewless.ledger.delta import filesystem
from skewless.offline.seen import NOT_STORED
from skewless.offline.tables import REVISION, StoredFile

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class StoredRevisions:
    """Where some revisions of a view are.

    files      with the numbers of the revisions that each may hold, of `holding`
    keys       the table's key columns, in order; `kinds` are their Arrow types
    revisions  by number
    """

    uri: str
    files: tuple[tuple[StoredFile, tuple[int, ...]], ...]
    keys: tuple[str, ...]
    kinds: tuple[str, ...]
    fields: tuple[str, ...]
    revisions: tuple[str, ...]

    def find(self, keys: Sequence[pa.Array], numbers: Indices) -> tuple[npt.NDArray[np.bool_], pa.Table]:
        """Find the row of each entity in the revision of each number.

        keys     n values per join key; a null one is in no revision
        returns  n flags: there is a row; and the table's fields of these, in the order of the rows that have one
        """
        order = np.argsort(numbers, kind="stable")
        wanted = _Wanted([key.take(pa.array(order)) for key in keys], numbers[order])
        places, pieces = [], []
        for file, held in self.files:
            asked = wanted.of(held)
            if len(asked):
                found, rows = self._of_file(file, wanted, asked)
                places.append(order[asked[found]])
                pieces.append(rows)
        has = np.zeros(len(numbers), dtype=bool)
        if not pieces:
            return has, pa.table({})
        at = np.concatenate(places)
        has[at] = True
        return has, pa.concat_tables(pieces).take(pa.array(np.argsort(at, kind="stable")))

    def _of_file(
        self, file: StoredFile, wanted: _Wanted, asked: Indices
    ) -> tuple[npt.NDArray[np.bool_], pa.Table]:
        rows = self._read(file)
        stored = [
            rows[key].combine_chunks().cast(kind) for key, kind in zip(self.keys, self.kinds, strict=True)
        ]
        numbers = self._numbers(file, rows)
        places = positions(wanted.keys_of(asked), wanted.numbers[asked], stored, numbers)
        found = places != NOT_STORED
        return found, rows.select(self.fields).take(pa.array(places[found]))

    def _numbers(self, file: StoredFile, rows: pa.Table) -> Indices:
        """The number of each row's revision."""
        names = pa.array(self.revisions)
        if file.revision is not None:
            only = pc.index_in(pa.scalar(file.revision), value_set=names).as_py()
            return np.full(len(rows), only, dtype=np.int64)
        told = rows[REVISION].combine_chunks()
        codes = pc.fill_null(pc.index_in(told.dictionary, value_set=names), NOT_STORED)
        numbers: Indices = codes.to_numpy().astype(np.int64)[told.indices.to_numpy()]
        return numbers

    def _read(self, file: StoredFile) -> pa.Table:
        columns = [*self.keys, *self.fields, *([REVISION] if file.revision is None else [])]
        try:
            return pq.read_table(
                file.path,
                columns=columns,
                filesystem=filesystem(self.uri, mapped=True),
                read_dictionary=[REVISION],
                use_threads=False,  # Spark gives each task its core
                partitioning=None,
            )
        except (pa.ArrowException, OSError) as error:
            raise DataError(
                f"a data file cannot be read ({self.uri}/{file.path}: {first_line(error)}); restore it, or remove "
                "the table and build its snapshots again"
            ) from error


def holding(
    files: Iterable[StoredFile], revisions: Sequence[tuple[str, int]]
) -> Iterator[tuple[StoredFile, tuple[int, ...]]]:
    """Those of the files that may hold one of the revisions, which have snapshot times in microseconds; with which."""
    numbers = {name: number for number, (name, _) in enumerate(revisions)}
    order = sorted(numbers.values(), key=lambda number: revisions[number][1])
    times = [revisions[number][1] for number in order]
    for file in files:
        if file.revision is not None:
            held = [numbers[file.revision]] if file.revision in numbers else []
        elif file.first is None or file.last is None:
            held = order
        else:
            held = order[bisect_left(times, file.first) : bisect_right(times, file.last)]
        if held:
            yield file, tuple(held)


class _Wanted:
    """The rows that are asked for, in the order of their revisions' numbers."""

    def __init__(self, keys: Sequence[pa.Array], numbers: Indices) -> None:
        self._keys = keys
        self.numbers = numbers

    def of(self, numbers: Sequence[int]) -> Indices:
        """The places of those that ask for one of these revisions."""
        starts = np.searchsorted(self.numbers, numbers, side="left")
        ends = np.searchsorted(self.numbers, numbers, side="right")
        spans = [np.arange(start, end) for start, end in zip(starts, ends, strict=True)]
        return np.concatenate(spans) if spans else np.empty(0, dtype=np.int64)

    def keys_of(self, places: Indices) -> list[pa.Array]:
        """The join keys of some of them."""
        return [key.take(pa.array(places)) for key in self._keys]


# -- where equal rows are ---------------------------------------------------------------------------------


def positions(
    asked: Sequence[pa.Array], asked_numbers: Indices, stored: Sequence[pa.Array], stored_numbers: Indices
) -> Indices:
    """For each row of one side the place of the row with equal keys and number on the other; NOT_STORED without.

    Keys compare column by column; null equals nothing. Where several are equal, it is the last.

    >>> one, two = pa.array([1, 23]), pa.array(["23", "3"])
    >>> positions([one, two], np.array([0, 0]), [pa.array([12, 1]), pa.array(["3", "23"])], np.array([0, 0]))
    array([ 1, -1])
    """
    if len(stored) == 1 and _is_sorted(stored[0], stored_numbers):
        return _search_runs(asked[0], asked_numbers, stored[0].to_numpy(), stored_numbers)
    codes, others = asked_numbers, stored_numbers
    for key, other in zip(asked, stored, strict=True):
        values = key.unique().drop_null()
        found, its = (_codes(column, values) for column in (key, other))
        codes, others = _folded(codes, found, others, its, len(values))
    place = np.full(int(codes.max(initial=NOT_STORED)) + 1, NOT_STORED, dtype=np.int64)
    known = np.flatnonzero(others != NOT_STORED)
    place[others[known]] = known
    return np.where(codes == NOT_STORED, NOT_STORED, place[codes] if len(place) else NOT_STORED)


def _codes(column: pa.Array, values: pa.Array) -> Indices:
    codes: Indices = (
        pc.fill_null(pc.index_in(column, value_set=values), NOT_STORED).to_numpy().astype(np.int64)
    )
    return codes


def _folded(one: Indices, two: Indices, other: Indices, its: Indices, size: int) -> tuple[Indices, Indices]:
    """Number the pairs that the first side has; the other side's have the same numbers, or none."""
    pairs = _paired(one, two, size)
    distinct, codes = np.unique(pairs, return_inverse=True)
    others = _paired(other, its, size)
    place = np.searchsorted(distinct, others)
    place[place == len(distinct)] = 0
    same = (
        (others != NOT_STORED) & (distinct[place] == others) if len(distinct) else np.zeros(len(others), bool)
    )
    return np.where(pairs == NOT_STORED, NOT_STORED, codes), np.where(same, place, NOT_STORED)


def _paired(one: Indices, two: Indices, size: int) -> Indices:
    pairs: Indices = np.where((one == NOT_STORED) | (two == NOT_STORED), NOT_STORED, one * size + two)
    return pairs


def _is_sorted(stored: pa.Array, numbers: Indices) -> bool:
    """Whether integer keys ascend within each stretch of rows of one revision: as a build writes them."""
    if not pa.types.is_integer(stored.type) or stored.null_count or not len(stored):
        return False
    keys = stored.to_numpy()
    elsewhere = (numbers[1:] != numbers[:-1]) | (numbers[1:] == NOT_STORED)
    return bool(((keys[1:] > keys[:-1]) | elsewhere).all())


def _search_runs(asked: pa.Array, asked_numbers: Indices, keys: Indices, numbers: Indices) -> Indices:
    """Search each revision's keys for those that are asked of it; both sides' numbers are in any order."""
    wanted = pc.fill_null(asked, 0).to_numpy(zero_copy_only=False)
    findable = asked.is_valid().to_numpy(zero_copy_only=False) & (asked_numbers != NOT_STORED)
    order = np.argsort(asked_numbers, kind="stable")
    sorted_numbers, found = asked_numbers[order], np.full(len(asked_numbers), NOT_STORED, dtype=np.int64)
    edges = np.concatenate([[0], np.flatnonzero(numbers[1:] != numbers[:-1]) + 1, [len(numbers)]])
    for start, end in pairwise(edges.tolist()):
        first, last = np.searchsorted(sorted_numbers, [numbers[start], numbers[start] + 1])
        places = order[first:last]
        places = places[findable[places]]
        place = start + np.searchsorted(keys[start:end], wanted[places])
        same = (place < end) & (keys[np.minimum(place, end - 1)] == wanted[places])
        found[places[same]] = place[same]
    return found
