"""Training sets: the labels of one interval, joined with a service, as revisions of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from skewless.ledger.events import Event
from skewless.model import FeatureView, TrainingSet
from skewless.offline.asking import Sources, check_spine, seeing
from skewless.offline.columns import EVENT
from skewless.offline.lifetimes import standing, stands_between
from skewless.offline.retrieval import Ask, join
from skewless.offline.source import SourceRows, quoted
from skewless.offline.spark_conf import settled
from skewless.offline.tables import REVISION, Content, append_frame, content_of
from skewless.plan.repo import Selection
from skewless.timeline import Interval, happened, to_micros

INTERVAL_END = "_interval_end"


# -- the labels -------------------------------------------------------------------------------------------


def labels(spine: SourceRows, interval: Interval, known_before: datetime) -> DataFrame:
    """The rows of a spine that happened in the interval, as they were known at a cutoff, with its columns.

    Visible as for any source: known before the cutoff, and of those that share an event id the one known last.
    """
    rows = standing(spine)
    cutoff = to_micros(known_before)
    start, end = (happened(F.col(EVENT), F.lit(to_micros(t))) for t in (interval.start, interval.end))
    return rows.where(stands_between(cutoff, cutoff) & end & ~start).select(*map(quoted, spine.rows.columns))


# -- one interval -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Assembly:
    """One interval of a training set, ready to be computed: its labels, and what they see.

    events  of each view, as they were read: nothing that happens meanwhile changes the rows
    """

    training_set: TrainingSet
    interval: Interval
    spine: SourceRows
    labels: DataFrame
    asks: tuple[Ask, ...]
    events: Mapping[str, tuple[Event, ...]]

    @property
    def columns(self) -> tuple[str, ...]:
        """The spine's columns, then the features."""
        return (*self.labels.columns, *(name for ask in self.asks for name in ask.added))

    @cached_property
    def rows(self) -> DataFrame:
        """The labels with their features, as `get_historical_features` gives them."""
        spine = self.training_set.spine
        return join(self.labels, self.asks, timestamp_field=spine.timestamp_field, explain=False)

    @property
    def sources(self) -> dict[str, SourceRows]:
        """What was read of each source, by its name."""
        read = [self.spine, *(ask.bound.source for ask in self.asks)]
        return {found.source.name: found for found in read}


def assemble(
    training_set: TrainingSet,
    selections: Sequence[Selection],
    interval: Interval,
    *,
    sources: Sources,
    events: Mapping[str, tuple[Event, ...]],
    now: datetime,
) -> Assembly:
    """Bring together what one interval is made of, without computing it.

    events  by the view's name
    DataError where a source is not what its definition says, UsageError where the spine's columns do not fit,
    DefinitionError where an expectation names a column that is not there.
    """
    spine = sources.read(training_set.spine)
    asks, at = sources.asks(selections), training_set.spine.timestamp_field
    check_spine(spine.rows, asks, added=(INTERVAL_END, REVISION), timestamp_field=at)
    rows = labels(spine, interval, interval.end + training_set.label_delay)

    def events_of(view: FeatureView) -> tuple[Event, ...]:
        return events[view.name]

    seen = seeing(rows, asks, events_of, timestamp_field=at, now=now)
    return Assembly(training_set, interval, spine, rows, tuple(seen), events)


# -- the table --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TrainingTable:
    """The revisions of a training set under one fingerprint, at `uri`."""

    uri: str

    def append(self, rows: DataFrame, interval_end: datetime, revision: str) -> None:
        """Add a revision: the rows' columns, _interval_end, _revision. A column that is new is null in older rows."""
        stamps = {
            INTERVAL_END: F.timestamp_micros(F.lit(to_micros(interval_end))),
            REVISION: F.lit(revision),
        }
        append_frame(rows.withColumns(stamps), self.uri, REVISION, mergeSchema="true")

    def read(self, spark: SparkSession, revisions: Sequence[str], columns: Sequence[str]) -> DataFrame:
        """The rows of some revisions, with those columns, in that order."""
        rows = settled(spark).read.format("delta").load(self.uri)
        return rows.where(F.col(REVISION).isin(list(revisions))).select(*map(quoted, columns))


def content(rows: DataFrame) -> Content:
    """Count and hash rows, whatever their order and that of their columns."""
    return content_of(rows.select(*map(quoted, sorted(rows.columns))))
