"""The one place where a feature's value is computed: from one bucket of asks and one bucket of source rows.

It runs in Spark's Python workers, on Arrow tables, and knows nothing of Spark. Both the build of a snapshot and a
training set come here, so their values have equal bits. An ask is an entity at a snapshot time with a cutoff.

All asks are answered together. The rows are sorted once; what an ask sees in a window is a range of them, and each
aggregate answers ranges in linear time, whatever their lengths (`measures`). Where late or corrected rows leave gaps
in a range, the rows that are seen are copied out, and the copies are ranges again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pyarrow as pa

from skewless.agg import Function, Nulls
from skewless.offline.columns import CUTOFF, SNAPSHOT, Column, array_of, flags, instants
from skewless.offline.entities import numbered
from skewless.offline.history import History, Moments, Reached
from skewless.offline.measures import Measure
from skewless.offline.ranges import Indices
from skewless.offline.windows import Treated


@dataclass(frozen=True, slots=True)
class Output:
    """One field, as the kernel computes it. Durations are microseconds; columns are the prepared ones of the rows.

    function  None passes the newest row's value through; then `reach` is the ttl, or None
    n, q      what `last_n` and `quantile` ask for
    weights   the column that says how many rows a row stands for
    """

    name: str
    function: Function | None
    column: str | None
    where: str | None
    nulls: Nulls
    reach: int | None
    n: int | None = None
    q: Fraction | None = None
    weights: str | None = None

    @property
    def measure(self) -> Measure:
        """What is computed, but for the window's length."""
        return Measure(self.function, self.column, self.where, self.nulls, self.n, self.q, self.weights)


@dataclass(frozen=True, slots=True)
class Program:
    """What the kernel needs to know of a view: its keys, the columns that break ties, its fields.

    keys      the key columns of the asks
    row_keys  the same of the rows; other names, because Spark mixes up a cogroup's sides that share a column
    """

    keys: tuple[str, ...]
    row_keys: tuple[str, ...]
    tie_breakers: tuple[str, ...]
    outputs: tuple[Output, ...]


def answer(program: Program, asks: pa.Table, rows: pa.Table) -> pa.Table:
    """Give every ask its values.

    asks     keys, _sk_snapshot, _sk_cutoff (microseconds; null: not asked), any other columns     n rows
    rows     row keys, _sk_event, _sk_known, _sk_superseded (microseconds), prepared columns       any number
    returns  asks, and one column per field                                                        n rows, same order

    A value is null where no visible row gives one; a count is 0 there. Errors: DataError where integers overflow.
    """
    asked, owners = numbered(asks, program.keys, rows, program.row_keys)
    there = np.flatnonzero(array_of(asks, SNAPSHOT).is_valid().to_numpy(zero_copy_only=False))
    moments = Moments(asked[there], instants(asks, SNAPSHOT)[there], instants(asks, CUTOFF)[there])
    history = History.of(rows, owners, moments, program.tie_breakers)
    del owners
    found = dict(_answers(program.outputs, history, rows))
    for output in program.outputs:
        asks = asks.append_column(output.name, _spread(found[output.name], there, len(asks)))
    return asks


def _spread(values: pa.Array, there: Indices, count: int) -> pa.Array:
    """The values at the asks that are asked; null at others."""
    if len(there) == count:
        return values
    places = np.full(count, -1)
    places[there] = np.arange(len(there))
    return values.take(pa.array(places, mask=places < 0))


def _answers(outputs: Sequence[Output], history: History, rows: pa.Table) -> Iterator[tuple[str, pa.Array]]:
    """Each output's name and its values, one for each ask; those that read the same rows share the work."""
    alike: dict[tuple[str, str, Nulls], list[Output]] = defaultdict(list)
    for output in outputs:
        if output.function is None and output.column is not None:
            column = Column(rows, output.column, zero=False)
            places = history.newest(output.reach)
            yield output.name, column.picked(np.where(places < 0, -1, history.rows_at(places)))
        else:
            alike[output.measure.rows_read].append(output)
    for group in alike.values():
        yield from _Group(group, history, rows).answers()


class _Group:
    """Outputs that aggregate the same rows: of one column, after one filter and one null rule."""

    def __init__(self, outputs: Sequence[Output], history: History, rows: pa.Table) -> None:
        self.outputs, self.history, self.table = outputs, history, rows
        column, where, self.rule = outputs[0].measure.rows_read
        self.column = Column(rows, column, zero=self.rule == "zero") if column else None
        self.accepted = flags(rows, where) if where else None

    def answers(self) -> Iterator[tuple[str, pa.Array]]:
        """Windows of one measure are answered together."""
        windows: dict[Measure, list[Output]] = defaultdict(list)
        for output in self.outputs:
            windows[output.measure].append(output)
        in_place = self._treated(self.history.order)
        for measure, outputs in windows.items():
            reached = self.history.reached([output.reach for output in outputs])
            values = self._whole_and_others(measure, in_place, reached)
            size = len(self.history.moments)
            for place, output in enumerate(outputs):
                yield output.name, values.slice(place * size, size)

    def _treated(self, rows: Indices | None) -> Treated:
        valid = self.column.valid if self.column and self.column.array.null_count else None
        return Treated.of(rows, self.accepted, valid, self.rule)

    def _whole_and_others(self, measure: Measure, in_place: Treated, reached: Reached) -> pa.Array:
        """Ranges that are seen whole are answered where they stand, others from copies of what is seen."""
        whole = reached.whole
        weights = Column(self.table, measure.weights, zero=True).numbers if measure.weights else None
        if whole.all():
            return measure.answer(self.column, in_place, *in_place.ranges(reached.lo, reached.hi), weights)
        lo, hi = in_place.ranges(reached.lo[whole], reached.hi[whole])
        parts, asks = [measure.answer(self.column, in_place, lo, hi, weights)], [np.flatnonzero(whole)]
        for part, run in self.history.gathered(np.flatnonzero(~whole), reached):
            treated = self._treated(run.rows)
            parts.append(measure.answer(self.column, treated, *treated.ranges(run.lo, run.hi), weights))
            asks.append(part)
        order = np.argsort(np.concatenate(asks))
        return pa.concat_arrays(parts).take(pa.array(order))
