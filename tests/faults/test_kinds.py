"""The core of the online store's tests, on every server that is promised: Valkey 9, Redis 7 and Redis 8."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from skewless.ledger.events import Kind
from skewless.online.operations import expire, hold, release, rollback
from tests.faults.readers import Outcome, Readers
from tests.faults.revisions import VIEW, Revisions, demand_live, published, repeated
from tests.faults.servers import Server, programs
from tests.redis.stage import Stage
from tests.redis.test_transitions import (  # noqa: F401  # collected here once more, for each server
    session,
    test_every_script_and_refusal_is_in_the_table,
    test_the_scripts_do_what_the_model_does,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["valkey-9", "redis-7", "redis-8"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if request.param not in programs():
        pytest.skip(f"{request.param} is not here; scripts/servers.sh brings it")
    started = Server(request.param, tmp_path_factory.mktemp(request.param)).start()
    yield started
    started.stop()


@pytest.fixture(scope="module")
def redis_url(server: Server) -> str:
    return server.url


@pytest.fixture
def stage(redis_url: str, tmp_path: Path) -> Iterator[Stage]:
    made = Stage(redis_url, tmp_path, VIEW, keeps=True)
    yield made
    made.reader.close()


def test_a_history_of_publishes_and_rollbacks_is_read_right(stage: Stage) -> None:
    """Full and incremental publishes, rollbacks, holds and expiries, with readers all the while."""
    revisions, chance = Revisions(0), random.Random(0)
    published(stage, revisions, 1)
    previous, live = 0, 1
    with Readers.of(stage, revisions) as readers:
        for number in range(2, repeated(long=40, short=12)):
            readers.at_most(number)
            published(stage, revisions, number, full=chance.random() < 0.3)
            readers.at_least(number)
            demand_live(stage, revisions, number)
            previous, live = live, number
            if number % 3 == 0:
                readers.allow(Outcome.ROWS | Outcome.EXPIRED, back_to=previous)
                act = chance.choice([rollback, expire, hold])
                act(stage.place)
                live = previous if act is rollback else live
                assert (revisions.live(stage), stage.state().alive) == (live, act is not expire)
                readers.catch_up()
                release(stage.place)
                readers.at_most(number + 1)
    told = stage.told(Kind.PUBLISHED)
    assert revisions.told(stage, Kind.PUBLISHED) == list(range(1, repeated(long=40, short=12)))
    assert {event.epoch == event.generation for event in told} == {True, False}  # full and incremental
