"""A view's `transform`: run before any time logic, and only if its plan keeps to one row of the source at a time.

A function that saw other rows, the clock or chance could see the future. So the plan that Spark makes of it is read:
it may hold projections, filters and generators over the rows that the function is given, and nothing else. It must be
the same plan where the source has no rows, or the function looked at them while it made the plan.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from skewless.errors import DataError, did_you_mean, first_line
from skewless.model import FeatureView
from skewless.offline.plans import Refused, analyzed, demand_rowwise
from skewless.offline.source import quoted

_checked: set[tuple[Any, ...]] = set()  # a plan depends on the function and on the types of the columns


def transformed(view: FeatureView, rows: DataFrame, kept: tuple[str, ...]) -> DataFrame:
    """The rows as the view's function makes them.

    kept  columns that must come out as they went in: times, and what is known of the rows already

    DataError where the function fails, keeps to no single row, or loses a column.
    """
    function, origin = view.transform, view.origin
    where = f"{origin.file}:{origin.line}: feature view {view.name!r}: its transform"
    with _told(where):
        made = _call(function, rows)
        known = (function, kept, rows.schema.json())
        _demand_columns(made, (*kept, *view.join_keys))
        if known not in _checked:
            _check(function, rows, kept)
            _checked.add(known)
    return made


@contextmanager
def _told(where: str) -> Iterator[None]:
    try:
        yield
    except Refused as refused:
        raise DataError(f"{where} {refused}") from None
    except PySparkException as error:
        raise DataError(f"{where} is refused by Spark: {first_line(error)}") from error


def _call(function: Any, rows: DataFrame) -> DataFrame:
    try:
        made = function(rows)
    except PySparkException:
        raise
    except Exception as error:
        raise Refused(f"fails with {type(error).__name__}: {first_line(error)}") from error
    if not isinstance(made, DataFrame):
        raise Refused(f"returns a {type(made).__name__}; return the DataFrame")
    return made


def _demand_columns(made: DataFrame, wanted: tuple[str, ...]) -> None:
    for name in wanted:
        if name not in made.columns:
            raise Refused(
                f"gives no column {name!r}{did_you_mean(name, made.columns)}, which the view needs; it gives "
                f"{', '.join(made.columns)}; keep all columns with select('*', ...) or withColumn"
            )


def _check(function: Any, rows: DataFrame, kept: tuple[str, ...]) -> None:
    marker = f"skewless_{uuid.uuid4().hex}"
    of_rows, of_none = (
        _plan(function, given.select("*").where(F.lit(marker) == F.lit(marker)), kept, marker)
        for given in (rows, rows.where(F.lit(False)))
    )
    if of_rows != of_none:
        raise Refused(
            "makes another plan where the source has no rows, or each time: it reads rows, the clock or chance while "
            "it makes the plan; use column expressions of the row alone"
        )


def _plan(function: Any, given: DataFrame, kept: tuple[str, ...], marker: str) -> str:
    """The part of the plan that is the function's, with its columns numbered in order."""
    made = _call(function, given).select(*map(quoted, kept))
    lines = analyzed(made)
    above = demand_rowwise(made, lines, marker)
    (top, *_), source = lines, lines[len(above) + 1]
    for name in kept:
        number = re.search(rf"[\[ ]{re.escape(name)}#(\d+)L?[,\]]", top)
        if number is None or f"#{number[1]}" not in re.findall(r"#\d+", source):
            raise Refused(f"changes {name!r}; the columns {', '.join(kept)} must come out as they went in")
    numbers: dict[str, str] = {}
    return re.sub(r"#\d+", lambda found: numbers.setdefault(found[0], f"#{len(numbers)}"), "\n".join(above))
