"""A folder of definitions as one value, with every mistake in it told at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from skewless.errors import DefinitionError, Problem, UsageError, did_you_mean
from skewless.model import (
    AliasedView,
    Definition,
    DeltaSource,
    Entity,
    FeatureService,
    FeatureView,
    TrainingSet,
)
from skewless.plan.checking import KINDS, check, unknown_field
from skewless.plan.loading import load_modules

T = TypeVar("T")
Feature = str | FeatureView | AliasedView
Features = Feature | FeatureService | Sequence[Feature]


@dataclass(frozen=True, slots=True)
class Selection:
    """Some fields of one view, in the order in which they were asked for.

    prefix  the view's name, or its alias
    keys    the columns that it is looked up by, in the order of the view's join keys
    """

    view: FeatureView
    fields: tuple[str, ...]
    prefix: str
    keys: tuple[str, ...]

    @classmethod
    def of(cls, item: FeatureView | AliasedView, fields: Iterable[str] | None = None) -> Selection:
        """Those fields of a view or of an aliased one; without any said, all of them."""
        view = item.view if isinstance(item, AliasedView) else item
        return cls(view, tuple(view.fields if fields is None else fields), item.name, item.join_keys)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a result: `<prefix>__<field>`."""
        return tuple(f"{self.prefix}__{name}" for name in self.fields)


@dataclass(frozen=True)
class Repo:
    """Every definition of a folder, by name; `problems` are the mistakes for which others are not here."""

    views: Mapping[str, FeatureView]
    services: Mapping[str, FeatureService]
    training_sets: Mapping[str, TrainingSet]
    sources: Mapping[str, DeltaSource]
    entities: Mapping[str, Entity]
    problems: tuple[Problem, ...] = ()
    aliases: Mapping[str, AliasedView] = field(default_factory=dict)

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

        features  a service or its name; or a list of `"view:feature"`, names of views and aliases, views,
                  and aliased views; one of these alone may stand without a list

        Raises UsageError for an unknown name, for a feature that is asked for twice, for two that would have one
        name, and for none at all; DefinitionError for what is wrong with views that are given as values.
        """
        items, chosen = self._items(features), dict[str, Selection]()
        _demand_good(items)
        for item in items:
            found = self._selection(item)
            name = found.prefix.lower()
            chosen[name] = _joined(chosen.get(name, replace(found, fields=())), found)
        if not chosen:
            raise UsageError(
                "no features are asked for; name a feature service, views, or 'view:feature' names"
            )
        return tuple(chosen.values())

    def _items(self, features: Features) -> Sequence[Feature]:
        if isinstance(features, FeatureService):
            return features.features
        if isinstance(features, FeatureView | AliasedView):
            return (features,)
        if not isinstance(features, str):
            return tuple(features)
        if ":" in features or features in self._asked_for:
            return (features,)
        if features not in self.services:
            known = {**self._asked_for, **self.services}
            raise UsageError(_unknown(known, "feature service or view", features))
        return self.services[features].features

    @property
    def _asked_for(self) -> dict[str, FeatureView | AliasedView]:
        return {**self.views, **self.aliases}

    def _selection(self, item: Feature) -> Selection:
        if isinstance(item, FeatureView | AliasedView):
            self._demand_own_name(item)
            return Selection.of(item)
        if not isinstance(item, str):
            raise UsageError(f"{item!r} is neither a feature view nor a 'view:feature' name")
        view_name, colon, name = item.partition(":")
        if item in self.services:
            raise UsageError(f"{item!r} is a feature service, which is asked for alone; or name its views")
        view = self._named(self._asked_for, "feature view", view_name)
        if not colon:
            return Selection.of(view)
        if name not in view.fields:
            raise UsageError(unknown_field(view, name))
        return Selection.of(view, [name])

    def _demand_own_name(self, item: FeatureView | AliasedView) -> None:
        """A view may come in the stead of the deployed one; an alias by a view's name would only mislead."""
        kinds: dict[str, Mapping[str, Any]] = {"feature service": self.services}
        kinds |= {"alias": self.aliases} if isinstance(item, FeatureView) else {"feature view": self.views}
        for kind, known in kinds.items():
            for name in (name for name in known if name.lower() == item.name.lower()):
                raise UsageError(
                    f"{KINDS[type(item)]} {item.name!r} has the name of the {kind} {name!r}; rename it"
                )


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
        aliases=by_name(AliasedView),
    )


def _unknown(known: Mapping[str, Any], kind: str, name: str) -> str:
    listed = ", ".join(sorted(known)) or "none"
    return f"there is no {kind} {name!r}{did_you_mean(name, known)}; there are: {listed}"


def _demand_good(items: Iterable[Feature]) -> None:
    """What the loader checks of a definition that is more than its own, for those made in a notebook."""
    given = [item for item in items if isinstance(item, FeatureView | AliasedView)]
    if problems := {problem for item in given for problem in check([item])[1]}:
        raise DefinitionError(sorted(problems))


def _joined(before: Selection, found: Selection) -> Selection:
    name = found.prefix
    if (found.prefix, found.view, found.keys) != (before.prefix, before.view, before.keys):
        raise UsageError(
            f"two different views are named {name!r}; load the folder again, or rename one of them"
        )
    twice = [item for item in found.fields if item in before.fields]
    if twice:
        raise UsageError(f"{name}:{twice[0]} is asked for twice; name each feature once")
    return replace(found, fields=before.fields + found.fields)
