"""The processes of a deployment, to be killed."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from skewless.local.parts import parts
from skewless.local.process import Child
from skewless.settings import Settings


def child(settings: Settings, name: str) -> Child:
    """The process of a service."""
    return next(part.child for part in parts(settings) if part.name == name)


def answers(settings: Settings, name: str) -> bool:
    """Whether a service works."""
    return next(part.healthy() for part in parts(settings) if part.name == name)


def kill(child: Child) -> int:
    """End it without a chance to say so; give the id that it had."""
    pid = child.pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    return pid


def command_of(settings: Settings, *words: str) -> int | None:
    """The process of one of our commands, as Airflow started it."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            told = (process / "cmdline").read_bytes().decode().split("\0")
            inside = f"SKEWLESS_NAMESPACE={settings.namespace}".encode()
            if all(word in told for word in words) and inside in (process / "environ").read_bytes():
                return int(process.name)
    return None


@contextlib.contextmanager
def stopped(child: Child) -> Iterator[None]:
    """A process that does nothing meanwhile."""
    pid = child.pid()
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
