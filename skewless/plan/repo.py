"""A folder of definitions as one value, with every mistake in it told at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from skewless.errors import DefinitionError, Problem, UsageError, did_you_mean
from skewless.model import Definition, DeltaSource, Entity, FeatureService, FeatureView, TrainingSet
from skewless.plan.checking import check, unknown_field
from skewless.plan.loading import load_modules

T = TypeVar("T")
Features = str | FeatureView | FeatureService | Sequence[str | FeatureView]


@dataclass(frozen=True, slots=True)
class Selection:
    """Some fields of one view, in the order in which they were asked for."""

    view: FeatureView
    fields: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a result: `<view>__<field>`."""
        return tuple(f"{self.view.name}__{name}" for name in self.fields)


@dataclass(frozen=True)
class Repo:
    """Every definition of a folder, by name; `problems` are the mistakes for which others are not here."""

    views: Mapping[str, FeatureView]
    services: Mapping[str, FeatureService]
    training_sets: Mapping[str, TrainingSet]
    sources: Mapping[str, DeltaSource]
    entities: Mapping[str, Entity]
    problems: tuple[Problem, ...] = ()

    def view(self, name: str) -> FeatureView:
        """The view of that name; UsageError if there is none, DefinitionError if it is wrong."""
        return self._named(self.views, "feature view", name)

    def service(self, name: str) -> FeatureService:
        """The service of that name; UsageError if there is none, DefinitionError if it is wrong."""
        return self._named(self.services, "feature service", name)

    def training_set(self, name: str) -> TrainingSet:
        """The training set of that name; UsageError if there is none, DefinitionError if it is wrong."""
        return self._named(self.training_sets, "training set", name)

    def _named(self, known: Mapping[str, T], kind: str, name: str) -> T:
        if name in known:
            return known[name]
        if own := [problem for problem in self.problems if problem.name == name]:
            raise DefinitionError(own)
        wrong = "".join(f"\n  {problem}" for problem in self.problems)
        maybe = f"\nIt may be in a file that is wrong:{wrong}" if wrong else ""
        raise UsageError(_unknown(known, kind, name) + maybe)

    def resolve(self, features: Features) -> tuple[Selection, ...]:
        """The fields that are asked for, by view, in the order of first mention.

        features  a service or its name; or a list of `"view:feature"`, names of views, and views; one of
                  these alone may stand without a list

        Raises UsageError for an unknown name, for a feature that is asked for twice, and for none at all.
        """
        chosen: dict[str, Selection] = {}
        for item in self._items(features):
            found = self._selection(item)
            before = chosen.get(found.view.name, Selection(found.view, ()))
            chosen[found.view.name] = _joined(before, found)
        if not chosen:
            raise UsageError(
                "no features are asked for; name a feature service, views, or 'view:feature' names"
            )
        return tuple(chosen.values())

    def _items(self, features: Features) -> Sequence[str | FeatureView]:
        if isinstance(features, FeatureService):
            return features.features
        if isinstance(features, FeatureView):
            return (features,)
        if not isinstance(features, str):
            return features
        if ":" in features or features in self.views:
            return (features,)
        if features not in self.services:
            raise UsageError(_unknown({**self.views, **self.services}, "feature service or view", features))
        return self.services[features].features

    def _selection(self, item: str | FeatureView) -> Selection:
        if isinstance(item, FeatureView):
            return Selection(item, tuple(item.fields))
        if not isinstance(item, str):
            raise UsageError(f"{item!r} is neither a feature view nor a 'view:feature' name")
        view_name, colon, name = item.partition(":")
        if item in self.services:
            raise UsageError(f"{item!r} is a feature service, which is asked for alone; or name its views")
        view = self.view(view_name)
        if not colon:
            return Selection(view, tuple(view.fields))
        if name not in view.fields:
            raise UsageError(unknown_field(view, name))
        return Selection(view, (name,))


def load_repo(folder: str | Path) -> Repo:
    """Load a folder of definitions; DefinitionError with every mistake, UsageError if it is not there."""
    repo, problems = check_repo(folder)
    if problems:
        raise DefinitionError(problems)
    return repo


def check_repo(folder: str | Path) -> tuple[Repo, tuple[Problem, ...]]:
    """Load what is good of a folder, and tell every mistake: one bad view does not stop the others."""
    place = Path(folder).resolve()
    loaded = load_modules(place)
    good, problems = check(loaded.definitions)
    told = sorted({_relative(problem, place.parent) for problem in (*loaded.problems, *problems)})
    return replace(_repo_of(good), problems=tuple(told)), tuple(told)


def _relative(problem: Problem, parent: Path) -> Problem:
    """The file as the author knows it, from the folder's parent; files from elsewhere in full."""
    file = Path(problem.file)
    shown = file.relative_to(parent).as_posix() if file.is_relative_to(parent) else problem.file
    return Problem(shown, problem.line, problem.name, problem.message)


def _repo_of(definitions: Sequence[Definition]) -> Repo:
    def by_name(kind: type[T]) -> dict[str, T]:
        found: list[Any] = [item for item in definitions if isinstance(item, kind)]
        return {item.name: item for item in found}

    return Repo(
        by_name(FeatureView),
        by_name(FeatureService),
        by_name(TrainingSet),
        by_name(DeltaSource),
        by_name(Entity),
    )


def _unknown(known: Mapping[str, Any], kind: str, name: str) -> str:
    listed = ", ".join(sorted(known)) or "none"
    return f"there is no {kind} {name!r}{did_you_mean(name, known)}; there are: {listed}"


def _joined(before: Selection, found: Selection) -> Selection:
    name = found.view.name
    if found.view != before.view:
        raise UsageError(
            f"two different views are named {name!r}; load the folder again, or rename one of them"
        )
    twice = [item for item in found.fields if item in before.fields]
    if twice:
        raise UsageError(f"{name}:{twice[0]} is asked for twice; name each feature once")
    return Selection(found.view, before.fields + found.fields)
