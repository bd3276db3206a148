"""What commands read from people, and what they print for them and for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from skewless.errors import SetupError, SkewlessError, UsageError
from skewless.timeline import parse_instant

# The extra of the project that brings each package.
_EXTRA_OF = {
    "pyspark": "spark",
    "pandas": "spark",
    "great_expectations": "spark",
    "fastapi": "serve",
    "prometheus_client": "serve",
    "uvicorn": "serve",
}


def instant(text: str | None) -> datetime | None:
    """An ISO instant, if one is given; UsageError, with the form, for what is none."""
    try:
        return None if text is None else parse_instant(text)
    except ValueError as error:
        raise UsageError(str(error)) from error


def parsed_entity(text: str) -> dict[str, str]:
    """An entity's join keys, still as text; UsageError, with the form, for what is none.

    >>> parsed_entity("origin=JFK,carrier=UA")
    {'origin': 'JFK', 'carrier': 'UA'}
    """
    pairs = [part.partition("=") for part in text.split(",")]
    if not all(name and equals for name, equals, _ in pairs):
        raise UsageError(
            f"{text!r} is no entity; write its join keys as KEY=VALUE, e.g. -e origin=JFK,carrier=UA"
        )
    return {name: value for name, _, value in pairs}


def report(line: str) -> None:
    """Print a line of progress: to standard error, so that standard output has the result alone."""
    print(line, file=sys.stderr, flush=True)


def show(value: Any, words: str, as_json: bool) -> None:
    """Print a result in words, or as one line of JSON."""
    from skewless.jobs.receipts import to_json

    print(to_json(value) if as_json else words)


def show_receipt(receipt: Any, as_json: bool) -> None:
    """Print what a job did; beside JSON the words are its last line of progress, for whoever watches."""
    if as_json:
        report(str(receipt))
    show(receipt, str(receipt), as_json)


def show_receipts(receipts: Sequence[Any], as_json: bool) -> None:
    """Print several receipts, one after the other; as JSON, in one list."""
    words = "\n".join(map(str, receipts))
    if as_json:
        report(words)
    show(receipts, words, as_json)


def show_error(error: SkewlessError, *, as_json: bool) -> None:
    """Print an error to standard error, in words or as one line of JSON."""
    told = {"error": str(error), "exit_code": error.exit_code}
    print(json.dumps(told, ensure_ascii=False) if as_json else f"error: {error}", file=sys.stderr)


def missing(error: ModuleNotFoundError) -> SkewlessError:
    """What to install; a module of our own or of the standard library that is not there is a bug, and goes on."""
    package = (error.name or "").partition(".")[0]
    if package not in _EXTRA_OF:
        raise error
    return SetupError(f"{package} is not installed; pip install 'skewless[{_EXTRA_OF[package]}]'")
