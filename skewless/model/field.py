"""Fields: one column of a feature view."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from skewless.agg import Aggregate
from skewless.model.origin import name_problems
from skewless.types import DType

NUMBERS = ("int32", "int64", "float32", "float64")


@dataclass(frozen=True, kw_only=True)
class Field:
    """One feature of a view.

    value    None: the source column of the field's own name; a string: a Spark SQL expression over the
             source's columns; or an aggregate from `skewless.agg`
    default  of the field's dtype; replaces a null result, in training and online, for known and unknown entities
    """

    name: str
    dtype: DType
    value: str | Aggregate | None = None
    default: Any = None
    description: str = ""

    @property
    def expression(self) -> str | None:
        """What is read of each row, as SQL: the expression, the aggregate's column, or None for a count of rows."""
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
        return self._as_dtype(self.default if nothing is None else nothing)

    @property
    def of_nothing_known(self) -> Any:
        """The field's value in an expired view."""
        return self._as_dtype(self.default)

    def _as_dtype(self, value: Any) -> Any:
        return float(value) if isinstance(value, int) and self.dtype.name in ("float32", "float64") else value

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
            yield from (f"field {self.name!r}: {problem}" for problem in self.value.problems())
            if self.value.function in ("count", "sum", "avg") and self.dtype.name not in NUMBERS:
                yield f"field {self.name!r}: {self.value.function} gives a number, not a {self.dtype}"
        elif self.value is not None and not (isinstance(self.value, str) and self.value.strip()):
            yield f"field {self.name!r}: value must be an SQL expression or an aggregate from agg, not {self.value!r}"
