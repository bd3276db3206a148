"""Bring the services of this machine up and down."""

from __future__ import annotations

import contextlib
import fcntl
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Literal

from skewless.local import spark_connect, valkey
from skewless.settings import Settings

Progress = Callable[[str], None]
State = Literal["running", "stopped", "unhealthy", "not ours"]


@dataclass(frozen=True, slots=True)
class Service:
    """One service as it is now; `not ours` when the settings name a server that somebody else runs."""

    name: str
    address: str
    state: State
    pid: int | None
    log: str | None


def up(settings: Settings, progress: Progress = lambda line: None) -> None:
    """Start what does not run, restart what is not healthy; running and healthy services are left alone.

    Raises SetupError with what this machine lacks; what was started before that stays up.
    """
    with _alone(settings):
        for name, service, address in _services(settings):
            number = service.port(settings)
            if number is None:
                continue
            child = service.child(settings)
            if child.pid() and service.healthy(number):
                progress(f"{name} is running at {address}")
                continue
            if child.stop():
                progress(f"{name} does not answer: ended it")
            progress(f"starting {name} at {address}")
            service.start(settings, number)
            progress(f"{name} is ready")


def down(settings: Settings, progress: Progress = lambda line: None) -> None:
    """End exactly the processes that `up` started for this home, also those of earlier settings."""
    with _alone(settings):
        for name, service, _ in reversed(_services(settings)):
            stopped = service.child(settings).stop()
            progress(f"{name} was ended" if stopped else f"{name} was not running")


def status(settings: Settings) -> tuple[Service, ...]:
    """Tell of every service whether it runs and answers; starts nothing."""
    return tuple(_status(settings, name, service, address) for name, service, address in _services(settings))


def _status(settings: Settings, name: str, service: ModuleType, address: str) -> Service:
    number = service.port(settings)
    if number is None:
        return Service(name, address, "not ours", None, None)
    child = service.child(settings)
    pid = child.pid()
    state: State = "stopped" if pid is None else "running" if service.healthy(number) else "unhealthy"
    return Service(name, address, state, pid, str(child.log))


def _services(settings: Settings) -> list[tuple[str, ModuleType, str]]:
    redis_address = re.sub("//[^@/]*@", "//***@", settings.redis_url)
    return [("Valkey", valkey, redis_address), ("Spark", spark_connect, settings.spark)]


@contextlib.contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Keep two commands from starting a service at once: the second waits, and then finds it running."""
    folder = settings.home / "run"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
