"""One shuffle of the spine for all views: rows that see the same snapshots come together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from skewless.offline.looking import Look
from skewless.offline.source import quoted
from skewless.offline.spine import SpineTimes
from skewless.timeline import due

_TASK_ROWS = 250_000
_MOST_TASKS = 4096


def sliced(
    rows: DataFrame, at: Column, keys: Sequence[str], times: SpineTimes | None, looks: Sequence[Look]
) -> DataFrame:
    """Bring a spine's rows into partitions by time, so that a task opens the files of few snapshots.

    at    the rows' times in microseconds
    keys  columns that divide the rows of one slice further, where many see the same few snapshots
    """
    tasks = 1 if times is None else min(-(-times.rows // _TASK_ROWS), _MOST_TASKS)
    if times is None or tasks == 1:
        return rows.coalesce(1)
    begins = boundaries(times.parts, changes(looks), tasks)
    slices = len(begins) + 1
    parts = -(-tasks // slices)
    number = F.lit(0)
    for begin in begins:
        number = number + due(F.lit(begin), at).cast("int")
    part = F.pmod(F.xxhash64(*map(quoted, keys)), F.lit(parts)).cast("int")
    return rows.repartitionById(slices * parts, number * F.lit(parts) + part)


def boundaries(parts: Sequence[int], since: Sequence[int], tasks: int) -> list[int]:
    """Where slices begin, but for the first: about equally many rows each, and no file read in two if possible.

    parts  instants between which lie about equally many rows
    since  instants from which on other files are read; all ascending, in microseconds

    >>> boundaries([10, 20, 30, 40], since=[0, 9, 25, 39], tasks=3)
    [9, 25]
    """
    wanted = np.linspace(0, len(parts), min(tasks, len(parts) + 1) + 1)[1:-1].astype(int)
    nearest = (
        np.searchsorted(since, np.array(parts, dtype=np.int64)[np.minimum(wanted, len(parts) - 1)], "right")
        - 1
    )
    return sorted({since[place] for place in nearest.tolist() if place > 0})


def changes(looks: Sequence[Look]) -> list[int]:
    """From when on other files are read, in microseconds: of the view that has the most files."""
    with_files = [look for look in looks if look.stored is not None and look.finder.since is not None]
    most = max(with_files, key=lambda look: len(look.stored.files) if look.stored else 0)
    assert most.stored is not None
    assert most.finder.since is not None
    of_revision: dict[int, list[int]] = {}
    for place, (_, held) in enumerate(most.stored.files):
        for number in held:
            of_revision.setdefault(number, []).append(place)
    found, before = [], None
    for since, number in zip(most.finder.since, most.finder.numbers, strict=True):
        files = of_revision.get(number, [])
        if files != before:
            found.append(since)
        before = files
    return found
