"""The golden store and cases, for the readers of every language."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import redis

GOLDEN = Path(__file__).parents[1] / "golden" / "online"
STORE = json.loads((GOLDEN / "store.json").read_text("utf-8"))
CASES = json.loads((GOLDEN / "cases.json").read_text("utf-8"))["cases"]
NAMESPACE = STORE["namespace"]


def load_store(redis_url: str) -> None:
    """Put what the golden server holds into a server."""
    with redis.Redis.from_url(redis_url) as server:
        server.mset({entry["key"]: bytes.fromhex(entry["hex"]) for entry in STORE["entries"]})


def exactly(value: Any) -> Any:
    """A value of a case in a form that `==` tells apart exactly: floats by their bits, as their kind."""
    if isinstance(value, list):
        return [exactly(item) for item in value]
    return tuple(*value.items()) if isinstance(value, dict) else value


def entities_of(case: dict[str, Any]) -> list[dict[str, Any]]:
    return case["entities"] * case.get("times", 1)


def rows_of(case: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of a case; each value told exactly."""
    rows = [{name: exactly(value) for name, value in row.items()} for row in case["rows"]]
    return rows * case.get("times", 1)


def float_bits(kind: str, value: float) -> tuple[str, str]:
    return kind, struct.pack(">f" if kind == "float32" else ">d", value).hex()
