"""Lookups from Java and Go, by the programs beside those readers; each has the bare MGET of its own library, too."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.online.awake import awake
from benchmarks.online.figures import Figure
from benchmarks.online.lookups import BATCHES
from benchmarks.online.names import BARE, OURS, OURS_ROWS, batch
from benchmarks.online.stage import NAMESPACE, VIEW, Stage
from benchmarks.storage import ROOT

_NAMED = {"read": OURS, "rows": OURS_ROWS, "mget": BARE}
_CLIENTS = ROOT / "clients"


def java(stage: Stage) -> Iterator[Figure]:
    """By Maven, which brings the libraries first."""
    maven = [_found("mvn", "maven"), "-q", "-B", "test-compile", "exec:java"]
    yield from _figures([*maven, f"-Dexec.args={' '.join(_arguments(stage))}"], _CLIENTS / "java")


def go(stage: Stage) -> Iterator[Figure]:
    """By the Go that is installed."""
    os.environ["PATH"] += (
        f":/usr/local/go/bin:{ROOT / '.skewless/go/go/bin'}"  # as scripts/go.sh looks for it
    )
    yield from _figures(
        [_found("go", "Go 1.25 or newer"), "run", "./bench", *_arguments(stage)], _CLIENTS / "go"
    )


def _arguments(stage: Stage) -> list[str]:
    batches, last = ",".join(map(str, BATCHES)), stage.data.users - 1
    return [stage.url, NAMESPACE, VIEW, "10", "0", str(last), batches, str(stage.sizes.rounds)]


def _figures(command: Sequence[str], folder: Path) -> Iterator[Figure]:
    with awake():
        told = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, check=True).stdout
    lines = [json.loads(line) for line in re.findall(r"\{.*\}", told)]  # Maven puts colours around them
    if [line["batch"] for line in lines] != list(BATCHES):
        raise RuntimeError(f"{command[0]} did not measure every batch; it said\n{told}")
    for line in lines:
        for part, name in _NAMED.items():
            yield Figure(name, batch(line["batch"]), line[part] | {"samples": line["rounds"]})


def _found(program: str, package: str) -> str:
    path = shutil.which(program)
    if path is None:
        raise RuntimeError(f"{program} is not on PATH; install {package}")
    return path
