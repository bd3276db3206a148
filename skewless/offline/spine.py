"""Spines: the rows that a training set starts from, checked before anything is joined."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from skewless.errors import UsageError, did_you_mean
from skewless.offline.binding import BoundView
from skewless.offline.source import micros
from skewless.timeline import after, format_instant, from_micros, to_micros


def check_columns(
    spine: DataFrame, views: Sequence[BoundView], added: Sequence[str], timestamp_field: str
) -> None:
    """Refuse a spine that lacks a column, has one of the wrong type, or has one that would be written over."""
    types = {item.name: item.dataType for item in spine.schema.fields}
    _demand(types, timestamp_field, "its time; name another with timestamp_field=")
    if not isinstance(types[timestamp_field], T.TimestampType | T.TimestampNTZType):
        raise UsageError(
            f"the spine's {timestamp_field!r} is {types[timestamp_field].simpleString()}, no timestamp; cast it first"
        )
    for bound in views:
        for key, wanted in bound.key_types.items():
            _demand(types, key, f"a join key of feature view {bound.view.name!r}")
            fits = T.StringType if wanted == "string" else T.IntegralType
            if not isinstance(types[key], fits):
                raise UsageError(
                    f"the spine's {key!r} is {types[key].simpleString()}, but the source of {bound.view.name!r} "
                    f"has {wanted}; cast it first"
                )
    lowered = {name.lower(): name for name in types}
    if len(lowered) < len(types):
        raise UsageError(f"the spine's columns {', '.join(types)} differ only in case; rename one")
    for name in added:
        if name.lower() in lowered:
            raise UsageError(
                f"the spine has a column {lowered[name.lower()]!r}, which the result needs; rename it"
            )
    for name in types:
        if name.startswith("_sk_"):
            raise UsageError(
                f"the spine's column {name!r} begins with _sk_, as the engine's own do; rename it"
            )


def _demand(types: dict[str, T.DataType], column: str, role: str) -> None:
    if column not in types:
        raise UsageError(
            f"the spine has no column {column!r}{did_you_mean(column, types)}, {role}; it has {', '.join(types)}"
        )


def check_times(spine: DataFrame, timestamp_field: str, now: datetime) -> tuple[datetime, datetime] | None:
    """Refuse null and future times, counted in one pass; give the first and the last, None for an empty spine."""
    at = micros(timestamp_field, spine.schema[timestamp_field].dataType)
    found = spine.select(at.alias("at")).agg(
        F.count("*").alias("rows"),
        F.count_if(F.col("at").isNull()).alias("nulls"),
        F.count_if(after(F.col("at"), F.lit(to_micros(now)))).alias("future"),
        F.min("at").alias("first"),
        F.max("at").alias("last"),
    )
    counted = found.first()
    if counted is None or not counted["rows"]:
        return None
    if counted["nulls"]:
        raise UsageError(
            f"{counted['nulls']:,} of the spine's {counted['rows']:,} rows have no {timestamp_field!r}; "
            "a training row needs the instant at which it would have asked: drop or fill them"
        )
    if counted["future"]:
        raise UsageError(
            f"{counted['future']:,} of the spine's {counted['rows']:,} rows lie after now ({format_instant(now)}), the "
            f"latest at {format_instant(from_micros(counted['last']))}; nobody knows yet what they will see: drop them"
        )
    return from_micros(counted["first"]), from_micros(counted["last"])
