"""Calls timed in turn within one process, so that all of them have the same connections, caches and neighbours."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np

from benchmarks.columns import Integers

_TAIL = 100  # samples without which there is no 99th percentile to speak of


@dataclass
class Timed:
    """A call, which every so many rounds it takes part in, and what each of those took, in seconds.

    prepare  gives what is handed to the call; its time is not counted
    """

    call: Callable[[Any], object]
    prepare: Callable[[Integers], object] = lambda users: users
    every: int = 1
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def once(self, users: Integers) -> None:
        """Call it."""
        given = self.prepare(users)
        cpu, wall = time.process_time(), time.perf_counter()
        self.call(given)
        self.wall.append(time.perf_counter() - wall)
        self.cpu.append(time.process_time() - cpu)

    def measures(self) -> dict[str, float]:
        """Microseconds."""
        return percentiles(self.wall) | {"cpu_us": float(np.mean(self.cpu)) * 1e6}


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """The median and, if there are enough samples, the 99th percentile, in microseconds."""
    found = {"p50": float(np.median(seconds)) * 1e6, "samples": len(seconds)}
    return found | ({"p99": float(np.percentile(seconds, 99)) * 1e6} if len(seconds) >= _TAIL else {})


def in_turn(calls: Mapping[str, Timed], draw: Callable[[], Integers], rounds: int) -> None:
    """Measure the calls in changing order, because who comes first finds colder caches."""
    order, warm_up = Random(13), max(10, rounds // 10)
    for number in range(-warm_up, rounds):
        users = draw()
        for timed in order.sample(list(calls.values()), len(calls)):
            if number % timed.every == 0:
                timed.once(users)
        if number == -1:
            for timed in calls.values():
                timed.wall.clear()
                timed.cpu.clear()
