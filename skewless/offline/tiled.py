"""A snapshot from tiles: which days they stand for, which rows are read beside them, and what both answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from skewless.offline import kernel
from skewless.offline.boxes import Box
from skewless.offline.columns import CUTOFF, EVENT, KNOWN, instants
from skewless.offline.complete import Moment, entities_of, every, present
from skewless.offline.tiles import Tiling
from skewless.timeline import happened, within


@dataclass(frozen=True)
class TiledSnapshot:
    """One snapshot of a tiled view.

    A tile is of rows that became known on one day. That day is over before the snapshot's cutoff, so that the snapshot
    sees it whole. Beside tiles are read: what happened or became known since the last midnight, and where a window
    begins within a day, the rest of that day.
    """

    tiling: Tiling
    moment: Moment

    @property
    def days(self) -> range:
        """The days whose tiles are read, as days since 1970: from that on in which the longest window begins."""
        return range((self.moment.snapshot - self.tiling.reaches[-1]) // self.tiling.day, self._today)

    @property
    def boxes(self) -> tuple[Box, ...]:
        """The rows that are read beside tiles."""
        at, cutoff, day = self.moment.snapshot, self.moment.cutoff, self.tiling.day
        midnight = self._today * day
        plain = (at - output.reach for output in self.tiling.plain if output.reach is not None)
        longest = at - self.tiling.reaches[-1]
        begins = (at - reach for reach in self.tiling.reaches)
        return (
            Box(cutoff, at, since=min((midnight, *plain))),
            Box(cutoff, at, since=longest, learnt=midnight),
            Box(self.days.start * day, at, since=longest),
            *(Box(cutoff, -(-begin // day) * day, since=begin) for begin in begins if begin % day),
        )

    @property
    def _today(self) -> int:
        return self.moment.snapshot // self.tiling.day

    def known_on(self, first: int, last: int) -> Box:
        """The rows of the tiles of some days: what became known on them, and some snapshot may still see."""
        day = self.tiling.day
        since = (first * day - self.tiling.reaches[-1]) // day * day
        return Box((last + 1) * day, since=since, learnt=first * day)

    def complete(self, rows: pa.Table, tiles: pa.Table) -> pa.Table:
        """Every entity of a bucket that has a visible row within reach, with its values.

        rows   prepared, at least all in `boxes`
        tiles  of `days`, with the columns of the tiling
        """
        own = self.tiling.treated(rows)
        own = own.cast(pa.schema([tiles.schema.field(name) for name in own.column_names]))
        tiles = tiles.select(own.column_names)
        keys = pa.concat_tables([own.select(self.tiling.keys), tiles.select(self.tiling.keys)])
        asks = every(entities_of(keys, self.tiling.keys), [self.moment])
        for name, column in self._answers(asks, rows, own, tiles):
            asks = asks.append_column(name, column)
        return present(asks.drop_columns([CUTOFF]))

    def _answers(
        self, asks: pa.Table, rows: pa.Table, own: pa.Table, tiles: pa.Table
    ) -> Iterator[tuple[str, pa.ChunkedArray]]:
        if self.tiling.plain:
            found = kernel.answer(self.tiling.program(self.tiling.plain), asks, rows)
            yield from ((output.name, found[output.name]) for output in self.tiling.plain)
        for reach in self.tiling.reaches:
            outputs = [output for output in self.tiling.tiled if output.reach == reach]
            read = self._read(reach, own, tiles)
            found = kernel.answer(self.tiling.program(outputs), asks, read)
            yield from ((output.name, found[output.name]) for output in outputs)

    def _read(self, reach: int, own: pa.Table, tiles: pa.Table) -> pa.Table:
        """What one window reads: tiles of its whole days, and rows of which no such tile tells."""
        told = self._begins_inside(instants(own, EVENT), reach) & self._on_days(instants(own, KNOWN))
        whole = self._begins_inside(instants(tiles, EVENT), reach)
        return pa.concat_tables([own.filter(pa.array(~told)), tiles.filter(pa.array(whole))])

    def _begins_inside(self, event: Any, reach: int) -> Any:
        """Whether the day of an event is over, and begins inside a window."""
        day = event // self.tiling.day * self.tiling.day
        return within(day, self.moment.snapshot, reach) & happened(day, self._today * self.tiling.day)

    def _on_days(self, known_at: Any) -> Any:
        """Whether a row became known on a day whose tiles are read."""
        days, day = self.days, self.tiling.day
        return Box(days.stop * day, learnt=days.start * day).holds(known_at, known_at)
