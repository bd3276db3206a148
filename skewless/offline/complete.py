"""Every entity of a bucket at some moments: what a snapshot asks of the kernel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from skewless.offline import kernel
from skewless.offline.columns import CUTOFF, SNAPSHOT
from skewless.offline.kernel import Program

NEWEST = (
    "_sk_newest"  # when the newest row happened that an ask sees within the view's reach; null: it is absent
)

_ASKS = 1_000_000  # so many are answered by one call of the kernel, which sorts a bucket's rows anew


@dataclass(frozen=True, slots=True)
class Moment:
    """A snapshot time and its cutoff, in microseconds."""

    snapshot: int
    cutoff: int


def complete(program: Program, rows: pa.Table, moments: Sequence[Moment]) -> pa.Table:
    """Every entity of a bucket that has a visible row within reach at a moment, with its values then."""
    entities = entities_of(rows, program.row_keys)
    at_once = max(1, _ASKS // max(1, len(entities)))
    answered = []
    for first in range(0, len(moments), at_once):
        found = kernel.answer(program, every(entities, moments[first : first + at_once]), rows)
        answered.append(present(found))
    return pa.concat_tables(answered)


def entities_of(rows: pa.Table, keys: Sequence[str]) -> pa.Table:
    """The distinct keys of some rows."""
    return rows.select(keys).group_by(list(keys)).aggregate([])


def every(entities: pa.Table, moments: Sequence[Moment]) -> pa.Table:
    """Ask of each entity at each moment."""
    asks = entities.take(pa.array(np.tile(np.arange(len(entities)), len(moments))))
    for name, times in (
        (SNAPSHOT, [moment.snapshot for moment in moments]),
        (CUTOFF, [moment.cutoff for moment in moments]),
    ):
        asks = asks.append_column(name, pa.array(np.repeat(np.array(times, dtype=np.int64), len(entities))))
    return asks


def present(answered: pa.Table) -> pa.Table:
    """Without the entities that have no visible row within reach."""
    return answered.filter(answered[NEWEST].is_valid())
