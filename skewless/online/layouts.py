"""How the bytes of an entity lie where its row has no null, and all its dtypes are of one width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from skewless.online.codec import FLAT, NIL, bytes_header, flat_layout
from skewless.types import DType

Array = np.ndarray[Any, Any]

# What a numpy column of each dtype is; it has objects of all others.
NUMPY = {"bool": "?", "int32": "i4", "int64": "i8", "float32": "f4", "float64": "f8", "timestamp": "M8[us]"}
_GENERATION_AT = 2  # behind the array's header and the integer's first byte
_GENERATION = [0xCE, None, None, None, None]


@dataclass(frozen=True, slots=True)
class Layout:
    """How the bytes of an entity lie.

    places  bytes that are always the same, which are `fixed`
    values  the generation, then the fields by number
    block   where the first field is, if all are of this one dtype: they are read at once
    """

    size: int
    places: Array
    fixed: Array
    dtypes: Sequence[DType]
    values: np.dtype[Any]
    block: tuple[str, int] | None

    def rows(self, raws: Sequence[bytes | None], generation: int) -> tuple[Array, Array | None]:
        """Entities of this layout's length, and which of them really lie so; None: all."""
        joined = b"".join(raws)  # type: ignore[arg-type]  # there is no None of that length
        values = np.frombuffer(joined, self.values)
        same = np.frombuffer(joined, np.uint8).reshape(-1, self.size).take(self.places, 1) == self.fixed
        newest = values["generation"]
        if same.all() and newest.max() <= generation:
            return values, None
        return values, same.all(axis=1) & (newest <= generation)

    def columns(self, values: Array, positions: Sequence[int]) -> list[Array]:
        """The fields at those places, as numpy has them; integers and bools are masked arrays."""
        if self.block is None:
            return [_plain(values[f"f{position}"], self.dtypes[position]) for position in positions]
        layout, start = self.block
        width = np.dtype(layout).itemsize
        shape, steps = (len(self.dtypes), len(values)), (width, values.itemsize)
        every = _plain(np.ndarray(shape, layout, values, start, steps), self.dtypes[0])
        return [every[position] for position in positions]


def layouts(dtypes: Sequence[DType]) -> dict[int, Layout]:
    """By their length in bytes: with a flat row in the first slot alone, or in both; none where there are no such."""
    if flat_layout(dtypes) is None:
        return {}
    found = [_layout(dtypes, second_row=second) for second in (False, True)]
    return {layout.size: layout for layout in found}


def _layout(dtypes: Sequence[DType], *, second_row: bool) -> Layout:
    formats = [f">{FLAT[dtype.name]}".replace("?", "B") for dtype in dtypes]
    ends = np.cumsum([np.dtype(each).itemsize for each in formats])
    row = [*bytes_header(int(ends[-1])), *[None] * int(ends[-1])]
    other = row if second_row else [*NIL]
    every = [0x94, *_GENERATION, *row, *_GENERATION, *other]
    start = 1 + len(_GENERATION) + len(row) - int(ends[-1])
    offsets = [start + int(end) for end in (0, *ends[:-1])]
    values = np.dtype(
        {
            "names": ["generation", *(f"f{number}" for number in range(len(formats)))],
            "formats": [">u4", *formats],
            "offsets": [_GENERATION_AT, *offsets],
            "itemsize": len(every),
        }
    )
    places = [place for place, byte in enumerate(every) if byte is not None]
    return Layout(
        size=len(every),
        places=np.array(places),
        fixed=np.array([every[place] for place in places], np.uint8),
        dtypes=dtypes,
        values=values,
        block=(formats[0], start) if len(set(dtypes)) == 1 else None,
    )


def _plain(values: Array, dtype: DType) -> Array:
    """Values as they were sent, in this machine's order of bytes."""
    plain = values.astype(NUMPY[dtype.name])
    return unmasked(plain) if plain.dtype.kind in "bi" else plain


def unmasked(values: Array) -> Array:
    """A masked array without nulls, whose mask has the shape of the values all the same."""
    return np.ma.array(values, mask=np.zeros(values.shape, bool))
