"""What the values in the online store say: pointer, meta, slots. Pure, bytes in and bytes out."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Annotated, Any, get_args

import msgspec

from skewless import types
from skewless.errors import OnlineError
from skewless.model import FeatureView
from skewless.online.codec import (
    NIL,
    converter,
    flat_layout,
    pack_array,
    pack_generation,
    pack_int,
    pack_str,
    row_encoder,
)
from skewless.online.keys import KeyKind
from skewless.online.layouts import Layout
from skewless.timeline import from_micros, to_micros
from skewless.types import DType

FORMAT = 1

Row = tuple[Any, ...]

_Pairs = list[tuple[str, str]]
_META = tuple[int, str, _Pairs, _Pairs, list[Any] | bytes, list[Any] | bytes]
_INT64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_DECODED: dict[str, Any] = {
    "bool": bool,
    "int32": Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)],
    "int64": _INT64,
    "timestamp": _INT64,
    "float32": float,
    "float64": float,
    "string": str,
    "bytes": bytes,
}


@dataclass(frozen=True, slots=True)
class Pointer:
    """Which generation is live; `flip` is the server's time, in microseconds, when readers saw a change."""

    flip: int
    generation: int
    epoch: int
    snapshot_time: datetime

    def encode(self) -> bytes:
        """Write as `[format, flip, generation, epoch, snapshot time]`."""
        time = to_micros(self.snapshot_time)
        return pack_array([pack_int(n) for n in (FORMAT, self.flip, self.generation, self.epoch, time)])

    @classmethod
    def decode(cls, raw: bytes) -> Pointer:
        """Read it; OnlineError where the format is not ours."""
        _, *numbers = _decode_formatted(raw, "pointer", tuple[int, int, int, int, int])
        flip, generation, epoch, time = numbers
        try:
            return cls(flip, generation, epoch, from_micros(time))
        except OverflowError as error:
            raise OnlineError(f"the online pointer has a snapshot time beyond year 9999: {time}") from error


@dataclass(frozen=True)
class Meta:
    """How the rows of one epoch are read: join keys and kinds, fields and dtypes, two constant rows."""

    fingerprint: str
    keys: tuple[tuple[str, KeyKind], ...]
    fields: tuple[tuple[str, DType], ...]
    absent: Row
    expired: Row

    @classmethod
    def of(cls, view: FeatureView, fingerprint: str, kinds: tuple[KeyKind, ...]) -> Meta:
        """What a view's definition publishes of itself."""
        fields = tuple((field.name, field.dtype) for field in view.schema)
        keys = tuple(zip(view.join_keys, kinds, strict=True))
        return cls(fingerprint, keys, fields, view.absent_row, view.expired_row)

    @cached_property
    def kinds(self) -> tuple[KeyKind, ...]:
        """The kinds of the join keys."""
        return tuple(kind for _, kind in self.keys)

    @cached_property
    def dtypes(self) -> tuple[DType, ...]:
        """The dtypes of the fields."""
        return tuple(dtype for _, dtype in self.fields)

    @cached_property
    def positions(self) -> dict[str, int]:
        """Where each field stands in a row."""
        return {name: position for position, (name, _) in enumerate(self.fields)}

    def encode(self) -> bytes:
        """Write as `[format, fingerprint, [[key, kind]], [[field, dtype]], absent row, expired row]`."""
        pack_row = row_encoder(self.dtypes)
        pairs = [
            pack_array([pack_array([pack_str(name), pack_str(str(what))]) for name, what in named])
            for named in (self.keys, self.fields)
        ]
        return pack_array(
            [
                pack_int(FORMAT),
                pack_str(self.fingerprint),
                *pairs,
                pack_row(self.absent),
                pack_row(self.expired),
            ]
        )

    @classmethod
    def decode(cls, raw: bytes) -> Meta:
        """Read it; OnlineError where the format, a kind or a dtype is not one that this version knows."""
        _, fingerprint, keys, fields, absent, expired = _decode_formatted(raw, "meta", _META)
        try:
            named = tuple((name, types.parse(dtype)) for name, dtype in fields)
            kinds = tuple((name, KeyKind(kind)) for name, kind in keys)
            meta = cls(fingerprint, kinds, named, (), ())
            constant = [
                meta.to_python(msgspec.convert(row, meta._row, builtin_types=(bytes,)))
                for row in (absent, expired)
            ]
            pack_row = row_encoder(meta.dtypes)
            for row in constant:
                pack_row(row)  # a float32 may be beyond its range
        except (ValueError, OverflowError) as error:  # msgspec's are the first
            raise OnlineError(f"the online meta is not readable ({error}); upgrade skewless") from error
        return cls(fingerprint, kinds, named, *constant)

    @cached_property
    def read_slots(self) -> Callable[[bytes], tuple[int, Row | bytes | None, int, Row | bytes | None]]:
        """Read an entity's two slots, whose rows `to_python` takes; msgspec.DecodeError where they are no such."""
        slots: Any = tuple[int, self._row | None, int, self._row | None]  # type: ignore[name-defined]
        return msgspec.msgpack.Decoder(slots).decode

    @cached_property
    def flat(self) -> struct.Struct | None:
        """How the values of a flat row lie; None where no row is flat."""
        return flat_layout(self.dtypes)

    @cached_property
    def layout(self) -> Layout | None:
        """How the bytes of entities lie whose rows are flat; None where no row is."""
        return Layout.of(self.dtypes, self.flat) if self.flat else None

    @cached_property
    def stand_in(self) -> bytes:
        """The absent row as an entity's one row, which is flat; where it has a null, there is a zero."""
        return encode_slots(
            0, row_encoder(self.dtypes)([0 if value is None else value for value in self.absent])
        )

    @cached_property
    def _row(self) -> Any:
        """The type of a row as msgspec takes it."""
        row: Any = tuple[*(_decoded(dtype) for dtype in self.dtypes)]  # type: ignore[misc]
        return row | bytes if self.flat else row

    @cached_property
    def has_arrays(self) -> bool:
        """Whether a row may have lists, which whoever gets them may change."""
        return any(dtype.element for dtype in self.dtypes)

    @cached_property
    def to_python(self) -> Callable[[Row | bytes], Row]:
        """What makes Python values of a row that was read; ValueError for a flat one of another length."""
        converters, flat = self._converters, self.flat
        if flat is None and not converters:
            return tuple

        def convert(row: Row | bytes) -> Row:
            values = _unpacked(flat, row) if flat and isinstance(row, bytes) else tuple(row)
            if not converters:
                return values
            found = [*values]
            for position, make in converters:
                found[position] = make(found[position])
            return tuple(found)

        return convert

    @cached_property
    def _converters(self) -> list[tuple[int, Any]]:
        found = ((position, converter(dtype)) for position, dtype in enumerate(self.dtypes))
        return [(position, convert) for position, convert in found if convert]


def _unpacked(flat: struct.Struct, row: bytes) -> Row:
    try:
        return flat.unpack(row)
    except struct.error as error:
        raise ValueError(f"a row has {len(row)} bytes instead of {flat.size}") from error


def decode_alive(key: str, raw: bytes) -> int:
    """Read the flip that is alive; OnlineError where it is no integer."""
    try:
        flip: int = msgspec.msgpack.decode(raw, type=int)
        return flip
    except ValueError as error:
        raise OnlineError(f"{key!r} is no integer of ours ({error}); did something else write it?") from error


def encode_slots(generation: int, row: bytes, earlier: int = 0, earlier_row: bytes = NIL) -> bytes:
    """Write an entity's two slots, newest first; the rows are packed already."""
    return pack_array([pack_generation(generation), row, pack_generation(earlier), earlier_row])


def _decoded(dtype: DType) -> Any:
    """The type of a value, or null, as msgspec takes it."""
    if dtype.element is not None:
        return list[_decoded(dtype.element)] | None  # type: ignore[misc]
    return _DECODED[dtype.name] | None


def _decode_formatted(raw: bytes, what: str, wanted: Any) -> tuple[Any, ...]:
    """The elements that are known, of those types; more may stand behind them."""
    try:
        decoded = msgspec.msgpack.decode(raw)
        number = decoded[0]
        if number == FORMAT:
            known: tuple[Any, ...] = msgspec.convert(
                decoded[: len(get_args(wanted))],
                wanted,
                builtin_types=(bytes,),  # else a text is taken for base64
            )
            return known
    except (ValueError, TypeError, LookupError, RecursionError) as error:  # msgspec's are the first
        raise OnlineError(
            f"the online {what} is not MessagePack of ours; did something else write the key?"
        ) from error
    raise OnlineError(
        f"the online {what} has format {number}, and this skewless reads format {FORMAT}; "
        "use the version that published it, or publish with this one into another namespace"
    )
