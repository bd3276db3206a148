"""Where a definition was written, and how its mistakes are told."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skewless.errors import DefinitionError, Problem

# Frames that are not the author's: this package, generated constructors, `dataclasses.replace`.
_NOT_THE_AUTHOR = (str(Path(__file__).resolve().parent.parent) + os.sep, "<string>", dataclasses.__file__)


@dataclass(frozen=True, slots=True)
class Origin:
    """The file and line of the call that made a definition."""

    file: str
    line: int

    @classmethod
    def of_caller(cls) -> Origin:
        """The nearest frame that the author wrote."""
        frame = sys._getframe(1)
        while frame.f_back and frame.f_code.co_filename.startswith(_NOT_THE_AUTHOR):
            frame = frame.f_back
        return cls(frame.f_code.co_filename, frame.f_lineno)


_collected: ContextVar[list[Any] | None] = ContextVar("skewless_collected", default=None)


@contextmanager
def collecting() -> Iterator[list[Any]]:
    """While open, definitions gather in the list instead of raising, so that all mistakes are told at once.

    Whoever collects asks each definition for its `problems()`.
    """
    definitions: list[Any] = []
    token = _collected.set(definitions)
    try:
        yield definitions
    finally:
        _collected.reset(token)


def settle(definition: Any) -> None:
    """End a definition's construction: hand it to whoever collects, or raise what is wrong with it."""
    definitions = _collected.get()
    if definitions is not None:
        definitions.append(definition)
    elif problems := [located(definition, text) for text in definition.problems()]:
        raise DefinitionError(problems)


def located(definition: Any, text: str) -> Problem:
    """A mistake in a definition, with the place where the definition stands."""
    origin: Origin = definition.origin
    return Problem(origin.file, origin.line, str(definition.name), text)


def freeze(definition: Any, **values: Any) -> None:
    """Set attributes of a frozen dataclass while it is being made."""
    for name, value in values.items():
        object.__setattr__(definition, name, value)
