"""How the bytes of an entity lie whose rows are flat."""

from __future__ import annotations

from collections.abc import Collection, Sequence
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
    """How the bytes of an entity lie whose rows are flat: with one row, or with two.

    sizes   how many bytes an entity has, with one row and with two
    second  where the second slot's row is; `ends` are what it may begin with
    places  bytes before that are always the same, which are `fixed`
    values  the first slot: its generation, then the fields by number
    block   where the first field is, if all are of this one dtype: they are read at once
    """

    sizes: frozenset[int]
    second: slice
    ends: frozenset[bytes]
    places: Array
    fixed: Array
    dtypes: Sequence[DType]
    values: np.dtype[Any]
    block: tuple[str, int] | None

    @classmethod
    def of(cls, dtypes: Sequence[DType]) -> Layout | None:
        """None where no row is flat, since a dtype has many widths."""
        flat = flat_layout(dtypes)
        if flat is None:
            return None
        head = bytes_header(flat.size)
        first = [0x94, *_GENERATION, *head]
        begun = [*first, *[None] * flat.size, *_GENERATION]
        formats = [f">{FLAT[dtype.name]}".replace("?", "B") for dtype in dtypes]
        places = [place for place, byte in enumerate(begun) if byte is not None]
        return cls(
            sizes=frozenset({len(begun) + len(NIL), len(begun) + len(head) + flat.size}),
            second=slice(len(begun), len(begun) + len(head)),
            ends=frozenset({NIL, head}),
            places=np.array(places),
            fixed=np.array([begun[place] for place in places], np.uint8),
            dtypes=dtypes,
            values=_fields(formats, len(first), len(begun)),
            block=(formats[0], len(first)) if len(set(dtypes)) == 1 else None,
        )

    def fit(self, raws: Collection[bytes]) -> bool:
        """Whether entities have a size and a second row that are of this layout."""
        return self.sizes.issuperset(map(len, raws)) and self.ends.issuperset(
            [raw[self.second] for raw in raws]
        )

    def rows(self, raws: Sequence[bytes], generation: int) -> tuple[Array, Array | None]:
        """The first slots of entities that `fit`, and which really lie so and are of a generation; None: all."""
        end = self.second.start
        joined = b"".join([raw[:end] for raw in raws])
        values = np.frombuffer(joined, self.values)
        constant = np.frombuffer(joined, np.uint8).reshape(-1, end).take(self.places, 1)
        newest = values["generation"]
        if constant.tobytes() == self.fixed.tobytes() * len(raws) and newest.max(initial=0) <= generation:
            return values, None
        return values, (constant == self.fixed).all(axis=1) & (newest <= generation)

    def columns(self, values: Array, positions: Sequence[int]) -> list[Array]:
        """The fields at those places, as numpy has them; integers and bools are masked arrays."""
        if self.block is None:
            return [_plain(values[f"f{position}"], self.dtypes[position]) for position in positions]
        layout, start = self.block
        width = np.dtype(layout).itemsize
        shape, steps = (len(self.dtypes), len(values)), (width, values.itemsize)
        every = _plain(np.ndarray(shape, layout, values, start, steps), self.dtypes[0])
        return [every[position] for position in positions]


def _fields(formats: Sequence[str], start: int, size: int) -> np.dtype[Any]:
    """The generation, and the fields one behind the other."""
    offsets = start + np.cumsum([0, *(np.dtype(each).itemsize for each in formats[:-1])])
    return np.dtype(
        {
            "names": ["generation", *(f"f{number}" for number in range(len(formats)))],
            "formats": [">u4", *formats],
            "offsets": [_GENERATION_AT, *offsets.tolist()],
            "itemsize": size,
        }
    )


def _plain(values: Array, dtype: DType) -> Array:
    """Values as they were sent, in this machine's order of bytes."""
    plain = values.astype(NUMPY[dtype.name])
    return unmasked(plain) if plain.dtype.kind in "bi" else plain


def unmasked(values: Array) -> Array:
    """A masked array without nulls, whose mask has the shape of the values all the same."""
    return np.ma.array(values, mask=np.zeros(values.shape, bool))
