"""Readers while snapshots are published back to back: does an answer ever hold rows of two of them, or lack one?"""

from __future__ import annotations

import multiprocessing as mp
import queue
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing.synchronize import Event
from typing import Any

import numpy as np

from benchmarks.columns import Floats, Integers
from benchmarks.online import feast_online, ours
from benchmarks.online.figures import Figure
from benchmarks.online.names import DRIFT, FEAST, OURS
from benchmarks.online.stage import Stage

_READERS = 2
_BATCHES = (100, 1000)  # of ours the larger one goes in two commands
_PATIENCE = 120.0
_PEER_SNAPSHOTS = 5

Read = Callable[[Integers], Floats]


@dataclass
class Tally:
    """What readers got.

    mixed  lookups with rows of different snapshots, and none of them wrong
    gaps   rows that were not there, though every snapshot has them
    wrong  rows that no snapshot has
    """

    lookups: int = 0
    rows: int = 0
    mixed: int = 0
    gaps: int = 0
    wrong: int = 0

    def count(self, found: Floats, expected: Floats) -> None:
        """Count a lookup; expected: snapshots x rows x 10."""
        same = (expected == found).all(axis=2)
        absent = np.isnan(found).all(axis=1)
        wrong = ~same.any(axis=0) & ~absent
        self.lookups += 1
        self.rows += len(found)
        self.gaps += int(absent.sum())
        self.wrong += int(wrong.sum())
        self.mixed += int(not wrong.any() and not (same | absent).all(axis=1).any())


def publishing(stage: Stage) -> Iterator[Figure]:
    """Publish every snapshot, whole and as changes by turns: each row is another one every time."""
    publisher = ours.Publisher(stage)
    publisher.publish(0)
    with _read_by(_read_ours, stage, stage.users, range(stage.data.snapshots)) as tallies:
        begun = time.monotonic()
        for snapshot in range(1, stage.data.snapshots):
            publisher.publish(snapshot, full=snapshot % 2 == 0)
        wall = time.monotonic() - begun
    yield _figure(OURS, tallies, stage.data.snapshots - 1, wall)


def feast(stage: Stage) -> Iterator[Figure]:
    """Materialize some snapshots, in place, as Feast does."""
    store = feast_online.opened(feast_online.folder(stage, snapshots=_PEER_SNAPSHOTS))
    feast_online.materialize(store, 0)
    with _read_by(_read_feast, stage, stage.peer_users, range(_PEER_SNAPSHOTS)) as tallies:
        begun = time.monotonic()
        for snapshot in range(1, _PEER_SNAPSHOTS):
            feast_online.materialize(store, snapshot)
        wall = time.monotonic() - begun
    yield _figure(FEAST, tallies, _PEER_SNAPSHOTS - 1, wall)


def _figure(name: str, tallies: list[Tally], published: int, wall: float) -> Figure:
    total: Mapping[str, float] = {
        field: sum(asdict(tally)[field] for tally in tallies) for field in asdict(Tally())
    }
    measures = {
        **total,
        "published": published,
        "wall": wall,
        "mixed_share": total["mixed"] / total["lookups"],
    }
    return Figure(name, DRIFT, measures)


@contextmanager
def _read_by(
    read: Callable[[Stage], Any], stage: Stage, users: Integers, snapshots: range
) -> Iterator[list[Tally]]:
    """Readers in processes of their own, each of which has read once before the block begins; then their tallies."""
    context = mp.get_context("spawn")
    stop, told = context.Event(), context.Queue()
    readers = [
        context.Process(target=_reader, args=(read, stage, users, snapshots, number, stop, told), daemon=True)
        for number in range(_READERS)
    ]
    for reader in readers:
        reader.start()
    found: list[Tally] = []
    try:
        assert [_told(told, readers) for _ in readers] == ["ready"] * _READERS
        yield found
        stop.set()
        found += [_told(told, readers) for _ in readers]
    finally:
        stop.set()
        for reader in readers:
            reader.join(_PATIENCE)


def _told(told: Any, readers: list[Any]) -> Any:
    """What a reader says next; RuntimeError where one has failed."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        try:
            return told.get(timeout=0.2)
        except queue.Empty:
            if any(reader.exitcode for reader in readers):
                break
    raise RuntimeError("a reader failed, or said nothing; see what stands above")


def _reader(
    reading: Callable[[Stage], Any],
    stage: Stage,
    users: Integers,
    snapshots: range,
    number: int,
    stop: Event,
    told: Any,
) -> None:
    """Read users by chance until told to stop, and count; then tell the tally."""
    tally, random = Tally(), np.random.default_rng(number)
    expected = np.stack([stage.expected(snapshot)[users] for snapshot in snapshots])
    with reading(stage) as read:
        while True:
            asked = random.choice(users, _BATCHES[tally.lookups % len(_BATCHES)])
            tally.count(read(asked), expected[:, asked])
            if tally.lookups == 1:
                told.put("ready")
            elif stop.is_set():
                break
    told.put(tally)


@contextmanager
def _read_ours(stage: Stage) -> Iterator[Read]:
    with ours.reading(stage) as reader:
        yield lambda users: ours.read(reader, users)


@contextmanager
def _read_feast(stage: Stage) -> Iterator[Read]:
    store = feast_online.opened(feast_online.folder(stage))
    yield lambda users: feast_online.read(store, users)
