"""What is counted, for Prometheus; with several processes, of all of them together."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from skewless.online.answer import Answer

# The folder in which processes count together; it must be set before the library is loaded.
TOGETHER = "PROMETHEUS_MULTIPROC_DIR"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """Counters of one process."""

    def __init__(self) -> None:
        """Begin with zeros."""
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "skewless_requests", "Requests for features, by status.", ["code"], registry=registry
        )
        self._seconds = Histogram(
            "skewless_request_seconds", "From first byte to answer.", registry=registry, buckets=_SECONDS
        )
        of_view = {"labelnames": ["view"], "registry": registry}
        self._entities = Counter("skewless_entities", "Entities that were looked up.", **of_view)
        self._absent = Counter("skewless_absent", "Entities that got the absent row.", **of_view)
        self._expired = Counter("skewless_expired", "Entities that got the expired row.", **of_view)
        newest = {**of_view, "multiprocess_mode": "mostrecent"}
        self._generation = Gauge("skewless_generation", "The generation that answered last.", **newest)
        self._snapshot = Gauge(
            "skewless_snapshot_time_seconds", "Its snapshot's time, since 1970.", **newest
        )

    def count_request(self, code: int, seconds: float) -> None:
        """Count a request for features."""
        self._requests.labels(str(code)).inc()
        self._seconds.observe(seconds)

    def count_answer(self, answer: Answer, absent: dict[str, int]) -> None:
        """Count the entities of an answer, by view or alias."""
        count = answer.entities.count
        for name, served in answer.views.items():
            self._entities.labels(name).inc(count)
            self._absent.labels(name).inc(absent[name])
            self._expired.labels(name).inc(count if served.state == "expired" else 0)
            self._generation.labels(name).set(served.generation)
            self._snapshot.labels(name).set(served.snapshot_time.timestamp())

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(_WithAges(_together() if TOGETHER in os.environ else self._registry))


def _together() -> CollectorRegistry:
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    return registry


class _WithAges(Collector):
    """Adds each snapshot's age: it grows, whether anybody asks or not."""

    def __init__(self, counted: Collector) -> None:
        self._counted = counted

    def collect(self) -> Iterator[Metric]:
        for family in self._counted.collect():
            yield family
            if family.name == "skewless_snapshot_time_seconds":
                ages = GaugeMetricFamily("skewless_snapshot_age_seconds", "Since then.", labels=["view"])
                for sample in family.samples:
                    ages.add_metric([sample.labels["view"]], time.time() - sample.value)
                yield ages
