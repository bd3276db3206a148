"""Readers that look up all the while, in threads and in processes, and hold every answer against its revision."""

from __future__ import annotations

import multiprocessing
import random
import threading
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntFlag, auto
from multiprocessing.connection import Connection
from typing import Any, NamedTuple, Self

from skewless.errors import NotPublishedError, StoreUnavailable
from skewless.online.reader import Answer, OnlineReader
from tests.faults.revisions import ABSENT, Revisions
from tests.redis.stage import FEATURES, Stage

# Processes come from a server that has imported what they need, pandas for pyarrow too: so they start at once.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["pytest", "pandas", "tests.faults.readers", "tests.faults.publishers"])

_ENDED = 2**62  # lookups, of a reader that looks up no more


class Outcome(IntFlag):
    """What may come of a lookup."""

    ROWS = auto()
    EXPIRED = auto()
    NOT_PUBLISHED = auto()
    UNAVAILABLE = auto()


class Bounds(NamedTuple):
    """What a lookup may give now: a revision from `floor` to `ceiling`, and none older than before in the same era.

    With `back` a later lookup may give an older one all the same.
    """

    era: int
    floor: int
    ceiling: int
    allowed: int
    back: int
    over: int


class Tally(NamedTuple):
    """What a reader did: lookups by outcome, entities that were looked up, and what was wrong."""

    outcomes: Counter[str]
    entities: int
    wrong: list[str]


@dataclass
class Readers:
    """Readers of one view. The test says beforehand what they may see: `at_least`, `at_most`, `allow`.

    Every answer must be exactly the revision that its snapshot time names, whatever the bounds.
    """

    url: str
    namespace: str
    revisions: Revisions
    threads: int = 1
    processes: int = 1
    live: int = 0  # the revision that is live at first; 0: none is published
    pause: float = 0.01  # seconds between two lookups of a reader
    outcomes: Counter[str] = field(default_factory=Counter)
    entities: int = 0

    @classmethod
    def of(cls, stage: Stage, revisions: Revisions, **how: Any) -> Readers:
        """Readers of what is live on a stage."""
        return cls(stage.redis_url, stage.namespace, revisions, live=revisions.live(stage), **how)

    def __post_init__(self) -> None:
        allowed = Outcome.ROWS if self.live else Outcome.NOT_PUBLISHED
        self._shared = PROCESSES.Array("q", Bounds(0, self.live, self.live, allowed, 0, 0))
        self._counts = PROCESSES.Array("q", [0] * (self.threads + self.processes))
        self._tallies: list[Tally] = []
        self._threads: list[threading.Thread] = []
        self._processes: list[tuple[Any, Connection]] = []

    def __enter__(self) -> Self:
        """Start them; each has looked up once when this returns."""
        where = (self.url, self.namespace, self.revisions, self._shared, self._counts)
        for number in range(self.threads):
            reading = threading.Thread(target=self._read_in_thread, args=(*where, number, self.pause))
            reading.start()
            self._threads.append(reading)
        for number in range(self.threads, self.threads + self.processes):
            ours, theirs = PROCESSES.Pipe(duplex=False)
            process = PROCESSES.Process(target=read_in_process, args=(theirs, *where, number, self.pause))
            process.start()
            theirs.close()
            self._processes.append((process, ours))
        try:
            self.catch_up(1)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End them, and demand that nothing was wrong."""
        self._set(over=1)
        for thread in self._threads:
            thread.join()
        for process, connection in self._processes:
            self._tallies.append(connection.recv())
            process.join()
        wrong = [line for tally in self._tallies for line in tally.wrong]
        self.outcomes = sum((tally.outcomes for tally in self._tallies), Counter())
        self.entities = sum(tally.entities for tally in self._tallies)
        assert not wrong, f"{self.revisions}: {len(wrong)} wrong lookups, e.g.\n" + "\n".join(wrong[:5])

    def at_most(self, number: int) -> None:
        """A revision up to this one may be seen from now on."""
        self._set(ceiling=number)

    def at_least(self, number: int) -> None:
        """None before this one may be seen any more."""
        self._set(floor=number)

    def allow(self, outcomes: Outcome, *, back_to: int | None = None) -> None:
        """Only these outcomes may come from now on; with `back_to`, the view may go back as far as that meanwhile."""
        bounds = Bounds(*self._shared[:])
        floor = bounds.floor if back_to is None else back_to
        self._set(allowed=outcomes, era=bounds.era + 1, floor=floor, back=back_to is not None)

    def catch_up(self, lookups: int = 3) -> None:
        """Wait until each reader has begun and ended so many lookups since now."""
        goals = [min(count + lookups + 1, _ENDED) for count in self._counts[:]]
        deadline = time.monotonic() + 60
        while any(count < goal for count, goal in zip(self._counts[:], goals, strict=True)):
            assert time.monotonic() < deadline, f"{self.revisions}: readers stand still: {self._counts[:]}"
            time.sleep(0.002)

    def _set(self, **bounds: int) -> None:
        with self._shared.get_lock():
            self._shared[:] = Bounds(*self._shared[:])._replace(**bounds)

    def _read_in_thread(self, *where: Any) -> None:
        self._tallies.append(read_until_over(*where))


def read_in_process(connection: Connection, *where: Any) -> None:
    connection.send(read_until_over(*where))


def read_until_over(
    url: str, namespace: str, revisions: Revisions, shared: Any, counts: Any, number: int, pause: float
) -> Tally:
    """Look up until the readers are over, or something is wrong."""
    reader = OnlineReader(url, namespace)
    watching = _Watching(revisions, shared)
    outcomes: Counter[str] = Counter()
    entities, wrong = 0, []
    for users in _drawn(random.Random(f"{revisions.seed} {number}"), revisions.users):
        before = watching.bounds()
        if before.over:
            break
        try:
            outcome, found = watching.judge(before, _look_up(reader, users), users)
        except Exception:  # whatever it is, it is not what a reader may get
            outcome, found = Outcome(0), traceback.format_exc()
        outcomes[str(outcome.name)] += 1
        entities += len(users)
        counts[number] += 1
        if found:
            wrong.append(f"reader {number}, lookup {sum(outcomes.values())}: {found}")
            watching.demand_nothing_more(counts, number)
            break
        time.sleep(pause)
    reader.close()
    return Tally(outcomes, entities, wrong)


def _drawn(chance: random.Random, users: int) -> Iterator[Sequence[int]]:
    """Of all entities in turn with a few."""
    while True:
        yield range(users)
        yield [chance.randrange(users) for _ in range(30)]


def _look_up(reader: OnlineReader, users: Sequence[int]) -> Answer | Outcome:
    try:
        return reader.read(FEATURES, [{"user_id": user} for user in users])
    except NotPublishedError:
        return Outcome.NOT_PUBLISHED
    except StoreUnavailable:
        return Outcome.UNAVAILABLE


@dataclass
class _Watching:
    """What one reader holds its answers against."""

    revisions: Revisions
    shared: Any
    last: tuple[int, int, int] = (-1, 0, 0)  # era, flip and revision of the last answer

    def bounds(self) -> Bounds:
        with self.shared.get_lock():
            return Bounds(*self.shared[:])

    def demand_nothing_more(self, counts: Any, number: int) -> None:
        """Let nobody wait for a reader that has ended."""
        counts[number] = _ENDED

    def judge(
        self, before: Bounds, answer: Answer | Outcome, users: Sequence[int]
    ) -> tuple[Outcome, str | None]:
        """Give what came, and what is wrong with it."""
        after = self.bounds()
        outcome = answer if isinstance(answer, Outcome) else _outcome(answer)
        if not outcome & (before.allowed | after.allowed) and before.era == after.era:
            return outcome, f"{outcome!r} where only {Outcome(after.allowed)!r} may come"
        if isinstance(answer, Outcome):
            return outcome, None
        return outcome, self._differs(answer, outcome, users) or self._out_of_order(answer, before, after)

    def _differs(self, answer: Answer, outcome: Outcome, users: Sequence[int]) -> str | None:
        """Whether any row is another than that of the revision that the snapshot time names."""
        number = self.revisions.number(answer.views["stats"].snapshot_time)
        rows = self.revisions.looked_up(number)
        for user, row in zip(users, answer.rows, strict=True):
            expected = rows[user] if outcome is Outcome.ROWS else _expired(user)
            if row != expected:
                return f"revision {number} has {expected}, and the reader got {row}"
        return None

    def _out_of_order(self, answer: Answer, before: Bounds, after: Bounds) -> str | None:
        served = answer.views["stats"]
        number = self.revisions.number(served.snapshot_time)
        if before.era == after.era and not before.floor <= number <= after.ceiling:
            return f"revision {number} where {before.floor} to {after.ceiling} may come"
        last, self.last = self.last, (before.era, served.flip, number)
        same = before.era == after.era == last[0] and not before.back
        if same and (served.flip < last[1] or number < last[2]):
            return f"flip and revision {served.flip, number} after {last[1:]}"
        return None


def _outcome(answer: Answer) -> Outcome:
    return Outcome.ROWS if answer.views["stats"].state == "live" else Outcome.EXPIRED


def _expired(user: int) -> dict[str, Any]:
    return {"user_id": user, **dict(zip(("stats__mark", "stats__share", "stats__word"), ABSENT, strict=True))}
