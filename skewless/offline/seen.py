"""Which snapshot of a view is seen at many instants; it travels to Spark's workers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from skewless.ledger.scheduled import Stretch
from skewless.model import FeatureView
from skewless.timeline import MICROSECOND, expired, to_micros

Instants = npt.NDArray[np.int64]  # microseconds since 1970 UTC

NOT_STORED = -1


@dataclass(frozen=True, slots=True)
class Seen:
    """What each of n instants sees.

    revision  its number among the finder's revisions; NOT_STORED where the snapshot has to be computed
    how       stored, computed or skipped
    expired   whether the view is expired for whoever asks then
    """

    snapshot: Instants
    cutoff: Instants
    revision: Instants
    how: pa.Array
    expired: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Finder:
    """Tells which snapshot is seen. Without stretches, every instant sees a snapshot of its own.

    since      from when on each stretch is seen, ascending; None: there are none
    snapshots  per stretch the snapshot time; both in microseconds
    numbers    per stretch the number of its revision
    revisions  the revisions, by number, with their snapshot times
    """

    since: tuple[int, ...] | None
    snapshots: tuple[int, ...]
    numbers: tuple[int, ...]
    hows: tuple[str, ...]
    revisions: tuple[tuple[str, int], ...]
    data_delay: int
    max_staleness: int | None

    @classmethod
    def of(cls, view: FeatureView, stretches: Sequence[Stretch] | None) -> Finder:
        """The finder of a view's stretches, which cover the instants that will be asked about."""
        seen = [stretch.seen for stretch in stretches or ()]
        times = [to_micros(item.snapshot_time) for item in seen]
        revisions = dict(
            (item.revision, at) for item, at in zip(seen, times, strict=True) if item.revision is not None
        )
        numbers = {revision: number for number, revision in enumerate(revisions)}
        return cls(
            since=None if stretches is None else tuple(to_micros(stretch.since) for stretch in stretches),
            snapshots=tuple(times),
            numbers=tuple(numbers.get(item.revision or "", NOT_STORED) for item in seen),
            hows=tuple(item.how for item in seen),
            revisions=tuple(revisions.items()),
            data_delay=_micros(view.source.data_delay),
            max_staleness=None if view.max_staleness is None else _micros(view.max_staleness),
        )

    @property
    def computes(self) -> bool:
        """Whether some snapshot has to be computed."""
        return self.since is None or NOT_STORED in self.numbers

    def find(self, at: Instants) -> Seen:
        """What is seen at each instant."""
        if self.since is None:
            nobody = np.zeros(len(at), dtype=bool)
            own = np.full(len(at), NOT_STORED, dtype=np.int64)
            return Seen(at, at, own, pa.array(["computed"]).take(pa.array(-1 - own)), nobody)
        place = np.searchsorted(np.array(self.since, dtype=np.int64), at, side="right") - 1
        snapshot = np.array(self.snapshots, dtype=np.int64)[place]
        return Seen(
            snapshot,
            snapshot + self.data_delay,
            np.array(self.numbers, dtype=np.int64)[place],
            pa.array(self.hows, type=pa.string()).take(pa.array(place)),
            self._expired(snapshot, at),
        )

    def _expired(self, snapshot: Instants, at: Instants) -> npt.NDArray[np.bool_]:
        if self.max_staleness is None:
            return np.zeros(len(at), dtype=bool)
        return np.asarray(expired(snapshot + self.max_staleness, at))


def _micros(span: timedelta) -> int:
    return span // MICROSECOND
