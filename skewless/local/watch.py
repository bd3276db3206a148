"""The watcher, run as `python -m skewless.local.watch`: it restarts what died, and what hangs.

A service whose process is gone is started again at once; one that runs and does not answer only after all of
its patience, so that a busy machine is not mistaken for a broken server. Every restart of a service that did
not hold makes the next one wait longer. `skewless stop` ends the watcher first.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NoReturn

from skewless.errors import SkewlessError
from skewless.local.logs import rotate
from skewless.local.parts import Part, parts
from skewless.local.services import alone
from skewless.settings import Settings, load_settings
from skewless.timeline import format_instant

_EVERY = 3.0  # seconds between two looks
_LONGEST_PAUSE = 300.0
_HELD = 600.0  # seconds after which a restarted service counts as sound again
_FAILURES = 3  # answers that must be missing, however long each took


@dataclass
class Watched:
    """What the watcher knows of one service; instants are seconds of a clock that stands still in sleep."""

    failures: int = 0
    failing_since: float = 0.0
    restarts: int = 0
    restarted_at: float = float("-inf")

    def pause(self) -> float:
        """For how long the next restart waits after the last one: 0, 10, 20, 40 seconds and so on."""
        return min(_LONGEST_PAUSE, 5.0 * 2**self.restarts) if self.restarts > 1 else 0.0

    def judge(self, *, alive: bool, answers: bool, patience: float, now: float) -> str | None:
        """Take in one look at the service, and say why it must be restarted, if it must be now."""
        if alive and answers:
            self.failures = 0
            if now - self.restarted_at > _HELD:
                self.restarts = 0
            return None
        if alive:
            self.failing_since = self.failing_since if self.failures else now
            self.failures += 1
            if self.failures < _FAILURES or now - self.failing_since < patience:
                return None
        if now - self.restarted_at < self.pause():
            return None
        return f"has not answered for {now - self.failing_since:.0f} s" if alive else "has ended"

    def restarted(self, now: float) -> None:
        """Note that it was started again, or that it was tried."""
        self.failures, self.restarts, self.restarted_at = 0, self.restarts + 1, now


def watch(settings: Settings, tell: Callable[[str], None]) -> NoReturn:
    """Look at every service of ours for ever."""
    known: dict[str, Watched] = {}
    while True:
        for part in parts(settings):
            if part.ours:
                look(settings, part, known.setdefault(part.name, Watched()), tell)
                rotate(part.child)
        time.sleep(_EVERY)


def look(settings: Settings, part: Part, watched: Watched, tell: Callable[[str], None]) -> None:
    """Look at one service, and restart it if it must be; a failed restart is told and tried again later."""
    alive = part.child.pid() is not None
    answers = alive and part.healthy()
    now = time.monotonic()
    reason = watched.judge(alive=alive, answers=answers, patience=part.patience, now=now)
    if reason is None:
        return
    with alone(settings):
        if part.child.pid() is not None and (not alive or part.healthy()):
            return  # somebody else restarted it meanwhile, or it answers after all
        tell(f"{part.name} {reason}: restarting it")
        try:
            part.child.stop()
            part.start()
            part.wait()
            tell(f"{part.name} is ready")
        except SkewlessError as error:
            tell(f"{part.name} could not be restarted: {error}")
        watched.restarted(time.monotonic())


def _tell(line: str) -> None:
    print(f"{format_instant(datetime.now(UTC).replace(microsecond=0))} {line}", flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # a service that is half started is ended
    _tell("watching")
    watch(load_settings(), _tell)
