"""A command of ours in a process of its own: its progress line by line, its receipt, and its end."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

_GRACE = 4.0  # seconds from SIGTERM to SIGKILL; Airflow kills a task that it ends after five
_DIE_WITH_PARENT = 1  # Linux' PR_SET_PDEATHSIG


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended.

    code     its exit code; negative: the signal that killed it
    receipt  what it printed on standard output, where that was JSON
    error    its own message, where it gave one
    """

    code: int
    receipt: dict[str, Any] | None
    error: str | None


class Command:
    """One command, whose processes are a group of their own, so that all of them end together."""

    def __init__(self, words: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
        """Nothing runs before `run`."""
        self._words, self._folder, self._environment = words, folder, environment
        self._process: subprocess.Popen[str] | None = None

    def run(self, say: Callable[[str], None]) -> Ended:
        """Run it to its end; each line of progress is said as it comes."""
        process = self._start()
        printed: list[str] = []
        reader = threading.Thread(target=_gather, args=(process.stdout, printed), daemon=True)
        reader.start()
        try:
            error = _follow(process.stderr, say)
            code = process.wait()
        except BaseException:  # Airflow's time-out for a task, which would otherwise wait for the command
            self.kill()
            raise
        reader.join()
        return Ended(code, _receipt(printed), error)

    def _start(self) -> subprocess.Popen[str]:
        self._process = subprocess.Popen(
            self._words,
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="backslashreplace",
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )
        return self._process

    def kill(self) -> None:
        """Ask every process of the command to end, and kill what has not within a few seconds; return at once."""
        if self._process is None or self._process.poll() is not None:
            return
        _signal_group(self._process.pid, signal.SIGTERM)
        last = threading.Timer(_GRACE, _signal_group, (self._process.pid, signal.SIGKILL))
        last.daemon = True
        last.start()


_libc = ctypes.CDLL(None)


def _die_with_parent() -> None:
    """Let the kernel end the command when its task is killed without a chance to say so."""
    _libc.prctl(_DIE_WITH_PARENT, signal.SIGTERM)


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):  # it has ended
        os.killpg(group, number)


def _gather(stream: IO[str] | None, lines: list[str]) -> None:
    assert stream is not None, "a pipe"
    with stream:
        lines.extend(stream)


def _follow(stream: IO[str] | None, say: Callable[[str], None]) -> str | None:
    """Say each line of progress, and give the command's error where it told one."""
    assert stream is not None, "a pipe"
    error = None
    with stream:
        for line in stream:
            told = _told_error(line)
            error = told or error
            if told is None and line.strip():
                say(line.rstrip())
    return error


def _told_error(line: str) -> str | None:
    """The message of a line such as {"error": ..., "exit_code": ...}."""
    found = _json(line)
    return str(found["error"]) if found and {"error", "exit_code"} == found.keys() else None


def _receipt(lines: Sequence[str]) -> dict[str, Any] | None:
    written = [line for line in lines if line.strip()]
    return _json(written[-1]) if written else None


def _json(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line) if line.startswith("{") else None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
