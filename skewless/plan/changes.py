"""What changed between two definitions as JSON has them: where they differ, and in words."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import Any

from skewless.timeline import MICROSECOND

_DURATIONS = ("ttl", "window", "data_delay")


def differing(
    one: Mapping[str, Any], other: Mapping[str, Any], path: str = ""
) -> Iterator[tuple[str, Any, Any]]:
    """Where two definitions differ, as dotted paths, with both values; None where one has nothing there.

    >>> list(differing({"ttl": 1, "source": {"path": "a"}}, {"ttl": 1, "source": {"path": "b"}}))
    [('source.path', 'a', 'b')]
    """
    for name in sorted({*one, *other}):
        place, (a, b) = f"{path}{name}", (one.get(name), other.get(name))
        if isinstance(a, dict) and isinstance(b, dict):
            yield from differing(a, b, f"{place}.")
        elif a != b:
            yield place, a, b


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, ...]:
    """What changed between two definitions of a view, in words; see `plan.fingerprint.view_definition`."""
    one, other = ({**told, "fields": _by_name(told["fields"])} for told in (before, now))
    return tuple(_in_words(*difference) for difference in differing(one, other))


def _by_name(fields: list[dict[str, Any]]) -> dict[str, Any]:
    return {item["name"]: {**item, "default": _default(item)} for item in fields}


def _default(item: Mapping[str, Any]) -> Any:
    """A fingerprint takes floats by their bits; people do not."""
    value = item.get("default")
    if isinstance(value, str) and str(item.get("dtype")).startswith("float"):
        return struct.unpack(">d", bytes.fromhex(value))[0]
    return value


def _in_words(place: str, before: Any, now: Any) -> str:
    part, _, inner = place.partition(".")
    if part != "fields":
        return f"{place.replace('.', ': ', 1)} was {_shown(place, before)}, is {_shown(place, now)}"
    name, _, what = inner.partition(".")
    if not what:
        return f"field {name} is {'gone' if now is None else 'new'}"
    return f"field {name}: {what} was {_shown(what, before)}, is {_shown(what, now)}"


def _shown(place: str, value: Any) -> str:
    """A value as a definition says it: durations as such, and what is not there as nothing."""
    name = place.rpartition(".")[2]
    if value is None:
        return "nothing"
    if name in _DURATIONS and isinstance(value, int):
        return str(value * MICROSECOND)
    if isinstance(value, dict):
        return ", ".join(f"{key} {_shown(key, item)}" for key, item in value.items() if item is not None)
    return repr(value)
