"""CPU seconds and memory of everything that descends from this process, read from Linux's /proc."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_TICK, _PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
_EVERY = 0.2  # seconds between two looks at memory
_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Make this process the parent of descendants whose own parent ends: a JVM outlives its Python."""
    ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


@dataclass(frozen=True)
class _Process:
    pid: int
    parent: int
    cpu: float  # with that of its children that have ended
    resident: int


def _processes() -> Iterator[_Process]:
    for folder in os.scandir("/proc"):
        if folder.name.isdigit():
            with suppress(OSError):
                # The name in parentheses may hold anything; what follows it is numbers.
                stat = Path(folder.path, "stat").read_text().rpartition(")")[2].split()
                cpu = sum(map(int, stat[11:15])) / _TICK
                yield _Process(int(folder.name), int(stat[1]), cpu, int(stat[21]) * _PAGE)


def descendants(of: int | None = None) -> list[_Process]:
    """Every process under one; under this one, if none is named."""
    children: dict[int, list[_Process]] = {}
    for process in _processes():
        children.setdefault(process.parent, []).append(process)
    found: list[_Process] = []
    waiting = [of or os.getpid()]
    while waiting:
        here = children.get(waiting.pop(), [])
        found += here
        waiting += [process.pid for process in here]
    return found


def cpu_seconds() -> float:
    """User and system seconds of every descendant so far, of those too that have ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime + sum(process.cpu for process in descendants())


def cpu_of(pid: int) -> float:
    """User and system seconds of a child, and of all that it started, so far."""
    own = [process.cpu for process in descendants() if process.pid == pid]
    return sum([*own, *(process.cpu for process in descendants(pid))])


def end_all(patience: float = 20.0) -> None:
    """Wait for every child, and for orphans of theirs; kill what has not ended after some seconds."""
    deadline = time.monotonic() + patience
    while True:
        try:
            ended, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not ended:
            if time.monotonic() > deadline:
                for process in descendants():
                    with suppress(ProcessLookupError):
                        os.kill(process.pid, signal.SIGKILL)
            time.sleep(0.05)


@dataclass(frozen=True)
class Memory:
    """Peaks in bytes: of all descendants' resident memory together, and of one Python worker of Spark."""

    total: int
    python_worker: int


class MemoryWatch:
    """Looks at the descendants' memory several times a second, until the `with` block ends."""

    def __enter__(self) -> MemoryWatch:
        """Begin to look."""
        self._total = self._worker = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._stop.set()
        self._thread.join()

    @property
    def peak(self) -> Memory:
        """The most that was seen."""
        return Memory(self._total, self._worker)

    def _look(self) -> None:
        while True:
            running = descendants()
            self._total = max(self._total, sum(process.resident for process in running))
            self._worker = max([self._worker, *map(_python_worker_peak, running)])
            if self._stop.wait(_EVERY):
                return


def _python_worker_peak(process: _Process) -> int:
    """The peak of a Python worker since it was forked, which the kernel keeps; 0 for other processes."""
    with suppress(OSError):
        folder = Path("/proc", str(process.pid))
        _, *words = (folder / "cmdline").read_bytes().split(b"\0")
        if words[:1] == [b"-m"] and words[1].endswith(b"daemon"):
            for line in (folder / "status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    return 0
