"""What the server has of some entities, and the rows in it that a generation's readers get."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat
from operator import is_

from skewless.errors import OnlineError
from skewless.online.records import Meta, Pointer, Row


@dataclass(frozen=True, slots=True)
class Slots:
    """Two slots for each entity, still packed.

    live   else every entity has the view's expired row
    names  the entities' keys on the server; None: the entity has none
    raws   what was under them; None: nothing
    """

    meta: Meta
    pointer: Pointer
    live: bool
    names: Sequence[str | None]
    raws: Sequence[bytes | None]

    def at(self, places: Sequence[int]) -> Slots:
        """Those of the entities at some places."""
        names, raws = [self.names[place] for place in places], [self.raws[place] for place in places]
        return Slots(self.meta, self.pointer, self.live, names, raws)

    def rows(self) -> list[Row]:
        """The row of each entity, in meta's order, as Python values; OnlineError where one does not parse."""
        if not self.live:
            return [self.meta.expired] * len(self.names)
        return rows_of(self.meta, self.pointer.generation, self.names, self.raws)

    def own_rows(self) -> list[Row]:
        """The same, with lists that a caller may change: those of the constant rows are the reader's."""
        rows, absent, expired = self.rows(), self.meta.absent, self.meta.expired
        if not self.meta.has_arrays:
            return rows
        return [_copied(row) if row is absent or row is expired else row for row in rows]

    def absent(self, rows: Sequence[Row]) -> int:
        """How many entities got the absent row, of rows that `rows()` gave: it is one and the same object."""
        return sum(map(is_, rows, repeat(self.meta.absent)))


def _copied(row: Row) -> Row:
    return tuple(list(value) if isinstance(value, list) else value for value in row)


def rows_of(
    meta: Meta, generation: int, names: Sequence[str | None], raws: Sequence[bytes | None]
) -> list[Row]:
    """The row of each entity in a generation: of its first slot not above it; the absent row where there is none."""
    read, to_python, absent, rows = meta.read_slots, meta.to_python, meta.absent, []
    try:
        for raw in raws:
            if raw is None:
                rows.append(absent)
                continue
            newest, row, earlier, earlier_row = read(raw)
            found = row if newest <= generation else earlier_row if earlier <= generation else None
            rows.append(absent if found is None else to_python(found))
    except (ValueError, OverflowError, RecursionError) as error:  # msgspec's are the first
        raise OnlineError(
            f"{names[len(rows)]!r} is not readable ({error}); did something else write it? Run `skewless verify`, "
            "and publish the view with --full"
        ) from error
    return rows
