"""Expectations: what must hold of a revision before readers get it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from skewless.errors import did_you_mean

SEVERITIES = ("critical", "warning")


@dataclass(frozen=True, init=False)
class Expectation:
    """A Great Expectations expectation, by its snake_case name, with its arguments.

    severity  "critical" blocks the publish; "warning" is recorded and shown
    """

    type: str
    severity: str
    arguments: tuple[tuple[str, Any], ...]

    def __init__(self, type: str, /, *, severity: str = "critical", **arguments: Any) -> None:
        """Freeze the arguments, in the order of their names."""
        object.__setattr__(self, "type", type)
        object.__setattr__(self, "severity", severity)
        frozen = ((name, tuple(it) if isinstance(it, list) else it) for name, it in arguments.items())
        object.__setattr__(self, "arguments", tuple(sorted(frozen)))

    @property
    def kwargs(self) -> dict[str, Any]:
        """The arguments as Great Expectations takes them."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in self.arguments}

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it speaks of."""
        named = [value for name, value in self.arguments if name in ("column", "column_A", "column_B")]
        lists = [value for name, value in self.arguments if name in ("column_list", "column_set")]
        return (*named, *(column for columns in lists for column in columns))

    def problems(self, columns: tuple[str, ...]) -> Iterator[str]:
        """Every mistake that can be seen without data; `columns` are the keys and fields of the view."""
        if not isinstance(self.type, str) or not re.fullmatch(r"expect_[a-z_]+", self.type):
            yield f"expectation {self.type!r} is no name like 'expect_column_values_to_not_be_null'"
        if self.severity not in SEVERITIES:
            yield f"{self.type}: severity {self.severity!r} is unknown; use 'critical' or 'warning'"
        for column in self.columns:
            if column not in columns:
                yield f"{self.type}: there is no column {column!r}{did_you_mean(column, columns)}"
