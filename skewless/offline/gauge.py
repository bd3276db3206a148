"""Which keys of a view are hot, and where their asks are parted: counted before anything is computed."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from skewless.offline.binding import BoundView
from skewless.offline.boxes import Box
from skewless.offline.columns import BUCKET, EVENT, KNOWN, SUPERSEDED
from skewless.offline.complete import Moment
from skewless.offline.engine import bucket, row_keys, rows_between
from skewless.offline.hot import HotKey, Limits, bases, by_key, chosen, slices, starts, told
from skewless.offline.pruning import rows_that_may_count
from skewless.timeline import MICROSECOND, after, due, happened, within

if TYPE_CHECKING:
    from skewless.offline.retrieval import Ask

_KEY, _ROWS, _PARTS, _PLACE = "_sk_key", "_sk_rows", "_sk_parts", "_sk_place"
_FEWEST_PARTS, _MOST_PARTS = 16, 512
_ACCURACY = 20_000  # of instants between which lie equally many rows: off by a row in so many

Values = tuple[Any, ...]


def gauged(asks: Iterable[Ask], limits: Limits) -> list[Ask]:
    """The asks with their hot keys; a view and its aliases have the same ones, and are looked at once."""
    found: dict[str, tuple[HotKey, ...]] = {}
    known = []
    for ask in asks:
        name = ask.bound.view.name
        if name not in found:
            found[name] = hot_keys(ask.bound, *ask.moments, limits) if ask.moments else ()
        known.append(replace(ask, hot=found[name]))
    return known


def answered_in_slices(asks: Iterable[Ask]) -> Iterator[str]:
    """What a person should know of hot keys, a line or two for each view that has some."""
    hot = {ask.bound.view.name: ask.hot for ask in asks}
    for view, keys in hot.items():
        yield from told(view, keys)


def hot_keys(bound: BoundView, first: Moment, last: Moment, limits: Limits) -> tuple[HotKey, ...]:
    """Find the keys with very many rows, and cut what is asked of them into slices.

    first, last  cover what is asked, and no ask's cutoff is longer after its snapshot time than theirs
    returns      nothing for a source of few rows, or of which it is not known how many; else, hottest key first, the
                 keys of crowded buckets. To find out, the keys of the rows that count are read once; where there is a
                 crowded bucket, its keys and times three times more
    """
    if (bound.source.size or 0) < limits.source:
        return ()
    rows = _keyed(bound, first, last)
    crowded = _crowded(bound, rows, limits)
    if not crowded:
        return ()
    window = _longest_window(bound)
    spreads = _spreads(
        bound, rows.where(within(F.col(EVENT), F.lit(first.snapshot), F.lit(window))), crowded, limits
    )
    begins = [_candidates(spread.parts, first, last) for spread in spreads]
    known = _bases(bound, first, last, list(crowded), begins) if bound.view.reach is None else None
    delay = max(moment.cutoff - moment.snapshot for moment in (first, last))
    found = []
    for number, (values, count) in enumerate(crowded.items()):
        candidates = starts(begins[number], window, None if known is None else known[number])
        cut = chosen(candidates, spreads[number].before(count), limits.share)
        found.append(HotKey(values, count, slices(cut, delay)))
    return tuple(found)


def _keyed(bound: BoundView, first: Moment, last: Moment) -> DataFrame:
    """Keys and event times of the rows that some snapshot from the first to the last may see, and perhaps of others."""
    reach = bound.view.reach
    box = Box(last.cutoff, last.snapshot, None if reach is None else first.snapshot - reach // MICROSECOND)
    rows = bound.keyed(rows_that_may_count(bound.source, [box])).where(
        happened(F.col(EVENT), F.lit(box.until))
    )
    return rows if box.since is None else rows.where(within(F.col(EVENT), F.lit(box.since), F.lit(0)))


def _longest_window(bound: BoundView) -> int:
    """In microseconds; 0 where no field has one."""
    return max((output.reach for output in bound.program.outputs if output.reach is not None), default=0)


def _crowded(bound: BoundView, rows: DataFrame, limits: Limits) -> dict[Values, int]:
    """How many rows the hot keys have, the hottest first."""
    rows = rows.select(*bound.row_keys, bucket(row_keys(bound), bound.source.size).alias(BUCKET))
    per_bucket = rows.groupBy(BUCKET).agg(F.count("*").alias(_ROWS))
    numbers = [found[BUCKET] for found in per_bucket.where(after(F.col(_ROWS), limits.bucket)).collect()]
    if not numbers:
        return {}
    per_key = rows.where(F.col(BUCKET).isin(numbers)).groupBy(*bound.row_keys).agg(F.count("*").alias(_ROWS))
    many = per_key.where(due(limits.key, F.col(_ROWS))).orderBy(F.desc(_ROWS), *bound.row_keys)
    return {tuple(found[key] for key in bound.row_keys): found[_ROWS] for found in many.collect()}


def _numbered(bound: BoundView, rows: DataFrame, keys: Sequence[Values]) -> DataFrame:
    """The rows of some keys, with the number of theirs."""
    numbers = [F.lit(number) for number in range(len(keys))]
    return rows.withColumn(_KEY, by_key(keys, row_keys(bound), numbers, F.lit(None))).where(
        F.col(_KEY).isNotNull()
    )


# -- where the rows of a key lie --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Spread:
    """Where the newer rows of a key lie: those that lie within the longest window of something asked.

    rows   how many they are
    parts  instants between which lie about equally many of them, ascending; of many at one instant, it comes again
    """

    rows: int
    parts: tuple[int, ...]

    def before(self, all_rows: int) -> Callable[[int], int]:
        """About how many of all the key's rows happened before an instant: all but these are older than any of these.

        >>> before = Spread(rows=40, parts=(10, 20, 20)).before(100)
        >>> [before(t) for t in (0, 10, 11, 21)]
        [0, 60, 70, 90]
        """
        older = all_rows - self.rows

        def count(t: int) -> int:
            if not self.parts or not due(self.parts[0], t):
                return 0
            return older + self.rows * bisect_left(self.parts, t) // (len(self.parts) + 1)

        return count


def _spreads(
    bound: BoundView, rows: DataFrame, crowded: Mapping[Values, int], limits: Limits
) -> list[Spread]:
    wanted = 8 * max(crowded.values()) // limits.share
    parts = min(max(wanted, _FEWEST_PARTS), _MOST_PARTS)
    shares = [part / parts for part in range(1, parts)]
    spread = F.percentile_approx(EVENT, shares, _ACCURACY).alias(_PARTS)
    numbered = _numbered(bound, rows, list(crowded)).groupBy(_KEY).agg(F.count("*").alias(_ROWS), spread)
    found = {row[_KEY]: Spread(row[_ROWS], tuple(sorted(row[_PARTS]))) for row in numbered.collect()}
    return [found.get(number, Spread(0, ())) for number in range(len(crowded))]


def _candidates(parts: Sequence[int], first: Moment, last: Moment) -> list[int]:
    """Where a key's slices may begin: at the first moment, and where there are asks before and from then on."""
    between = {t for t in parts if after(t, first.snapshot) and due(t, last.snapshot)}
    return [first.snapshot, *sorted(between)]


# -- the newest row of all before -------------------------------------------------------------------------


def _bases(
    bound: BoundView, first: Moment, last: Moment, keys: Sequence[Values], begins: Sequence[Sequence[int]]
) -> list[list[int]]:
    """For each key and begin, when the newest row happened that stands by then, and for good."""
    rows = rows_between(bound, first, last).where(F.col(SUPERSEDED).isNull())
    stands = F.greatest(F.col(EVENT), F.col(KNOWN))  # from the first begin that is later than both
    places = by_key(keys, row_keys(bound), [_place(stands, theirs) for theirs in begins], F.lit(None))
    numbered = _numbered(bound, rows, keys).groupBy(_KEY, places.alias(_PLACE)).agg(F.max(EVENT).alias(EVENT))
    newest: list[dict[int, int]] = [{} for _ in keys]
    for row in numbered.collect():
        newest[row[_KEY]][row[_PLACE]] = row[EVENT]
    return [bases(found, len(theirs)) for found, theirs in zip(newest, begins, strict=True)]


def _place(at: Column, begins: Sequence[int], number: int = 0) -> Column:
    """How many of the begins, in their order, an instant is not before, by halving."""
    if not begins:
        return F.lit(number)
    middle = len(begins) // 2
    later = _place(at, begins[middle + 1 :], number + middle + 1)
    return F.when(due(F.lit(begins[middle]), at), later).otherwise(_place(at, begins[:middle], number))
