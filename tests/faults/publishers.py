"""Publishers in processes of their own: to be killed, stopped, resumed, and raced."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from skewless.errors import PublishRefused, SkewlessError
from skewless.online.publication import Publication, Receipt, Step
from tests.faults.readers import PROCESSES
from tests.faults.revisions import VIEW, Revisions, published
from tests.redis.stage import Stage


class Failed(NamedTuple):
    """What a publish raised, and the code of a refusal."""

    kind: str
    code: str | None
    message: str


class At(NamedTuple):
    """Where a publisher sends itself a signal: at the so-manieth time that it has done a step."""

    step: Step
    time: int
    signal: signal.Signals


@dataclass
class Publisher:
    """A process that publishes one revision and ends."""

    process: Any
    connection: Connection
    heard: list[Step | Receipt | Failed] = field(default_factory=list)

    @classmethod
    def start(
        cls,
        stage: Stage,
        revisions: Revisions,
        number: int,
        *,
        at: At | None = None,
        again: Publication | None = None,
        full: bool = False,
    ) -> Publisher:
        ours, theirs = PROCESSES.Pipe()
        where = (stage.redis_url, stage.folder, stage.namespace, revisions, number, at, again, full)
        process = PROCESSES.Process(target=publish_in_process, args=(theirs, *where))
        process.start()
        theirs.close()
        return cls(process, ours)

    def wait_for(self, step: Step) -> bool:
        """Wait until it has done a step; False when it ended before."""
        return any(said is step for said in self._said())

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)

    def pause(self) -> None:
        os.kill(self.process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.process.pid, signal.SIGCONT)

    def outcome(self) -> Receipt | Failed | None:
        """Wait until it is done, and end it; None when it was killed before."""
        list(self._said())
        last = self.heard[-1] if self.heard and isinstance(self.heard[-1], Receipt | Failed) else None
        if last is not None:
            with suppress(OSError):  # killed after it was done
                self.connection.send("end")
        self.process.join(60)
        assert self.process.exitcode in (0, -signal.SIGKILL), f"it ended with {self.process.exitcode}"
        self.connection.close()
        return last

    def _said(self) -> Iterator[Step | Receipt | Failed]:
        """What it says from now on, until it is done or killed."""
        while not (self.heard and isinstance(self.heard[-1], Receipt | Failed)):
            assert self.connection.poll(60), "a publisher says nothing"
            try:
                self.heard.append(self.connection.recv())
            except EOFError:
                return
            yield self.heard[-1]


def publish_in_process(
    connection: Connection,
    url: str,
    folder: Path,
    namespace: str,
    revisions: Revisions,
    number: int,
    at: At | None,
    again: Publication | None,
    full: bool,
) -> None:
    """Publish, and say which steps were done and what came of it."""
    stage = Stage(url, folder, VIEW, namespace=namespace, keeps=True)
    progress = _telling(connection, at)
    try:
        connection.send(published(stage, revisions, number, again, full=full, progress=progress))
    except SkewlessError as error:
        code = error.code if isinstance(error, PublishRefused) else None
        connection.send(Failed(type(error).__name__, code, str(error)))
    connection.recv()  # until then its id is nobody else's, and may be sent signals


def _telling(connection: Connection, at: At | None) -> Callable[[Step, int], None]:
    done: list[Step] = []

    def progress(step: Step, rows: int) -> None:
        done.append(step)
        connection.send(step)
        if at is not None and (step, done.count(step)) == (at.step, at.time):
            os.kill(os.getpid(), at.signal)

    return progress
