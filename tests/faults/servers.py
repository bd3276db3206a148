"""Real servers for a test to kill and start again: Valkey from its wheel, and Redis where this machine has it."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import redis

from skewless.local import valkey
from skewless.local.port import free_port

# Debian's redis-tools brings the whole server, under the name of its checking tool, and starts no service.
_REDIS = ("redis-server", "redis-check-rdb")
_BROUGHT = Path(__file__).parents[2] / ".skewless" / "servers"  # by scripts/servers.sh
_DEFAULTS = (
    "bind 127.0.0.1",
    'save ""',
    "appendonly no",
    "maxmemory-policy noeviction",
    "daemonize no",
    "repl-diskless-sync-delay 0",
)
_PATIENCE = 30.0


@cache
def programs() -> dict[str, Path]:
    """The servers to be had here, by name and major version: {"valkey-9": ..., "redis-7": ...}."""
    installed = [Path(found) for name in _REDIS if (found := shutil.which(name))][:1]
    return {
        _kind(program): program for program in (valkey.binary(), *installed, *_BROUGHT.glob("*-server-*"))
    }


def _kind(program: Path) -> str:
    """Whose server it is, and its major version; RuntimeError where the program is none."""
    said = _run(program, "--version").stdout
    found = re.match(r"(\w+) server v=(\d+)", said)
    if found is None:
        raise RuntimeError(f"{program} is no Redis or Valkey server: it says {said!r}")
    return f"{found[1].lower()}-{found[2]}"


def _run(program: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["redis-server", *arguments]  # the name says what it is to be
    return subprocess.run(
        command, executable=program, capture_output=True, text=True, check=True, timeout=_PATIENCE
    )


@dataclass
class Server:
    """A server on 127.0.0.1, with its own folder; options are lines of its configuration, the last one counts.

    Nothing is saved and nothing appended unless an option asks for it, and a kill is a SIGKILL: then it comes
    back with what its files have. A Sentinel has `mode="--sentinel"`; one with TLS a `tls-port` beside its port.
    """

    kind: str
    folder: Path
    options: tuple[str, ...] = ()
    port: int = field(default_factory=free_port)
    mode: str | None = None
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    def start(self, *options: str) -> Server:
        """Start it, with more options from now on; wait until it has loaded its files and answers."""
        assert self.process is None, "it runs already"
        self.options += options
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / "server.conf"
        lines = [f"port {self.port}", f"dir {self.folder}", *_DEFAULTS, *self.options]
        file.write_text("\n".join(lines) + "\n")
        command = ["redis-server", str(file), *([self.mode] if self.mode else [])]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, executable=programs()[self.kind], stdout=log, stderr=log, start_new_session=True
            )
        self._wait()
        return self

    def kill(self) -> None:
        """End it by SIGKILL: it writes nothing more."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in good order; stopping twice is fine."""
        self._end(signal.SIGTERM)

    def restart(self, *options: str) -> Server:
        """Kill it and start it again at the same port."""
        self.kill()
        return self.start(*options)

    def pause(self) -> None:
        """Let it stand still: it accepts connections, and answers nothing until it is resumed."""
        assert self.process is not None, "it does not run"
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self.process is not None, "it does not run"
        self.process.send_signal(signal.SIGCONT)

    def client(self) -> redis.Redis:
        """A client for what a test itself asks or sets."""
        return redis.Redis(port=self.port, protocol=2, socket_timeout=_PATIENCE)

    def _end(self, number: signal.Signals) -> None:
        if self.process is None:
            return
        process, self.process = self.process, None
        process.send_signal(signal.SIGCONT)
        process.send_signal(number)
        process.wait(timeout=_PATIENCE)

    def _wait(self) -> None:
        assert self.process is not None, "just started"
        deadline = time.monotonic() + _PATIENCE
        while not _answers(self.port):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                tail = self.log.read_text(errors="replace").splitlines()[-15:]
                raise RuntimeError(f"{self.kind} did not start; its log ends with\n" + "\n".join(tail))
            time.sleep(0.01)


def _answers(port: int) -> bool:
    """Whether a server talks at the port, be it of a password or of TLS, and is not loading any more."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(b"PING\r\n")
            return not connection.recv(16).startswith(b"-LOADING")
    except OSError:
        return False
