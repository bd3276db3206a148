"""Several views over one source at one moment, from one reading of it.

A row is read once. It carries what each view computes of it, and is copied once for each list of join keys that some
view has; views with the same keys share the copies, the shuffle and the buckets. In a bucket each view gets the rows,
under the names, that it has when it is built alone, and the same kernel answers it: bits cannot differ. The states of
all views leave in one frame that Spark keeps, so that what is then stored of each view reads that, and no source.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import reduce
from operator import and_, or_

import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.pandas.types import to_arrow_schema

from skewless.offline.binding import BoundView
from skewless.offline.boxes import Box
from skewless.offline.columns import BUCKET, EVENT, KNOWN, SUPERSEDED
from skewless.offline.complete import Moment, complete
from skewless.offline.engine import buckets_for, completing, finished
from skewless.offline.kernel import Program
from skewless.offline.lifetimes import DELETED, deleted, stands_between, successor_known
from skewless.offline.pruning import rows_that_may_count
from skewless.offline.source import SourceRows, quoted
from skewless.plan.sql import is_one_word
from skewless.timeline import MICROSECOND, happened, within

_KEYS = "_sk_keys"  # for which list of join keys a copy of a row is, by number


def snapshots_together(bounds: Sequence[BoundView], moment: Moment) -> list[DataFrame]:
    """Compute the complete state of several views at one moment, from one reading of their source.

    bounds   views without a transform, over one source as it was read once
    returns  of each, in that order, the rows that `engine.snapshots` gives

    All is computed when this returns, as `kept` has it.
    """
    computed, names = kept(states(bounds, moment)), map(_column, range(len(bounds)))
    return [computed.where(F.col(name).isNotNull()).select(f"{name}.*") for name in names]


def kept(frame: DataFrame) -> DataFrame:
    """Compute a frame now, and once; Spark has its rows on disk until the frame is let go, or its session ends.

    A local checkpoint, since the session outlives a command: nothing would take a cached frame from a Spark Connect
    server. To ask for the columns of such a frame, or of one made of it, leaves its plan with the server for a while.
    """
    return frame.localCheckpoint(eager=True, storageLevel=StorageLevel.DISK_ONLY)


def states(bounds: Sequence[BoundView], moment: Moment) -> DataFrame:
    """The states of all views, not computed yet: a column per view, which is null in the rows of the others."""
    shared = _Shared(bounds[0].source)
    parts = [_part(number, bound, shared, moment) for number, bound in enumerate(bounds)]
    rows = _copied(_read_once(bounds, parts, shared, moment), parts)
    named = {_column(number): bound for number, bound in enumerate(bounds)}
    schema = T.StructType([T.StructField(name, completing(bound)[1]) for name, bound in named.items()])
    wanted = to_arrow_schema(schema)

    def of_bucket(key: tuple[pa.Scalar, ...], rows: pa.Table) -> pa.Table:
        return pa.concat_tables(_states(parts, key[0].as_py(), rows, moment, wanted))

    hashed = F.coalesce(*(F.when(F.col(_KEYS) == part.keys, F.xxhash64(*part.row_keys)) for part in parts))
    bucketed = rows.withColumn(BUCKET, F.pmod(hashed, F.lit(buckets_for(bounds[0].source.size))))
    computed = bucketed.groupBy(_KEYS, BUCKET).applyInArrow(of_bucket, schema=schema)
    whole = {name: F.struct(*finished(bound, f"{name}.")) for name, bound in named.items()}
    return computed.select(*(F.when(F.col(name).isNotNull(), of).alias(name) for name, of in whole.items()))


def _column(number: int) -> str:
    return f"_sk_v{number}"


# -- what each view reads ---------------------------------------------------------------------------------


class _Shared:
    """The columns that are computed of a row of the source: each once, whichever views read it."""

    def __init__(self, source: SourceRows) -> None:
        self.source = source
        self.columns: dict[str, Column] = {}
        self.orders: dict[tuple[str, ...], str] = {}
        self.lists: dict[tuple[str, ...], int] = {}
        self._names: dict[Hashable, str] = {}

    def name(self, what: Hashable, column: Column) -> str:
        """Name a column; what is equal is one column."""
        name = self._names.setdefault(what, f"_sk_c{len(self._names)}")
        self.columns.setdefault(name, column)
        return name

    def superseded_by(self, order: tuple[str, ...]) -> str:
        """Name the column that says when a version gave way, where that order decides between versions that tie."""
        order = order if self.source.source.event_id else ()
        return self.orders.setdefault(order, f"_sk_s{len(self.orders)}")

    def list_of(self, join_keys: tuple[str, ...]) -> int:
        """Number a list of join keys."""
        return self.lists.setdefault(join_keys, len(self.lists))


@dataclass(frozen=True)
class _Part:
    """What a bucket has to know of a view.

    keys     the number of its list of join keys
    columns  by the name that its program reads, the name among the shared rows
    """

    number: int
    keys: int
    program: Program
    columns: dict[str, str]

    @property
    def row_keys(self) -> list[str]:
        """The row keys among the shared rows."""
        return [self.columns[name] for name in self.program.row_keys]

    @property
    def seen(self) -> str:
        """The column that says whether the view sees a row."""
        return f"_sk_seen{self.number}"

    def rows_of(self, rows: pa.Table) -> pa.Table:
        """The rows of a bucket that the view sees, as it has them when it is built alone."""
        own = rows.select(list(self.columns.values())).filter(rows[self.seen])
        return own.rename_columns(list(self.columns))


def _part(number: int, bound: BoundView, shared: _Shared, moment: Moment) -> _Part:
    """Put what a view reads among the shared columns."""
    program, view = completing(bound)[0], bound.view
    keys = {
        name: shared.name(("key", key), column)
        for key, (name, column) in zip(view.join_keys, bound.keys_read().items(), strict=True)
    }
    ties = {
        name: shared.name(("tie", bound.tie_breakers[name]), column)
        for name, column in bound.ties_read(bound.source).items()
    }
    values = {name: _value(text, bound, shared, moment) for name, text in bound.expressions.items()}
    superseded = shared.superseded_by((*ties.values(), *keys.values()))
    times = {EVENT: EVENT, KNOWN: KNOWN, SUPERSEDED: superseded}
    return _Part(number, shared.list_of(view.join_keys), program, keys | times | ties | values)


def _value(text: str, bound: BoundView, shared: _Shared, moment: Moment) -> str:
    """What a view computes of a row that it alone would not see must not fail here, e.g. by a cast."""
    if is_one_word(text):
        return shared.name(text, F.expr(text))
    keys = [F.col(quoted(key)).isNotNull() for key in bound.view.join_keys]
    needed = _all_of([*keys, *_in_reach(bound, bound.source.event, moment)])
    return shared.name((text, bound.view.join_keys, bound.view.reach), F.when(needed, F.expr(text)))


def _in_reach(bound: BoundView, event: Column, moment: Moment) -> Iterator[Column]:
    reach = _micros(bound.view.reach)
    if reach is not None:
        inside: Column = within(event, F.lit(moment.snapshot), F.lit(reach))
        yield inside


def _all_of(conditions: Sequence[Column]) -> Column:
    return reduce(and_, conditions)


def _micros(span: timedelta | None) -> int | None:
    return None if span is None else span // MICROSECOND


# -- the rows ---------------------------------------------------------------------------------------------


def _read_once(
    bounds: Sequence[BoundView], parts: Sequence[_Part], shared: _Shared, moment: Moment
) -> DataFrame:
    """The rows of the source with what all views read of them, and of each view whether it sees the row."""
    reaches = [_micros(bound.view.reach) for bound in bounds]
    widest = None if None in reaches else max(filter(None, reaches))
    since = None if widest is None else moment.snapshot - widest
    source = rows_that_may_count(shared.source, [Box(moment.cutoff, moment.snapshot, since)])
    times = [source.event.alias(EVENT), source.known.alias(KNOWN), deleted(source).alias(DELETED)]
    ids = [F.col(quoted(column)).alias(f"_sk_id{n}") for n, column in enumerate(source.source.event_id)]
    read = [column.alias(name) for name, column in shared.columns.items()]
    rows = source.rows.select(*times, *ids, *read).where(F.col(KNOWN).isNotNull())
    gone = {name: successor_known(rows, len(ids), order) for order, name in shared.orders.items()}
    standing = rows.withColumns(gone).where(~F.col(DELETED) & F.col(EVENT).isNotNull())
    seen = {part.seen: _sees(bound, part, moment) for bound, part in zip(bounds, parts, strict=True)}
    return standing.withColumns(seen)


def _sees(bound: BoundView, part: _Part, moment: Moment) -> Column:
    """Whether a view that is built alone has the row: one of `engine.rows_between`, and no key is null."""
    stands = stands_between(moment.cutoff, moment.cutoff, part.columns[SUPERSEDED])
    keys = [F.col(key).isNotNull() for key in part.row_keys]
    happens = happened(F.col(EVENT), F.lit(moment.snapshot))
    return _all_of([stands, happens, *_in_reach(bound, F.col(EVENT), moment), *keys])


def _copied(rows: DataFrame, parts: Sequence[_Part]) -> DataFrame:
    """A copy of each row for every list of join keys by which some view sees it, with what is read of that copy."""
    seeing: dict[int, list[Column]] = defaultdict(list)
    readers: dict[str, set[int]] = defaultdict(set)
    for part in parts:
        seeing[part.keys].append(F.col(part.seen))
        for name in (part.seen, *part.columns.values()):
            readers[name].add(part.keys)
    lists = [F.when(reduce(or_, seen), F.lit(number)) for number, seen in seeing.items()]
    copies = rows.withColumn(_KEYS, F.explode(F.array_compact(F.array(*lists))))
    read = [F.when(F.col(_KEYS).isin(*numbers), F.col(name)).alias(name) for name, numbers in readers.items()]
    return copies.select(_KEYS, *read)


def _states(
    parts: Sequence[_Part], keys: int, rows: pa.Table, moment: Moment, wanted: pa.Schema
) -> Iterator[pa.Table]:
    """What a bucket gives for each view that has these join keys."""
    for part in parts:
        if part.keys == keys:
            kind = wanted[part.number].type
            named = pa.schema([kind.field(place) for place in range(kind.num_fields)])
            state = complete(part.program, part.rows_of(rows), [moment]).select(named.names).cast(named)
            columns = [pa.nulls(len(state), other.type) for other in wanted]
            columns[part.number] = state.to_struct_array()
            yield pa.table(columns, schema=wanted)
