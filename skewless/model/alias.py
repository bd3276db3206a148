"""Aliased views: the same view once more, by other keys and under another name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from skewless.errors import did_you_mean
from skewless.model.checks import name_problems
from skewless.model.origin import Origin, freeze, settle

if TYPE_CHECKING:
    from skewless.model.field import Field
    from skewless.model.view import FeatureView


@dataclass(frozen=True, kw_only=True)
class AliasedView:
    """A view that is looked up by other columns than its join keys; made by `FeatureView.aliased`.

    name  what its features are asked for by, and named after: `<name>__<field>`
    keys  by join key of the view, the column that stands for it; a key that is not named stands for itself
    """

    name: str
    view: FeatureView
    keys: Mapping[str, str] = field(hash=False)
    origin: Origin = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Freeze and check."""
        keys = MappingProxyType(dict(self.keys)) if isinstance(self.keys, Mapping) else self.keys
        freeze(self, origin=Origin.of_caller(), keys=keys)
        settle(self)

    @property
    def join_keys(self) -> tuple[str, ...]:
        """The columns that it is looked up by, in the order of the view's join keys."""
        return tuple(self.keys.get(key, key) for key in self.view.join_keys)

    @property
    def fields(self) -> dict[str, Field]:
        """The view's fields by name."""
        return self.view.fields

    def problems(self) -> Iterator[str]:
        """Every mistake that can be seen without the other definitions."""
        yield from name_problems("alias", self.name)
        if str(self.name).lower() == str(self.view.name).lower():
            yield f"an alias needs a name of its own, and {self.name!r} is the view's"
        if not isinstance(self.keys, Mapping) or not self.keys:
            key = next(iter(self.view.join_keys), "origin")
            given = dict(self.keys) if isinstance(self.keys, Mapping) else self.keys
            yield f"keys={given!r} names no join key; say which column stands for which, e.g. {{{key!r}: 'other'}}"
            return
        columns = list(self._column_problems())
        yield from columns
        if not columns and len({name.lower() for name in self.join_keys}) < len(self.join_keys):
            yield f"its keys would be {', '.join(self.join_keys)}; each join key needs a column of its own"

    def _column_problems(self) -> Iterator[str]:
        known = self.view.join_keys
        for key, column in self.keys.items():
            if key not in known:
                yield (
                    f"feature view {self.view.name!r} has no join key {key!r}{did_you_mean(str(key), known)}; "
                    f"its keys are {', '.join(known)}"
                )
            if not isinstance(column, str) or not column or column.startswith("_"):
                yield f"{column!r} is not a column name; columns that start with '_' belong to Skewless"
