"""The server of a case: a real Valkey of its own, as production has it, on a free port."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis

from benchmarks.storage import ROOT
from skewless.local.port import free_port

PYTHON = ROOT / ".venv" / "bin" / "python"  # of the platform itself, where its servers are installed
# Every contender's, and production's: a file of all writes, flushed each second, and nothing ever evicted.
OPTIONS = {"appendonly": "yes", "appendfsync": "everysec", "save": "", "maxmemory-policy": "noeviction"}
_FIND = "from skewless.local.valkey import binary; print(binary())"
_AT_WORK = (  # by INFO: forked to rewrite its file, freeing what was dropped, moving keys into a larger table
    "aof_rewrite_in_progress",
    "aof_rewrite_scheduled",
    "lazyfree_pending_objects",
    "mem_overhead_db_hashtable_rehashing",
)
_PATIENCE = 60.0


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """Give the URL of a server that keeps its files in a new folder; it is ended at the end."""
    if not PYTHON.exists():
        raise RuntimeError(f"there is no {PYTHON.relative_to(ROOT)}, which brings the server; run make setup")
    folder.mkdir(parents=True)
    found = subprocess.run([PYTHON, "-c", _FIND], cwd=ROOT, capture_output=True, text=True, check=True)
    port = free_port()
    given = OPTIONS | {"port": str(port), "bind": "127.0.0.1", "dir": str(folder), "daemonize": "no"}
    options = [part for name, value in given.items() for part in (f"--{name}", value)]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([found.stdout.strip(), *options], stdout=log, stderr=log)
    try:
        url = f"redis://127.0.0.1:{port}/0"
        _await(url, process, folder / "log")
        yield url
    finally:
        process.terminate()
        process.wait(_PATIENCE)


def _await(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            with connected(url) as server:
                server.ping()
                return
        except redis.ConnectionError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Valkey did not start; it said\n{log.read_text()}") from error
            time.sleep(0.02)


@contextmanager
def connected(url: str) -> Iterator[redis.Redis]:
    """A plain client, as applications have it; its connection is closed at the end."""
    with redis.Redis.from_url(url, protocol=2) as server:
        yield server


def emptied(url: str) -> None:
    """Drop every key, and wait until all that follows from it is done."""
    with connected(url) as server:
        server.flushall(asynchronous=False)
    settled(url)


def settled(url: str) -> int:
    """Wait until the server does nothing by itself any more; give the bytes that it uses."""
    with connected(url) as server:
        deadline = time.monotonic() + _PATIENCE
        while True:
            told: dict[str, Any] = server.info("everything")
            if not any(told[name] for name in _AT_WORK):
                return int(told["used_memory"])
            if time.monotonic() > deadline:
                raise RuntimeError(f"Valkey is still at work: { ({name: told[name] for name in _AT_WORK}) }")
            time.sleep(0.1)


def version(url: str) -> str:
    """What it is, as it says."""
    with connected(url) as server:
        told: dict[str, Any] = server.info("server")
    return f"{told['server_name'].capitalize()} {told['valkey_version']}"
