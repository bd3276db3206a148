"""Bring the services of this machine up and down."""

from __future__ import annotations

import contextlib
import fcntl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from skewless.local.parts import AIRFLOW, Part, parts, watcher
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


def up(settings: Settings, progress: Progress = lambda line: None, *, with_airflow: bool = False) -> None:
    """Start what does not run, restart what is not healthy; running and healthy services are left alone.

    with_airflow   Airflow with its database, and the watcher, beside Valkey and Spark
    SetupError     what this machine lacks; what was started before that stays up
    """
    wanted = [part for part in parts(settings) if with_airflow or part.name not in AIRFLOW]
    with alone(settings):
        started = [part for part in wanted if _start(part, progress)]
        for part in started:
            part.wait()
            progress(f"{part.name} is ready")
        if with_airflow:
            _start(watcher(settings), progress)


def down(settings: Settings, progress: Progress = lambda line: None) -> None:
    """End exactly the processes that `up` started for this home, also those of earlier settings."""
    if watcher(settings).child.stop():  # first, or it would start again what is ended
        progress("watcher was ended")
    with alone(settings):
        shown = {part.name for part in _shown(settings)}
        for part in reversed(known_parts(settings)):
            if part.child.stop():
                progress(f"{part.name} was ended")
            elif part.name in shown and part.name != "watcher":
                progress(f"{part.name} was not running")


def status(settings: Settings) -> tuple[Service, ...]:
    """Tell of every service that runs or should whether it answers; starts nothing."""
    return tuple(_status(part) for part in _shown(settings))


def known_parts(settings: Settings) -> list[Part]:
    """Give every service, and the watcher over them, in the order in which they start."""
    return [*parts(settings), watcher(settings)]


def _shown(settings: Settings) -> list[Part]:
    """Airflow's services only where Airflow was started, and not stopped since."""
    every = known_parts(settings)
    airflow_too = any(part.child.known() for part in every if part.name in AIRFLOW)
    return [part for part in every if airflow_too or part.name not in AIRFLOW]


def _start(part: Part, progress: Progress) -> bool:
    """Start a service that is ours and does not work; False when there was nothing to do."""
    if not part.ours:
        return False
    if part.child.pid() and _answers(part):
        progress(f"{part.name} is running at {part.address}")
        return False
    if part.child.stop():
        progress(f"{part.name} does not answer: ended it")
    progress(f"starting {part.name} at {part.address}")
    part.start()
    return True


def _answers(part: Part) -> bool:
    """Ask for a quarter of its patience: on a busy machine an answer may come late."""
    deadline = time.monotonic() + part.patience / 4
    while not part.healthy():
        if part.child.pid() is None or time.monotonic() > deadline:
            return False
        time.sleep(1)
    return True


def _status(part: Part) -> Service:
    if not part.ours:
        return Service(part.name, part.address, "not ours", None, None)
    pid = part.child.pid()
    state: State = "stopped" if pid is None else "running" if part.healthy() else "unhealthy"
    return Service(part.name, part.address, state, pid, str(part.child.log))


@contextlib.contextmanager
def alone(settings: Settings) -> Iterator[None]:
    """Keep two commands from starting a service at once: the second waits, and then finds it running."""
    folder = settings.home / "run"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
