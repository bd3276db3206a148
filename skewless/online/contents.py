"""What a publish writes, part by part: every entity under a new epoch, or what changed since the live generation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import pyarrow as pa

from skewless.online.columns import packed_nil, packed_slots
from skewless.online.difference import Difference
from skewless.online.records import Row
from skewless.online.rows import Piece
from skewless.online.sample import Sample

Command = Literal["MSETNX", "MSET", "UNLINK"]


class Part(NamedTuple):
    """Keys to write or to remove by one kind of command; values are none where it removes."""

    command: Command
    keys: pa.LargeBinaryArray
    values: pa.LargeBinaryArray | None


@dataclass
class Whole:
    """Every row of a revision, each under a key that nobody has written yet."""

    pieces: Iterable[Piece]
    sample: Sample = field(default_factory=Sample)

    def parts(self, generation: int, prefix: str) -> Iterator[Part]:
        """What to write for a generation under a prefix of keys."""
        for piece in self.pieces:
            self.sample.offer(piece)
            yield Part("MSETNX", piece.packed_keys(prefix), packed_slots(generation, piece.packed_rows()))

    @property
    def rows(self) -> int:
        """The revision's rows, once all parts were taken."""
        return self.sample.seen

    def expected(self, absent: Row) -> dict[Row, Row | None]:
        """What a reader of the generation must get, by key values."""
        return dict(self.sample.kept)


@dataclass
class Changes:
    """What differs from a live generation: new rows beside the live ones, tombstones, and tombstones that are done."""

    live: int
    differences: Iterable[Difference]
    rows: int = 0
    _written: Sample = field(default_factory=Sample)
    _gone: Sample = field(default_factory=Sample)
    _dead: Sample = field(default_factory=Sample)

    def parts(self, generation: int, prefix: str) -> Iterator[Part]:
        """What to write for a generation under a prefix of keys."""
        for difference in self.differences:
            self.rows += difference.rows
            yield from self._rewritten(difference, generation, prefix)
            for piece in difference.gone.parts():
                self._gone.offer(piece)
                slots = packed_slots(generation, packed_nil(len(piece)), self.live, piece.packed_rows())
                yield Part("MSET", piece.packed_keys(prefix), slots)
            for piece in difference.dead.parts():
                self._dead.offer(piece)
                yield Part("UNLINK", piece.packed_keys(prefix), None)

    def _rewritten(self, difference: Difference, generation: int, prefix: str) -> Iterator[Part]:
        start = 0
        for piece in difference.written.parts():
            self._written.offer(piece)
            before = difference.before.slice(start, len(piece))
            slots = packed_slots(generation, piece.packed_rows(), self.live, before)
            yield Part("MSET", piece.packed_keys(prefix), slots)
            start += len(piece)

    def expected(self, absent: Row) -> dict[Row, Row | None]:
        """What a reader of the generation must get, by key values."""
        gone: dict[Row, Row | None] = dict.fromkeys(self._gone.kept, absent)
        return gone | dict.fromkeys(self._dead.kept) | self._written.kept
