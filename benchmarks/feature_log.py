"""Feature rows as a log without snapshots, in which one user may have a large share of the rows."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.columns import (
    HOUR,
    START_MICROS,
    ExpectedColumns,
    Integers,
    feature_rows,
    label_rows,
    numbers,
)
from benchmarks.snapshots import columns_of
from benchmarks.storage import FILE_ROWS, once, write_table


@dataclass(frozen=True)
class FeatureLog:
    """`features` rows in the order of their times, all different; labels halfway between two rows.

    hot   the share of rows, and of labels, that user 0 has; the others share the rest evenly
    """

    features: int
    users: int
    labels: int
    hot: float = 0.0
    seed: int = 7

    view_names = ("view_0",)

    @property
    def rows(self) -> dict[str, int]:
        """How large it is."""
        return {"feature rows": self.features, "labels": self.labels}

    @property
    def _step(self) -> int:
        return 100 * HOUR // self.features // 2 * 2

    def prepare(self, folder: Path) -> None:
        """Write sources/view_0 and labels."""

        def make() -> None:
            write_table(folder / "sources" / "view_0", map(self._file, self._files()))
            users, before = self._labels()
            times = START_MICROS + before * self._step - self._step // 2
            write_table(folder / "labels", [label_rows(users, times)])

        once(folder, "plain", asdict(self), make)

    def _files(self) -> range:
        return range(0, self.features, FILE_ROWS)

    def _file(self, first: int) -> pa.Table:
        rows = np.arange(first, min(first + FILE_ROWS, self.features))
        users = self._users((first,), len(rows))
        return feature_rows(users, START_MICROS + rows * self._step, numbers((self.seed, first), len(rows)))

    def _users(self, seed: tuple[int, ...], rows: int) -> Integers:
        random = np.random.default_rng((self.seed, 2_000_000, *seed))
        users = random.integers(1, self.users, rows)
        users[random.random(rows) < self.hot] = 0
        return users

    def _labels(self) -> tuple[Integers, Integers]:
        """Users, and the number of rows, of whatever user, before each label."""
        random = np.random.default_rng((self.seed, 1_000_000))
        return self._users((1,), self.labels), random.integers(0, self.features + 1, self.labels)

    def expected(self) -> ExpectedColumns:
        """The right answer: the user's last row before the label, found by bisection of (user, row number)."""
        users = np.concatenate(
            [self._users((first,), min(FILE_ROWS, self.features - first)) for first in self._files()]
        )
        width = self.features + 1
        log = np.sort(users * width + np.arange(self.features))
        labels, before = self._labels()
        newest = log[
            np.searchsorted(log, labels * width + before) - 1
        ]  # place -1 is the last: another user's
        known = newest // width == labels
        found = self._values_of(np.where(known, newest % width, 0))
        yield from columns_of("view_0", found, known)

    def _values_of(self, rows: Integers) -> np.ndarray:
        found = np.empty((len(rows), 10), dtype=np.float32)
        for first in self._files():
            size = min(FILE_ROWS, self.features - first)
            here = np.flatnonzero((rows >= first) & (rows < first + size))
            found[here] = numbers((self.seed, first), size)[rows[here] - first]
        return found
