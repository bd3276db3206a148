"""Where a definition was written, and how its mistakes are told."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skewless.errors import DefinitionError, Problem

_PACKAGE = str(Path(__file__).resolve().parent.parent)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Origin:
    """The file and line of the call that made a definition."""

    file: str
    line: int

    @classmethod
    def of_caller(cls) -> Origin:
        """The nearest frame outside this package (dataclass constructors count as inside)."""
        frame = sys._getframe(1)
        while frame.f_back and (frame.f_code.co_filename.startswith((_PACKAGE, "<string>"))):
            frame = frame.f_back
        return cls(frame.f_code.co_filename, frame.f_lineno)


@dataclass
class Collector:
    """What one loading of a folder has seen: every definition made, and every mistake in them."""

    definitions: list[Any]
    problems: list[Problem]


_collector: ContextVar[Collector | None] = ContextVar("skewless_collector", default=None)


@contextmanager
def collecting() -> Iterator[Collector]:
    """While open, definitions report their mistakes here instead of raising, so that all are told at once."""
    collector = Collector([], [])
    token = _collector.set(collector)
    try:
        yield collector
    finally:
        _collector.reset(token)


def settle(definition: Any, messages: Iterable[str]) -> None:
    """End a definition's construction: raise what is wrong with it, or report it to the open collector."""
    origin: Origin = definition.origin
    problems = [Problem(origin.file, origin.line, str(definition.name), message) for message in messages]
    collector = _collector.get()
    if collector is not None:
        collector.problems.extend(problems)
        collector.definitions.append(definition)
    elif problems:
        raise DefinitionError(problems)


def name_problems(kind: str, name: Any) -> Iterator[str]:
    """Names are `[A-Za-z][A-Za-z0-9_]*` without `__`, which separates view and field in results."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        yield f"{kind} name {name!r} is not a name; use a letter, then letters, digits and single underscores"
    elif "__" in name:
        yield f"{kind} name {name!r} contains '__', which separates view and field in results; use one underscore"


def freeze(definition: Any, **values: Any) -> None:
    """Set attributes of a frozen dataclass while it is being made."""
    for name, value in values.items():
        object.__setattr__(definition, name, value)
