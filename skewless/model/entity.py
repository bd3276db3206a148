"""Entities: what features describe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from skewless.model.checks import as_tuple, name_problems
from skewless.model.origin import Origin, freeze, settle


@dataclass(frozen=True, kw_only=True)
class Entity:
    """What a feature describes, with one or more join keys (strings or integers, as the source has them)."""

    name: str
    join_keys: Sequence[str] = ()
    description: str = ""
    origin: Origin = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Freeze the keys; without any, the entity's name is its key."""
        freeze(self, origin=Origin.of_caller(), join_keys=as_tuple(self.join_keys) or (self.name,))
        settle(self)

    def problems(self) -> Iterator[str]:
        """Every mistake in it."""
        yield from name_problems("entity", self.name)
        for key in self.join_keys:
            if not isinstance(key, str) or not key or key.startswith("_"):
                yield f"join key {key!r} is not a column name; columns that start with '_' belong to Skewless"
        if len({str(key).lower() for key in self.join_keys}) < len(self.join_keys):
            yield f"join keys {list(self.join_keys)} repeat a column"
