"""Feature rows as hourly snapshots of every user, and labels between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.columns import (
    DUE_MICROS,
    FIELDS,
    HOUR,
    SECOND,
    START_MICROS,
    Expected,
    ExpectedColumns,
    Floats,
    Integers,
    feature_rows,
    label_rows,
    numbers,
)
from benchmarks.storage import once, write_table

UNKNOWN = 0.01  # the share of labels of users that no snapshot has


@dataclass(frozen=True)
class Snapshots:
    """`snapshots` x `users` rows of each view, due 15 minutes after each hour; labels never on a boundary.

    A row's event time, for those who join by it, is when its snapshot is due: so every correct as-of join gives
    the same row as reading the snapshot that is due.
    """

    snapshots: int
    users: int
    labels: int
    views: int = 1
    seed: int = 6

    @property
    def view_names(self) -> tuple[str, ...]:
        """The views that are asked for."""
        return tuple(f"view_{number}" for number in range(self.views))

    @property
    def rows(self) -> dict[str, int]:
        """How large it is."""
        return {"feature rows": self.snapshots * self.users * self.views, "labels": self.labels}

    def prepare(self, folder: Path) -> None:
        """Write sources/<view> and labels."""

        def make() -> None:
            for number, view in enumerate(self.view_names):
                tables = (self.snapshot(number, snapshot) for snapshot in range(self.snapshots))
                write_table(folder / "sources" / view, tables)
            users, _, times = self._labels()
            write_table(folder / "labels", [label_rows(users, times)])

        once(folder, "plain", asdict(self), make)

    def snapshot(self, view: int, snapshot: int) -> pa.Table:
        """The rows of one snapshot, in no order."""
        due = START_MICROS + snapshot * HOUR + DUE_MICROS
        users = np.random.default_rng((self.seed, 2_000_000, snapshot)).permutation(self.users)
        return feature_rows(users, np.full(self.users, due), self.values(view, snapshot)[users])

    def values(self, view: int, snapshot: int) -> Floats:
        """The features of a view's users in a snapshot: rows x 10, by user."""
        return numbers((self.seed, view, snapshot), self.users)

    def _labels(self) -> tuple[Integers, Integers, Integers]:
        """Users, the snapshot that each label sees, and times: whole seconds, after one is due, before the next."""
        random = np.random.default_rng((self.seed, 1_000_000))
        users = random.integers(0, max(int(self.users * (1 + UNKNOWN)), self.users + 1), self.labels)
        seen = random.integers(0, self.snapshots, self.labels)
        late = random.integers(1, 3600, self.labels) * SECOND
        return users, seen, START_MICROS + seen * HOUR + DUE_MICROS + late

    def expected(self) -> ExpectedColumns:
        """The right answer: the values of the user in the snapshot, null for users that are not there."""
        users, seen, _ = self._labels()
        known = users < self.users
        for number, view in enumerate(self.view_names):
            found = np.empty((self.labels, len(FIELDS)), dtype=np.float32)
            for snapshot in range(self.snapshots):
                here = np.flatnonzero(known & (seen == snapshot))
                found[here] = self.values(number, snapshot)[users[here]]
            yield from columns_of(view, found, known)


def columns_of(view: str, found: np.ndarray, known: np.ndarray) -> Iterator[Expected]:
    """A view's ten columns, by the names that they have in an answer."""
    for place, name in enumerate(FIELDS):
        yield Expected(f"{view}__{name}", np.ascontiguousarray(found[:, place]), known)
