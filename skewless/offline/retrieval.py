"""Training rows: each spine row sees one snapshot of each view, stored or computed, by the same engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Literal

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from skewless.ledger.scheduled import Stretch
from skewless.offline.binding import BoundView
from skewless.offline.columns import CUTOFF, SNAPSHOT
from skewless.offline.complete import NEWEST, Moment
from skewless.offline.engine import answer, rows_between
from skewless.offline.hot import HotKey
from skewless.offline.looking import ABSENT, NULL_IN_SOURCE, Look, Looking
from skewless.offline.seen import Finder
from skewless.offline.slices import sliced
from skewless.offline.source import micros, quoted
from skewless.offline.spine import SpineTimes
from skewless.offline.stored import StoredRevisions, holding
from skewless.offline.tables import FeatureTable
from skewless.timeline import to_micros

AsOf = Literal["scheduled", "event"]

_AT = "_sk_at"


@dataclass(frozen=True)
class Ask:
    """One view of a request.

    prefix     the view's name, or its alias: results are named `<prefix>__<field>`
    keys       the spine's key columns, in the order of the view's join keys: other names than theirs for an alias
    stretches  which snapshot is seen when, covering the spine's times; None asks for the event's own instant
    times      where the spine's rows lie in time; None: it is empty
    hot        keys with so many rows that they are answered in slices by time
    """

    prefix: str
    bound: BoundView
    fields: tuple[str, ...]
    table: FeatureTable
    keys: tuple[str, ...]
    stretches: tuple[Stretch, ...] | None = None
    times: SpineTimes | None = None
    hot: tuple[HotKey, ...] = ()

    def seeing(self, stretches: tuple[Stretch, ...] | None, times: SpineTimes | None) -> Ask:
        """The same, with what is seen when."""
        return replace(self, stretches=stretches, times=times)

    @property
    def moments(self) -> tuple[Moment, Moment] | None:
        """The first and the last that have to be computed; None: there are none."""
        if self.times is None:
            return None
        if self.stretches is None:
            moments = [Moment(to_micros(t), to_micros(t)) for t in (self.times.first, self.times.last)]
            return moments[0], moments[1]
        computed = [stretch.seen.snapshot_time for stretch in self.stretches if stretch.seen.revision is None]
        if not computed:
            return None
        delay, first, last = self.bound.view.source.data_delay, min(computed), max(computed)
        return Moment(to_micros(first), to_micros(first + delay)), Moment(
            to_micros(last), to_micros(last + delay)
        )

    @property
    def added(self) -> tuple[str, ...]:
        """The names of the feature columns."""
        return tuple(f"{self.prefix}__{name}" for name in self.fields)

    @property
    def explained(self) -> tuple[str, ...]:
        """The names of the columns that `explain` adds."""
        return tuple(f"{self.prefix}__{name}" for name in ("snapshot_time", "how", "why_null"))


def join(spine: DataFrame, asks: Sequence[Ask], *, timestamp_field: str, explain: bool) -> DataFrame:
    """Join the features to a spine whose times have been checked.

    returns  exactly the spine's rows and columns, then one column per feature; with `explain`, per view
             <view>__snapshot_time; <view>__how: stored, computed, or skipped (an older snapshot, because newer ones
             are blocked or withdrawn); and <view>__why_null: where a feature is null, absent (the entity has no row
             that the snapshot sees), expired, or null in source
    """
    # PySpark takes a dot in a name for a struct's field.
    columns = [f"_sk_c{number}" if "." in name else name for number, name in enumerate(spine.columns)]
    plain = dict(zip(spine.columns, columns, strict=True))
    asks = [replace(ask, keys=tuple(plain[key] for key in ask.keys)) for ask in asks]
    looks = [_look(ask, number, explain=explain) for number, ask in enumerate(asks)]
    rows = _looked_up(spine.toDF(*columns), looks, asks, plain[timestamp_field])
    for ask, look in zip(asks, looks, strict=True):
        if ask.moments is not None:
            rows = _computed(rows, ask, look, ask.moments, explain=explain)
    for ask in asks:
        columns += [*ask.added, *(ask.explained if explain else ())]
    return rows.select(*map(quoted, columns)).toDF(*spine.columns, *columns[len(plain) :])


# -- what is known without computing ----------------------------------------------------------------------


def _look(ask: Ask, number: int, *, explain: bool) -> Look:
    view = ask.bound.view
    finder = Finder.of(view, ask.stretches)
    return Look(
        finder=finder,
        stored=_stored(ask, finder) if finder.revisions else None,
        keys=ask.keys,
        fields=tuple(view.fields[name] for name in ask.fields),
        added=ask.added,
        explained=ask.explained if explain else (),
        moment=(f"{SNAPSHOT}{number}", f"{CUTOFF}{number}"),
    )


_ARROW = {"string": "string", "bigint": "int64"}


def _stored(ask: Ask, finder: Finder) -> StoredRevisions:
    return StoredRevisions(
        uri=ask.table.uri,
        files=tuple(holding(ask.table.files(), finder.revisions)),
        keys=ask.bound.view.join_keys,
        kinds=tuple(_ARROW[kind] for kind in ask.bound.key_types.values()),
        fields=ask.fields,
        revisions=tuple(name for name, _ in finder.revisions),
    )


def _looked_up(
    rows: DataFrame, looks: Sequence[Look], asks: Sequence[Ask], timestamp_field: str
) -> DataFrame:
    """Add, per view, the values that need no computing, and the moments of those that do."""
    at = micros(timestamp_field, rows.schema[timestamp_field].dataType)
    if any(look.stored for look in looks):
        rows = sliced(rows, at, asks[0].keys, asks[0].times, looks)
    schema = T.StructType([*rows.schema.fields, *(item for look in looks for item in look.schema)])
    looking = Looking(tuple(looks), _AT, asks[0].times, schema)
    return rows.withColumn(_AT, at).mapInArrow(looking, schema=schema)


# -- what is computed -------------------------------------------------------------------------------------


def _computed(
    rows: DataFrame, ask: Ask, look: Look, moments: tuple[Moment, Moment], *, explain: bool
) -> DataFrame:
    """Fill in one view's features where the snapshot has to be computed from its source."""
    snapshot, cutoff = look.moment
    kept = [name for name in rows.columns if name not in look.moment]
    asked = rows.withColumnsRenamed({snapshot: SNAPSHOT, cutoff: CUTOFF})
    answered = answer(asked, rows_between(ask.bound, *moments), ask.bound, ask.keys, ask.hot)
    chosen = {name: F.col(quoted(name)) for name in kept}
    here = F.col(SNAPSHOT).isNotNull()
    values = [F.col(ask.bound.results[name]) for name in ask.fields]
    for name, value in zip(ask.added, values, strict=True):
        chosen[name] = F.when(here, value).otherwise(F.col(quoted(name)))
    if explain:
        why = ask.explained[-1]
        chosen[why] = F.when(here, _why_null(values)).otherwise(F.col(quoted(why)))
    return answered.select(*(value.alias(name) for name, value in chosen.items()))


def _why_null(values: Sequence[Column]) -> Column:
    some_null = reduce(lambda one, two: one | two, (value.isNull() for value in values))
    return F.when(some_null & F.col(NEWEST).isNull(), ABSENT).when(some_null, NULL_IN_SOURCE)
