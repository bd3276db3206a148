"""How the bytes of an entity lie whose rows are flat."""

from __future__ import annotations

import struct
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np

from skewless.online.codec import FLAT, NIL, bytes_header
from skewless.types import DType

Array = np.ndarray[Any, Any]

# What a numpy column of each dtype is; it has objects of all others.
NUMPY = {"bool": "?", "int32": "i4", "int64": "i8", "float32": "f4", "float64": "f8", "timestamp": "M8[us]"}
_GENERATION = [0xCE, None, None, None, None]  # None: any byte


@dataclass(frozen=True, slots=True)
class Layout:
    """How the bytes of an entity lie whose rows are flat: with one row, or with two.

    sizes   how many bytes an entity has, with one row and with two
    second  where the second slot's row is; `ends` are what it may begin with
    places  bytes before that are always the same, which are `fixed`
    fields  of each its dtype, how its bytes are read, and where they are
    alike   whether all are of one dtype: they are read at once
    """

    sizes: frozenset[int]
    second: slice
    ends: frozenset[bytes]
    places: Array
    fixed: bytes
    fields: Sequence[tuple[DType, np.dtype[Any], int]]
    alike: bool

    @classmethod
    def of(cls, dtypes: Sequence[DType], flat: struct.Struct) -> Layout:
        """How rows of dtypes lie, whose values lie as `flat` says."""
        head = bytes_header(flat.size)
        first = [0x94, *_GENERATION, *head]
        begun = [*first, *[None] * flat.size, *_GENERATION]
        # as bytes, since numpy would keep one that is neither 0 nor 1 in a bool as it is
        formats = [np.dtype(f">{FLAT[dtype.name]}".replace("?", "B")) for dtype in dtypes]
        offsets = accumulate((each.itemsize for each in formats), initial=len(first))
        places = [place for place, byte in enumerate(begun) if byte is not None]
        return cls(
            sizes=frozenset({len(begun) + len(NIL), len(begun) + len(head) + flat.size}),
            second=slice(len(begun), len(begun) + len(head)),
            ends=frozenset({NIL, head}),
            places=np.array(places),
            fixed=bytes(byte for byte in begun if byte is not None),
            fields=[*zip(dtypes, formats, offsets, strict=False)],
            alike=len(set(dtypes)) == 1,
        )

    def fit(self, raws: Collection[bytes]) -> bool:
        """Whether entities have a size and a second row that are of this layout."""
        return self.sizes.issuperset(map(len, raws)) and self.ends.issuperset(
            [raw[self.second] for raw in raws]
        )

    def joined(self, raws: Sequence[bytes]) -> bytes:
        """The first slots of entities that `fit`, one behind the other."""
        end = self.second.start
        return b"".join([raw[:end] for raw in raws])

    def otherwise(self, raws: Sequence[bytes], joined: bytes, generation: int) -> list[int]:
        """Which of the entities do not lie so, or are of a later generation."""
        shape = (len(raws), self.second.start)
        constant = np.ndarray(shape, np.uint8, joined).take(self.places, 1)
        # all that is before a generation being alike, the greatest entity has the greatest one
        if constant.tobytes() == self.fixed * len(raws) and _generation(max(raws)) <= generation:
            return []
        alike = (constant == np.frombuffer(self.fixed, np.uint8)).all(axis=1)
        return [place for place, raw in enumerate(raws) if not alike[place] or _generation(raw) > generation]

    def columns(self, joined: bytes, count: int, positions: Sequence[int]) -> list[Array]:
        """The fields at those places, as numpy has them; integers and bools are masked arrays."""
        end = self.second.start
        if not self.alike or 2 * len(positions) < len(self.fields):  # what is not asked for need not be kept
            return [
                _plain(np.ndarray(count, layout, joined, offset, end), dtype)
                for dtype, layout, offset in map(self.fields.__getitem__, positions)
            ]
        dtype, layout, offset = self.fields[0]
        shape, steps = (len(self.fields), count), (layout.itemsize, end)
        every = _plain(np.ndarray(shape, layout, joined, offset, steps), dtype)
        return [every[position] for position in positions]


def _generation(raw: bytes) -> int:
    return int.from_bytes(raw[2:6])  # behind the array's header and the integer's first byte


def _plain(values: Array, dtype: DType) -> Array:
    """Values as they were sent, in this machine's order of bytes; bools and integers with a mask, of their shape."""
    plain = values.astype(NUMPY[dtype.name])
    return np.ma.array(plain, mask=np.zeros(plain.shape, bool)) if plain.dtype.kind in "bi" else plain
