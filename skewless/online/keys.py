"""The names of everything in the online store: pure, readable, injective.

All keys of a view share the hash tag `{<namespace>:<view>}`, so that a Redis Cluster keeps them on one shard.
"""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from skewless.errors import UsageError

_ESCAPED = {code: f"%{code:02X}" for code in (*range(0x20), 0x7F, ord("%"), ord("|"))}


class KeyKind(StrEnum):
    """What a join key is, as the source has it."""

    STRING = "string"
    INTEGER = "integer"


@dataclass(frozen=True, slots=True)
class ViewKeys:
    """The keys of one view in one namespace.

    >>> keys = ViewKeys("dev", "weather")
    >>> keys.pointer, keys.entity(7, "JFK")
    ('{dev:weather}:p', '{dev:weather}:7:JFK')
    """

    namespace: str
    view: str

    @property
    def tag(self) -> str:
        """What every key of the view begins with."""
        return f"{{{self.namespace}:{self.view}}}:"

    @property
    def pointer(self) -> str:
        """Which generation is live."""
        return self.tag + "p"

    @property
    def alive(self) -> str:
        """The flip that is not expired."""
        return self.tag + "a"

    @property
    def state(self) -> str:
        """The publisher's own hash."""
        return self.tag + "s"

    @property
    def scripted(self) -> tuple[str, str, str]:
        """KEYS of every script."""
        return self.pointer, self.alive, self.state

    def meta(self, epoch: int) -> str:
        """How the rows of an epoch are to be read."""
        return f"{self.tag}m:{epoch}"

    def entity(self, epoch: int, entity_key: str) -> str:
        """An entity's two slots."""
        return f"{self.tag}{epoch}:{entity_key}"

    def epoch_of(self, key: str) -> int | None:
        """The epoch that a key of this view belongs to; None for pointer, alive and state."""
        first, _, rest = key.removeprefix(self.tag).partition(":")
        number = rest if first == "m" else first
        return int(number) if number.isdecimal() else None


def service_key(namespace: str, service: str) -> str:
    """Where the feature list of a service is, for readers without definitions."""
    return f"{namespace}:service:{service}"


def entity_key(values: Sequence[Any], kinds: Sequence[KeyKind]) -> str | None:
    """Join an entity's key values; None where one of them is null, which is an entity without rows.

    >>> entity_key(["JFK", 7], [KeyKind.STRING, KeyKind.INTEGER])
    'JFK|7'
    >>> entity_key(["a|b%"], [KeyKind.STRING])
    'a%7Cb%25'

    Raises UsageError when a value is not of its kind, beside a null too: no reader guesses that "7" means 7.
    """
    parts = [_part(value, kind) for value, kind in zip(values, kinds, strict=True) if value is not None]
    return "|".join(parts) if len(parts) == len(kinds) else None


def escaped(text: str) -> str:
    """Percent-encode what would end a key's part, or a line.

    >>> escaped("a|b%")
    'a%7Cb%25'
    """
    return text.translate(_ESCAPED)


def _part(value: Any, kind: KeyKind) -> str:
    if kind is KeyKind.STRING and isinstance(value, str) and value.isprintable() and value.isascii():
        return value.replace("%", "%25").replace("|", "%7C")
    if kind is KeyKind.STRING and isinstance(value, str) and _is_unicode(value):
        return escaped(value)
    if kind is KeyKind.INTEGER and not isinstance(value, bool):
        with contextlib.suppress(TypeError):
            return _decimal(operator.index(value))
    raise UsageError(f"join key value {value!r} is no {kind}; pass it with the type that the source has")


def _decimal(number: int) -> str:
    try:
        return str(number)
    except ValueError as error:  # Python's own limit
        raise UsageError(
            f"a join key value is an integer of {number.bit_length()} bits; no source has any of more than 64"
        ) from error


def _is_unicode(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return False
    return True
