"""The ports of this machine: whether one is taken, and by whom."""

from __future__ import annotations

import itertools
import secrets
import socket
import time
from pathlib import Path

from skewless.errors import SetupError

_PATIENCE = 3.0  # seconds: a server that was killed still holds its port while the system takes it apart
_OURS = range(20_000, 32_000)  # Linux lends ports from 32768 on
_TURN = itertools.count(secrets.randbelow(len(_OURS)))  # one that is given may be bound much later
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def is_loopback(host: str | None) -> bool:
    """Tell whether a host is this machine by its loopback name."""
    return host in _LOOPBACK


def listens(port: int) -> bool:
    """Tell whether something accepts connections at 127.0.0.1:port."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def free_port() -> int:
    """Give a port that nobody has now, and that the system lends to no connection; SetupError where there is none."""
    for _ in _OURS:
        port = _OURS[next(_TURN) % len(_OURS)]
        if _taken(port) is None:
            return port
    raise SetupError(f"no port from {_OURS[0]} to {_OURS[-1]} is free; end some of the programs that listen")


def demand_free(port: int, *, service: str, setting: str, example: str) -> None:
    """Raise SetupError when the port is taken; it names the port, who has it, and the setting to change."""
    deadline = time.monotonic() + _PATIENCE
    while (reason := _taken(port)) and time.monotonic() < deadline:
        time.sleep(0.1)
    if reason is None:
        return
    by = owner(port)
    raise SetupError(
        f"{service} cannot listen at 127.0.0.1:{port} ({reason}{f', by {by}' if by else ''}); end that "
        f"program, or choose another port, e.g. SKEWLESS_{setting.upper()}={example} or {setting} in "
        f"skewless.toml; if it is a server of yours for Skewless to use, set SKEWLESS_LOCAL_SERVICES=false"
    )


def _taken(port: int) -> str | None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            return error.strerror or str(error)
    return None


def owner(port: int) -> str | None:
    """Name the process that listens at a port, where /proc tells: "process 4242 (redis-server)"."""
    sockets = {f"socket:[{inode}]" for table in ("tcp", "tcp6") for inode in _listening(table, port)}
    for process in Path("/proc").glob("[0-9]*") if sockets else ():
        try:
            if any(str(handle.readlink()) in sockets for handle in (process / "fd").iterdir()):
                return f"process {process.name} ({(process / 'comm').read_text().strip()})"
        except OSError:  # another user's process, or one that has just ended
            continue
    return None


def _listening(table: str, port: int) -> list[str]:
    try:
        rows = [line.split() for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]]
    except OSError:
        return []
    return [row[9] for row in rows if row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port]
