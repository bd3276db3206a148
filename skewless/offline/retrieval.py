"""Training rows: each spine row sees one snapshot of each view, stored or computed, by the same engine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from skewless.errors import DataError
from skewless.ledger.scheduled import Stretch
from skewless.offline.binding import BoundView
from skewless.offline.engine import NEWEST, Moment, answer, constant, rows_between
from skewless.offline.kernel import CUTOFF, SNAPSHOT
from skewless.offline.source import micros, quoted
from skewless.offline.spine import SpineTimes
from skewless.offline.tables import REVISION, FeatureTable
from skewless.timeline import EPOCH, MICROSECOND, after, expired, to_micros

AsOf = Literal["scheduled", "event"]

_SEEN = T.StructType(
    [
        T.StructField("snapshot", T.LongType()),
        T.StructField("cutoff", T.LongType()),
        T.StructField("revision", T.StringType()),
        T.StructField("how", T.StringType()),
        T.StructField("expired", T.BooleanType()),
    ]
)


@dataclass(frozen=True)
class Ask:
    """One view of a request.

    prefix     the view's name, or its alias: results are named `<prefix>__<field>`
    keys       the spine's key columns, in the order of the view's join keys: other names than theirs for an alias
    stretches  which snapshot is seen when, covering the spine's times; None asks for the event's own instant
    times      where the spine's rows lie in time; None: it is empty
    """

    prefix: str
    bound: BoundView
    fields: tuple[str, ...]
    table: FeatureTable
    keys: tuple[str, ...]
    stretches: tuple[Stretch, ...] | None = None
    times: SpineTimes | None = None

    def seeing(self, stretches: tuple[Stretch, ...] | None, times: SpineTimes | None) -> Ask:
        """The same, with what is seen when."""
        return replace(self, stretches=stretches, times=times)

    @property
    def added(self) -> tuple[str, ...]:
        """The names of the feature columns."""
        return tuple(f"{self.prefix}__{name}" for name in self.fields)

    @property
    def explained(self) -> tuple[str, ...]:
        """The names of the columns that `explain` adds."""
        return (f"{self.prefix}__snapshot_time", f"{self.prefix}__how")


def join(spine: DataFrame, asks: Sequence[Ask], *, timestamp_field: str, explain: bool) -> DataFrame:
    """Join the features to a spine whose times have been checked.

    returns  exactly the spine's rows and columns, then one column per feature; with `explain`, per view
             <view>__snapshot_time and <view>__how: stored, computed, or skipped (an older snapshot, because
             newer ones are blocked or withdrawn)
    """
    # PySpark takes a dot in a name for a struct's field.
    columns = [f"_sk_c{number}" if "." in name else name for number, name in enumerate(spine.columns)]
    plain = dict(zip(spine.columns, columns, strict=True))
    rows = _located(spine.toDF(*columns), asks, plain[timestamp_field])
    for number, ask in enumerate(asks):
        rows = _with_features(rows, ask, f"_sk_seen{number}", explain=explain)
        columns += [*ask.added, *(ask.explained if explain else ())]
    return rows.select(*map(quoted, columns)).toDF(*spine.columns, *columns[len(plain) :])


# -- which snapshot ---------------------------------------------------------------------------------------


def _located(spine: DataFrame, asks: Sequence[Ask], timestamp_field: str) -> DataFrame:
    """Add, per view, the struct `_sk_seen<n>`: the snapshot that the row sees."""
    finders = [_Finder.of(ask) for ask in asks]
    added = [T.StructField(f"_sk_seen{number}", _SEEN) for number in range(len(asks))]
    schema = T.StructType([*spine.schema.fields, T.StructField("_sk_at", T.LongType()), *added])
    times = asks[0].times

    def locate(batches: Iterable[pa.RecordBatch]) -> Iterable[pa.RecordBatch]:
        for batch in batches:
            at = _checked(batch.column("_sk_at"), times).to_numpy(zero_copy_only=False)
            for number, finder in enumerate(finders):
                batch = batch.append_column(f"_sk_seen{number}", finder.find(at))
            yield batch

    timed = spine.withColumn("_sk_at", micros(timestamp_field, spine.schema[timestamp_field].dataType))
    return timed.mapInArrow(locate, schema=schema).drop("_sk_at")


def _checked(at: pa.Array, times: SpineTimes | None) -> pa.Array:
    """The times, if they are still those that were checked: a spine may change between two readings."""
    if len(at):
        first, last = map(to_micros, (times.first, times.last) if times else (EPOCH, EPOCH))
        found = pc.min_max(at).as_py()
        if times is None or at.null_count or after(first, found["min"]) or after(found["max"], last):
            raise DataError(
                "the spine changed while it was read: a time is not among those that were checked; write it to a "
                "table first, and read one version of that"
            )
    return at


@dataclass(frozen=True)
class _Finder:
    """Which snapshot of one view is seen at many instants; it travels to Spark's workers."""

    since: tuple[int, ...] | None
    seen: tuple[tuple[int, int, str | None, str], ...]
    max_staleness: int | None

    @classmethod
    def of(cls, ask: Ask) -> _Finder:
        view = ask.bound.view
        stale = None if view.max_staleness is None else view.max_staleness // MICROSECOND
        if ask.stretches is None:
            return cls(None, (), stale)
        delay = view.source.data_delay
        seen = tuple(
            (
                to_micros(stretch.seen.snapshot_time),
                to_micros(stretch.seen.snapshot_time + delay),
                stretch.seen.revision,
                stretch.seen.how,
            )
            for stretch in ask.stretches
        )
        return cls(tuple(to_micros(stretch.since) for stretch in ask.stretches), seen, stale)

    def find(self, at: np.ndarray) -> pa.StructArray:
        """Give the struct `_SEEN` of each instant."""
        if self.since is None:
            seen: list[tuple[int, int, str | None, str]] = [(t, t, None, "computed") for t in at.tolist()]
            gone = np.zeros(len(at), dtype=bool)
        else:
            seen = [self.seen[index] for index in np.searchsorted(self.since, at, side="right") - 1]
            gone = self._expired(np.array([moment[0] for moment in seen], dtype=np.int64), at)
        types = (pa.int64(), pa.int64(), pa.string(), pa.string())
        arrays = [pa.array([moment[part] for moment in seen], type=kind) for part, kind in enumerate(types)]
        return pa.StructArray.from_arrays([*arrays, pa.array(gone, type=pa.bool_())], names=_SEEN.names)

    def _expired(self, snapshots: np.ndarray, at: np.ndarray) -> np.ndarray:
        if self.max_staleness is None:
            return np.zeros(len(at), dtype=bool)
        return np.asarray(expired(snapshots + self.max_staleness, at))


# -- its values -------------------------------------------------------------------------------------------


def _with_features(rows: DataFrame, ask: Ask, seen: str, *, explain: bool) -> DataFrame:
    """Add one view's features: from its stored revisions where there are some, else from its source."""
    kept = rows.columns
    revisions = sorted({stretch.seen.revision for stretch in ask.stretches or () if stretch.seen.revision})
    if revisions:
        rows = _with_stored(rows, ask, seen, revisions)
    needs_source = F.col(f"{seen}.revision").isNull() & ~F.col(f"{seen}.expired")
    moments = {SNAPSHOT: f"{seen}.snapshot", CUTOFF: f"{seen}.cutoff"}
    rows = rows.withColumns({name: F.when(needs_source, F.col(part)) for name, part in moments.items()})
    source_rows = _source_rows(ask)
    if source_rows is not None:
        rows = answer(rows, source_rows, ask.bound, ask.bound.view.join_keys).drop(NEWEST)
    computed = source_rows is not None
    features = [_chosen(ask, name, seen, stored=bool(revisions), computed=computed) for name in ask.fields]
    explained = [F.timestamp_micros(f"{seen}.snapshot"), F.col(f"{seen}.how")] if explain else []
    names = [*ask.added, *(ask.explained if explain else ())]
    added = [column.alias(name) for column, name in zip([*features, *explained], names, strict=True)]
    return rows.select(*(quoted(name) for name in kept if name != seen), *added)


def _source_rows(ask: Ask) -> DataFrame | None:
    """The source's rows that some computed snapshot may see; None where every snapshot is stored."""
    delay = ask.bound.view.source.data_delay
    if ask.stretches is None:
        moments = [
            Moment(to_micros(t), to_micros(t))
            for t in ((ask.times.first, ask.times.last) if ask.times else ())
        ]
    else:
        computed = [stretch.seen.snapshot_time for stretch in ask.stretches if stretch.seen.revision is None]
        edges = (min(computed), max(computed)) if computed else ()
        moments = [Moment(to_micros(t), to_micros(t + delay)) for t in edges]
    return rows_between(ask.bound, *moments) if moments else None


def _with_stored(rows: DataFrame, ask: Ask, seen: str, revisions: Sequence[str]) -> DataFrame:
    """Join the stored rows of the revisions that are seen; `_sk_found` says where there was one."""
    view = ask.bound.view
    stored = ask.table.read(rows.sparkSession, revisions).select(
        *(F.col(quoted(key)).alias(f"_sk_k{number}") for number, key in enumerate(view.join_keys)),
        F.col(REVISION).alias("_sk_revision"),
        *(F.col(quoted(name)).alias(f"_sk_s_{name}") for name in ask.fields),
        F.lit(True).alias("_sk_found"),
    )
    same = F.col(f"{seen}.revision") == F.col("_sk_revision")
    for number, key in enumerate(view.join_keys):
        same = same & (F.col(quoted(key)).cast(ask.bound.key_types[key]) == F.col(f"_sk_k{number}"))
    keys = [f"_sk_k{number}" for number in range(len(view.join_keys))]
    return rows.join(stored, same, "left").drop("_sk_revision", *keys)


def _chosen(ask: Ask, name: str, seen: str, *, stored: bool, computed: bool) -> Column:
    """One feature: the expired constant, the stored value, the absent constant, or the computed value."""
    item = ask.bound.view.fields[name]
    number = ask.bound.view.schema.index(item)
    gone = F.col(f"{seen}.expired")
    chosen = F.when(gone, constant(item.of_nothing_known, item))
    if stored:
        chosen = chosen.when(F.col("_sk_found"), F.col(f"_sk_s_{name}"))
        chosen = chosen.when(F.col(f"{seen}.revision").isNotNull(), constant(item.of_no_rows, item))
    return chosen.otherwise(F.col(f"_sk_f{number}")) if computed else chosen
