"""Fields: one column of a feature view."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from skewless.agg import Aggregate
from skewless.model.checks import name_problems
from skewless.model.origin import freeze
from skewless.types import DType

NUMBERS = ("int32", "int64", "float32", "float64")
RECKONED = ("sum", "avg", "stddev", "quantile")  # aggregates of numbers


@dataclass(frozen=True, kw_only=True)
class Field:
    """One feature of a view.

    value    None: the source column of the field's own name; a string: a Spark SQL expression over the
             source's columns; or an aggregate from `skewless.agg`
    default  of the field's dtype; replaces a null result, in training and online, for known and unknown
             entities
    """

    name: str
    dtype: DType
    value: str | Aggregate | None = None
    default: Any = None
    description: str = ""

    def __post_init__(self) -> None:
        """Keep a default as its dtype holds it; one that does not fit stays, for `problems` to tell."""
        if isinstance(self.dtype, DType) and self.default is not None and self.dtype.accepts(self.default):
            freeze(self, default=self.dtype.canonical(self.default))

    @property
    def expression(self) -> str | None:
        """What is read of each row, as SQL: an expression or a column; None for a count of rows."""
        if isinstance(self.value, Aggregate):
            return self.value.column
        return f"`{self.name}`" if self.value is None else self.value

    @property
    def aggregate(self) -> Aggregate | None:
        """The aggregate, unless the field passes a row's value through."""
        return self.value if isinstance(self.value, Aggregate) else None

    @property
    def where(self) -> str | None:
        """The aggregate's row filter, as SQL."""
        return self.value.where if isinstance(self.value, Aggregate) else None

    @property
    def of_no_rows(self) -> Any:
        """The field's value for an entity without visible rows."""
        nothing = self.aggregate.result_of_nothing if self.aggregate else None
        return self.default if nothing is None else self.dtype.canonical(nothing)

    @property
    def of_nothing_known(self) -> Any:
        """The field's value in an expired view."""
        return self.default

    def problems(self) -> Iterator[str]:
        """Every mistake that can be seen without the source."""
        yield from name_problems("field", self.name)
        if not isinstance(self.dtype, DType):
            yield (
                f"field {self.name!r} has dtype {self.dtype!r}, which the online store cannot carry; "
                "use one of skewless.types, e.g. Float32"
            )
            return
        if self.default is not None and not self.dtype.accepts(self.default):
            yield f"field {self.name!r}: default {self.default!r} is no {self.dtype}"
        if isinstance(self.value, Aggregate):
            yield from (f"field {self.name!r}: {problem}" for problem in self._aggregate_problems(self.value))
        elif self.value is not None and not (isinstance(self.value, str) and self.value.strip()):
            yield f"field {self.name!r}: value={self.value!r} is neither SQL nor an aggregate from agg"

    def _aggregate_problems(self, aggregate: Aggregate) -> Iterator[str]:
        yield from aggregate.problems()
        element = self.dtype.element
        if aggregate.function == "last_n":
            if element is None:
                yield f"last_n gives an array, not a {self.dtype}; use dtype=Array({self.dtype.name.capitalize()})"
            elif aggregate.nulls == "zero" and element.name not in NUMBERS:
                yield f"nulls='zero' is for numbers, not for a {element}; use 'skip' or 'forward_fill'"
            return
        if self.dtype.name in NUMBERS:
            return
        if aggregate.function in ("count", "count_distinct", *RECKONED):
            yield f"{aggregate.function} gives a number, not a {self.dtype}"
        elif aggregate.nulls == "zero":
            yield f"nulls='zero' is for numbers, not for a {self.dtype}; use 'skip' or 'forward_fill'"
