"""The engine of this repository."""

from __future__ import annotations

from pathlib import Path

from benchmarks.inputs import Inputs
from benchmarks.stored import open_store


def scheduled(inputs: Inputs, output: Path) -> None:
    """What a reader gets at each label's time: the newest snapshot that was due."""
    _join(inputs, output, "scheduled")


def event(inputs: Inputs, output: Path) -> None:
    """What was known before each label's own instant, computed from the source."""
    _join(inputs, output, "event")


def _join(inputs: Inputs, output: Path, as_of: str) -> None:
    store = open_store(inputs.folder, inputs.spark)
    views = [store.workspace.repo.view(name) for name in inputs.views]
    joined = store.get_historical_features(inputs.read("labels"), views, as_of=as_of)
    joined.write.parquet(str(output))
