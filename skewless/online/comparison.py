"""Comparing what readers get with what was to be published, exactly."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from skewless.errors import OnlineError
from skewless.model import FeatureView
from skewless.online.records import Meta, Row


def demand_same(
    view: FeatureView,
    meta: Meta | None,
    names: Sequence[str],
    rows: Sequence[Row | None],
    read: Sequence[Row | None],
) -> None:
    """Raise OnlineError unless every row, and both constant rows, are read as they were to be published."""
    wanted = [constant_row(view, view.absent_row), constant_row(view, view.expired_row), *rows]
    found = [meta and meta.absent, meta and meta.expired, *read]
    for name, row, got in zip(["absent", "expired", *names], wanted, found, strict=True):
        if identity(row) != identity(got):
            raise OnlineError(
                f"{view.name!r}: a reader would get {got} for {name!r}, and the row is {row}; nothing was "
                "published. Did something else write the view's keys? If not, please report a bug in skewless"
            )


def constant_row(view: FeatureView, row: Row) -> Row:
    """A row of the definition as a column of its dtypes holds it: a float32 keeps 24 bits of its digits."""
    return tuple(
        pa.array([value], item.dtype.arrow())[0].as_py() for value, item in zip(row, view.schema, strict=True)
    )


def identity(value: object) -> object:
    """What two values must share to be the same: NaN is NaN, 0.0 is not -0.0, True is not 1."""
    if isinstance(value, list | tuple):
        return tuple(identity(item) for item in value)
    return value.hex() if isinstance(value, float) else (type(value), value)
