"""What authors may write in more than one way, and the checks that several kinds of definition share."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from skewless.timeline import Schedule, utc

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def as_tuple(value: Any) -> tuple[Any, ...]:
    """A sequence as a tuple; anything else, a string too, as the only item of one."""
    return tuple(value) if isinstance(value, list | tuple | set | frozenset) else (value,)


def as_schedule(value: Any) -> Any:
    """The schedule that a string means; what means none stays as it is, for `problems` to tell."""
    try:
        return Schedule(value) if isinstance(value, str) else value
    except ValueError:
        return value


def as_instant(value: Any) -> Any:
    """A datetime in UTC; what is none stays as it is, for `problems` to tell."""
    return utc(value) if isinstance(value, datetime) else value


def name_problems(kind: str, name: Any) -> Iterator[str]:
    """Names are `[A-Za-z][A-Za-z0-9_]*` without `__`, which separates view and field in results."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        yield f"{kind} name {name!r} is not a name; use a letter, then letters, digits and single underscores"
    elif "__" in name:
        yield f"{kind} name {name!r} has '__', which separates view and field in results; use one underscore"


def duration_problems(definition: Any, *names: str, least: timedelta = timedelta.resolution) -> Iterator[str]:
    """Each named attribute is None or a timedelta of at least `least`: 0, or else anything longer."""
    for name in names:
        value = getattr(definition, name)
        if value is not None and not isinstance(value, timedelta):
            yield f"{name} is {value!r}; give a timedelta, e.g. timedelta(minutes=15)"
        elif value is not None and value < least:
            yield f"{name} is {value}; it must be {'longer than zero' if least else 'zero or longer'}"


def start_problems(definition: Any) -> Iterator[str]:
    """`start` is None or an instant."""
    if definition.start is not None and not isinstance(definition.start, datetime):
        yield f"start is {definition.start!r}; give a datetime, e.g. datetime(2013, 7, 1, tzinfo=UTC)"


def schedule_problems(value: Any) -> Iterator[str]:
    """A definition's schedule became a `Schedule`, or here is why it did not."""
    if not isinstance(value, Schedule):
        try:
            Schedule(value)
        except ValueError as error:
            yield str(error)
