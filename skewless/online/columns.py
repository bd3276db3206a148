"""Whole columns to the wire: MessagePack rows, entity keys and Redis commands, by Arrow, with no loop over rows.

The bytes are those of `codec` and `keys`, value by value; tests hold the one to the other. Every array here
is `large_binary`, because the commands of one batch may exceed the 2 GB of 32-bit offsets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skewless.online.codec import (
    FALSE,
    FLAT,
    NAN32,
    NAN64,
    NIL,
    TRUE,
    array_header,
    bytes_header,
    flat_layout,
    pack_generation,
    pack_int,
    str_header,
)
from skewless.online.keys import KeyKind, escaped
from skewless.types import FLOATS, DType, Int64

COMMAND_ROWS = 250  # between two commands the server answers others
COMMAND_BYTES = 1_000_000

_ESCAPABLE = "[%|\\x00-\\x1f\\x7f]"
_BINARY = pa.large_binary()
_WEIGHTS = np.random.default_rng(0).integers(1, 2**64, 1024, np.uint64) | np.uint64(1)

Header = Callable[[int], bytes]


def packed_rows(columns: Sequence[pa.Array], dtypes: Sequence[DType]) -> pa.LargeBinaryArray:
    """Pack the rows of columns in meta's order, as `codec.row_encoder` does; the columns are of the dtypes."""
    if flat_layout(dtypes) is None:
        return _packed_arrays(columns, dtypes)
    flat = _packed_flat(columns, dtypes)
    if not any(column.null_count for column in columns):
        return flat
    null = np.logical_or.reduce([column.is_null().to_numpy(zero_copy_only=False) for column in columns])
    arrays = _packed_arrays([column.filter(pa.array(null)) for column in columns], dtypes)
    return pc.replace_with_mask(flat, pa.array(null), arrays)


def _packed_arrays(columns: Sequence[pa.Array], dtypes: Sequence[DType]) -> pa.LargeBinaryArray:
    packed = [packed_column(column, dtype) for column, dtype in zip(columns, dtypes, strict=True)]
    return _joined(array_header(len(packed)), *packed)


def _packed_flat(columns: Sequence[pa.Array], dtypes: Sequence[DType]) -> pa.LargeBinaryArray:
    """The values side by side, whatever they are where a column is null."""
    values = [_big_endian(column, dtype) for column, dtype in zip(columns, dtypes, strict=True)]
    width = sum(each.shape[1] for each in values)
    head = np.frombuffer(bytes_header(width), np.uint8)
    return _of_width(np.concatenate([np.tile(head, (len(columns[0]), 1)), *values], axis=1))


def packed_slots(
    generation: int,
    rows: pa.LargeBinaryArray,
    earlier: int = 0,
    earlier_rows: pa.LargeBinaryArray | None = None,
) -> pa.LargeBinaryArray:
    """Pack entities' two slots, as `records.encode_slots` does; the rows are packed, and nil for a tombstone."""
    return _joined(
        array_header(4) + pack_generation(generation),
        rows,
        pack_generation(earlier),
        packed_nil(len(rows)) if earlier_rows is None else earlier_rows,
    )


def spread(packed: pa.LargeBinaryArray, where: np.ndarray) -> pa.LargeBinaryArray:
    """Put packed rows, in their order, where a mask is true, and nil elsewhere."""
    places = pa.array(np.cumsum(where) - 1, mask=~where)
    return packed.take(places).fill_null(pa.scalar(NIL, _BINARY))


def packed_nil(count: int) -> pa.LargeBinaryArray:
    """So many nils."""
    return pa.repeat(pa.scalar(NIL, _BINARY), count)


def packed_column(column: pa.Array, dtype: DType) -> pa.LargeBinaryArray:
    """Pack each value of a column; a null is nil."""
    if dtype.element is not None:
        packed = _packed_lists(column, dtype.element)
    elif dtype.name in ("string", "bytes"):
        header = str_header if dtype.name == "string" else bytes_header
        packed = _joined(_by_number(header, pc.binary_length(column)), column.cast(_BINARY))
    elif dtype.name == "bool":
        packed = pc.if_else(column, pa.scalar(TRUE, _BINARY), pa.scalar(FALSE, _BINARY))
    else:
        packed = _packed_numbers(column, dtype)
    return packed.fill_null(pa.scalar(NIL, _BINARY)) if packed.null_count else packed


def entity_keys(prefix: str, columns: Sequence[pa.Array], kinds: Sequence[KeyKind]) -> pa.LargeBinaryArray:
    """Give the prefix and each entity's key, as `keys.entity_key` does; null where one of the columns is."""
    parts = [_key_part(column, kind) for column, kind in zip(columns, kinds, strict=True)]
    between = [piece for part in parts for piece in (b"|", part)][1:]
    return _joined(prefix.encode(), *between)


def hashes(names: pa.LargeBinaryArray, salt: int = 0) -> np.ndarray:
    """A hash of each name in 64 bits: a sum of its bytes with weights by chance (multilinear hashing).

    salt  another number chooses other weights
    """
    offsets = _offsets(names)
    starts, ends = offsets[:-1] - offsets[0], offsets[1:] - offsets[0]
    content = np.frombuffer(names.buffers()[2] or b"", np.uint8)[offsets[0] : offsets[-1]]
    place = np.arange(len(content)) - np.repeat(starts, ends - starts)
    sums = np.concatenate(
        ([np.uint64(0)], np.cumsum(content * _WEIGHTS[(place + salt) % len(_WEIGHTS)], dtype=np.uint64))
    )
    mixed: np.ndarray = (sums[ends] - sums[starts]) * _WEIGHTS[salt]
    return mixed


def buckets(names: pa.LargeBinaryArray, count: int, salt: int = 0) -> np.ndarray:
    """Give each name one of so many numbers, by its hash."""
    numbers: np.ndarray = (hashes(names, salt) >> np.uint64(33)).astype(np.int64) % count
    return numbers


def commands(
    name: str, *arguments: pa.LargeBinaryArray, rows: int = COMMAND_ROWS, size: int = COMMAND_BYTES
) -> tuple[bytes, list[int]]:
    """Give commands, one behind the other, in Redis' protocol (RESP), ready to be sent; and the first row of each.

    arguments  columns; a command has all of its first row, then all of its second
    rows, size the most rows and bytes of a command; a row that is larger has one of its own
    """
    sized = [_joined(b"$", _by_number(_decimal, pc.binary_length(a)), b"\r\n", a, b"\r\n") for a in arguments]
    lines = _joined(*sized) if len(sized) > 1 else sized[0]
    starts = _starts(_offsets(lines), rows, size)
    ends = [*starts[1:], len(lines)]
    parts = [_command(name, lines[a:b], len(arguments)) for a, b in zip(starts, ends, strict=False)]
    return b"".join(piece for part in parts for piece in part), starts


def _starts(offsets: np.ndarray, rows: int, size: int) -> list[int]:
    """Where to cut, so that nothing has more than so many rows or bytes, unless one row does."""
    starts, start = [], 0
    while start < len(offsets) - 1:
        starts.append(start)
        fits = int(np.searchsorted(offsets, offsets[start] + size, "right")) - 1
        start = min(max(fits, start + 1), start + rows)
    return starts


def _packed_numbers(column: pa.Array, dtype: DType) -> pa.LargeBinaryArray:
    """Integers, timestamps and floats: a byte that names the kind, then the value, big end first."""
    first = {"float32": NAN32, "float64": NAN64}.get(dtype.name, pack_int(0))[0]
    wide = column if dtype in FLOATS else column.cast(pa.int64())
    values = _big_endian(wide, dtype if dtype in FLOATS else Int64)
    packed = np.concatenate([np.full((len(values), 1), first, np.uint8), values], axis=1)
    return _masked(_of_width(packed), column)


def _big_endian(column: pa.Array, dtype: DType) -> np.ndarray:
    """The bytes of each value, big end first; a NaN is the canonical one, and a null is anything."""
    plain = column.cast(pa.int64()) if dtype.name == "timestamp" else column
    found = plain.fill_null(False if dtype.name == "bool" else 0).to_numpy(zero_copy_only=False)
    if dtype in FLOATS and np.isnan(found).any():
        found = np.where(np.isnan(found), found.dtype.type(np.nan), found)
    values = found.astype(f">{FLAT[dtype.name]}")
    raw: np.ndarray = values.view(np.uint8).reshape(len(values), values.itemsize)
    return raw


def _of_width(packed: np.ndarray) -> pa.LargeBinaryArray:
    """The rows of a matrix of bytes."""
    count, width = packed.shape
    offsets = np.arange(0, (count + 1) * width, width, dtype=np.int64)
    return pa.LargeBinaryArray.from_buffers(
        _BINARY, count, [None, pa.py_buffer(offsets), pa.py_buffer(packed)]
    )


def _packed_lists(column: pa.ListArray, element: DType) -> pa.LargeBinaryArray:
    """A list's elements lie side by side once they are packed: only the offsets are other ones."""
    lengths = pc.list_value_length(column).fill_null(0)
    elements = packed_column(column.flatten(), element)
    ends = np.concatenate(([0], np.cumsum(lengths.to_numpy())))
    offsets = _offsets(elements)[ends]
    buffers = [None, pa.py_buffer(offsets), elements.buffers()[2] or pa.py_buffer(b"")]
    contents = pa.LargeBinaryArray.from_buffers(_BINARY, len(column), buffers)
    return _masked(_joined(_by_number(array_header, lengths), contents), column)


def _masked(packed: pa.LargeBinaryArray, column: pa.Array) -> pa.LargeBinaryArray:
    """Null where the column is."""
    return pc.if_else(column.is_valid(), packed, pa.scalar(None, _BINARY)) if column.null_count else packed


def _key_part(column: pa.Array, kind: KeyKind) -> pa.LargeBinaryArray:
    if kind is KeyKind.INTEGER:
        return column.cast(pa.large_string()).cast(_BINARY)
    text = column.cast(pa.large_string())
    special = pc.match_substring_regex(text, _ESCAPABLE)
    if not pc.any(special).as_py():
        return text.cast(_BINARY)
    replaced = pa.array([escaped(value) for value in text.filter(special).to_pylist()], pa.large_string())
    return pc.replace_with_mask(text, special, replaced).cast(_BINARY)


def _by_number(text: Header, numbers: pa.Array) -> pa.LargeBinaryArray:
    """`text` of each number, made once for each that occurs; null where the number is."""
    encoded = numbers.dictionary_encode()
    texts = pa.array([text(number) for number in encoded.dictionary.to_pylist()], _BINARY)
    return texts.take(encoded.indices)


def _decimal(number: int) -> bytes:
    return b"%d" % number


def _joined(*parts: bytes | pa.Array) -> pa.LargeBinaryArray:
    """The parts of each row side by side; null where one of them is."""
    wide = [pa.scalar(part, _BINARY) if isinstance(part, bytes) else part for part in parts]
    return pc.binary_join_element_wise(*wide, pa.scalar(b"", _BINARY))


def _offsets(array: pa.LargeBinaryArray) -> np.ndarray:
    if not len(array):
        return np.zeros(1, np.int64)  # there may be no buffers at all
    return np.frombuffer(array.buffers()[1], np.int64)[array.offset : array.offset + len(array) + 1]


def _command(name: str, lines: pa.LargeBinaryArray, width: int) -> tuple[bytes, pa.Buffer]:
    """The head of a command, and its arguments as they lie in the array."""
    offsets = _offsets(lines)
    head = f"*{1 + width * len(lines)}\r\n${len(name)}\r\n{name}\r\n"
    return head.encode(), lines.buffers()[2].slice(int(offsets[0]), int(offsets[-1] - offsets[0]))
