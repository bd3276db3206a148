"""From the features of a request to what the join needs: sources at one version each, and what is seen when."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from pyspark.sql import DataFrame, SparkSession

from skewless.ledger.events import Event
from skewless.ledger.scheduled import Stretch, stretches
from skewless.model import DeltaSource, FeatureView
from skewless.offline.binding import BoundView
from skewless.offline.gauge import gauged
from skewless.offline.hot import LIMITS, Limits
from skewless.offline.retrieval import Ask
from skewless.offline.source import SourceRows, read_source
from skewless.offline.spine import Span, check_columns, check_times
from skewless.offline.tables import FeatureTable
from skewless.plan.fingerprint import fingerprint
from skewless.plan.repo import Selection

EventsOf = Callable[[FeatureView], tuple[Event, ...]]


class Sources:
    """The sources of one request, each read once: all views over one see one version of it.

    versions  by the source's name, those to read; default: the newest
    """

    def __init__(
        self, spark: SparkSession, warehouse: str, versions: Mapping[str, int | None] | None = None
    ) -> None:
        """Nothing is read yet."""
        self.spark = spark
        self.warehouse = warehouse
        self._versions = versions or {}
        self._read: dict[DeltaSource, SourceRows] = {}

    def read(self, source: DeltaSource) -> SourceRows:
        """The rows of a source; DataError where it is not what the definition says."""
        if source not in self._read:
            version = self._versions.get(source.name)
            self._read[source] = read_source(self.spark, source, self.warehouse, version)
        return self._read[source]

    def asks(self, selections: Sequence[Selection]) -> list[Ask]:
        """One ask per view, which does not know yet what it sees when."""
        return [
            Ask(
                chosen.prefix,
                BoundView(chosen.view, self.read(chosen.view.source)),
                chosen.fields,
                FeatureTable.of(chosen.view, fingerprint(chosen.view), self.warehouse),
                chosen.keys,
            )
            for chosen in selections
        ]


def check_spine(
    spine: DataFrame, asks: Sequence[Ask], *, added: Sequence[str] = (), timestamp_field: str
) -> None:
    """Refuse a spine whose columns do not fit the asks; `added` are columns that the result has besides."""
    features = [name for ask in asks for name in ask.added]
    check_columns(spine, asks, [*features, *added], timestamp_field)


def seeing(
    spine: DataFrame,
    asks: Sequence[Ask],
    events_of: EventsOf | None,
    *,
    timestamp_field: str,
    now: datetime,
    limits: Limits = LIMITS,
) -> list[Ask]:
    """The asks with what the spine's rows see: by the schedule and each view's events; without events, each its own.

    Null, future and absurd times are refused, counted in one pass. Where much has to be computed from a large source,
    its hot keys are looked for.
    """
    times = check_times(spine, timestamp_field, now)
    spans = times.spans if times else ()
    seen = [ask.seeing(_stretches(ask, spans, events_of) if events_of else None, times) for ask in asks]
    return gauged(seen, limits)


def _stretches(ask: Ask, spans: Sequence[Span], events_of: EventsOf) -> tuple[Stretch, ...]:
    view = ask.bound.view
    events = events_of(view) if spans else ()
    return tuple(
        stretch
        for first, last in spans
        for stretch in stretches(
            events,
            first,
            last,
            schedule=view.timetable,
            publish_delay=view.publish_delay,
            fingerprint=fingerprint(view),
        )
    )
