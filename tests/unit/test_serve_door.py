"""What a caller is told when something breaks that nobody thought of."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from skewless.online.reader import AsyncOnlineReader
from skewless.serve.door import FEATURES, Door, Scope
from skewless.serve.metrics import Metrics
from skewless.serve.problems import Complaints
from skewless.serve.question import Limits

QUESTION = b'{"features": ["stats:mark"], "entities": []}'


class Broken(AsyncOnlineReader):
    """A reader with a mistake."""

    async def read(self, *_: Any) -> Any:
        raise ZeroDivisionError("a secret")


async def no_pages(*_: Any) -> None:
    raise AssertionError("nobody asked for another page")


async def sent(door: Door) -> list[Any]:
    messages: list[Any] = []
    scope: Scope = {"type": "http", "path": FEATURES, "method": "POST", "headers": []}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": QUESTION, "more_body": False}

    async def send(message: Any) -> None:
        messages.append(message)

    await door(scope, receive, send)
    return messages


def test_a_mistake_is_the_logs_and_not_the_callers(caplog: pytest.LogCaptureFixture) -> None:
    limits = Limits(seconds=5, size=1000, entities=1, features=1, requests=1)
    metrics = Metrics()
    door = Door(Broken("redis://127.0.0.1:1", "n"), limits, None, metrics, Complaints(), no_pages)
    for _ in range(3):  # one is under way at a time: none is left behind
        start, body = asyncio.run(sent(door))
        assert start["status"] == 500
        problem = json.loads(body["body"])
        assert (problem["type"], problem["status"]) == ("internal", 500)
        assert "secret" not in problem["detail"]
    assert caplog.text.count("ZeroDivisionError: a secret") == 3
    assert b'skewless_requests_total{code="500"} 3.0' in metrics.text()
