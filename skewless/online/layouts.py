"""How the bytes of an entity lie where its row has no null, and all its dtypes are of one width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from skewless.online.codec import NIL, array_header
from skewless.types import DType

Array = np.ndarray[Any, Any]

# The first byte of a packed value, which of its bits say so, and how the bytes behind it are read.
_PACKED = {
    "bool": (0xC2, 0xFE, "u1"),
    "int32": (0xD3, 0xFF, ">i8"),
    "int64": (0xD3, 0xFF, ">i8"),
    "timestamp": (0xD3, 0xFF, ">i8"),
    "float32": (0xCA, 0xFF, ">f4"),
    "float64": (0xCB, 0xFF, ">f8"),
}
# What a numpy column of each is; it has objects of all others.
NUMPY = {"bool": "?", "int32": "i4", "int64": "i8", "float32": "f4", "float64": "f8", "timestamp": "M8[us]"}
_GENERATION_AT = 2  # behind the array's header and the integer's first byte


@dataclass(frozen=True, slots=True)
class Layout:
    """How the bytes of an entity lie: `bits` of each byte are always as in `fixed`.

    values  the generation, then the fields by number
    block   where the first field is, if all are of this one dtype: they lie at equal distances, and are read at once
    """

    fixed: Array
    bits: Array
    dtypes: Sequence[DType]
    values: np.dtype[Any]
    block: tuple[str, int] | None

    def rows(self, raws: Sequence[bytes | None], generation: int) -> tuple[Array, Array | None]:
        """Entities of this layout's length, and which of them really lie so; None: all."""
        joined = b"".join(raws)  # type: ignore[arg-type]  # there is no None of that length
        values = np.frombuffer(joined, self.values)
        same = (np.frombuffer(joined, np.uint8).reshape(len(raws), -1) & self.bits) == self.fixed
        newest = values["generation"]
        if same.all() and newest.max() <= generation:
            return values, None
        return values, same.all(axis=1) & (newest <= generation)

    def columns(self, values: Array, positions: Sequence[int]) -> list[Array]:
        """The fields at those places, as numpy has them; integers and bools are masked arrays.

        OverflowError for an int32 beyond its range.
        """
        if self.block is None:
            return [_plain(values[f"f{position}"], self.dtypes[position]) for position in positions]
        layout, start = self.block
        shape, steps = (len(self.dtypes), len(values)), (1 + int(layout[2]), values.itemsize)
        every = _plain(np.ndarray(shape, layout, values, start, steps), self.dtypes[0])
        return [every[position] for position in positions]


def layouts(dtypes: Sequence[DType]) -> dict[int, Layout]:
    """By their length in bytes: with a row in the first slot alone, or in both; none where a dtype has many widths."""
    if not all(dtype.name in _PACKED for dtype in dtypes):
        return {}
    found = [_layout(dtypes, second_row=second) for second in (False, True)]
    return {len(layout.fixed): layout for layout in found}


def _layout(dtypes: Sequence[DType], *, second_row: bool) -> Layout:
    generation = [(0xCE, 0xFF), *[(0, 0)] * 4]
    row = [(byte, 0xFF) for byte in array_header(len(dtypes))]
    at: list[tuple[str, str, int]] = [("generation", ">u4", _GENERATION_AT)]
    for number, dtype in enumerate(dtypes):
        first, bits, layout = _PACKED[dtype.name]
        width = 0 if dtype.name == "bool" else int(layout[2])  # a bool is its first byte
        at.append((f"f{number}", layout, 1 + len(generation) + len(row) + (width > 0)))
        row += [(first, bits), *[(0, 0)] * width]
    other = row if second_row else [(NIL[0], 0xFF)]
    every = [(0x94, 0xFF), *generation, *row, *generation, *other]
    names, formats, offsets = zip(*at, strict=True)
    values = np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": len(every)})
    fixed, bits_of = np.array(every, np.uint8).T
    same = len(set(dtypes)) == 1 and dtypes[0].name != "bool"
    return Layout(fixed & bits_of, bits_of, dtypes, values, (formats[1], offsets[1]) if same else None)


def _plain(values: Array, dtype: DType) -> Array:
    """Values as they were sent, in this machine's order of bytes; OverflowError for an int32 beyond its range."""
    if dtype.name == "bool":
        return unmasked(values == 0xC3)
    plain = values.astype(NUMPY[dtype.name])
    if dtype.name == "int32" and not np.array_equal(plain, values):
        raise OverflowError("an int32 is beyond its range")
    return unmasked(plain) if plain.dtype.kind == "i" else plain


def unmasked(values: Array) -> Array:
    """A masked array without nulls, whose mask has the shape of the values all the same."""
    return np.ma.array(values, mask=np.zeros(values.shape, bool))
