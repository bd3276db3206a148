"""The dtypes that a field may have: those that training tables and every online reader carry unchanged."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from skewless.timeline import utc

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class DType:
    """A scalar dtype, or an array of one.

    name     how docs, meta records and fingerprints write it: "float32", "array<float32>"
    spark    how Spark SQL writes it: "float", "array<float>"
    element  the dtype of an array's elements, else None
    """

    name: str
    spark: str
    element: DType | None = None

    def __str__(self) -> str:
        return self.name

    def arrow(self) -> pa.DataType:
        """The Arrow type that tables hold."""
        import pyarrow as pa

        if self.element is not None:
            return pa.list_(self.element.arrow())
        return {
            "bool": pa.bool_(),
            "int32": pa.int32(),
            "int64": pa.int64(),
            "float32": pa.float32(),
            "float64": pa.float64(),
            "string": pa.string(),
            "bytes": pa.binary(),
            "timestamp": pa.timestamp("us", tz="UTC"),
        }[self.name]

    def accepts(self, value: Any) -> bool:
        """Whether a Python value is one of this dtype: what a field's default must be."""
        if self.element is not None:
            return isinstance(value, list | tuple) and all(self.element.accepts(item) for item in value)
        if isinstance(value, bool):
            return self.name == "bool"
        if self.name in _INTEGER_BITS:
            bits = _INTEGER_BITS[self.name]
            return isinstance(value, int) and -(2 ** (bits - 1)) <= value < 2 ** (bits - 1)
        fits = self not in FLOATS or _fits(self, value)
        return fits and isinstance(value, _PYTHON_TYPES[self.name])

    def canonical(self, value: Any) -> Any:
        """The accepted value as this dtype holds it, so that every reader hands out the same bits.

        Floats are rounded to their width and NaN is canonical, timestamps are in UTC, arrays are tuples.

        >>> Float32.canonical(0.1)
        0.10000000149011612
        """
        if self.element is not None:
            return tuple(self.element.canonical(item) for item in value)
        if self in FLOATS:
            return math.nan if value != value else _rounded(self, value)
        return utc(value) if self.name == "timestamp" else value


def _rounded(dtype: DType, value: float) -> float:
    layout = "<f" if dtype.name == "float32" else "<d"
    rounded: float = struct.unpack(layout, struct.pack(layout, value))[0]
    return rounded


def _fits(dtype: DType, value: Any) -> bool:
    try:
        _rounded(dtype, value)
    except (OverflowError, struct.error):
        return False
    return True


_INTEGER_BITS = {"int32": 32, "int64": 64}
_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "bool": (bool,),
    "float32": (float, int),
    "float64": (float, int),
    "string": (str,),
    "bytes": (bytes,),
    "timestamp": (datetime,),
}

Bool = DType("bool", "boolean")
Int32 = DType("int32", "int")
Int64 = DType("int64", "bigint")
Float32 = DType("float32", "float")
Float64 = DType("float64", "double")
String = DType("string", "string")
Bytes = DType("bytes", "binary")
Timestamp = DType("timestamp", "timestamp")

SCALARS = (Bool, Int32, Int64, Float32, Float64, String, Bytes, Timestamp)
FLOATS = (Float32, Float64)


def Array(element: DType) -> DType:
    """An array of a scalar dtype: embeddings, last_n.

    >>> Array(Float32).name
    'array<float32>'
    """
    if not isinstance(element, DType):
        raise ValueError(
            f"an array of {element!r} has no dtype; its elements are one of skewless.types, e.g. Float32"
        )
    if element.element is not None:
        raise ValueError(f"an array of {element} cannot be carried online; its elements must be scalars")
    return DType(f"array<{element.name}>", f"array<{element.spark}>", element)


def parse(name: str) -> DType:
    """The dtype of that name; ValueError if there is none."""
    for dtype in (*SCALARS, *(Array(scalar) for scalar in SCALARS)):
        if dtype.name == name:
            return dtype
    known = ", ".join(scalar.name for scalar in SCALARS)
    raise ValueError(f"unknown dtype {name!r}; known are {known} and array<one of them>")
