"""The truth that the engine is held to: what a view's features are, in Python too simple to be wrong.

Rows are dicts, an entity is the tuple of its keys, and every question is a loop. Nothing here is fast, and
nothing comes from skewless: where both agree, two independent readings of the rules agree. Times are aware
UTC datetimes. `as_of="scheduled"` and `as_of="event"` are told; `"published"` is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.oracle_values import OracleOverflow as OracleOverflow
from tests.oracle_values import bits as bits
from tests.oracle_values import cast, deviation, float_sum, in_range, null_rule, order, quantile

Row = Mapping[str, Any]  # keys, event_timestamp, perhaps created_timestamp and event ids, then value columns
Key = tuple[Any, ...]  # the join keys of one entity, in the view's order
Values = tuple[Any, ...]  # one value per field, in the view's order
Table = Mapping[Key, Values]  # what one snapshot, or one revision of it, holds

NEVER = datetime.max.replace(tzinfo=UTC)

# -- what a view is ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Expr:
    """A column or SQL expression: the text for Spark, the same as a Python function, and what it reads."""

    sql: str
    kind: str  # of its value: int (64 bits), float (64 bits), string, bool, timestamp
    reads: tuple[str, ...]
    of: Callable[[Row], Any]


@dataclass(frozen=True)
class Agg:
    """An aggregate over a window; `column=None` counts rows."""

    function: str  # count, sum, avg, min, max, stddev, first, last, last_n, count_distinct, quantile
    column: Expr | None
    window: timedelta
    nulls: str = "skip"  # skip, zero, forward_fill
    where: Expr | None = None
    n: int | None = None  # of last_n
    q: str | None = None  # of quantile, as it is written


@dataclass(frozen=True)
class Field:
    """One feature: an expression of the newest row, or an aggregate."""

    name: str
    dtype: str  # int32, int64, float32, float64, string, bool, timestamp, or array<one of them>
    value: Expr | Agg
    default: Any = None


@dataclass(frozen=True)
class Entry:
    """One event of the ledger: built, passed, blocked, accepted or withdrawn."""

    kind: str
    snapshot_time: datetime
    revision: str
    usable_from: datetime | None = None
    fingerprint: str = "asked"  # anything else is another definition's, and none of our business


@dataclass(frozen=True)
class View:
    """A feature view, the ticks of its schedule (ascending, enough of them), and its ledger in order."""

    keys: tuple[str, ...]
    fields: tuple[Field, ...]
    ticks: tuple[datetime, ...] = ()
    event_id: tuple[str, ...] = ()
    ttl: timedelta | None = None
    data_delay: timedelta = timedelta(0)
    publish_delay: timedelta = timedelta(0)
    max_staleness: timedelta | None = None
    history: tuple[Entry, ...] = ()


# -- which rows are visible -------------------------------------------------------------------------------


def known_time(row: Row) -> datetime | None:
    """When the row became known: its created timestamp, or its event time where there is none."""
    created: datetime | None = row.get("created_timestamp")
    return created if created is not None else row["event_timestamp"]


def known_rows(source: Iterable[Row], cutoff: datetime) -> list[Row]:
    """The rows known strictly before the cutoff."""
    return [row for row in source if (known := known_time(row)) is not None and known < cutoff]


def current_versions(view: View, rows: Iterable[Row]) -> list[Row]:
    """Of rows that share an event id, over all entities, only the one known last. A null id stands alone."""
    alone: list[Row] = []
    newest: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        event = tuple(row[name] for name in view.event_id)
        if event == () or None in event:
            alone.append(row)
        elif event not in newest or version_order(view, row) > version_order(view, newest[event]):
            newest[event] = row
    return alone + list(newest.values())


def visible(view: View, source: Iterable[Row], snapshot_time: datetime, cutoff: datetime) -> list[Row]:
    """Known before the cutoff; then one version of each event; then happened before the snapshot."""
    versions = current_versions(view, known_rows(source, cutoff))
    return [row for row in versions if (at := row["event_timestamp"]) is not None and at < snapshot_time]


# -- which row is newer -----------------------------------------------------------------------------------


def columns_read(view: View) -> list[str]:
    """The columns that the fields and their `where` read, in the order of their names."""
    names: set[str] = set()
    for field in view.fields:
        parts = [field.value] if isinstance(field.value, Expr) else [field.value.column, field.value.where]
        for part in parts:
            names.update(part.reads if part is not None else ())
    return sorted(names)


def newest_order(view: View, row: Row) -> list[Any]:
    """Event time, known time, the columns read, the join keys: a total order that no file order can bend."""
    read = [row[name] for name in (*columns_read(view), *view.keys)]
    return [order(value) for value in (row["event_timestamp"], known_time(row), *read)]


def version_order(view: View, row: Row) -> list[Any]:
    """Versions of an event: the one known last; ties as in *newest*."""
    return [order(known_time(row)), *newest_order(view, row)]


# -- a snapshot -------------------------------------------------------------------------------------------


def snapshot(view: View, source: Iterable[Row], snapshot_time: datetime, cutoff: datetime) -> Table:
    """Every entity with a visible row inside the view's reach, and its values."""
    by_entity: dict[Key, list[Row]] = {}
    for row in visible(view, source, snapshot_time, cutoff):
        key = tuple(row[name] for name in view.keys)
        if None not in key:
            by_entity.setdefault(key, []).append(row)
    table = {}
    for key, rows in by_entity.items():
        if any(inside(row, snapshot_time, reach(view)) for row in rows):
            ordered = sorted(rows, key=lambda row: newest_order(view, row))
            table[key] = tuple(field_value(field, view.ttl, ordered, snapshot_time) for field in view.fields)
    return table


def field_value(field: Field, ttl: timedelta | None, ordered: Sequence[Row], snapshot_time: datetime) -> Any:
    """One value: null rule, aggregate or expression, cast, default. `ordered`: oldest row first."""
    if isinstance(field.value, Agg):
        window = field.value.window
        result = aggregate(field.value, [row for row in ordered if inside(row, snapshot_time, window)])
    else:
        alive = [row for row in ordered if inside(row, snapshot_time, ttl)]
        result = field.value.of(alive[-1]) if alive else None
    result = cast(result, field.dtype)
    return cast(field.default, field.dtype) if result is None else result


def inside(row: Row, snapshot_time: datetime, span: timedelta | None) -> bool:
    """Whether a visible row lies in [snapshot_time - span, snapshot_time); None reaches back for ever."""
    return span is None or row["event_timestamp"] >= snapshot_time - span


def reach(view: View) -> timedelta | None:
    """The largest window or ttl; None where a pass-through field has no ttl."""
    spans = [field.value.window if isinstance(field.value, Agg) else view.ttl for field in view.fields]
    return None if None in spans else max(span for span in spans if span is not None)


def absent_row(view: View) -> Values:
    """The row of an entity without visible rows."""
    return tuple(field_value(field, None, [], NEVER) for field in view.fields)


def expired_row(view: View) -> Values:
    """The row of everybody when nothing is known: default or null, counts too."""
    return tuple(cast(field.default, field.dtype) for field in view.fields)


# -- aggregates and casts ---------------------------------------------------------------------------------


def aggregate(agg: Agg, ordered: Sequence[Row]) -> Any:
    """The aggregate over the rows of its window, oldest first; null over nothing, but a count is 0, an array empty."""
    rows = [row for row in ordered if agg.where is None or agg.where.of(row) is True]
    if agg.column is None:
        return len(rows)
    column = agg.column
    treated = null_rule(agg.nulls, [column.of(row) for row in rows], 0 if column.kind == "int" else 0.0)
    values = [value for value in treated if value is not None]
    if agg.function == "count":
        return len(values)
    if agg.function == "count_distinct":
        return len({order(value)[:2] for value in values})  # without the sign of a zero
    if agg.function == "last_n":
        return tuple(values[-(agg.n or 0) :])
    if not values:
        return None
    whole = column.kind == "int"
    match agg.function:
        case "sum":
            return in_range(sum(values), "int64") if whole else float_sum(values)
        case "avg":
            return (float(sum(values)) if whole else float_sum(values)) / len(values)
        case "min" | "max":
            return sorted(values, key=order)[0 if agg.function == "min" else -1]
        case "first" | "last":
            return values[0 if agg.function == "first" else -1]
        case "stddev":
            return deviation(values)
        case "quantile":
            return quantile(values, agg.q or "")
    raise ValueError(agg.function)


# -- who sees which snapshot ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Seen:
    """What is seen. `how`: stored, computed or skipped; `revision`: where it is read, if anywhere."""

    snapshot_time: datetime
    how: str
    revision: str | None
    expired: bool


def seen_at(view: View, t: datetime) -> Seen:
    """The newest snapshot that is due at `t` and not skipped."""
    skipped = False
    for tick in reversed(view.ticks):
        if tick + view.publish_delay > t:
            continue
        revision = in_force(view, tick, t)
        if revision is None and was_refused(view, tick):
            skipped = True
            continue
        how = "skipped" if skipped else "computed" if revision is None else "stored"
        gone = view.max_staleness is not None and t >= tick + view.max_staleness
        return Seen(tick, how, revision, gone)
    raise ValueError(f"no tick is due at {t}: the case has too few")


def entries_of(view: View, tick: datetime) -> list[Entry]:
    """The ledger's entries about our revisions of one snapshot, in order."""
    return [entry for entry in view.history if entry.snapshot_time == tick and entry.fingerprint == "asked"]


def was_refused(view: View, tick: datetime) -> bool:
    """Whether any revision of the snapshot was ever blocked or withdrawn."""
    return any(entry.kind in ("blocked", "withdrawn") for entry in entries_of(view, tick))


def in_force(view: View, tick: datetime, t: datetime) -> str | None:
    """The newest good revision that is usable at `t`; a rebuild makes its revision the newest."""
    due = tick + view.publish_delay
    for entry in reversed(entries_of(view, tick)):
        if entry.kind == "built":
            good = good_from(view, tick, entry.revision)
            if good is not None and t >= max(good, entry.usable_from or due, due):
                return entry.revision
    return None


def good_from(view: View, tick: datetime, revision: str) -> datetime | None:
    """From when a verdict holds: when due if it passed, else from its acceptance; None: not good."""
    checked, good = False, None
    for entry in entries_of(view, tick):
        if entry.revision != revision or entry.kind == "built":
            continue
        if entry.kind == "passed" and not checked:
            good = tick + view.publish_delay
        elif entry.kind == "accepted" and good is None:
            good = entry.usable_from
        elif entry.kind in ("blocked", "withdrawn"):
            good = None
        checked = True
    return good


# -- the answer -------------------------------------------------------------------------------------------


def answer(
    view: View,
    source: Sequence[Row],
    key: Key,
    t: datetime,
    *,
    as_of: str = "scheduled",
    stored: Mapping[str, Table] | None = None,
) -> Values:
    """The values of one spine row. `stored`: per revision, the rows that its table holds."""
    if as_of == "event":
        rows = snapshot(view, source, t, cutoff=t)
    else:
        seen = seen_at(view, t)
        if seen.expired:
            return expired_row(view)
        if seen.revision is not None:
            rows = (stored or {})[seen.revision]
        else:
            rows = snapshot(view, source, seen.snapshot_time, seen.snapshot_time + view.data_delay)
    return rows.get(key, absent_row(view))  # a null key is in no snapshot
