"""Keys with very many rows: what is asked of one is answered in slices by time, so that no worker holds all its rows.

A bucket holds all rows of its keys, and a worker holds one bucket. A hot key is taken out of its bucket, and its asks
are parted by their snapshot times at instants begin[0] < begin[1] < ...: each slice is a bucket of its own. A row goes
to every slice one of whose asks may see it inside a window or ttl, so that a slice's answers are those of all rows.

Why no bit changes: a value depends on nothing but the rows that an ask sees within the reach of a field. Take an ask of
the slice from `begin` to `end`, at a snapshot time T and a cutoff C: begin <= T < end, and T <= C <= T + delay. A row
that it sees within a reach of R

- happened before T, so before `end`, and not before T - R, so not before begin - R;
- is known before C, so before end + delay;
- has not given way before C, so not before `begin`, for C is not before T.

`Slice.needed` asks for just that. Where a field has no ttl, R is for ever: of all earlier rows it reads the newest that
is seen. So a slice also carries what may be that row: the `base` is the newest row that happened and was known before
`begin`, and never gives way. Every ask of the slice sees it, late rows, corrections and deletions notwithstanding, so
the newest that it sees is the base, one that ties with it in time, or a newer one: a slice needs no row from before the
time of its base. A key without a base keeps all earlier rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import accumulate, count, pairwise
from operator import and_
from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as F

from skewless.offline.columns import EVENT, KNOWN, NEVER, SNAPSHOT, SUPERSEDED
from skewless.timeline import due, happened, known, within

FROM_EVER = -NEVER


@dataclass(frozen=True, slots=True)
class Limits:
    """How many rows are many.

    source  the rows of a source with fewer are not counted by their keys
    bucket  in a bucket of more, hot keys are looked for
    key     they are those with at least so many there
    share   so many rows a slice has at the least, before those that it shares with slices before it
    """

    source: int = 5_000_000
    bucket: int = 2_000_000
    key: int = 500_000
    share: int = 1_000_000


LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Slice:
    """The asks with begin <= snapshot time < end, in microseconds, and the rows that they may see.

    low     no row that happened before it is needed
    cutoff  no ask has a later one

    >>> slice = Slice(begin=20, end=30, low=10, cutoff=32)
    >>> slice.asked(19), slice.asked(20), slice.asked(30)
    (False, True, False)
    >>> slice.needed(10, 31, NEVER), slice.needed(10, 32, NEVER), slice.needed(9, 9, NEVER), slice.needed(30, 30, NEVER)
    (True, False, False, False)
    >>> slice.needed(10, 10, 20), slice.needed(10, 10, 19)
    (True, False)
    """

    begin: int
    end: int
    low: int
    cutoff: int

    def asked(self, snapshot: Any) -> Any:
        """Whether an ask at that snapshot time belongs here; as all that follows, of anything that compares."""
        return due(self.begin, snapshot) & happened(snapshot, self.end)

    def needed(self, event: Any, known_at: Any, superseded_at: Any) -> Any:
        """Whether some ask of the slice may see a row; one that never gives way is superseded at NEVER."""
        there = within(event, self.low, 0) & happened(event, self.end)
        return there & known(known_at, self.cutoff) & due(self.begin, superseded_at)


@dataclass(frozen=True, slots=True)
class HotKey:
    """A key by its values, how many rows it has (versions that gave way among them), and its slices, in order."""

    values: tuple[Any, ...]
    rows: int
    slices: tuple[Slice, ...]


# -- where to cut -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Start:
    """An instant at which a slice may begin, and how far back such a slice needs rows, in microseconds."""

    begin: int
    low: int


def starts(begins: Sequence[int], window: int, bases: Sequence[int] | None) -> list[Start]:
    """Tell how far back slices need rows.

    window  the longest, in microseconds; 0 where there is none
    bases   per begin the time of its base, FROM_EVER where there is none; None: nothing is read from before a window

    >>> [start.low for start in starts([100, 200], 30, None)]
    [70, 170]
    >>> [start.low for start in starts([100, 200], 30, [90, 150])]
    [70, 150]
    """
    lows = [begin - window for begin in begins]
    if bases is not None:
        lows = [min(low, base) for low, base in zip(lows, bases, strict=True)]
    return [Start(begin, low) for begin, low in zip(begins, lows, strict=True)]


def bases(newest: dict[int, int], begins: int) -> list[int]:
    """The times of the bases of so many begins.

    newest  by a number of begins: the newest event of those rows that stand from the begin with that number on

    >>> bases({1: 40, 3: 20}, begins=3) == [FROM_EVER, 40, 40]
    True
    """
    return list(accumulate((newest.get(number, FROM_EVER) for number in range(begins)), max))


def chosen(candidates: Sequence[Start], before: Callable[[int], int], share: int) -> list[Start]:
    """Choose where slices begin: at the first candidate, and then wherever a cut is worth its copies.

    before   about how many of the key's rows happened before an instant
    share    see `Limits`
    returns  starts that leave half a share of rows or more behind, and at which no more rows are copied than the
             slice before has of its own, so that all slices together have at most twice the rows. Bounded work goes
             before bounded memory: a window that holds more rows than a share makes longer slices, and rows that
             all lie within one window are not parted

    >>> every_ten = [Start(begin, begin - 15) for begin in range(10, 100, 10)]
    >>> [start.begin for start in chosen(every_ten, lambda t: max(t, 0), share=20)]
    [10, 30, 50, 70, 90]
    """
    found = [candidates[0]]
    for start in candidates[1:]:
        own = before(start.begin) - before(found[-1].begin if len(found) > 1 else found[0].low)
        copied = before(start.begin) - before(start.low)
        left_behind = before(start.low) - before(found[-1].low)
        if own >= max(share, copied) and left_behind >= share / 2:
            found.append(start)
    return found


def slices(found: Sequence[Start], delay: int) -> tuple[Slice, ...]:
    """The slices that begin so; the last is open.

    delay  how long after its snapshot time the latest cutoff of an ask is, in microseconds
    """
    ends = [later.begin for _, later in pairwise(found)] + [NEVER]
    return tuple(
        Slice(start.begin, end, start.low, min(end + delay, NEVER))
        for start, end in zip(found, ends, strict=True)
    )


# -- buckets of their own ---------------------------------------------------------------------------------


def bucket_of_ask(hot: Sequence[HotKey], keys: Sequence[Column], usual: Column) -> Column:
    """The bucket of an ask: of its slice where its key is hot. What is not asked goes to the first.

    keys  of the asks, with the types of the hot keys' values
    """

    def place(numbered: list[tuple[int, Slice]]) -> Column:
        asked = [F.when(part.asked(F.col(SNAPSHOT)), F.lit(number)) for number, part in numbered]
        return F.coalesce(*asked, F.lit(numbered[0][0])).cast("bigint")

    return _by_key(hot, keys, place, usual)


def buckets_of_row(hot: Sequence[HotKey], keys: Sequence[Column], usual: Column) -> Column:
    """A row for each bucket of the row: of every slice that needs it where its key is hot."""
    gone = F.coalesce(F.col(SUPERSEDED), F.lit(NEVER))

    def places(numbered: list[tuple[int, Slice]]) -> Column:
        needed = [(number, part.needed(F.col(EVENT), F.col(KNOWN), gone)) for number, part in numbered]
        return F.array_compact(
            F.array(*(F.when(here, F.lit(number).cast("bigint")) for number, here in needed))
        )

    return F.explode(_by_key(hot, keys, places, F.array(usual))) if hot else usual


def _by_key(
    hot: Sequence[HotKey],
    keys: Sequence[Column],
    place: Callable[[list[tuple[int, Slice]]], Column],
    usual: Column,
) -> Column:
    """What is said of a hot key's slices, whose buckets are numbered below those of hashes; else what is usual."""
    numbers = count(-1, -1)
    said = [place([(next(numbers), part) for part in key.slices]) for key in hot]
    return by_key([key.values for key in hot], keys, said, usual)


def by_key(
    values: Sequence[tuple[Any, ...]], keys: Sequence[Column], said: Sequence[Column], usual: Column
) -> Column:
    """What is said of each of some keys, given by their values; of others, null keys too, what is usual."""
    cases: Any = F
    for key, what in zip(values, said, strict=True):
        same = [column == F.lit(value) for column, value in zip(keys, key, strict=True)]
        cases = cases.when(reduce(and_, same), what)
    found: Column = cases.otherwise(usual) if values else usual
    return found


# -- what a person should know ----------------------------------------------------------------------------


def told(view: str, hot: Sequence[HotKey]) -> Iterator[str]:
    """A line on the keys of a view that are answered in slices, and one on those that cannot be.

    >>> whole, parted = HotKey((1,), 3_400_000, (1,)), HotKey((2,), 5_000_000, (1, 2, 3, 4))
    >>> for line in told("transaction_stats", [whole, parted]):
    ...     print(line)
    transaction_stats: 1 key of 5,000,000 rows is answered in 4 slices by time
    transaction_stats: 1 key of 3,400,000 rows is answered whole, since slices by time would copy more rows than they \
part; a worker holds them all
    """
    parted = [key for key in hot if len(key.slices) > 1]
    whole = [key for key in hot if len(key.slices) == 1]
    if parted:
        yield f"{view}: {_counted(parted)} answered in {sum(len(key.slices) for key in parted)} slices by time"
    if whole:
        yield (
            f"{view}: {_counted(whole)} answered whole, since slices by time would copy more rows than they part; "
            "a worker holds them all"
        )


def _counted(keys: Sequence[HotKey]) -> str:
    rows = sum(key.rows for key in keys)
    return f"1 key of {rows:,} rows is" if len(keys) == 1 else f"{len(keys)} keys of {rows:,} rows are"
