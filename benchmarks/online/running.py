"""Runs: the programs of a case in turn, each in a process of its own, on one server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.cases import Scale
from benchmarks.online.cases import OnlineCase
from benchmarks.online.figures import Figure
from benchmarks.online.server import OPTIONS, emptied, running, version
from benchmarks.processes import end_all
from benchmarks.running import environment, prepared
from benchmarks.storage import HOME, ROOT

_HEAP = "4g"  # of the Spark that makes our tables
_LIMIT = 900  # seconds


@dataclass
class Found:
    """What came of a case: figures, and why programs gave none."""

    server: str = ""
    figures: list[Figure] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)


def measure(case: OnlineCase, scale: Scale, runs: int, only: Iterable[str]) -> Found:
    """Run the programs of a case whose names hold one of some texts, all of them `runs` times in turn."""
    programs = {
        name: program for name, program in case.programs.items() if any(text in name for text in only)
    }
    data, found = case.data[scale], Found()
    folder = HOME / scale / "online" / type(data).__name__.lower()
    prepared(data, folder, ours=True)
    with _scratch() as scratch, running(scratch / "valkey") as url:
        found.server = (
            f"{version(url)}, {', '.join(f'{name} {value}' for name, value in OPTIONS.items() if value)}"
        )
        place = _Place(case, scale, url, folder, scratch)
        if case.load:
            print(f"{case.name}: loading", flush=True)
            list(place.figures(case.load))
        for number in range(runs):
            for name, program in programs.items():
                if name not in found.failures:
                    print(f"{case.name} {number + 1}/{runs} {name}", flush=True)
                    _run(place, name, program, found)
    return found


def _run(place: _Place, name: str, program: str, found: Found) -> None:
    if not place.case.load:
        emptied(place.url)
    try:
        for figure in place.figures(program):
            found.figures.append(figure)
            print(f"  {figure.contender}, {figure.work}, {figure.state}: {_told(figure)}", flush=True)
    except ProgramFailed as error:
        found.failures[name] = str(error)
        print(f"  {error}", flush=True)


class ProgramFailed(Exception):
    """A program that ended in an error, or too late."""


@dataclass(frozen=True)
class _Place:
    case: OnlineCase
    scale: Scale
    url: str
    folder: Path
    scratch: Path

    def figures(self, program: str) -> Iterator[Figure]:
        """Run a program; ProgramFailed, whose log is kept."""
        log = HOME / "logs" / f"{self.case.name}-{program.replace(':', '-')}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        begun = time.monotonic()
        with log.open("w") as told:
            process = subprocess.Popen(
                self._command(program, begun),
                cwd=ROOT,
                env=environment(_HEAP),
                stdout=subprocess.PIPE,
                stderr=told,
                text=True,
            )
            ended = False
            try:
                output, _ = process.communicate(timeout=_LIMIT)
                ended = process.returncode == 0
            except subprocess.TimeoutExpired as error:
                raise ProgramFailed(f"did not finish in {_LIMIT} s (see {log.relative_to(ROOT)})") from error
            finally:
                if not ended:
                    process.kill()
                    process.wait()
        for line in output.splitlines():
            yield Figure(**json.loads(line))
        if not ended:
            raise ProgramFailed(f"failed (see {log.relative_to(ROOT)})")

    def _command(self, program: str, begun: float) -> Sequence[str]:
        given = (self.case.name, self.scale, program, self.url, self.folder, self.scratch, begun)
        return [sys.executable, "-m", "benchmarks.online.worker", *map(str, given)]


@contextmanager
def _scratch() -> Iterator[Path]:
    """A folder for one case, which is removed at its end, when all that was started has ended."""
    folder = HOME / f"online-{os.getpid()}"
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        end_all()
        shutil.rmtree(folder)


def _told(figure: Figure) -> str:
    return ", ".join(f"{name} {value:,.4g}" for name, value in figure.measures.items())
