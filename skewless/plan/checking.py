"""What is wrong with definitions that stand together, and which of them are good."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePath

from skewless.errors import Problem, did_you_mean
from skewless.model import (
    AliasedView,
    Definition,
    DeltaSource,
    Entity,
    FeatureService,
    FeatureView,
    Field,
    TrainingSet,
)
from skewless.model.origin import located
from skewless.plan import sql

KINDS: dict[type, str] = {
    Entity: "entity",
    DeltaSource: "source",
    FeatureView: "feature view",
    AliasedView: "alias",
    FeatureService: "feature service",
    TrainingSet: "training set",
}
_ASKED_FOR = FeatureView | AliasedView
_Views = Mapping[str, _ASKED_FOR]


def check(definitions: Sequence[Definition]) -> tuple[list[Definition], list[Problem]]:
    """The good definitions, and every mistake in the others.

    A definition is good when nothing is wrong with it or with those that it is made of. Of several views,
    services or training sets with one name none is good: nobody can say which is meant.
    """
    everything = _with_parts(definitions)
    groups = _by_shared_name(everything)
    mistakes = [(item, text) for item in everything for text in _own_problems(item)]
    mistakes += [mistake for items in groups for mistake in _clashes(items)]
    views = {item.name: item for items in groups for item in reversed(items) if isinstance(item, _ASKED_FOR)}
    mistakes += [(item, text) for item in everything for text in _reference_problems(item, views)]
    bad = {id(item) for item, _ in mistakes} | {id(item) for items in groups for item in _ambiguous(items)}
    good = [item for item in everything if _is_good(item, bad, views)]
    return good, [located(item, text) for item, text in mistakes]


def unknown_field(view: FeatureView | AliasedView, name: str) -> str:
    """What to say of a field that a view does not have."""
    return (
        f"{KINDS[type(view)]} {view.name!r} has no field {name!r}{did_you_mean(name, view.fields)}; "
        f"it has: {', '.join(view.fields)}"
    )


def _parts(item: Definition, views: _Views) -> Iterator[Definition]:
    """What a definition is made of; where its author went wrong, anything at all."""
    if isinstance(item, FeatureView):
        yield item.source
        yield from item.entities
    elif isinstance(item, AliasedView):
        yield item.view
    elif isinstance(item, TrainingSet):
        yield from (item.service, item.spine)
    elif isinstance(item, FeatureService):
        named = (part if isinstance(part, _ASKED_FOR) else _view_named(part, views) for part in item.features)
        yield from (part for part in named if part is not None)


def _view_named(reference: object, views: _Views) -> FeatureView | AliasedView | None:
    return views.get(reference.partition(":")[0]) if isinstance(reference, str) else None


def _with_parts(definitions: Iterable[Definition]) -> list[Definition]:
    """Definitions and all that they are made of, each once: a part may have been made before this load."""
    found: dict[int, Definition] = {}
    waiting = list(definitions)
    while waiting:
        item = waiting.pop(0)
        if type(item) in KINDS and id(item) not in found:
            found[id(item)] = item
            waiting += _parts(item, {})
    return list(found.values())


def _is_good(item: Definition, bad: set[int], views: _Views) -> bool:
    parts = (part for part in _parts(item, views) if type(part) in KINDS)
    return id(item) not in bad and all(_is_good(part, bad, views) for part in parts)


def _own_problems(item: Definition) -> Iterator[str]:
    yield from item.problems()
    if isinstance(item, FeatureView):
        for each in (each for each in item.schema if isinstance(each, Field)):
            texts = {"value": each.expression if each.value is not None else None, "where": each.where}
            for argument, text in texts.items():
                if isinstance(text, str) and text.strip():
                    yield from (
                        f"field {each.name!r}: {argument} {problem}" for problem in sql.problems(text)
                    )


def _reference_problems(item: Definition, views: _Views) -> Iterator[str]:
    """Features of a service that no view has."""
    if not isinstance(item, FeatureService):
        return
    for reference in item.features:
        if not isinstance(reference, str) or reference.count(":") != 1:
            continue
        view_name, _, name = reference.partition(":")
        if view_name not in views:
            yield f"{reference!r}: there is no feature view {view_name!r}{did_you_mean(view_name, views)}"
        elif name not in views[view_name].fields:
            yield f"{reference!r}: {unknown_field(views[view_name], name)}"


def _by_shared_name(everything: Sequence[Definition]) -> list[list[Definition]]:
    """Definitions whose names are equal but for case, in the order of file and line.

    Views, aliases and services are asked for in one place, so they are one kind.
    """
    groups: dict[tuple[str, str], list[Definition]] = {}
    for item in sorted(everything, key=lambda item: (item.origin.file, item.origin.line)):
        kind = "feature" if isinstance(item, _ASKED_FOR | FeatureService) else KINDS[type(item)]
        groups.setdefault((kind, str(item.name).lower()), []).append(item)
    return list(groups.values())


def _clashes(items: Sequence[Definition]) -> Iterator[tuple[Definition, str]]:
    """Each definition of a name but the first is told of; equal sources, entities or aliases may stand twice."""
    first, *others = items
    kind, place = KINDS[type(first)], f"{PurePath(first.origin.file).name}:{first.origin.line}"
    for item in others:
        if isinstance(item, Entity | DeltaSource | AliasedView) and item == first:
            continue
        if isinstance(item, AliasedView) and item.view is first:
            continue  # it tells so itself
        if item.name == first.name:
            yield item, f"the name is taken by the {kind} of {place}; names must differ"
        else:
            yield item, f"the name differs only in case from the {kind} {first.name!r} of {place}; rename one"


def _ambiguous(items: Sequence[Definition]) -> Sequence[Definition]:
    """Definitions that run or are asked for under a name that another has too."""
    first, *others = items
    equal = isinstance(first, AliasedView) and all(item == first for item in others)
    one_may_stand = not others or equal or isinstance(first, Entity | DeltaSource)
    return () if one_may_stand else items
