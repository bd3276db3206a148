"""From when to when a row of a source stands: known from one instant on, until its successor is known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from skewless.offline.columns import EVENT, KNOWN, SUPERSEDED
from skewless.offline.source import SourceRows, quoted
from skewless.timeline import known, superseded

DELETED = "_sk_deleted"
NESTED = (T.ArrayType, T.MapType, T.StructType)


def with_lifetimes(rows: DataFrame, ids: int, tie_breakers: Iterable[str]) -> DataFrame:
    """Add when each row's successor became known: of the rows that share an event id, the one known last stands.

    rows     with _sk_event and _sk_known in microseconds, _sk_deleted, the columns of the event id as _sk_id<n>, the
             tie-breakers
    returns  those that do not delete their event: a deletion ends what stood before it, and is invisible itself

    The order is that of *newest* with the known time first; of versions that tie in both times, a deletion is the
    last. A row with a null id stands alone.
    """
    timed = rows.withColumn(SUPERSEDED, successor_known(rows, ids, tie_breakers))
    return timed.where(~F.col(DELETED)) if ids else timed


def successor_known(rows: DataFrame, ids: int, tie_breakers: Iterable[str]) -> Column:
    """When each row's successor became known, in microseconds, of rows as `with_lifetimes` has them; null: never."""
    if not ids:
        return F.lit(None).cast("bigint")
    names = [f"_sk_id{number}" for number in range(ids)]
    types = {item.name: item.dataType for item in rows.schema.fields}
    order = [
        part for name in (KNOWN, EVENT, DELETED, *tie_breakers) for part in _total_order(name, types[name])
    ]
    successor = F.lead(KNOWN).over(Window.partitionBy(*names).orderBy(*order))
    identified = F.lit(True)
    for name in names:
        identified = identified & F.col(name).isNotNull()
    return F.when(identified, successor)


def standing(source: SourceRows) -> DataFrame:
    """A source's rows, but for deletions, with _sk_event, _sk_known and _sk_superseded, whoever reads them.

    Where versions are known at one instant, the order goes by all columns of the source, by their names.
    """
    ids = {f"_sk_id{number}": F.col(quoted(name)) for number, name in enumerate(source.source.event_id)}
    ties = {
        f"_sk_t{number}": orderable(name, source.types[name])
        for number, name in enumerate(sorted(source.types) if ids else ())
    }
    timed = source.rows.withColumns(
        {EVENT: source.event, KNOWN: source.known, DELETED: deleted(source), **ids, **ties}
    )
    rows = with_lifetimes(timed.where(F.col(KNOWN).isNotNull()), len(ids), list(ties))
    return rows.select(*map(quoted, dict.fromkeys([*source.rows.columns, EVENT, KNOWN, SUPERSEDED])))


def deleted(source: SourceRows) -> Column:
    """Whether a row deletes its event; null counts as false."""
    column = source.source.deleted_column
    return F.coalesce(F.col(quoted(column)), F.lit(False)) if column else F.lit(False)


def stands_between(first: int, last: int, superseded_at: str = SUPERSEDED) -> Column:
    """Whether some cutoff from the first to the last, in microseconds, sees the row: known, and not given way."""
    gone_before = F.coalesce(superseded(F.col(superseded_at), F.lit(first)), F.lit(False))
    seen: Column = known(F.col(KNOWN), F.lit(last)) & ~gone_before
    return seen


def orderable(column: str, found: T.DataType) -> Column:
    """A column that has an order; nested ones are ordered by their JSON text."""
    return F.to_json(F.col(quoted(column))) if isinstance(found, NESTED) else F.col(quoted(column))


def _total_order(name: str, found: T.DataType) -> Iterator[Column]:
    """Ascending, nulls first, NaN last; Spark holds -0.0 and 0.0 for equal, so their sign comes second."""
    column = F.col(quoted(name))
    yield column.asc_nulls_first()
    if isinstance(found, T.FloatType | T.DoubleType):
        yield F.when(column == 0, column.cast("string") != "-0.0").asc_nulls_first()
