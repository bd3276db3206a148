"""A server without memory, or one that only follows another: readers keep what they have, and who publishes is told."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest

from skewless.errors import PublishRefused, StoreUnavailable
from skewless.ledger.events import Kind
from skewless.online.operations import expire, hold, release, rollback
from skewless.online.publication import Step
from tests.faults.readers import Outcome, Readers
from tests.faults.revisions import Revisions, built, demand_live, published, seeds
from tests.faults.servers import Server
from tests.redis.stage import Stage

pytestmark = pytest.mark.slow


def without_memory(server: Server, spare: int) -> None:
    """Leave the server so many bytes more than it has taken."""
    client = server.client()
    client.config_set("maxmemory", client.info("memory")["used_memory"] + spare)


@seeds(long=60, short=8)
def test_a_server_that_runs_full_ends_the_publish_and_is_still_rolled_back_or_expired(
    start: Callable[..., Server], stage_at: Callable[[str], Stage], seed: int
) -> None:
    server = start()
    stage, revisions, chance = stage_at(server.url), Revisions(seed, users=3000), random.Random(seed)
    published(stage, revisions, 1)
    published(stage, revisions, 2, full=seed % 2 == 0)
    full, spare = seed % 4 < 2, chance.randrange(100_000)
    publication = built(stage, revisions, 3)
    with Readers.of(stage, revisions) as readers:
        readers.at_most(3)
        with pytest.raises(StoreUnavailable, match=r"is full; give it memory .* Readers keep what they have"):
            published(
                stage,
                revisions,
                3,
                publication,
                full=full,
                progress=lambda step, rows: step is Step.OPENED and without_memory(server, spare),
            )
        readers.catch_up()
        demand_live(stage, revisions, 2)
        server.client().config_set("maxmemory", 1)
        readers.allow(Outcome.ROWS | Outcome.EXPIRED, back_to=1)
        _operate(stage, revisions, chance.choice([rollback, expire, hold]), same_epoch=seed % 4 == 3)
        server.client().config_set("maxmemory", 0)
        with pytest.raises(PublishRefused, match="the view is held"):
            published(stage, revisions, 3, publication)
        release(stage.place)
        published(stage, revisions, 3, publication)
        readers.allow(Outcome.ROWS)
        readers.at_least(3)
        readers.catch_up()
        demand_live(stage, revisions, 3)


def _operate(
    stage: Stage, revisions: Revisions, operation: Callable[..., object], *, same_epoch: bool
) -> None:
    """Roll back (unless the failed publish wrote where that goes), expire or hold."""
    if operation is rollback and same_epoch:
        with pytest.raises(PublishRefused, match="a publish touched the previous generation's rows"):
            rollback(stage.place)
        operation = hold
    operation(stage.place)
    state = stage.state()
    assert state.held
    assert state.alive is (operation is not expire)
    assert revisions.live(stage) == (1 if operation is rollback else 2)


def test_a_replica_is_not_published_to(
    start: Callable[..., Server], stage_at: Callable[[str], Stage]
) -> None:
    primary = start()
    replica = start(f"replicaof 127.0.0.1 {primary.port}")
    stage, revisions = stage_at(replica.url), Revisions(0)
    with pytest.raises(StoreUnavailable, match=rf":{replica.port} is a slave; set SKEWLESS_REDIS_URL to the"):
        published(stage, revisions, 1)
    assert stage.raw_keys() == set()
    assert stage.told(Kind.PUBLISHED) == []


@pytest.mark.parametrize("operation", [rollback, expire, hold, release])
def test_an_operator_at_a_replica_changes_nothing(
    start: Callable[..., Server], stage_at: Callable[[str], Stage], operation: Callable[..., object]
) -> None:
    primary = start()
    at_primary, revisions = stage_at(primary.url), Revisions(0)
    for number in (1, 2):
        published(at_primary, revisions, number)
    replica = start(f"replicaof 127.0.0.1 {primary.port}")
    at_replica = stage_at(replica.url)
    _wait_for_replica(primary, replica)
    demand_live(at_replica, revisions, 2)
    before = at_primary.ledger.read()
    with pytest.raises(StoreUnavailable, match="is a slave" if operation is release else "refuses"):
        operation(at_replica.place)
    assert at_primary.ledger.read() == before
    demand_live(at_primary, revisions, 2)


@seeds(long=40, short=3)
def test_a_primary_that_becomes_a_replica_ends_the_publish(
    start: Callable[..., Server], stage_at: Callable[[str], Stage], seed: int
) -> None:
    """As in a failover: the replica takes over, and what the old primary has written since is lost."""
    old, revisions, chance = start(), Revisions(seed), random.Random(seed)
    at_old = stage_at(old.url)
    new = start(f"replicaof 127.0.0.1 {old.port}")
    at_new = stage_at(new.url)
    for number in (1, 2):
        published(at_old, revisions, number)
    publication = built(at_old, revisions, 3)
    fails_after = chance.choice([Step.OPENED, Step.WRITTEN, Step.COMPARED])

    def progress(step: Step, rows: int) -> None:
        if step is fails_after and old.client().role()[0] == b"master":
            new.client().replicaof("NO", "ONE")
            old.client().replicaof("127.0.0.1", str(new.port))

    _wait_for_replica(old, new)
    with Readers.of(at_old, revisions) as behind, Readers.of(at_new, revisions) as readers:
        behind.at_most(4)
        behind.allow(Outcome.ROWS | Outcome.UNAVAILABLE)
        readers.at_most(4)
        with pytest.raises(StoreUnavailable, match=rf":{old.port} (refuses: |is a slave)"):
            published(at_old, revisions, 3, publication, full=chance.random() < 0.5, progress=progress)
        with pytest.raises(StoreUnavailable, match=rf":{old.port} is a slave"):
            published(at_old, revisions, 3, publication)
        demand_live(at_new, revisions, 2)
        published(at_new, revisions, 3, publication)
        demand_live(at_new, revisions, 3)
        readers.at_least(3)
        published(at_new, revisions, 4)
        readers.at_least(4)
        readers.catch_up()
        _wait_for_replica(new, old)
        behind.catch_up()
        demand_live(at_old, revisions, 4)
    assert revisions.told(at_new, Kind.PUBLISHED) == [1, 2, 3, 4]
    assert at_new.told(Kind.LOST) == []


def _wait_for_replica(primary: Server, replica: Server) -> None:
    """Wait until the replica follows, and has all that was written."""
    deadline = time.monotonic() + 30
    while replica.client().info("replication")["master_link_status"] != "up":
        assert time.monotonic() < deadline, "the replica does not follow"
        time.sleep(0.01)
    client = primary.client()
    client.set("written-last", "x")
    assert client.wait(1, 30_000) == 1
