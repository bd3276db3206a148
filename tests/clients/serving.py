"""`skewless serve` as a process of its own, and a caller that takes its answers at their word."""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

from skewless.timeline import to_micros
from skewless.types import DType
from tests.clients.golden import float_bits
from tests.documents import ROOT

FEATURES = "/v1/features"
_PATIENCE = 60.0
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
_NO_NUMBERS = {
    "NaN": ("7fc00000", "7ff8000000000000"),
    "Infinity": ("7f800000", "7ff0000000000000"),
    "-Infinity": ("ff800000", "fff0000000000000"),
}


@dataclass(frozen=True)
class Response:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        """As strict JSON."""
        return json.loads(self.text, parse_constant=_no_constant)


@dataclass
class Service:
    """A server that runs, and its standard error."""

    url: str
    process: subprocess.Popen[str]
    log: Path

    def ask(self, question: Any, token: str | None = None) -> Response:
        """Ask for features; what is not text is sent as JSON."""
        body = question if isinstance(question, str | bytes) else json.dumps(question)
        return self.send("POST", FEATURES, body, token)

    def get(self, path: str, token: str | None = None) -> Response:
        return self.send("GET", path, None, token)

    def send(
        self, method: str, path: str, body: Any = None, token: str | None = None, **how: Any
    ) -> Response:
        headers = {"content-type": "application/json"} if body is not None else {}
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        connection = self.connect()
        try:
            connection.request(method, path, body, headers, **how)
            return read(connection)
        finally:
            connection.close()

    def connect(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        assert parts.hostname is not None
        return http.client.HTTPConnection(parts.hostname, parts.port, timeout=_PATIENCE)

    @property
    def workers(self) -> list[int]:
        """Its processes, where it has several."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(pid) for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]

    @contextmanager
    def alone(self, number: int) -> Iterator[None]:
        """Of several processes only this one goes on, and so answers."""
        others = [pid for at, pid in enumerate(self.workers) if at != number]
        for pid in others:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in others:
                os.kill(pid, signal.SIGCONT)

    def end(self) -> int:
        """Let it end in good order; give its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(_PATIENCE)


def read(connection: http.client.HTTPConnection) -> Response:
    found = connection.getresponse()
    headers = {name.lower(): value for name, value in found.getheaders()}
    return Response(found.status, headers, found.read().decode())


def command(*options: str) -> list[str]:
    return [sys.executable, "-m", "skewless.cli", "serve", *options]


def environment(redis_url: str, namespace: str) -> dict[str, str]:
    """Of the settings only these; the package is this tree's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SKEWLESS_")}
    own = {"SKEWLESS_REDIS_URL": redis_url, "SKEWLESS_NAMESPACE": namespace, "PYTHONPATH": str(ROOT)}
    return kept | own


@contextmanager
def serving(redis_url: str, namespace: str, folder: Path, *options: str) -> Iterator[Service]:
    """A server at a free port, which has ended when the block has."""
    log = folder / "serve.log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            command("--port", "0", "--json", *options),
            cwd=folder,
            env=environment(redis_url, namespace),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, log.read_text()
        yield Service(json.loads(line)["url"], process, log)
    finally:
        process.terminate()
        process.communicate(timeout=_PATIENCE)


def told(dtype: DType, value: Any) -> Any:
    """A value of an answer as a golden case has it."""
    if value is None:
        return None
    if dtype.element is not None:
        assert isinstance(value, list)
        return [told(dtype.element, item) for item in value]
    if dtype.name in ("float32", "float64"):
        return _told_float(dtype.name, value)
    if dtype.name == "timestamp":
        assert _INSTANT.fullmatch(value)
        return "timestamp", to_micros(datetime.fromisoformat(value))
    return ("bytes", base64.b64decode(value, validate=True).hex()) if dtype.name == "bytes" else value


def _told_float(kind: str, value: Any) -> tuple[str, str]:
    if isinstance(value, str):
        return kind, _NO_NUMBERS[value][kind == "float64"]
    assert isinstance(value, float)
    if kind == "float32":
        assert struct.unpack(">f", struct.pack(">f", value))[0] == value, "it is that very double"
    return float_bits(kind, value)


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")
