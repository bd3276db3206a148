"""Calls timed by turns within one process, so that all of them have the same neighbours.

A turn is several calls: an application looks up again and again, and finds the caches of the processor as it left them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np

from benchmarks.columns import Integers

_TURN = 20  # calls
_TAIL = 100  # samples without which there is no 99th percentile to speak of


@dataclass
class Timed:
    """A call, and what each time took, in seconds.

    every    of so many turns it has one
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


def in_turn(calls: Mapping[str, Timed], draw: Callable[[], Integers], samples: int) -> None:
    """Measure about so many calls of each, by turns in changing order: who comes first has the server colder."""
    order, turns = Random(13), max(1, samples // _TURN)
    for number in range(-1, turns):
        drawn = [draw() for _ in range(_TURN)]
        for timed in order.sample(list(calls.values()), len(calls)):
            if number % timed.every == 0 or number < 0:
                for users in drawn:
                    timed.once(users)
        if number == -1:
            for timed in calls.values():
                timed.wall.clear()
                timed.cpu.clear()
