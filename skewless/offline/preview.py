"""A view's values for a few entities: to look at while a definition is being written."""

from __future__ import annotations

from typing import Any

from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from skewless.errors import UsageError, first_line
from skewless.offline.binding import BoundView
from skewless.offline.columns import CUTOFF, EVENT, SNAPSHOT
from skewless.offline.complete import Moment
from skewless.offline.engine import answer, rows_between
from skewless.offline.source import quoted


def preview(bound: BoundView, moment: Moment, *, entities: int, where: str | None = None) -> DataFrame:
    """Compute the snapshot of a moment for the entities with the newest visible rows; nothing is written.

    where    SQL over the source's columns: entities with such a row, whose values are those of all their rows
    returns  join keys, then fields: at most so many rows, the entity with the newest row first

    UsageError where the condition makes no sense.
    """
    rows = rows_between(bound, moment, moment)
    chosen = _chosen(bound, rows, entities, where)
    keys, view = [f"_sk_a{number}" for number in range(len(bound.row_keys))], bound.view
    rows = rows.where(_is_one_of(bound, chosen))
    asks = _asks(bound, chosen, keys, moment)
    values = [F.col(result).alias(name) for name, result in bound.results.items()]
    named = [F.col(key).alias(name) for key, name in zip(keys, view.join_keys, strict=True)]
    return answer(asks, rows, bound, keys).orderBy("_sk_place").select(*named, *values)


def _chosen(bound: BoundView, rows: DataFrame, entities: int, where: str | None) -> list[tuple[Any, ...]]:
    """The keys of the entities, those with the newest row first; of equally new ones, the lesser keys."""
    if where is not None:
        rows = rows.join(_accepted(bound, where), list(bound.row_keys), "leftsemi")
    newest = rows.dropna(subset=list(bound.row_keys)).groupBy(*bound.row_keys).agg(F.max(EVENT).alias(EVENT))
    found = newest.orderBy(F.desc(EVENT), *bound.row_keys).limit(entities).select(*bound.row_keys).collect()
    return [tuple(row) for row in found]


def _accepted(bound: BoundView, where: str) -> DataFrame:
    """The keys of rows that a condition accepts."""
    kinds = zip(bound.row_keys, bound.key_types.items(), strict=True)
    keys = [F.col(quoted(key)).cast(kind).alias(name) for name, (key, kind) in kinds]
    try:
        accepted = bound.facts.rows.where(where).select(*keys)
        accepted.schema  # noqa: B018 -- over Connect a condition is looked at only when something is asked of it
    except AnalysisException as error:
        raise UsageError(f"the condition {where!r} on the source: {first_line(error)}") from error
    return accepted.distinct()


def _is_one_of(bound: BoundView, chosen: list[tuple[Any, ...]]) -> Column:
    """Said of each key apart, so that it reaches the reading of files where it may."""
    one_of: Column = F.lit(bool(chosen))
    for name, values in zip(bound.row_keys, zip(*chosen, strict=True), strict=False):
        one_of = one_of & F.col(name).isin(*set(values))
    return one_of


def _asks(bound: BoundView, chosen: list[tuple[Any, ...]], keys: list[str], moment: Moment) -> DataFrame:
    kinds = ", ".join(f"{key} {kind}" for key, kind in zip(keys, bound.key_types.values(), strict=True))
    numbered = [(*values, place) for place, values in enumerate(chosen)]
    asks = bound.source.rows.sparkSession.createDataFrame(numbered, f"{kinds}, _sk_place int")
    return asks.withColumns({SNAPSHOT: F.lit(moment.snapshot), CUTOFF: F.lit(moment.cutoff)})
