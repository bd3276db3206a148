"""What is counted, for Prometheus; with several processes, of all of them together."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Metric,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from skewless.online.answer import Answer

# The folder in which processes count together; it must be set before the library is loaded.
TOGETHER = "PROMETHEUS_MULTIPROC_DIR"
_SNAPSHOT_TIME = "skewless_snapshot_time_seconds"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class _OfView(NamedTuple):
    """The counters of one view or alias."""

    entities: Counter
    absent: Counter
    expired: Counter
    generation: Gauge
    snapshot_time: Gauge


class Metrics:
    """Counters of one process. What has a label is looked up once: the library takes long for it."""

    def __init__(self) -> None:
        """Begin with zeros."""
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "skewless_requests", "Requests for features, by status.", ["code"], registry=registry
        )
        self._seconds = Histogram(
            "skewless_request_seconds",
            "Seconds from the head of a request for features to its answer.",
            registry=registry,
            buckets=_SECONDS,
        )
        self._views = _OfView(
            Counter(
                "skewless_entities", "Entities looked up, by view or alias.", ["view"], registry=registry
            ),
            Counter("skewless_absent", "Entities that got the absent row.", ["view"], registry=registry),
            Counter("skewless_expired", "Entities that got the expired row.", ["view"], registry=registry),
            _newest("skewless_generation", "The generation that answered last.", registry),
            _newest(_SNAPSHOT_TIME, "Its snapshot's time: seconds since 1970.", registry),
        )
        self._of_code: dict[int, Counter] = {}
        self._of_view: dict[str, _OfView] = {}

    def count_request(self, code: int, seconds: float) -> None:
        """Count a request for features."""
        counter = self._of_code.get(code) or self._of_code.setdefault(code, self._requests.labels(str(code)))
        counter.inc()
        self._seconds.observe(seconds)

    def count_answer(self, answer: Answer, absent: Mapping[str, int]) -> None:
        """Count the entities of an answer, by view or alias."""
        count = answer.entities.count
        for name, served in answer.views.items():
            found = self._of_view.get(name) or self._of_view.setdefault(name, self._labelled(name))
            found.entities.inc(count)
            if absent[name]:
                found.absent.inc(absent[name])
            if served.state == "expired":
                found.expired.inc(count)
            found.generation.set(served.generation)
            found.snapshot_time.set(served.snapshot_time.timestamp())

    def _labelled(self, name: str) -> _OfView:
        entities, absent, expired, generation, snapshot_time = self._views
        return _OfView(
            entities.labels(name),
            absent.labels(name),
            expired.labels(name),
            generation.labels(name),
            snapshot_time.labels(name),
        )

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(_WithAges(_together() if TOGETHER in os.environ else self._registry))


def _newest(name: str, documentation: str, registry: CollectorRegistry) -> Gauge:
    """What a process saw last; of several the latest counts."""
    return Gauge(name, documentation, ["view"], registry=registry, multiprocess_mode="mostrecent")


def _together() -> CollectorRegistry:
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


class _WithAges(Collector):
    """Adds each snapshot's age: it grows, whether anybody asks or not."""

    def __init__(self, counted: Collector) -> None:
        self._counted = counted

    def collect(self) -> Iterator[Metric]:
        for family in self._counted.collect():
            yield family
            if family.name == _SNAPSHOT_TIME:
                ages = GaugeMetricFamily(
                    "skewless_snapshot_age_seconds", "How old it is now.", labels=["view"]
                )
                for sample in family.samples:
                    ages.add_metric([sample.labels["view"]], time.time() - sample.value)
                yield ages
