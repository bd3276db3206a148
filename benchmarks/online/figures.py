"""Figures: what a program measured, by contender, work and state; their medians, and the ratios to be reached."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, NamedTuple

from benchmarks.online.server import connected, settled


class Key(NamedTuple):
    """Whose figure it is, of what work, and whether the process was cold or warm; "" where that is no question."""

    contender: str
    work: str
    state: str = ""


@dataclass(frozen=True)
class Figure:
    """What one program measured once, by name."""

    contender: str
    work: str
    measures: Mapping[str, float]
    state: str = ""

    def as_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class Ratio:
    """A ratio of two medians, ours over theirs, and what it may be at most."""

    words: str
    ours: Key
    theirs: Key
    measure: str
    at_most: float

    def judged(self, figures: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """What was reached."""
        ours, theirs = middle(figures, self.ours, self.measure), middle(figures, self.theirs, self.measure)
        reached = None if ours is None or not theirs else ours / theirs
        return _judged(self.words, "ratio", self.at_most, reached)


@dataclass(frozen=True)
class Bound:
    """What a measure may be at most in every run."""

    words: str
    ours: Key
    measure: str
    at_most: float
    unit: str

    def judged(self, figures: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """What was reached."""
        runs = runs_of(figures, self.ours)
        return _judged(
            self.words, self.unit, self.at_most, max((run[self.measure] for run in runs), default=None)
        )


def _judged(words: str, unit: str, at_most: float, reached: float | None) -> dict[str, Any]:
    met = None if reached is None else reached <= at_most
    return {"words": words, "unit": unit, "at_most": at_most, "reached": reached, "met": met}


def gathered(found: Iterable[Figure]) -> list[dict[str, Any]]:
    """The figures of one key together, in the order in which they came first."""
    together: dict[Key, list[Mapping[str, float]]] = {}
    for figure in found:
        together.setdefault(Key(figure.contender, figure.work, figure.state), []).append(figure.measures)
    return [key._asdict() | {"runs": runs} for key, runs in together.items()]


def key_of(item: Mapping[str, Any]) -> Key:
    """The key of gathered figures."""
    return Key(item["contender"], item["work"], item["state"])


def runs_of(figures: Sequence[Mapping[str, Any]], key: Key) -> list[dict[str, float]]:
    """All that was measured under a key."""
    named = [item for item in figures if key_of(item) == key]
    return [run for item in named for run in item["runs"]]


def middle(figures: Sequence[Mapping[str, Any]], key: Key, measure: str) -> float | None:
    """The median of a measure; None where there is none."""
    values = [run[measure] for run in runs_of(figures, key) if measure in run]
    return median(values) if values else None


class Spent:
    """Seconds between `with` and its end: by the clock, of this process's CPU, and of the server's.

    begun  when the clock, by `time.monotonic`, began to run before this process did: all its CPU counts then
    """

    wall = cpu = server = 0.0

    def __init__(self, url: str, begun: float | None = None) -> None:
        """Measure beside the server at a URL."""
        self._url, self._begun = url, begun

    def __enter__(self) -> Spent:
        """Begin, once the server has done what it owes to those before."""
        if self._begun is None:
            settled(self._url)
        self._server = _server_cpu(self._url)
        self._cpu = 0.0 if self._begun else time.process_time()
        self._start = self._begun or time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self.wall, self.cpu = time.monotonic() - self._start, time.process_time() - self._cpu
        self.server = _server_cpu(self._url) - self._server

    def of(self, rows: int) -> dict[str, float]:
        """What so many rows took."""
        return {
            "rows": rows,
            "wall": self.wall,
            "cpu": self.cpu,
            "server_cpu": self.server,
            "rate": rows / self.wall,
            "row_us": self.wall / rows * 1e6,
        }


def _server_cpu(url: str) -> float:
    with connected(url) as server:
        told: dict[str, Any] = server.info("cpu")
    return float(told["used_cpu_user"] + told["used_cpu_sys"])
