"""Child processes that outlive the command which started them, each with a record and a log.

A record names a process by its id and its start time, so that a process id that the system gave to somebody
else is never taken for ours, and never ended.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from skewless.errors import SetupError

_DETACH = '"$@" >>"$0" 2>&1 </dev/null & echo $!'


@dataclass(frozen=True, slots=True)
class Child:
    """A service of this machine: `<folder>/<name>.json` records its process, `<name>.log` has its output."""

    name: str
    folder: Path

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

    def start(self, command: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> int:
        """Start it in a session of its own, so that neither Ctrl-C nor the end of this process reaches it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        cwd.mkdir(parents=True, exist_ok=True)
        if self.log.exists():
            self.log.replace(f"{self.log}.1")
        # The shell ends at once and leaves the child to init: it can never be our zombie.
        shell = subprocess.run(
            ["sh", "-c", _DETACH, str(self.log), *command],
            env=dict(env),
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
        """End it by SIGTERM, after `patience` seconds by SIGKILL; False when it did not run."""
        pid = self.pid()
        for number, seconds in ((signal.SIGTERM, patience), (signal.SIGKILL, 5.0)):
            if self.pid() is None:
                break
            os.kill(pid or 0, number)
            self._wait(seconds)
        if self.pid() is not None:
            raise SetupError(f"{self.name} (process {pid}) does not end, even by SIGKILL; look at it with ps")
        self._record.unlink(missing_ok=True)
        return pid is not None

    def tail(self, lines: int = 15) -> str:
        """Give the log's last lines, for an error message."""
        try:
            return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-lines:])
        except OSError:
            return ""

    def _wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self.pid() is not None and time.monotonic() < deadline:
            time.sleep(0.05)


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
