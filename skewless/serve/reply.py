"""What is answered: strict JSON, from which every value comes back as it was.

float32     the double of the same value; rounded to 32 bits it is the same bits
NaN         "NaN", "Infinity" and "-Infinity", since JSON has no such numbers
bytes       base64
timestamp   RFC 3339 in UTC, with six digits of a second
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from math import isfinite, isnan
from typing import Annotated, Any, Literal, Self

import msgspec
from msgspec import Meta

from skewless.online.answer import Answer, Part, Served
from skewless.online.records import Row
from skewless.serve.question import Layout
from skewless.types import DType

_encode = msgspec.json.Encoder().encode
_FLOATS = ("float32", "float64")


class From(msgspec.Struct):
    """What a view, or an alias, was answered from."""

    generation: Annotated[int, Meta(description="The number of the publish that was live.")]
    flip: Annotated[int, Meta(description="When readers last saw a change: microseconds since 1970.")]
    snapshot_time: Annotated[str, Meta(description="The end of what the values know of; RFC 3339.")]
    age_seconds: Annotated[float, Meta(description="Since the snapshot's time.")]
    state: Annotated[Literal["live", "expired"], Meta(description="expired: all got the expired row.")]

    @classmethod
    def of(cls, served: Served) -> Self:
        """As JSON has it."""
        return cls(
            served.generation,
            served.flip,
            spelled_instant(served.snapshot_time),
            served.age.total_seconds(),
            served.state,
        )


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as it is sent, and, by view or alias, how many entities got the absent row."""

    body: bytes
    absent: dict[str, int]


def reply(answer: Answer, layout: Layout, *, explain: bool) -> Reply:
    """Encode an answer; OnlineError where a value does not parse."""
    rows = [part.slots.rows() for part in answer.parts]
    absent = [part.slots.absent(found) for part, found in zip(answer.parts, rows, strict=True)]
    values = [
        _spelled(part, part.picked(found), ("timestamp",), _each(spelled_instant))
        for part, found in zip(answer.parts, rows, strict=True)
    ]
    body = _body(answer, values, layout, explain)
    if b"null" in body and _some_not_finite(answer.parts, values):  # the encoder writes NaN as null
        values = [
            _spelled(part, found, _FLOATS, _each(_spelled_float))
            for part, found in zip(answer.parts, values, strict=True)
        ]
        body = _body(answer, values, layout, explain)
    return Reply(body, dict(zip(answer.views, absent, strict=True)))


def _body(answer: Answer, values: Sequence[Sequence[Row]], layout: Layout, explain: bool) -> bytes:
    told: dict[str, Any] = {layout: (_columns if layout == "columns" else Answer.named)(answer, values)}
    if explain:
        told["views"] = {name: From.of(served) for name, served in answer.views.items()}
    return _encode(told)


def _columns(answer: Answer, values: Sequence[Sequence[Row]]) -> dict[str, Sequence[Any]]:
    columns: dict[str, Sequence[Any]] = {}
    for part, rows in zip(answer.parts, values, strict=True):
        columns |= zip(part.names, _by_field(part, rows), strict=True)
    return columns


def _by_field(part: Part, rows: Sequence[Row]) -> Sequence[Sequence[Any]]:
    return list(zip(*rows, strict=True)) or [()] * len(part.names)


def _spelled(
    part: Part, rows: Sequence[Row], dtypes: Sequence[str], spell: Callable[[Any], Any]
) -> Sequence[Row]:
    """The rows, with the values of some dtypes, and arrays of those, as they are written."""
    places = [place for place, dtype in enumerate(_dtypes(part)) if (dtype.element or dtype).name in dtypes]
    if not places:
        return rows
    spelled = []
    for row in rows:
        values = list(row)
        for place in places:
            values[place] = spell(values[place])
        spelled.append(tuple(values))
    return spelled


def _each(spell: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Spell a value, or each element of an array; null is null."""

    def spell_each(value: Any) -> Any:
        if isinstance(value, list | tuple):
            return [spell_each(item) for item in value]
        return None if value is None else spell(value)

    return spell_each


def spelled_instant(t: datetime) -> str:
    """Write a UTC instant, with all of its digits.

    >>> from datetime import UTC
    >>> spelled_instant(datetime(2013, 7, 1, 10, tzinfo=UTC))
    '2013-07-01T10:00:00.000000Z'
    """
    return t.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _spelled_float(value: float) -> float | str:
    if isfinite(value):
        return value
    return "NaN" if isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _some_not_finite(parts: Sequence[Part], values: Sequence[Sequence[Row]]) -> bool:
    return not all(
        all(map(isfinite, _numbers(dtype, column)))
        for part, rows in zip(parts, values, strict=True)
        for dtype, column in zip(_dtypes(part), _by_field(part, rows), strict=True)
        if (dtype.element or dtype).name in _FLOATS
    )


def _numbers(dtype: DType, column: Sequence[Any]) -> Iterable[float]:
    """Those that are not null; zeros, which are finite, go with the nulls."""
    numbers = filter(None, column)
    return filter(None, chain.from_iterable(numbers)) if dtype.element else numbers


def _dtypes(part: Part) -> list[DType]:
    return [part.slots.meta.dtypes[position] for position in part.positions]
