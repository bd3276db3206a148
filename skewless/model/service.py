"""Feature services and training sets: what models use and learn from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from skewless.model.expectation import Expectation
from skewless.model.origin import Origin, freeze, name_problems, settle
from skewless.model.source import DeltaSource
from skewless.model.view import FeatureView
from skewless.timeline import Schedule, utc


@dataclass(frozen=True, kw_only=True)
class FeatureService:
    """A named list of features that a model uses: whole views, or `"view:feature"` names."""

    name: str
    features: Sequence[FeatureView | str]
    owner: str = ""
    tags: Sequence[str] = ()
    description: str = ""
    origin: Origin = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Freeze and check."""
        freeze(self, origin=Origin.of_caller(), features=tuple(self.features), tags=tuple(self.tags))
        settle(self, self._problems())

    @property
    def references(self) -> tuple[str, ...]:
        """Every feature as `view:feature`, in the order of the service."""
        return tuple(
            reference
            for item in self.features
            for reference in ([item] if isinstance(item, str) else [f"{item.name}:{name}" for name in item.fields])
        )

    def _problems(self) -> Iterator[str]:
        yield from name_problems("feature service", self.name)
        if not self.features:
            yield "the service has no features; give it views or 'view:feature' names"
            return
        for item in self.features:
            if not isinstance(item, FeatureView) and not (isinstance(item, str) and item.count(":") == 1):
                yield f"{item!r} is neither a feature view nor a 'view:feature' name"
                return
        if len(set(self.references)) < len(self.references):
            twice = sorted({name for name in self.references if self.references.count(name) > 1})
            yield f"the service lists {', '.join(twice)} twice"


@dataclass(frozen=True, kw_only=True)
class TrainingSet:
    """A spine joined with a feature service, built on a schedule into a Delta table with a manifest.

    label_delay     how long after an interval's end its labels are known
    settle_timeout  how long to wait for the snapshots that the labels can see
    """

    name: str
    service: FeatureService
    spine: DeltaSource
    schedule: Schedule = "@daily"  # type: ignore[assignment]  # a string becomes a Schedule
    label_delay: timedelta = timedelta(0)
    settle_timeout: timedelta = timedelta(hours=6)
    expectations: Sequence[Expectation] = ()
    start: datetime | None = None
    owner: str = ""
    tags: Sequence[str] = ()
    description: str = ""
    origin: Origin = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Freeze and check."""
        freeze(
            self, origin=Origin.of_caller(), expectations=tuple(self.expectations), tags=tuple(self.tags)
        )
        if self.start is not None:
            freeze(self, start=utc(self.start))
        settle(self, self._problems())

    def _problems(self) -> Iterator[str]:
        yield from name_problems("training set", self.name)
        if not isinstance(self.service, FeatureService):
            yield f"service={self.service!r} is no FeatureService"
        if not isinstance(self.spine, DeltaSource):
            yield f"spine={self.spine!r} is no DeltaSource"
        if self.label_delay < timedelta(0) or self.settle_timeout < timedelta(0):
            yield "label_delay and settle_timeout cannot be negative"
        try:
            freeze(self, schedule=self.schedule if isinstance(self.schedule, Schedule) else Schedule(self.schedule))
        except ValueError as error:
            yield str(error)
