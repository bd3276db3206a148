"""The rows of a bucket in the order of *newest*, and which of them each ask can see."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa

from skewless.offline.columns import EVENT, KNOWN, NEVER, SUPERSEDED, array_of, instants
from skewless.offline.ordering import ranks
from skewless.offline.ranges import Flags, Indices, Ranks, count_below, counts_before, first_without
from skewless.timeline import after, happened, known, superseded, within

CHUNK = 1 << 21  # rows that are gathered at one time


@dataclass(frozen=True, slots=True)
class Moments:
    """What is asked: entities by number (-1: nobody), snapshot times and cutoffs in microseconds."""

    owners: Indices
    snapshots: Indices
    cutoffs: Indices

    def __len__(self) -> int:
        return len(self.owners)


@dataclass(frozen=True, slots=True)
class Run:
    """Ranges of rows that are read one after the other, oldest first.

    rows  their numbers in the bucket; None: all rows as they stand
    """

    rows: Indices | None
    lo: Indices
    hi: Indices


@dataclass(frozen=True, slots=True)
class Reached:
    """The rows that each ask reaches, as ranges of places; of those that are not `whole`, some cannot be seen."""

    lo: Indices
    hi: Indices
    whole: Flags


@dataclass(frozen=True)
class History:
    """Rows sorted by entity, then in the order of *newest*; a place is a row's position in that order.

    order   the row at each place; None: as they stand
    starts  the first place of each entity, and the end of the last
    event, known, superseded   per place; the latter two are None where they can hide no row from any ask
    known_in_order   within each entity rows became known in this order, and none is superseded
    """

    moments: Moments
    order: Indices | None
    starts: Indices
    event: Indices
    known: Indices | None
    superseded: Indices | None
    known_in_order: bool
    _reached: dict[tuple[int | None, ...], Reached] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: pa.Table, owners: Indices, moments: Moments, tie_breakers: Sequence[str]) -> History:
        """Sort the rows."""
        event = instants(rows, EVENT)
        order = ordered(rows, owners, event, tie_breakers)
        owners, event, arrived = (_taken(part, order) for part in (owners, event, instants(rows, KNOWN)))
        entities = max(int(owners.max(initial=-1)), int(moments.owners.max(initial=-1))) + 1
        corrected = rows[SUPERSEDED].null_count < len(rows)
        in_order = not after(arrived[:-1], arrived[1:])[owners[1:] == owners[:-1]].any()
        return cls(
            moments=moments,
            order=order,
            starts=np.searchsorted(owners, np.arange(entities + 1)),
            event=event,
            known=arrived if corrected or _late(event, arrived, moments).any() else None,
            superseded=_taken(instants(rows, SUPERSEDED), order) if corrected else None,
            known_in_order=in_order and not corrected,
        )

    def reached(self, reaches: Sequence[int | None]) -> Reached:
        """The rows inside windows or ttls of each ask, one window after the other; None: all that it sees."""
        kept = self._reached.get(tuple(reaches))
        if kept is None:
            kept = self._reached[tuple(reaches)] = self._find(reaches)
        return kept

    def _find(self, reaches: Sequence[int | None]) -> Reached:
        lo = np.concatenate([self._first_within(reach) for reach in reaches])
        hi = np.tile(self._before_snapshot[1], len(reaches))
        if self.known is None or self.known_in_order:
            return Reached(lo, hi, np.ones(len(lo), dtype=np.bool_))
        return self._visible(lo, hi, np.tile(self.moments.cutoffs, len(reaches)))

    def _first_within(self, reach: int | None) -> Indices:
        """The first place of each ask's entity that a window or ttl reaches."""
        start, end = self._before_snapshot
        if reach is None:
            return start
        snapshots = self.moments.snapshots
        return first_without(lambda at: ~within(self.event[at], snapshots, reach), start, end)

    @cached_property
    def _before_snapshot(self) -> tuple[Indices, Indices]:
        """The places of each ask's entity up to the snapshot; where rows came in order, up to the cutoff too."""
        owners, snapshots, cutoffs = self.moments.owners, self.moments.snapshots, self.moments.cutoffs
        start = np.where(owners < 0, 0, self.starts[owners])
        end = np.where(owners < 0, 0, self.starts[owners + 1])
        end = first_without(lambda at: happened(self.event[at], snapshots), start, end)
        if self.known is not None and self.known_in_order:
            arrived = self.known
            end = first_without(lambda at: known(arrived[at], cutoffs), start, end)
        return start, end

    def _visible(self, lo: Indices, hi: Indices, cutoffs: Indices) -> Reached:
        """Which ranges are seen as they are, or but for their end; others are not whole."""
        hidden = self._hidden(lo, hi, cutoffs)
        some = np.flatnonzero(hidden)
        end = hi[some] - hidden[some]
        whole = np.ones(len(lo), dtype=np.bool_)
        whole[some] = self._hidden(lo[some], end, cutoffs[some]) == 0
        hi = hi.copy()
        hi[some] = np.where(whole[some], end, hi[some])
        return Reached(lo, hi, whole)

    def _hidden(self, lo: Indices, hi: Indices, cutoffs: Indices) -> Indices:
        """How many rows of each range cannot be seen: not known yet, or given way."""
        before, arrived, given_way = self._doubtful
        lo, hi = before[lo], before[hi]
        hidden = hi - lo
        some = np.flatnonzero(hidden)
        where = lo[some], hi[some], cutoffs[some]
        hidden[some] += given_way.known_before(*where) - arrived.known_before(*where)
        return hidden

    @cached_property
    def _doubtful(self) -> tuple[Indices, _Arrivals, _Arrivals]:
        """Of the rows that some ask may not see: how many come before each place, and when they come and go."""
        assert self.known is not None
        doubtful = _late(self.event, self.known, self.moments)
        gone = np.full(len(doubtful), NEVER) if self.superseded is None else self.superseded
        doubtful |= gone != NEVER
        gone = np.maximum(
            gone, self.known
        )  # so that what goes has come, and counts of both can be taken apart
        return counts_before(doubtful), _Arrivals.of(self.known[doubtful]), _Arrivals.of(gone[doubtful])

    def newest(self, reach: int | None) -> Indices:
        """The place of the newest row that each ask sees within reach; -1 where there is none."""
        reached = self.reached((reach,))
        place, unsure = reached.hi - 1, np.flatnonzero(~reached.whole)
        while len(unsure):
            here = place[unsure]
            unsure = unsure[(here >= reached.lo[unsure]) & ~self._seen(here, self.moments.cutoffs[unsure])]
            place[unsure] -= 1
        return np.where(place >= reached.lo, place, -1)

    def gathered(self, asks: Indices, reached: Reached) -> Iterator[tuple[Indices, Run]]:
        """The visible rows of these asks, one ask after the other: some asks at a time, and their rows.

        asks  numbers of ranges in `reached`, which may be several windows of all moments, one after the other
        """
        sizes = np.cumsum(reached.hi[asks] - reached.lo[asks])
        for part in np.split(asks, np.flatnonzero(np.diff(sizes // CHUNK, prepend=0))):
            if len(part):
                yield part, self._gather(part, reached.lo[part], reached.hi[part])

    def _gather(self, asks: Indices, lo: Indices, hi: Indices) -> Run:
        ends = np.cumsum(hi - lo)
        starts = ends - (hi - lo)
        places = np.arange(ends[-1]) + np.repeat(lo - starts, hi - lo)
        cutoffs = self.moments.cutoffs[asks % len(self.moments)]
        seen = self._seen(places, np.repeat(cutoffs, hi - lo))
        before = counts_before(seen)
        return Run(self.rows_at(places[seen]), before[starts], before[ends])

    def _seen(self, places: Indices, cutoffs: Indices) -> Flags:
        assert self.known is not None
        seen: Flags = known(self.known[places], cutoffs)
        return seen if self.superseded is None else seen & ~superseded(self.superseded[places], cutoffs)

    def rows_at(self, places: Indices) -> Indices:
        """The rows at these places."""
        return places if self.order is None else self.order[places]


@dataclass(frozen=True, slots=True)
class _Arrivals:
    """Instants at which something becomes known, for many counts."""

    distinct: Indices
    ranks: Ranks

    @classmethod
    def of(cls, times: Indices) -> _Arrivals:
        distinct, ranks = np.unique(times, return_inverse=True)
        return cls(distinct, ranks.astype(np.int32))

    def known_before(self, lo: Indices, hi: Indices, cutoffs: Indices) -> Indices:
        """How many of each range are known at a cutoff."""
        first, end = np.zeros(len(lo), dtype=np.int64), np.full(len(lo), len(self.distinct))
        bound = first_without(lambda at: known(self.distinct[at], cutoffs), first, end)
        return count_below(self.ranks, lo, hi, bound)


def _late(event: Indices, arrived: Indices, moments: Moments) -> Flags:
    """Rows that are not yet known at the first cutoff whose snapshot they belong to, for some delay of an ask."""
    delay = int((moments.cutoffs - moments.snapshots).min()) if len(moments) else 0
    late: Flags = ~known(arrived, event + (delay + 1))
    return late


def _taken(values: Indices, order: Indices | None) -> Indices:
    return values if order is None else values[order]


# -- sorting ----------------------------------------------------------------------------------------------


def ordered(rows: pa.Table, owners: Indices, event: Indices, tie_breakers: Sequence[str]) -> Indices | None:
    """The rows by entity, then in the order of *newest*; None: as they stand.

    Sorted by entity and event time; only where both tie, by known time and the columns that are read.
    """
    key = _by_entity_and_event(owners, event)
    if (key[1:] > key[:-1]).all():
        return None
    order = np.argsort(key)
    key = key[order]
    same = key[1:] == key[:-1]
    if same.any():
        tied = np.zeros(len(key), dtype=np.bool_)
        tied[1:] = same
        tied[:-1] |= same
        places = np.flatnonzero(tied)
        order[places] = _untied(rows, order[places], key[places], tie_breakers)
    return order


def _by_entity_and_event(owners: Indices, event: Indices) -> Indices:
    """One number for both, in their order."""
    first = int(event.min(initial=NEVER))
    span = int(event.max(initial=first)) - first + 1
    if span * (int(owners.max(initial=0)) + 2) < NEVER:
        return (owners + 1) * span + (event - first)
    distinct, ranked = np.unique(event, return_inverse=True)
    return (owners + 1) * len(distinct) + ranked


def _untied(rows: pa.Table, tied: Indices, key: Indices, tie_breakers: Sequence[str]) -> Indices:
    numbers = pa.array(tied)
    columns = [array_of(rows, name).take(numbers) for name in tie_breakers]
    keys = [key, instants(rows, KNOWN)[tied], *(part for column in columns for part in ranks(column))]
    return tied[np.lexsort(keys[::-1])]
