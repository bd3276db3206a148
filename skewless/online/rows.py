"""Rows of snapshot tables in pieces: columns of join keys and fields that can be packed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import pyarrow as pa

from skewless.errors import DataError
from skewless.model import FeatureView
from skewless.online.columns import entity_keys, packed_rows
from skewless.online.keys import KeyKind
from skewless.online.records import Row
from skewless.types import DType

_ROWS = 10_000
_BYTES = 4_000_000


@dataclass(frozen=True, slots=True)
class Shape:
    """What rows of a view are made of: join keys and their kinds, fields and their dtypes, in meta's order."""

    view: str
    keys: tuple[tuple[str, KeyKind], ...]
    fields: tuple[tuple[str, DType], ...]

    @classmethod
    def of(cls, view: FeatureView, schema: pa.Schema) -> Self:
        """Tell it from a view and the columns of its table.

        DataError where a column is missing, or a join key is neither a string nor an integer.
        """
        missing = [name for name in view.columns if name not in schema.names]
        if missing:
            raise DataError(
                f"the snapshot of {view.name!r} lacks {', '.join(missing)}; it has {', '.join(schema.names)}"
            )
        keys = tuple((name, _kind(view.name, schema.field(name))) for name in view.join_keys)
        return cls(view.name, keys, tuple((item.name, item.dtype) for item in view.schema))

    @property
    def kinds(self) -> tuple[KeyKind, ...]:
        """The kinds of the join keys."""
        return tuple(kind for _, kind in self.keys)

    def schema(self, of: pa.Schema) -> pa.Schema:
        """The columns of a piece that is made of a table with such columns."""
        keys = [(name, _key_type(of.field(name))) for name, _ in self.keys]
        return pa.schema([*keys, *(pa.field(name, dtype.arrow()) for name, dtype in self.fields)])

    @property
    def keys_only(self) -> Shape:
        """The same rows without their fields."""
        return replace(self, fields=())


@dataclass(frozen=True)
class Piece:
    """Some rows: the join keys' columns, and the fields' in their dtypes."""

    shape: Shape
    keys: Sequence[pa.Array]
    fields: Sequence[pa.Array]

    @classmethod
    def of(cls, shape: Shape, batch: pa.RecordBatch | pa.Table) -> Self:
        """The rows of a batch; DataError where a column does not hold its dtype, or a text is not UTF-8."""
        keys = [
            _cast(shape, batch.column(name), name, _key_type(batch.schema.field(name)))
            for name, _ in shape.keys
        ]
        fields = [_cast(shape, batch.column(name), name, dtype.arrow()) for name, dtype in shape.fields]
        return cls(shape, keys, fields)

    @classmethod
    def joined(cls, shape: Shape, pieces: Sequence[Self]) -> Self:
        """The rows of one piece or more, one after the other."""
        some = [piece for piece in pieces if len(piece)] or pieces[:1]
        if len(some) == 1:
            return some[0]
        columns = zip(*((*piece.keys, *piece.fields) for piece in some), strict=True)
        whole = [pa.concat_arrays(column) for column in columns]
        return cls(shape, whole[: len(shape.keys)], whole[len(shape.keys) :])

    def __len__(self) -> int:
        """How many rows."""
        return len(self.keys[0])

    def key(self, place: int) -> Row:
        """The join key values of a row."""
        return tuple(column[place].as_py() for column in self.keys)

    def row(self, place: int) -> Row:
        """The fields of a row."""
        return tuple(column[place].as_py() for column in self.fields)

    def take(self, places: Any) -> Piece:
        """The rows at some places."""
        chosen = pa.array(places)
        return replace(
            self,
            keys=[column.take(chosen) for column in self.keys],
            fields=[column.take(chosen) for column in self.fields],
        )

    @property
    def nbytes(self) -> int:
        """What its columns take in memory."""
        return sum(column.nbytes for column in (*self.keys, *self.fields))

    def slice(self, start: int, count: int) -> Piece:
        """So many rows from one on."""
        return replace(
            self,
            keys=[column.slice(start, count) for column in self.keys],
            fields=[column.slice(start, count) for column in self.fields],
        )

    def parts(self) -> Iterator[Piece]:
        """Halve it until parts have at most 10,000 rows and about four megabytes, or are one row."""
        if len(self) > 1 and (len(self) > _ROWS or self.nbytes > _BYTES):
            half = len(self) // 2
            yield from self.slice(0, half).parts()
            yield from self.slice(half, len(self) - half).parts()
        elif len(self):
            yield self

    def packed_keys(self, prefix: str = "") -> pa.LargeBinaryArray:
        """The prefix and each row's key; DataError for a null."""
        packed = entity_keys(prefix, self.keys, self.shape.kinds)
        if packed.null_count:
            place = packed.is_valid().index(False).as_py()
            raise DataError(
                f"the snapshot of {self.shape.view!r} has a null in the join key {self.key(place)!r}; build it again"
            )
        return packed

    def packed_rows(self) -> pa.LargeBinaryArray:
        """The rows' fields, packed."""
        return packed_rows(self.fields, [dtype for _, dtype in self.shape.fields])


def pieces(shape: Shape, batches: Iterable[pa.RecordBatch]) -> Iterator[Piece]:
    """The rows of batches in parts, each small enough to be sent at once."""
    for batch in batches:
        yield from Piece.of(shape, batch).parts()
        del batch  # before the next is read


def _cast(shape: Shape, column: pa.Array | pa.ChunkedArray, name: str, expected: pa.DataType) -> pa.Array:
    try:
        found = column.cast(expected)
        whole = found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found
        whole.validate(full=True)
    except pa.ArrowException as error:
        raise DataError(
            f"column {name!r} of the snapshot of {shape.view!r} is {column.type}, and cannot be published as "
            f"{expected}: {error}"
        ) from error
    return whole


def _key_type(column: pa.Field) -> pa.DataType:
    """One Arrow type for all texts, so that those of two revisions can be compared."""
    return column.type if pa.types.is_integer(column.type) else pa.large_string()


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
