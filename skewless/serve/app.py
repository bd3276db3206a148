"""The application of one process: the door, and behind it the pages for those who watch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException as RoutingError

from skewless import __version__
from skewless.errors import StoreUnavailable
from skewless.online.reader import AsyncOnlineReader
from skewless.serve.description import described
from skewless.serve.door import FEATURES, Door
from skewless.serve.metrics import Metrics
from skewless.serve.problems import Complaints, Kind, Problem, problem_of, unavailable
from skewless.serve.question import Limits
from skewless.serve.server import log_to_stderr
from skewless.serve.tokens import Tokens
from skewless.settings import Settings, load_settings

_READY_SECONDS = 1.0


def make_app() -> Door:
    """The application as the settings have it; each process makes its own."""
    log_to_stderr()
    return app_of(load_settings())


def app_of(settings: Settings) -> Door:
    """The application; nothing is connected before the first request.

    UsageError where the tokens cannot be read, or the online store's URL is wrong.
    """
    reader = AsyncOnlineReader(settings.redis_url, settings.namespace)
    metrics, complaints = Metrics(), Complaints()
    tokens = Tokens(settings.serve_tokens) if settings.serve_tokens else None
    pages = _pages(reader, metrics, complaints)
    return Door(reader, Limits.of(settings), tokens, metrics, complaints, pages)


def _pages(reader: AsyncOnlineReader, metrics: Metrics, complaints: Complaints) -> FastAPI:
    """All but the lookups. There is no page of documentation: FastAPI's would load its scripts from elsewhere."""

    @asynccontextmanager
    async def closing(app: FastAPI) -> AsyncIterator[None]:
        yield
        await reader.close()

    app = FastAPI(title="Skewless", version=__version__, lifespan=closing, docs_url=None, redoc_url=None)

    @app.get("/health")
    async def health() -> PlainTextResponse:
        """Answers as long as the process does."""
        return PlainTextResponse("ok\n")

    @app.get("/ready")
    async def ready() -> Response:
        """Answers 200 when the online store does, within a second; else 503."""
        try:
            async with asyncio.timeout(_READY_SECONDS):
                await reader.ping()
        except StoreUnavailable as error:
            complaints.tell(error)
            return _refused(problem_of(error))
        except TimeoutError:
            return _refused(unavailable(f"the online store gave no answer in {_READY_SECONDS:g} s"))
        return PlainTextResponse("ready\n")

    @app.get("/metrics")
    async def counted() -> Response:
        """What is counted, for Prometheus."""
        return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)

    @app.exception_handler(RoutingError)
    async def lost(request: Request, error: RoutingError) -> Response:
        headers = [(name.encode(), value.encode()) for name, value in (error.headers or {}).items()]
        return _refused(Problem(error.status_code, Kind.BLANK, str(error.detail), *headers))

    def openapi() -> dict[str, Any]:
        return described(get_openapi(title=app.title, version=app.version, routes=app.routes), FEATURES)

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI's documentation has it
    return app


def _refused(problem: Problem) -> Response:
    headers = {name.decode(): value.decode() for name, value in problem.headers}
    return Response(problem.body, problem.status, headers, media_type="application/problem+json")
