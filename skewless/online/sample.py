"""Rows of a publish that are read back before readers get them."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skewless.online.records import Row

SAMPLE_ROWS = 100

Lot = tuple[float, Row, Row]


class Rows(Protocol):
    """Rows that a sample can be taken of: what a place has is told only where it is kept."""

    @property
    def fields(self) -> Sequence[pa.Array]:
        """The columns of the fields."""

    def __len__(self) -> int:
        """How many rows."""

    def key(self, place: int) -> Row:
        """The join key values of a row."""

    def row(self, place: int) -> Row:
        """What is kept of a row."""


@dataclass
class Sample:
    """Some of the rows of a stream, by their join key values.

    A hundred by lot, each as likely as any other; and of each field those with its smallest and largest value (of
    texts, binaries and arrays the shortest and longest), and the first null.
    """

    seen: int = 0
    _lots: list[Lot] = field(default_factory=list)
    _striking: dict[tuple[int, str], tuple[Row, Row]] = field(default_factory=dict)
    _bounds: dict[int, tuple[Any, Any]] = field(default_factory=dict)
    _random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    @property
    def kept(self) -> dict[Row, Row]:
        """The sample, by key."""
        return dict(self._striking.values()) | {key: row for _, key, row in self._lots}

    def offer(self, piece: Rows) -> None:
        """Look at the next rows."""
        self._draw(piece)
        for what, place in self._out_of_the_ordinary(piece):
            self._striking[what] = piece.key(place), piece.row(place)
        self.seen += len(piece)

    def _draw(self, piece: Rows) -> None:
        """Give each row a number by lot, and keep those with the hundred greatest of all."""
        numbers = self._random.random(len(piece))
        least = self._lots[-1][0] if len(self._lots) == SAMPLE_ROWS else -1.0
        places = np.argsort(numbers)[-SAMPLE_ROWS:]
        lots = [
            (float(numbers[place]), piece.key(place), piece.row(place))
            for place in places[numbers[places] > least].tolist()
        ]
        self._lots = heapq.nlargest(SAMPLE_ROWS, [*self._lots, *lots], key=lambda lot: lot[0])

    def _out_of_the_ordinary(self, piece: Rows) -> Iterator[tuple[tuple[int, str], int]]:
        """Where a field's first null stands, and values beyond those so far."""
        for number, column in enumerate(piece.fields):
            if column.null_count and (number, "null") not in self._striking:
                yield (number, "null"), column.is_valid().index(False).as_py()
            for bound, place in self._beyond(number, _measure(column)):
                yield (number, bound), place

    def _beyond(self, number: int, measure: pa.Array) -> Iterator[tuple[str, int]]:
        found = pc.min_max(measure).as_py()
        least, most = found["min"], found["max"]
        if least is None or least != least:  # only nulls, or only NaN
            return
        before = self._bounds.get(number)
        self._bounds[number] = (min(least, before[0]), max(most, before[1])) if before else (least, most)
        if before is None or least < before[0]:
            yield "least", measure.index(pa.scalar(least, measure.type)).as_py()
        if before is None or most > before[1]:
            yield "most", measure.index(pa.scalar(most, measure.type)).as_py()


def _measure(column: pa.Array) -> pa.Array:
    """What of a field's values has a smallest and a largest: themselves, or their lengths."""
    if pa.types.is_list(column.type):
        return pc.list_value_length(column)
    if pa.types.is_string(column.type) or pa.types.is_binary(column.type):
        return pc.binary_length(column)
    return column.cast(pa.int8()) if pa.types.is_boolean(column.type) else column
