"""One canonical MessagePack encoding, so that golden vectors compare as bytes.

float32 is `ca`, float64 `cb`, a slot's generation `ce`, every other integer and timestamp `d3`; strings, binaries and
arrays have the shortest header. NaN is canonical. Readers use any MessagePack library and accept any integer width.

A row is an array of its values. Where all dtypes are of one width, and no value is null, it is *flat*: a binary of the
values side by side, big end first, which takes a fifth less room and is read as a matrix.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from skewless.timeline import from_micros, to_micros
from skewless.types import DType

NIL = b"\xc0"
TRUE, FALSE = b"\xc3", b"\xc2"
_INT = struct.Struct(">Bq")
_UINT32 = struct.Struct(">BI")
_FLOAT32 = struct.Struct(">Bf")
_FLOAT64 = struct.Struct(">Bd")
# The code of each dtype of one width, of `struct`.
FLAT = {"bool": "?", "int32": "i", "int64": "q", "timestamp": "q", "float32": "f", "float64": "d"}
NAN32 = bytes.fromhex("ca7fc00000")
NAN64 = bytes.fromhex("cb7ff8000000000000")

Encode = Callable[[Any], bytes]
Convert = Callable[[Any], Any]


def pack_int(value: int) -> bytes:
    """Nine bytes, whatever the value.

    >>> pack_int(1).hex()
    'd30000000000000001'
    """
    return _INT.pack(0xD3, value)


def pack_generation(value: int) -> bytes:
    """Five bytes: of an entity's slots, of which there are many.

    >>> pack_generation(1).hex()
    'ce00000001'
    """
    return _UINT32.pack(0xCE, value)


def pack_str(value: str) -> bytes:
    """UTF-8 with the shortest header."""
    raw = value.encode()
    return str_header(len(raw)) + raw


def pack_bytes(value: bytes) -> bytes:
    """A binary with the shortest header."""
    return bytes_header(len(value)) + value


def pack_array(items: Sequence[bytes]) -> bytes:
    """An array of items that are packed already."""
    return array_header(len(items)) + b"".join(items)


def str_header(size: int) -> bytes:
    """What stands before so many bytes of UTF-8."""
    return bytes((0xA0 | size,)) if size < 32 else _header(size, 0xD9, 0xDA, 0xDB)


def bytes_header(size: int) -> bytes:
    """What stands before so many bytes."""
    return _header(size, 0xC4, 0xC5, 0xC6)


def array_header(size: int) -> bytes:
    """What stands before so many items."""
    return bytes((0x90 | size,)) if size < 16 else _header(size, None, 0xDC, 0xDD)


def encoder(dtype: DType) -> Encode:
    """How a value of that dtype, or None, is packed. A timestamp is a datetime or an int of microseconds."""
    if dtype.element is not None:
        encode_item = encoder(dtype.element)
        return lambda value: NIL if value is None else pack_array([encode_item(item) for item in value])
    pack = _PACK[dtype.name]
    return lambda value: NIL if value is None else pack(value)


def row_encoder(dtypes: Iterable[DType]) -> Callable[[Iterable[Any]], bytes]:
    """How a row, values in meta's order, is packed."""
    named = tuple(dtypes)
    encoders, layout = [encoder(dtype) for dtype in named], flat_layout(named)

    def encode(row: Iterable[Any]) -> bytes:
        values = [*row]
        packed = [pack(value) for pack, value in zip(encoders, values, strict=True)]
        if layout is None or NIL in packed:
            return pack_array(packed)
        return pack_bytes(layout.pack(*map(_plain_number, values)))

    return encode


def flat_layout(dtypes: Sequence[DType]) -> struct.Struct | None:
    """How the values of a flat row lie; None where a dtype has many widths."""
    if not dtypes or not all(dtype.name in FLAT for dtype in dtypes):
        return None
    return struct.Struct(">" + "".join(FLAT[dtype.name] for dtype in dtypes))


def _plain_number(value: Any) -> Any:
    """A value as `struct` packs it, a NaN as the canonical one."""
    if isinstance(value, datetime):
        return to_micros(value)
    return math.nan if isinstance(value, float) and math.isnan(value) else value


def converter(dtype: DType) -> Convert | None:
    """What a reader does to a decoded value to get the Python value; None: nothing."""
    scalar = dtype.element or dtype
    if scalar.name != "timestamp":
        return None
    if dtype.element is None:
        return lambda value: None if value is None else from_micros(value)
    return lambda value: value and [None if item is None else from_micros(item) for item in value]


def _pack_float32(value: float) -> bytes:
    return NAN32 if math.isnan(value) else _FLOAT32.pack(0xCA, value)


def _pack_float64(value: float) -> bytes:
    return NAN64 if math.isnan(value) else _FLOAT64.pack(0xCB, value)


def _pack_timestamp(value: datetime | int) -> bytes:
    return pack_int(to_micros(value) if isinstance(value, datetime) else value)


def _header(size: int, one: int | None, two: int, four: int) -> bytes:
    if size < 0x100 and one is not None:
        return bytes((one, size))
    return struct.pack(">BH", two, size) if size < 0x10000 else struct.pack(">BI", four, size)


_PACK: dict[str, Encode] = {
    "bool": lambda value: TRUE if value else FALSE,
    "int32": pack_int,
    "int64": pack_int,
    "float32": _pack_float32,
    "float64": _pack_float64,
    "string": pack_str,
    "bytes": pack_bytes,
    "timestamp": _pack_timestamp,
}
