"""What a publish writes, part by part: every entity under a new epoch, or what changed since the live generation."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, NamedTuple

import pyarrow as pa

from skewless.online.columns import packed_nil, packed_slots
from skewless.online.difference import Difference
from skewless.online.records import Row
from skewless.online.rows import Piece
from skewless.online.sample import Sample

Command = Literal["MSETNX", "MSET", "UNLINK"]


class Part(NamedTuple):
    """Keys to write or to remove by one kind of command; values are none where it removes.

    rows  how many of the revision's rows are dealt with, once it is written
    """

    command: Command
    keys: pa.LargeBinaryArray
    values: pa.LargeBinaryArray | None
    rows: int = 0


@dataclass(frozen=True)
class Expected:
    """What readers of a generation must get, by key values; None: there is no key."""

    generation: int
    rows: Mapping[Row, Row | None]


@dataclass
class Whole:
    """Every row of a revision, each under a key that nobody has written yet."""

    pieces: Iterable[Piece]
    unwritten: int = 0  # no row stays as it is
    sample: Sample = field(default_factory=Sample)

    def parts(self, generation: int, prefix: str) -> Iterator[Part]:
        """What to write for a generation under a prefix of keys."""
        for piece in self.pieces:
            slots = packed_slots(generation, piece.packed_rows())
            yield Part("MSETNX", piece.packed_keys(prefix), slots, len(piece))
            self.sample.offer(piece)
            del piece  # which would keep a whole batch while the next is read

    def expected(self, generation: int, absent: Row) -> list[Expected]:
        """What was written, as readers must get it."""
        return [Expected(generation, self.sample.kept)]


@dataclass(frozen=True)
class _Rewritten:
    """Rows that are written, each with the one that it replaces: both are read back."""

    piece: Piece
    before: Callable[[int], Row | None]

    @property
    def fields(self) -> Sequence[pa.Array]:
        return self.piece.fields

    def __len__(self) -> int:
        return len(self.piece)

    def key(self, place: int) -> Row:
        return self.piece.key(place)

    def row(self, place: int) -> Row:
        return self.piece.row(place), self.before(place)


@dataclass
class Changes:
    """What differs from a live generation: new rows beside the live ones, tombstones, and tombstones that are done.

    unwritten  rows that stay as they are, and that no part has accounted for yet
    """

    live: int
    differences: Generator[Difference]
    unwritten: int = 0
    _written: Sample = field(default_factory=Sample)
    _gone: Sample = field(default_factory=Sample)
    _dead: Sample = field(default_factory=Sample)

    def parts(self, generation: int, prefix: str) -> Iterator[Part]:
        """What to write for a generation under a prefix of keys."""
        for difference in self.differences:
            self.unwritten += difference.rows - len(difference.written)
            yield from self._rewritten(difference, generation, prefix)
            for piece in difference.gone.parts():
                slots = packed_slots(generation, packed_nil(len(piece)), self.live, piece.packed_rows())
                yield Part("MSET", piece.packed_keys(prefix), slots)
                self._gone.offer(piece)
            for piece in difference.dead.parts():
                yield Part("UNLINK", piece.packed_keys(prefix), None)
                self._dead.offer(piece)
            del difference  # before the next is made

    def _rewritten(self, difference: Difference, generation: int, prefix: str) -> Iterator[Part]:
        start = 0
        for piece in difference.written.parts():
            before = difference.packed_before(start, start + len(piece))
            slots = packed_slots(generation, piece.packed_rows(), self.live, before)
            yield Part("MSET", piece.packed_keys(prefix), slots, len(piece) + self.unwritten)
            self._written.offer(_Rewritten(piece, partial(_row_before, difference, start)))
            start, self.unwritten = start + len(piece), 0

    def close(self) -> None:
        """Let go of what the comparison keeps."""
        self.differences.close()

    def expected(self, generation: int, absent: Row) -> list[Expected]:
        """What was written, as readers of the generation and, until it flips, of the live one must get it."""
        written, gone, dead = self._written.kept, self._gone.kept, dict.fromkeys(self._dead.kept)
        after = {key: row for key, (row, _) in written.items()}
        before = {key: absent if row is None else row for key, (_, row) in written.items()}
        return [
            Expected(generation, after | dict.fromkeys(gone, absent) | dead),
            Expected(self.live, before | gone | dead),
        ]


def _row_before(difference: Difference, start: int, place: int) -> Row | None:
    return difference.row_before(start + place)
