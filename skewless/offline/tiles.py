"""Tiles: what long windows need of the events of a day, in few rows, to the last bit.

A piece is the rows of one entity that happened on one day and became known on one day. Of a piece stay the rows that
decide an aggregate themselves: the newest, the first, the last, the least. What adds up is handed on as totals: how
many rows there were, and floats whose exact sum is that of the rows, mostly two (an expansion: Priest, 1991;
Shewchuk, 1997). A total stands at the beginning of its day, so that a window holds it where it holds the whole day.

The kernel reads tiles and rows alike. It meets the same exact sums whichever it is given, so no bit depends on tiles.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skewless.offline.columns import EVENT, KNOWN, SUPERSEDED, array_of, flags
from skewless.offline.kernel import Output, Program
from skewless.timeline import after

SELECTING = ("min", "max", "first", "last", "last_n", "count_distinct")


@dataclass(frozen=True, slots=True)
class Part:
    """A column after filter and null rule, and the names of what is made of it.

    column  None counts rows
    """

    number: int
    column: str | None
    where: str | None
    zero: bool

    @property
    def value(self) -> str:
        """The value, null where it does not count."""
        return f"_sk_v{self.number}"

    @property
    def total(self) -> str:
        """The value again, to be added up: totals have one too."""
        return f"_sk_s{self.number}"

    @property
    def count(self) -> str:
        """How many rows that count a row stands for."""
        return f"_sk_n{self.number}"


@dataclass(frozen=True)
class Tiling:
    """A view's program in two: what is answered from rows alone, and what tiles and rows answer together.

    keys   the row keys
    plain  outputs as they were
    tiled  outputs that read the columns of `parts`
    day    its length in microseconds
    """

    keys: tuple[str, ...]
    tie_breakers: tuple[str, ...]
    plain: tuple[Output, ...]
    tiled: tuple[Output, ...]
    parts: tuple[Part, ...]
    day: int

    @classmethod
    def of(
        cls, program: Program, day: int, adds_up: Callable[[str], bool] = lambda column: True
    ) -> Tiling | None:
        """Take a program apart; None where tiles would save nothing, or nothing can be tiled.

        adds_up  tells of a column whether its sums are those of int64 or float64
        """
        plain = tuple(output for output in program.outputs if not _tiles(output, adds_up))
        short = [output.reach for output in plain]
        long = [output.reach for output in program.outputs if output.reach is not None]
        if None in short or any(after(reach, 2 * day) for reach in short) or not after(max(long), 2 * day):
            return None
        parts: dict[tuple[str, str, str], Part] = {}
        tiled = []
        for output in program.outputs:
            if output not in plain:
                read = output.measure.rows_read
                part = Part(len(parts), output.column, output.where, read[2] == "zero")
                tiled.append(_rewritten(output, parts.setdefault(read, part)))
        row_keys = program.row_keys
        return cls(row_keys, program.tie_breakers, plain, tuple(tiled), tuple(parts.values()), day)

    @property
    def reaches(self) -> list[int]:
        """The windows and ttls of what is tiled."""
        return sorted({output.reach for output in self.tiled if output.reach is not None})

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of tiles."""
        read = [output.column for output in self.tiled] + [output.weights for output in self.tiled]
        names = [*self.keys, EVENT, KNOWN, SUPERSEDED, *self.tie_breakers, *(name for name in read if name)]
        return tuple(dict.fromkeys(names))

    def treated(self, rows: pa.Table) -> pa.Table:
        """Rows with the columns of the parts: each stands for itself."""
        wanted = self.columns
        for part in self.parts:
            value = _treated(rows, part)
            if part.value in wanted:
                rows = rows.append_column(part.value, value)
            if part.total in wanted:
                kind = pa.int64() if pa.types.is_integer(value.type) else pa.float64()
                rows = rows.append_column(part.total, value.cast(kind))
            if part.count in wanted:
                rows = rows.append_column(
                    part.count, pc.if_else(value.is_valid(), 1, pa.scalar(None, pa.int64()))
                )
        return rows.select(wanted)

    def program(self, outputs: Sequence[Output]) -> Program:
        """The program of some outputs, for asks with the keys of rows."""
        return Program(self.keys, self.keys, self.tie_breakers, tuple(outputs))


def _tiles(output: Output, adds_up: Callable[[str], bool]) -> bool:
    if output.reach is None or output.measure.rows_read[2] == "forward_fill":
        return False
    if output.function in ("sum", "avg"):
        return output.column is not None and adds_up(output.column)
    return output.function is None or output.function in (*SELECTING, "count")


def _rewritten(output: Output, part: Part) -> Output:
    """The same of the part's columns, whose rows are filtered and treated already."""
    plain = replace(output, where=None, nulls="skip")
    match output.function:
        case None:
            return output
        case "count":
            return replace(plain, column=part.count, weights=part.count)
        case "sum" | "avg":
            return replace(plain, column=part.total, weights=part.count)
    return replace(plain, column=part.value)


def _treated(rows: pa.Table, part: Part) -> pa.Array:
    if part.column is None:
        value = pa.array(np.ones(len(rows), dtype=np.int64))
    else:
        value = array_of(rows, part.column)
        value = pc.fill_null(value, pa.scalar(0, type=value.type)) if part.zero else value
    if part.where is None:
        return value
    return pc.if_else(pa.array(flags(rows, part.where)), value, pa.scalar(None, type=value.type))
