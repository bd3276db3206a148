"""The server is killed, and comes back with all it had, with nothing, or with what it had yesterday."""

from __future__ import annotations

import random
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from skewless.errors import NotPublishedError, StoreUnavailable
from skewless.ledger.events import Kind
from skewless.online.publication import Publication, Receipt, Step
from skewless.online.reconcile import reconcile
from skewless.online.telling import FLIPS
from tests.faults.readers import Outcome, Readers
from tests.faults.revisions import Revisions, built, demand_live, published, repeated, seeds
from tests.faults.servers import Server
from tests.redis.stage import FEATURES, Stage

pytestmark = pytest.mark.slow

ROUNDS = repeated(long=20, short=5)


def published_unless_killed(
    stage: Stage, revisions: Revisions, number: int, again: Publication, server: Server, chance: random.Random
) -> Receipt | None:
    """Publish while the server is killed, right after a step or at any instant; None when the publish failed of it."""
    timer = threading.Timer(chance.random() * 0.1, server.kill)
    after = chance.choice(list(Step)) if chance.random() < 0.5 else None
    progress = once(Step.OPENED, timer.start) if after is None else once(after, server.kill)
    try:
        return published(stage, revisions, number, again, full=chance.random() < 0.5, progress=progress)
    except StoreUnavailable:
        return None
    finally:
        if timer.is_alive():
            timer.join()
        server.kill()


def once(step: Step, act: Callable[[], object]) -> Callable[[Step, int], None]:
    """A progress callback that acts after a step, the first time."""
    left = [act]

    def progress(done: Step, rows: int) -> None:
        if done is step and left:
            left.pop()()

    return progress


def demand_growing_flips(stage: Stage) -> None:
    """In the ledger's order every flip, and every new generation, is above all before."""
    flips = [event.flip for event in stage.told(*FLIPS)]
    generations = [event.generation for event in stage.told(Kind.PUBLISHED)]
    assert flips == sorted(set(flips))
    assert generations == sorted(set(generations))


@pytest.mark.parametrize("fsync", ["always", "everysec"])
@seeds(long=10)
def test_a_server_that_is_killed_comes_back_with_one_of_both_generations(
    start: Callable[..., Server], stage_at: Callable[[str], Stage], fsync: str, seed: int
) -> None:
    server = start("appendonly yes", f"appendfsync {fsync}")
    stage, revisions, chance = stage_at(server.url), Revisions(seed), random.Random(seed)
    published(stage, revisions, 1)
    failed = 0
    with Readers.of(stage, revisions) as readers:
        for number in range(2, ROUNDS + 2):
            publication = built(stage, revisions, number)
            readers.at_most(number)
            readers.allow(Outcome.ROWS | Outcome.UNAVAILABLE)
            receipt = published_unless_killed(stage, revisions, number, publication, server, chance)
            failed += receipt is None
            server.start()
            live = revisions.live(stage)
            assert live in ((number,) if receipt else (number - 1, number))
            readers.at_least(live)
            readers.catch_up()
            readers.allow(Outcome.ROWS)
            published(stage, revisions, number, publication)
            readers.at_least(number)
            demand_live(stage, revisions, number)
        readers.catch_up()
    assert failed
    assert readers.outcomes["UNAVAILABLE"]
    assert revisions.told(stage, Kind.PUBLISHED) == list(range(1, ROUNDS + 2))
    assert stage.told(Kind.LOST) == []
    demand_growing_flips(stage)


@seeds(long=10)
def test_a_server_that_comes_back_empty_is_told_as_lost_and_written_in_full(
    start: Callable[..., Server], stage_at: Callable[[str], Stage], seed: int
) -> None:
    server = start()
    stage, revisions, chance = stage_at(server.url), Revisions(seed), random.Random(seed)
    published(stage, revisions, 1)
    with Readers.of(stage, revisions) as readers:
        for number in range(2, ROUNDS + 2):
            publication = built(stage, revisions, number)
            readers.at_most(number)
            readers.allow(Outcome.ROWS | Outcome.UNAVAILABLE | Outcome.NOT_PUBLISHED)
            published_unless_killed(stage, revisions, number, publication, server, chance)
            server.start()
            readers.allow(Outcome.NOT_PUBLISHED)
            readers.catch_up()
            with pytest.raises(NotPublishedError):
                stage.reader.get(FEATURES, [{"user_id": 1}])
            assert reconcile(stage.place).lost
            readers.allow(Outcome.ROWS | Outcome.NOT_PUBLISHED)
            readers.at_least(number)
            receipt = published(stage, revisions, number, publication)
            assert receipt.epoch == receipt.generation
            readers.allow(Outcome.ROWS)
            demand_live(stage, revisions, number)
            assert len(stage.told(Kind.LOST)) == number - 1
        readers.catch_up()
    demand_growing_flips(stage)


def bring_back(server: Server, file: str) -> None:
    """Kill the server and start it with an older file."""
    server.kill()
    shutil.copy(server.folder / file, server.folder / "dump.rdb")
    server.start()


@seeds(long=60, short=6)
def test_a_server_that_comes_back_with_an_older_file_is_told_as_lost_and_written_in_full(
    start: Callable[..., Server], stage_at: Callable[[str], Stage], seed: int
) -> None:
    """The file may be from the middle of a publish, and the server come back in the middle of another."""
    server = start()
    stage, revisions, chance = stage_at(server.url), Revisions(seed), random.Random(seed)
    published(stage, revisions, 1)
    saved: list[int] = []

    def save() -> None:
        server.client().save()
        shutil.copy(server.folder / "dump.rdb", server.folder / "yesterday")
        saved.append(revisions.live(stage))

    def go_back() -> None:
        readers.allow(Outcome.ROWS | Outcome.UNAVAILABLE, back_to=saved[0])
        bring_back(server, "yesterday")
        readers.allow(Outcome.ROWS | Outcome.UNAVAILABLE)

    with Readers.of(stage, revisions) as readers:
        saving, last = (
            chance.choice((Step.OPENED, Step.WRITTEN, Step.FLIPPED, Step.SWEPT)),
            chance.choice((4, 5)),
        )
        readers.at_most(last)
        published(stage, revisions, 2, full=chance.random() < 0.5, progress=once(saving, save))
        for number in range(3, last):
            published(stage, revisions, number, full=chance.random() < 0.3)
        publication = built(stage, revisions, last)
        going = once(chance.choice([Step.OPENED, Step.WRITTEN, Step.COMPARED, Step.SWEPT]), go_back)
        before = None
        with suppress(StoreUnavailable):
            before = published(
                stage, revisions, last, publication, full=chance.random() < 0.5, progress=going
            )
        assert revisions.live(stage) == saved[0]
        readers.catch_up()
        demand_live(stage, revisions, saved[0])
        assert reconcile(stage.place).lost
        readers.allow(Outcome.ROWS)
        receipt = published(stage, revisions, last, publication)
        readers.at_least(last)
        readers.catch_up()
        demand_live(stage, revisions, last)
    assert receipt.epoch == receipt.generation > (before.generation if before else 0)
    (lost,) = stage.told(Kind.LOST)
    assert lost.snapshot_time == revisions.time(saved[0])
    demand_growing_flips(stage)


def test_what_expired_since_the_older_file_is_expired_when_it_is_back(
    start: Callable[..., Server], stage_at: Callable[[str], Stage]
) -> None:
    server = start()
    stage = stage_at(server.url)
    soon = datetime.now(UTC) + timedelta(seconds=1.5)
    assert stage.view.max_staleness is not None
    revisions = Revisions(0, begin=soon - stage.view.max_staleness - timedelta(minutes=1))
    published(stage, revisions, 1)
    demand_live(stage, revisions, 1)
    server.client().save()
    shutil.copy(server.folder / "dump.rdb", server.folder / "yesterday")
    published(stage, revisions, 2)
    time.sleep(max(0.0, (soon - datetime.now(UTC)).total_seconds()) + 0.01)
    demand_live(stage, revisions, 2)
    bring_back(server, "yesterday")
    answer = stage.reader.read(FEATURES, [{"user_id": user} for user in range(9)])
    assert answer.views["stats"].state == "expired"
    assert {row["stats__mark"] for row in answer.rows} == {None}
    published(stage, revisions, 2, built(stage, revisions, 2))
    demand_live(stage, revisions, 2)
    assert len(stage.told(Kind.LOST)) == 1
