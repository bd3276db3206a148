"""HTTP load: at a constant rate by threads of this process, and as much as a server can take, by wrk."""

from __future__ import annotations

import itertools
import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

_CONNECTIONS = 16
_TIMEOUT = 10.0
_SCRIPT = Path(__file__).with_name("wrk.lua")


@dataclass
class Connection:
    """One kept-alive connection: a request's bytes out, an answer's body in."""

    stream: socket.socket
    _rest: bytes = b""

    def ask(self, request: bytes) -> bytes:
        """Send a request; RuntimeError unless it is answered 200 with a length."""
        self.stream.sendall(request)
        head, self._rest = self._until(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), None)
        if not head.startswith(b"HTTP/1.1 200 ") or length is None:
            raise RuntimeError(f"answered {head.decode()} {self._rest[:500]!r}")
        while len(self._rest) < length:
            self._receive()
        body, self._rest = self._rest[:length], self._rest[length:]
        return body

    def _until(self, end: bytes) -> tuple[bytes, bytes]:
        while end not in self._rest:
            self._receive()
        head, _, rest = self._rest.partition(end)
        return head, rest

    def _receive(self) -> None:
        received = self.stream.recv(1 << 18)
        if not received:
            raise RuntimeError("the server closed the connection")
        self._rest += received


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """A connection to the server of a URL."""
    at = urlsplit(url)
    with socket.create_connection((at.hostname, at.port), timeout=_TIMEOUT) as stream:
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield Connection(stream)


def request(url: str, body: bytes) -> bytes:
    """A POST of JSON."""
    at = urlsplit(url)
    head = f"POST {at.path} HTTP/1.1\r\nHost: {at.netloc}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


@dataclass(frozen=True)
class Steady:
    """Of a load at a constant rate: seconds from when each request was due until its answer, and answers a second."""

    latencies: Sequence[float]
    rate: float


def steady(url: str, bodies: Sequence[bytes], rate: float, seconds: float) -> Steady:
    """Ask at a constant rate, whatever the server does: a request that must wait for others waits since it was due."""
    numbers, latencies = itertools.count(), []
    requests, total = [request(url, body) for body in bodies], int(rate * seconds)
    begun = time.perf_counter() + 0.1
    failures: list[Exception] = []

    def ask_on() -> None:
        try:
            with connected(url) as connection:
                while (number := next(numbers)) < total and not failures:
                    due = begun + number / rate
                    time.sleep(max(0.0, due - time.perf_counter()))
                    connection.ask(requests[number % len(requests)])
                    latencies.append(time.perf_counter() - due)
        except (OSError, RuntimeError) as error:
            failures.append(error)

    threads = [threading.Thread(target=ask_on) for _ in range(_CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return Steady(latencies, total / (time.perf_counter() - begun))


def saturated(url: str, bodies: Sequence[bytes], seconds: float, scratch: Path) -> dict[str, float]:
    """Answers a second that wrk gets on 16 connections, `rate`, and their percentiles in microseconds.

    RuntimeError where one of them is no 200.
    """
    if shutil.which("wrk") is None:
        raise RuntimeError("wrk is not installed; apt-get install wrk")
    file = scratch / "bodies"
    file.write_bytes(b"\n".join(bodies))
    options = ["-t1", f"-c{_CONNECTIONS}", f"-d{seconds:g}s", "-s", str(_SCRIPT), url, "--", str(file)]
    told = subprocess.run(["wrk", *options], capture_output=True, text=True, check=True).stdout
    found = json.loads(told.splitlines()[-1])
    if found["errors"]:
        raise RuntimeError(f"{found['errors']} requests of wrk failed at {url}")
    return {"rate": found["requests"] / found["seconds"], "p50": found["p50"], "p99": found["p99"]}
