"""What a program gets: a running server, data, a folder for what it makes, and how long it is to measure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from benchmarks.answers import WrongAnswer
from benchmarks.columns import FIELDS, Floats, Integers
from benchmarks.online.figures import Figure
from benchmarks.snapshots import Snapshots

VIEW, NAMESPACE = "view_0", "bench"
FEATURES = [f"{VIEW}:{name}" for name in FIELDS]
NAMES = [f"{VIEW}__{name}" for name in FIELDS]
_AT_ONCE = 10_000


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    peer_users  entities that Feast gets, the first ones: it writes some thousands a second
    rounds      lookups of each kind and batch, at most
    seconds     how long each load lasts
    """

    peer_users: int
    rounds: int
    seconds: float


@dataclass(frozen=True)
class Stage:
    """A server at a URL; a data set and its folder; `begun`, when the process was started, by `time.monotonic`."""

    url: str
    folder: Path
    data: Snapshots
    sizes: Sizes
    scratch: Path
    begun: float

    @cached_property
    def users(self) -> Integers:
        """All entities."""
        return np.arange(self.data.users)

    @cached_property
    def peer_users(self) -> Integers:
        """Those that Feast has."""
        return self.users[: self.sizes.peer_users]

    def expected(self, snapshot: int) -> Floats:
        """The right values of a snapshot, by user: rows x 10."""
        return self.data.values(0, snapshot)


Program = Callable[[Stage], Iterator[Figure]]


def demand_exact(read: Callable[[Integers], Floats], users: Integers, expected: Floats) -> None:
    """Read entities, all of them, and compare every bit; WrongAnswer with the first that differs."""
    for start in range(0, len(users), _AT_ONCE):
        asked = users[start : start + _AT_ONCE]
        found, wanted = read(asked), expected[asked]
        if found.dtype != np.float32 or found.shape != wanted.shape:
            raise WrongAnswer(f"the answer is {found.dtype} {found.shape}, not float32 {wanted.shape}")
        same = (found.view(np.uint32) == wanted.view(np.uint32)).all(axis=1)
        if not same.all():
            wrong = int(np.flatnonzero(~same)[0])
            raise WrongAnswer(f"user {asked[wrong]} has {found[wrong]}, expected {wanted[wrong]}")


def matrix(columns: Iterable[object]) -> Floats:
    """Columns of float32, or of Python's floats and None, as rows x columns; NaN for None."""
    return np.ascontiguousarray(np.stack([np.asarray(column, np.float32) for column in columns], axis=1))
