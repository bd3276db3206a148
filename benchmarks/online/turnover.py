"""Snapshots of which each differs from the one before in a known share of its users."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.columns import Floats, Integers, numbers
from benchmarks.snapshots import Snapshots

SHARES = (1.0, 0.05, 0.05, 0.05, 1.0)  # of the users, whose rows are new in each snapshot


@dataclass(frozen=True)
class Turnover(Snapshots):
    """One view's snapshots: the first, three in each of which 5% of the users have other values, and one of all new."""

    snapshots: int = len(SHARES)
    users: int = 0
    labels: int = 0
    seed: int = 10

    def changed(self, snapshot: int) -> Integers:
        """The users whose rows are new in a snapshot, each once."""
        random = np.random.default_rng((self.seed, 3_000_000, snapshot))
        return random.permutation(self.users)[: round(SHARES[snapshot] * self.users)]

    def values(self, view: int, snapshot: int) -> Floats:
        """The features of the users in a snapshot: rows x 10, by user."""
        values = numbers((self.seed, view, 0), self.users)
        for number in range(1, snapshot + 1):
            users = self.changed(number)
            values[users] = numbers((self.seed, view, number), len(users))
        return values
