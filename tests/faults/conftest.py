"""Servers that end with their test, and stages on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults.revisions import VIEW
from tests.faults.servers import Server, programs
from tests.redis.stage import Stage


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Start a server of a kind (else the Valkey of the wheel), which ends with the test."""
    with ExitStack() as ending:

        def started(*options: str, kind: str | None = None) -> Server:
            server = Server(kind or next(iter(programs())), tmp_path / f"server-{len(servers)}", options)
            servers.append(server)
            ending.callback(server.stop)
            return server.start()

        servers: list[Server] = []
        yield started


@pytest.fixture
def stage_at(tmp_path: Path) -> Iterator[Callable[[str], Stage]]:
    """Give a stage on the server at a URL; all stages of a test are one view."""
    with ExitStack() as ending:

        def made(url: str, namespace: str = "faults") -> Stage:
            stage = Stage(url, tmp_path, VIEW, namespace=namespace, keeps=True)
            ending.callback(stage.reader.close)
            return stage

        yield made
