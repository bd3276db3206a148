"""Feature services and training sets: what models use and learn from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import cast

from skewless.model.alias import AliasedView
from skewless.model.checks import (
    as_instant,
    as_schedule,
    as_tuple,
    duration_problems,
    name_problems,
    schedule_problems,
    start_problems,
)
from skewless.model.expectation import Expectation
from skewless.model.origin import Origin, freeze, settle
from skewless.model.source import DeltaSource
from skewless.model.view import FeatureView
from skewless.timeline import Schedule


@dataclass(frozen=True, kw_only=True)
class FeatureService:
    """A named list of features that a model uses: views, aliased views, or `"view:feature"` names."""

    name: str
    features: Sequence[FeatureView | AliasedView | str]
    owner: str = ""
    tags: Sequence[str] = ()
    description: str = ""
    origin: Origin = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Freeze and check."""
        freeze(self, origin=Origin.of_caller(), features=as_tuple(self.features), tags=as_tuple(self.tags))
        settle(self)

    @property
    def references(self) -> tuple[str, ...]:
        """Every feature as `view:feature`, in the order of the service."""
        return tuple(reference for item in self.features for reference in _references(item))

    def problems(self) -> Iterator[str]:
        """Every mistake that can be seen without the other definitions."""
        yield from name_problems("feature service", self.name)
        if not self.features:
            yield "the service has no features; give it views or 'view:feature' names"
            return
        for item in self.features:
            named = isinstance(item, str) and item.count(":") == 1
            if not named and not isinstance(item, FeatureView | AliasedView):
                yield f"{item!r} is neither a feature view nor a 'view:feature' name"
                return
        if len(set(self.references)) < len(self.references):
            twice = sorted({name for name in self.references if self.references.count(name) > 1})
            yield f"the service lists {', '.join(twice)} twice"


def _references(item: FeatureView | AliasedView | str) -> list[str]:
    return [item] if isinstance(item, str) else [f"{item.name}:{name}" for name in item.fields]


@dataclass(frozen=True, kw_only=True)
class TrainingSet:
    """A spine joined with a feature service, built on a schedule into a Delta table with a manifest.

    label_delay     how long after an interval's end its labels are known
    settle_timeout  how long to wait for the snapshots that the labels can see
    """

    name: str
    service: FeatureService
    spine: DeltaSource
    schedule: Schedule | str = "@daily"
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
            self,
            origin=Origin.of_caller(),
            schedule=as_schedule(self.schedule),
            expectations=as_tuple(self.expectations),
            start=as_instant(self.start),
            tags=as_tuple(self.tags),
        )
        settle(self)

    @property
    def timetable(self) -> Schedule:
        """The schedule, which may have been written as a string."""
        return cast(Schedule, self.schedule)

    def problems(self) -> Iterator[str]:
        """Every mistake that can be seen without the other definitions."""
        yield from name_problems("training set", self.name)
        if not isinstance(self.service, FeatureService):
            yield f"service={self.service!r} is no FeatureService"
        if not isinstance(self.spine, DeltaSource):
            yield f"spine={self.spine!r} is no DeltaSource"
        yield from duration_problems(self, "label_delay", "settle_timeout", least=timedelta(0))
        yield from start_problems(self)
        yield from schedule_problems(self.schedule)
        if not all(isinstance(item, Expectation) for item in self.expectations):
            yield f"expectations={list(self.expectations)!r} holds something that is no Expectation"
        elif isinstance(self.service, FeatureService) and not any(self.service.problems()):
            yield from self._expectation_problems()

    def _expectation_problems(self) -> Iterator[str]:
        """The columns of the spine are known when it is read; a `view__feature` is known now."""
        features = [reference.replace(":", "__") for reference in self.service.references]
        views = {reference.partition(":")[0] for reference in self.service.references}
        for expectation in self.expectations:
            others = [name for name in expectation.columns if str(name).partition("__")[0] not in views]
            yield from expectation.problems((*features, *others))
