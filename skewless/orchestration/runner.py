"""What a task needs to know of the project beside its plan."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Runner:
    """Where and how commands run.

    command  shell words that come before a job's own, e.g. `skewless`
    folder   the folder that they run in
    """

    command: str
    folder: Path
    namespace: str
    warehouse: str
    features: Path

    def words(self, *job: str) -> list[str]:
        """A command line, as a program gives it."""
        return [*shlex.split(self.command), *job]

    def typed(self, *job: str) -> str:
        """A command line, as a person in that folder would type it."""
        return shlex.join(["skewless", *job])
