"""Rows of a snapshot table, batch by batch, as the keys and values of an epoch."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from skewless.errors import DataError, UsageError
from skewless.model import FeatureView
from skewless.online.codec import row_encoder
from skewless.online.keys import KeyKind, ViewKeys, entity_key
from skewless.online.records import Row, encode_slots

SAMPLE_ROWS = 100
_PART = 1000
_PART_BYTES = 1_000_000


@dataclass
class Sample:
    """A few rows of a stream, each as likely as any other: kept to be compared with what a reader gets."""

    size: int = SAMPLE_ROWS
    seen: int = 0
    kept: list[tuple[Row, Row]] = field(default_factory=list)
    _random: random.Random = field(default_factory=lambda: random.Random(0))

    def offer(self, key: Row, row: Row) -> None:
        """Keep the row, or not (reservoir sampling: Vitter's algorithm R)."""
        self.seen += 1
        if len(self.kept) < self.size:
            self.kept.append((key, row))
        elif (place := self._random.randrange(self.seen)) < self.size:
            self.kept[place] = (key, row)


def key_kinds(schema: pa.Schema, view: FeatureView) -> tuple[KeyKind, ...]:
    """Tell strings from integers among the join keys; DataError for anything else, or a missing column."""
    missing = [name for name in view.columns if name not in schema.names]
    if missing:
        raise DataError(
            f"the snapshot of {view.name!r} lacks {', '.join(missing)}; it has {', '.join(schema.names)}"
        )
    return tuple(_kind(view.name, schema.field(name)) for name in view.join_keys)


def encoded(
    batches: Iterator[pa.RecordBatch],
    view: FeatureView,
    kinds: Sequence[KeyKind],
    generation: int,
    sample: Sample,
) -> Iterator[tuple[str, bytes]]:
    """Each row's key and value in the new epoch, in the order of the rows; DataError for a null key."""
    keys = ViewKeys("", view.name)
    encode = row_encoder(item.dtype for item in view.schema)
    for batch in batches:
        key_columns = [batch.column(name).to_pylist() for name in view.join_keys]
        columns = [
            _values(batch.column(item.name), item.dtype.arrow(), view.name, item.name) for item in view.schema
        ]
        for key, row in zip(zip(*key_columns, strict=True), zip(*columns, strict=True), strict=True):
            sample.offer(key, row)
            yield _text(key, kinds, keys.view), encode_slots(generation, encode(row))


def parts(pairs: Iterator[tuple[str, bytes]]) -> Iterator[list[tuple[str, bytes]]]:
    """Cut into parts of which each is one pipeline: 1,000 rows or a megabyte."""
    part: list[tuple[str, bytes]] = []
    size = 0
    for key, value in pairs:
        part.append((key, value))
        size += len(key) + len(value)
        if len(part) == _PART or size > _PART_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part


def _text(key: Row, kinds: Sequence[KeyKind], view: str) -> str:
    try:
        text = entity_key(key, kinds)
    except UsageError as error:
        raise DataError(
            f"the snapshot of {view!r} has a key {key!r} that cannot be published: {error}"
        ) from error
    if text is None:
        raise DataError(f"the snapshot of {view!r} has a null in the join key {key!r}; build it again")
    return text


def _values(column: pa.Array, expected: pa.DataType, view: str, name: str) -> list[Any]:
    try:
        values: list[Any] = column.cast(expected).to_pylist()
    except pa.ArrowException as error:
        raise DataError(
            f"column {name!r} of the snapshot of {view!r} is {column.type}, not {expected}: {error}"
        ) from error
    return values


def _kind(view: str, column: pa.Field) -> KeyKind:
    if pa.types.is_integer(column.type):
        return KeyKind.INTEGER
    if (
        pa.types.is_string(column.type)
        or pa.types.is_large_string(column.type)
        or pa.types.is_string_view(column.type)
    ):
        return KeyKind.STRING
    raise DataError(
        f"join key {column.name!r} of {view!r} is {column.type}; join keys are strings or integers"
    )
