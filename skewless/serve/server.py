"""The server itself: where it listens, whom it lets in, and how it ends."""

from __future__ import annotations

import logging
import os
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn
from uvicorn.supervisors import Multiprocess

from skewless.errors import SetupError, UsageError
from skewless.local.port import is_loopback
from skewless.online.endpoint import Endpoint
from skewless.serve.tokens import Tokens
from skewless.settings import Settings

_BACKLOG = 2048
_TOGETHER = "PROMETHEUS_MULTIPROC_DIR"  # as in `metrics`, which must not be loaded before it is set
_PATIENCE = 1.0  # seconds beyond a request's own, until a server that ends gives up on it


@dataclass(frozen=True, slots=True)
class Started:
    """A server that listens."""

    url: str
    namespace: str
    store: str
    workers: int
    tokens: bool

    def __str__(self) -> str:
        """The one line that is told."""
        asked = "with a token" if self.tokens else "WITHOUT a token"
        workers = f", {self.workers} processes" if self.workers > 1 else ""
        return f"serving namespace {self.namespace!r} of {self.store} at {self.url}, {asked}{workers}"


def serve(settings: Settings, tell: Callable[[Started], None], *, without_token: bool = False) -> None:
    """Serve until a signal ends it; requests under way are answered first.

    tell           is told once it listens
    without_token  serve other machines without asking for a token

    UsageError where that was not said, and for settings that are wrong; SetupError where it cannot listen.
    """
    _demand_consent(settings, without_token)
    store = Endpoint.parse(settings.redis_url).address
    if settings.serve_tokens:
        Tokens(settings.serve_tokens)  # a mistake in it is told here, and not by every process
    log_to_stderr()
    with _listening(settings.serve_host, settings.serve_port) as listener, _for_processes(settings):
        url = _url(settings.serve_host, listener.getsockname()[1])
        tell(Started(url, settings.namespace, store, settings.serve_workers, bool(settings.serve_tokens)))
        config = _config(settings)
        if settings.serve_workers > 1:
            _Processes(config, listener).run()
        else:
            uvicorn.Server(config).run([listener])


def log_to_stderr() -> None:
    """Let a process say what operators must see: a line each, and nothing of single requests."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")


class _Processes(Multiprocess):
    """Processes that share a listener; the signal that ends them ends the command, as it ends that of one process."""

    def __init__(self, config: uvicorn.Config, listener: socket.socket) -> None:
        self._handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
        self._ended_by: signal.Signals | None = None
        super().__init__(config, [listener])

    def run(self) -> None:
        super().run()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        if self._ended_by is None:
            raise SetupError("the processes of `skewless serve` did not start; what they said stands above")
        signal.raise_signal(self._ended_by)

    def handle_term(self) -> None:
        self._ended_by = signal.SIGTERM
        super().handle_term()

    def handle_int(self) -> None:
        self._ended_by = signal.SIGINT
        super().handle_int()

    def terminate_all(self) -> None:
        """End them; nobody connects any more, else connections would wait here for a process to take them."""
        for listener in self.sockets:
            listener.close()
        super().terminate_all()


def _demand_consent(settings: Settings, without_token: bool) -> None:
    if settings.serve_tokens and without_token:
        raise UsageError(
            f"--no-token contradicts the tokens of {settings.serve_tokens}; leave one of them out"
        )
    if settings.serve_tokens or without_token or is_loopback(settings.serve_host):
        return
    raise UsageError(
        f"{settings.serve_host} can be reached from other machines, and no token is asked for; name a file of tokens "
        "by --tokens (docs/http.md#tokens), or say --no-token where something else keeps strangers out"
    )


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.create_server(address, family=family, backlog=_BACKLOG)
    except OSError as error:
        raise SetupError(
            f"cannot listen at {host}:{port} ({error.strerror}); choose another --host or --port, or 0 for a free one"
        ) from error
    with listener:
        yield listener


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextmanager
def _for_processes(settings: Settings) -> Iterator[None]:
    """What the processes take from the environment: the settings, and where several of them count together."""
    os.environ.update(settings.variables())
    if settings.serve_workers == 1:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="skewless-metrics-") as folder:
        os.environ[_TOGETHER] = folder
        yield


def _config(settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        "skewless.serve.app:make_app",
        factory=True,
        workers=settings.serve_workers,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        interface="asgi3",
        backlog=_BACKLOG,
        log_config=None,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=int(settings.serve_timeout_seconds + _PATIENCE) + 1,
    )
