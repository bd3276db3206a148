"""The entities of a request, however they were given: one, several, or columns."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from skewless.errors import UsageError
from skewless.online.keys import KeyKind, entity_key

Given = Mapping[str, Any] | Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Entities:
    """Join keys, and whatever else stands beside them, by columns of one length, or as rows."""

    count: int
    columns: Mapping[str, list[Any]] | None
    rows: Sequence[Mapping[str, Any]]

    @classmethod
    def of(cls, given: Given) -> Entities:
        """Take one entity, a dict of join keys; a list of them; or a dict of columns: lists, numpy or Arrow arrays.

        UsageError for anything else, and for columns of several lengths.
        """
        if not isinstance(given, Mapping):
            rows = given if isinstance(given, Sequence) and not isinstance(given, str | bytes) else [given]
            for row in rows:
                if not isinstance(row, Mapping):
                    raise UsageError(
                        f"{row!r} is no entity; an entity is a dict of join keys, {{'user_id': 7}}"
                    )
            return cls(len(rows), None, [dict(row) for row in rows])
        columns = {name: _listed(value) for name, value in given.items()}
        lengths = {None if column is None else len(column) for column in columns.values()}
        if lengths <= {None}:
            return cls(1, None, [dict(given)])
        if len(lengths) > 1:
            raise UsageError(
                f"the columns of the entities are not of one length: {_lengths(given, columns)}; one entity that has a "
                "list among its values is written as a list of one dict"
            )
        (count,) = lengths
        return cls(count or 0, {name: column or [] for name, column in columns.items()}, ())

    def column(self, name: str) -> list[Any] | None:
        """The values of a join key, one for each entity; None where an entity lacks it."""
        if self.columns is not None:
            return self.columns.get(name)
        try:
            return [row[name] for row in self.rows]
        except KeyError:
            return None

    def columns_of(self, names: Sequence[str]) -> list[list[Any]] | None:
        """The values of several join keys; None where an entity lacks one of them."""
        found = [column for column in map(self.column, names) if column is not None]
        return found if len(found) == len(names) else None

    def as_rows(self) -> list[dict[str, Any]]:
        """The entities as dicts of their own."""
        if self.columns is None:
            return [dict(row) for row in self.rows]
        return [
            dict(zip(self.columns, values, strict=True))
            for values in zip(*self.columns.values(), strict=True)
        ]

    def first_without(self, names: Sequence[str]) -> Any:
        """What was given of the first entity that lacks one of the names."""
        if self.columns is not None:
            return f"there are {', '.join(self.columns)}"
        return next(dict(row) for row in self.rows if any(name not in row for name in names))


def entity_keys(prefix: str, columns: Sequence[list[Any]], kinds: Sequence[KeyKind]) -> list[str | None]:
    """Give the prefix and each entity's key; None for an entity that has none, since one of its values is null.

    UsageError when a value is not of its kind.
    """
    if len(kinds) == 1 and kinds[0] is KeyKind.INTEGER and set(map(type, columns[0])) == {int}:
        with contextlib.suppress(ValueError):  # of a number too long for text, which is told below
            return [f"{prefix}{value}" for value in columns[0]]  # nothing in a number need be escaped
    keys = (entity_key(values, kinds) for values in zip(*columns, strict=True))
    return [None if key is None else prefix + key for key in keys]


def _listed(value: Any) -> list[Any] | None:
    """A column as a list; None for what is one value."""
    if isinstance(value, list | tuple):
        return list(value)
    convert = getattr(value, "to_pylist", None) or getattr(value, "tolist", None)
    listed = convert() if convert else None
    return listed if isinstance(listed, list) else None  # a numpy scalar has a tolist, too


def _lengths(given: Mapping[str, Any], columns: Mapping[str, list[Any] | None]) -> str:
    told = (
        f"{name} is {given[name]!r}" if it is None else f"{name} has {len(it)}"
        for name, it in columns.items()
    )
    return ", ".join(told)
