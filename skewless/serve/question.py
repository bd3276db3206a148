"""What is asked: the body of a request, decoded and within its limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

import msgspec
from msgspec import Meta

from skewless.serve.problems import Kind, Problem
from skewless.settings import Settings

Layout = Literal["rows", "columns"]

_Feature = Annotated[str, Meta(min_length=1, max_length=512)]
_Entity = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may ask for, and a process may have under way.

    seconds   for a request, from its first byte to its answer
    size      bytes of a body
    requests  under way at a time, in each process
    """

    seconds: float
    size: int
    entities: int
    features: int
    requests: int

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Those that were set."""
        return cls(
            settings.serve_timeout_seconds,
            settings.serve_max_bytes,
            settings.serve_max_entities,
            settings.serve_max_features,
            settings.serve_max_requests,
        )


class Question(msgspec.Struct, forbid_unknown_fields=True):
    """Features, and the entities that they are asked for."""

    features: Annotated[list[_Feature], Meta(description='"view:field", or the name of a feature service.')]
    entities: Annotated[
        list[_Entity] | _Entity,
        Meta(
            description="The join keys: a list of objects, one for each entity; an object with a list for each key; "
            "or one object, for one entity. A key that is null is an entity without a row."
        ),
    ]
    explain: Annotated[bool, Meta(description="Add what each view was answered from.")] = False
    layout: Annotated[
        Layout, Meta(description="Give an object for each entity, or a list for each feature.")
    ] = "rows"


_decode = msgspec.json.Decoder(Question).decode


def question(body: bytes, limits: Limits) -> Question:
    """Read a body; Problem where it is no question, or asks for more than it may."""
    try:
        asked = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(400, Kind.USAGE, f"the body is no question: {error}; see /openapi.json") from error
    _demand("features", len(asked.features), limits.features)
    _demand("entities", _count(asked.entities), limits.entities)
    return asked


def _demand(what: str, count: int, most: int) -> None:
    if count > most:
        raise Problem(
            413, Kind.TOO_LARGE, f"{count:,} {what} are asked for, and {most:,} may be; ask in parts"
        )


def _count(entities: Sequence[Any] | Mapping[str, Any]) -> int:
    if isinstance(entities, Mapping):
        return max((len(column) for column in entities.values() if isinstance(column, list)), default=1)
    return len(entities)
