"""What the values in the online store say: pointer, meta, slots. Pure, bytes in and bytes out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import msgspec

from skewless import types
from skewless.errors import OnlineError
from skewless.model import FeatureView
from skewless.online.codec import NIL, converter, pack_array, pack_int, pack_str, row_encoder
from skewless.online.keys import KeyKind
from skewless.timeline import from_micros, to_micros
from skewless.types import DType

FORMAT = 1

Row = tuple[Any, ...]


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
        _, flip, generation, epoch, time, *_ = _decode_formatted(raw, "pointer")
        return cls(flip, generation, epoch, from_micros(time))


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

    @property
    def kinds(self) -> tuple[KeyKind, ...]:
        """The kinds of the join keys."""
        return tuple(kind for _, kind in self.keys)

    @property
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
        _, fingerprint, keys, fields, absent, expired, *_ = _decode_formatted(raw, "meta")
        try:
            named = tuple((name, types.parse(dtype)) for name, dtype in fields)
            kinds = tuple((name, KeyKind(kind)) for name, kind in keys)
        except ValueError as error:
            raise OnlineError(f"the online meta is not readable ({error}); upgrade skewless") from error
        meta = cls(fingerprint, kinds, named, (), ())
        return cls(fingerprint, kinds, named, meta.to_python(absent), meta.to_python(expired))

    def to_python(self, row: list[Any]) -> Row:
        """A decoded row as Python values: timestamps become UTC datetimes."""
        values = list(row)
        for position, convert in self._converters:
            values[position] = convert(values[position])
        return tuple(values)

    @cached_property
    def _converters(self) -> list[tuple[int, Any]]:
        found = ((position, converter(dtype)) for position, dtype in enumerate(self.dtypes))
        return [(position, convert) for position, convert in found if convert]


def encode_slots(generation: int, row: bytes, earlier: int = 0, earlier_row: bytes = NIL) -> bytes:
    """Write an entity's two slots, newest first; the rows are packed already."""
    return pack_array([pack_int(generation), row, pack_int(earlier), earlier_row])


def row_at(raw: bytes | None, generation: int) -> list[Any] | None:
    """Read an entity's row in a generation: the first slot not above it; None where the entity is absent."""
    if raw is None:
        return None
    newest, row, earlier, earlier_row = msgspec.msgpack.decode(raw)
    found: list[Any] | None = row if newest <= generation else earlier_row if earlier <= generation else None
    return found


def _decode_formatted(raw: bytes, what: str) -> list[Any]:
    try:
        decoded: list[Any] = msgspec.msgpack.decode(raw)
        number = decoded[0]
    except (msgspec.DecodeError, TypeError, LookupError) as error:
        raise OnlineError(
            f"the online {what} is not MessagePack of ours; did something else write the key?"
        ) from error
    if number != FORMAT:
        raise OnlineError(
            f"the online {what} has format {number}, and this skewless reads format {FORMAT}; "
            "use the version that published it, or publish with this one into another namespace"
        )
    return decoded
