"""The way to the reader: who may ask, how much, how long, and what is told when there is no answer.

A plain ASGI application: at the door a framework would take longer than the lookup.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from skewless.errors import SkewlessError, StoreUnavailable
from skewless.online.reader import AsyncOnlineReader
from skewless.serve.metrics import Metrics
from skewless.serve.problems import CLOSE, Complaints, Header, Kind, Problem, problem_of, unavailable
from skewless.serve.question import Limits, question
from skewless.serve.reply import reply
from skewless.serve.tokens import Tokens

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

FEATURES = "/v1/features"
OPEN = ("/health", "/ready")  # to everybody: whoever watches over processes has no token

_LOG = logging.getLogger(__name__)
_JSON: Header = (b"content-type", b"application/json")
_PROBLEM: Header = (b"content-type", b"application/problem+json")


class Door:
    """Answers requests for features; all others, once they have a token, are the other pages'."""

    def __init__(
        self,
        reader: AsyncOnlineReader,
        limits: Limits,
        tokens: Tokens | None,
        metrics: Metrics,
        complaints: Complaints,
        pages: App,
    ) -> None:
        """Without tokens nobody is asked for one."""
        self._reader, self._limits, self._tokens = reader, limits, tokens
        self._metrics, self._pages = metrics, pages
        self._complaints, self._under_way = complaints, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a request, or what the server tells of its start and end."""
        if scope["type"] != "http":
            await self._pages(scope, receive, send)
        elif scope["path"] == FEATURES:
            await self._features(scope, receive, send)
        elif scope["path"] in OPEN or self._may(scope):
            await self._pages(scope, receive, send)
        else:
            await refuse(send, _unauthorized())

    async def _features(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        try:
            body = await self._answer(scope, receive)
        except Problem as problem:
            await refuse(send, problem)
            code = problem.status
        else:
            await respond(send, 200, body, _JSON)
            code = 200
        self._metrics.count_request(code, time.perf_counter() - started)

    async def _answer(self, scope: Scope, receive: Receive) -> bytes:
        if not self._may(scope):
            raise _unauthorized()
        if scope["method"] != "POST":
            raise Problem(405, Kind.BLANK, f"{FEATURES} takes a POST", (b"allow", b"POST"))
        if self._under_way >= self._limits.requests:
            raise unavailable(f"{self._under_way} requests are under way; try again in a moment")
        self._under_way += 1
        try:
            return await self._in_time(scope, receive)
        except StoreUnavailable as error:
            self._complaints.tell(error)
            raise problem_of(error) from error
        except SkewlessError as error:
            raise problem_of(error) from error
        except RecursionError as error:
            raise Problem(400, Kind.USAGE, "the entities are nested too deep") from error
        except Problem:
            raise
        except Exception as error:
            _LOG.exception("a request for features failed")
            raise Problem(500, Kind.INTERNAL, "see the log of `skewless serve`") from error
        finally:
            self._under_way -= 1

    async def _in_time(self, scope: Scope, receive: Receive) -> bytes:
        seconds, body = self._limits.seconds, None
        try:
            async with asyncio.timeout(seconds):
                body = await _body(scope, receive, self._limits.size)
                asked = question(body, self._limits)
                answer = await self._reader.read(asked.features, asked.entities)
        except TimeoutError as error:
            if body is None:
                raise Problem(408, Kind.TIMEOUT, f"no whole body came in {seconds:g} s", CLOSE) from error
            raise Problem(504, Kind.TIMEOUT, f"the online store gave no answer in {seconds:g} s") from error
        found = reply(answer, asked.layout, explain=asked.explain)
        self._metrics.count_answer(answer, found.absent)
        return found.body

    def _may(self, scope: Scope) -> bool:
        return self._tokens is None or self._tokens.accept(_header(scope, b"authorization"))


async def respond(send: Send, status: int, body: bytes, *headers: Header) -> None:
    """Send a whole response."""
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


async def refuse(send: Send, problem: Problem) -> None:
    """Send a problem."""
    await respond(send, problem.status, problem.body, _PROBLEM, *problem.headers)


async def _body(scope: Scope, receive: Receive, most: int) -> bytes:
    """The whole body, of which no more is kept than it may have."""
    length = _header(scope, b"content-length")
    if length and int(length) > most:
        raise _too_long(most)
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Problem(400, Kind.USAGE, "the body ended early")
        body += message.get("body", b"")
        if len(body) > most:
            raise _too_long(most)
        if not message.get("more_body", False):
            return bytes(body)


def _header(scope: Scope, name: bytes) -> bytes:
    found: bytes = next((value for key, value in scope["headers"] if key == name), b"")
    return found


def _too_long(most: int) -> Problem:
    return Problem(413, Kind.TOO_LARGE, f"the body has more than {most:,} bytes; ask in parts", CLOSE)


def _unauthorized() -> Problem:
    detail = "send one of the service's tokens, as `Authorization: Bearer TOKEN`"
    return Problem(401, Kind.UNAUTHORIZED, detail, (b"www-authenticate", b"Bearer"))
