"""Child processes that outlive the command which started them, each with a record and a log.

A record names a process by its id and its start time, so that a process id that the system gave to somebody
else is never taken for ours, and never ended. What it starts in turn carries its mark in the environment, and
is ended with it, even when the process itself is gone and no record tells of it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from skewless.errors import SetupError

_DETACH = '"$@" >>"$0" 2>&1 </dev/null & echo $!'
_MARK = "PART_OF_SKEWLESS"


@dataclass(frozen=True, slots=True)
class Child:
    """A service of this machine: `<folder>/<name>.json` records its process, `<name>.log` has its output."""

    name: str
    folder: Path
    ending: signal.Signals = signal.SIGTERM  # by which it ends in good order

    @property
    def log(self) -> Path:
        """Where its output goes; the log of the time before is beside it, as `.log.1`."""
        return self.folder / f"{self.name}.log"

    @property
    def _record(self) -> Path:
        return self.folder / f"{self.name}.json"

    def pid(self) -> int | None:
        """Give the id of our process; None when none was started, it ended, or the id is another's by now."""
        try:
            record = json.loads(self._record.read_text("utf-8"))
            pid, started = int(record["pid"]), str(record["started"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return pid if start_time(pid) == started else None

    def known(self) -> bool:
        """Tell whether it was started, and not stopped since; it may have ended by itself."""
        return self._record.exists()

    def start(self, command: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> int:
        """Start it in a session of its own, so that neither Ctrl-C nor the end of this process reaches it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        cwd.mkdir(parents=True, exist_ok=True)
        if self.log.exists():
            self.log.replace(f"{self.log}.1")
        # The shell ends at once and leaves the child to init: it can never be our zombie.
        shell = subprocess.run(
            ["sh", "-c", _DETACH, str(self.log), *command],
            env={**env, _MARK: self._mark},
            cwd=cwd,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            start_new_session=True,
        )
        pid = int(shell.stdout)
        self._record.write_text(
            json.dumps({"pid": pid, "started": start_time(pid), "command": list(command)})
        )
        return pid

    def stop(self, patience: float = 20.0) -> bool:
        """End it, and all that it started; by SIGKILL what is left after `patience` seconds.

        False when nothing of it ran.
        """
        leader = self.pid()
        found = leader is not None or bool(self.members())
        if leader is not None:
            self._signal([leader], self.ending)
            self._wait(lambda: self.pid() is None, patience)
        for number, seconds in ((signal.SIGTERM, min(patience, 5.0)), (signal.SIGKILL, 5.0)):
            self._signal(self.members(), number)
            self._wait(lambda: not self.members(), seconds)
        if left := self.members():
            raise SetupError(
                f"{self.name} (process {left[0]}) does not end, even by SIGKILL; look at it with ps"
            )
        self._record.unlink(missing_ok=True)
        return found

    def members(self) -> list[int]:
        """Give the ids of its processes that run: itself, and what it and they started."""
        leader = self.pid()
        mark = f"{_MARK}={self._mark}".encode()
        marked = {pid for pid in _processes() if mark in _environment(pid) and start_time(pid) is not None}
        return sorted(marked | ({leader} if leader is not None else set()))

    def tail(self, lines: int = 15) -> str:
        """Give the log's last lines, for an error message."""
        try:
            return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-lines:])
        except OSError:
            return ""

    @property
    def _mark(self) -> str:
        return str(self.folder.absolute() / self.name)

    @staticmethod
    def _signal(pids: Iterable[int], number: int) -> None:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    @staticmethod
    def _wait(done: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not done() and time.monotonic() < deadline:
            time.sleep(0.05)


def _processes() -> list[int]:
    """All processes of this machine, where /proc tells; elsewhere what a process leaves behind ends by itself."""
    return [int(folder.name) for folder in Path("/proc").glob("[0-9]*")]


def _environment(pid: int) -> list[bytes]:
    """The variables that a process was started with; none for another user's."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def start_time(pid: int) -> str | None:
    """Give when a process started, in the system's own words; None for one that has ended, a zombie too."""
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            state, *fields = stat.read_text("utf-8").rpartition(")")[2].split()
        except OSError:
            return None
        return None if state in "ZX" else fields[18]
    shown = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    state, _, started = shown.stdout.strip().partition(" ")
    return None if not started or state.startswith("Z") else started.strip()
