"""Expectations and what they found, as sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_NOT_SHOWN = ("column", "column_A", "column_B", "column_list", "column_set", "mostly")
_CLAIMS = {
    "expect_column_values_to_not_be_null": "not null",
    "expect_column_values_to_be_null": "null",
    "expect_column_values_to_be_unique": "unique",
}


def claim(expectation: str, arguments: Mapping[str, Any]) -> str:
    """What an expectation says.

    >>> claim("expect_column_values_to_be_between", {"column": "amount", "min_value": 0, "mostly": 0.999})
    'amount between 0 and ... for at least 99.9%'
    >>> claim("expect_column_values_to_be_in_set", {"column": "carrier", "value_set": ["AA", "UA"]})
    "carrier values to be in set (value_set=['AA', 'UA'])"
    """
    words = [*_subject(arguments), _predicate(expectation, arguments)]
    if (mostly := arguments.get("mostly", 1)) != 1:
        words.append(f"for at least {100 * mostly:.10g}%")
    return " ".join(words)


def counted(unexpected: int, total: int, arguments: Mapping[str, Any]) -> str:
    """How many values break an expectation, and in which direction where there is only one.

    >>> counted(3, 10412, {"min_value": 0})
    '3 of 10,412 values below 0'
    >>> counted(0, 10412, {})
    'all 10,412 values'
    """
    if not unexpected:
        return f"all {total:,} values"
    least, most = arguments.get("min_value"), arguments.get("max_value")
    where = ""
    if least is not None or most is not None:
        where = f" above {most}" if least is None else f" below {least}" if most is None else " outside"
    return f"{unexpected:,} of {total:,} values{where or ' fail'}"


def _subject(arguments: Mapping[str, Any]) -> list[str]:
    named = [arguments[name] for name in ("column", "column_A", "column_B") if name in arguments]
    listed = [column for name in ("column_list", "column_set") for column in arguments.get(name) or ()]
    return [", ".join(map(str, (*named, *listed)))] if named or listed else []


def _predicate(expectation: str, arguments: Mapping[str, Any]) -> str:
    if expectation in _CLAIMS:
        return _CLAIMS[expectation]
    shown = {name: value for name, value in arguments.items() if name not in _NOT_SHOWN}
    words = expectation.removeprefix("expect_").removeprefix("column_").replace("_", " ")
    if expectation.endswith("_to_be_between"):
        words = words.removeprefix("values ").replace("to be between", "between").strip()
        least, most = (shown.pop(name, None) for name in ("min_value", "max_value"))
        words += f" {'...' if least is None else least} and {'...' if most is None else most}"
    rest = ", ".join(f"{name}={value!r}" for name, value in shown.items())
    return f"{words} ({rest})" if rest else words
