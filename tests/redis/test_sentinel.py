"""A real master with a replica and three Sentinels: who takes over, and what readers and publishers notice of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from skewless.errors import NotPublishedError, StoreUnavailable
from skewless.ledger.events import Kind
from skewless.local.port import free_port
from skewless.online.publication import Step
from skewless.online.reader import AsyncOnlineReader
from skewless.online.reconcile import reconcile
from skewless.online.services import put_service
from tests.faults.servers import Server
from tests.redis.stage import Stage, ago
from tests.redis.topologies import MASTER, PATIENCE, Sentinels, until

pytestmark = pytest.mark.slow


@pytest.fixture
def sentinels(tmp_path: Path) -> Iterator[Sentinels]:
    made = Sentinels("valkey-9", tmp_path / "servers")
    try:
        yield made.start()
    finally:
        made.stop()


@pytest.fixture
def stage(sentinels: Sentinels, tmp_path: Path) -> Iterator[Stage]:
    made = Stage(sentinels.url, tmp_path, keeps=True)
    yield made
    made.close()


def test_the_master_is_published_to_and_read(sentinels: Sentinels, stage: Stage) -> None:
    master, replica = sentinels.servers
    stage.publish_mark(1, ago(hours=3), users=700)
    stage.publish_mark(2, ago(hours=2), users=700)
    put_service(stage.redis_url, stage.namespace, "all", ["stats:mark"])
    assert stage.marks(700) == {2}
    assert stage.reader.get(["all"], [{"user_id": 1}]) == [{"user_id": 1, "stats__mark": 2}]
    assert asyncio.run(read_twice(stage)) == [2, 2]
    until(lambda: replica.client().dbsize() == master.client().dbsize(), "the replica has it all")


async def read_twice(stage: Stage) -> list[object]:
    reader = AsyncOnlineReader(stage.redis_url, stage.namespace)
    try:
        found = [await reader.read(["stats:mark"], {"user_id": 1}) for _ in range(2)]
    finally:
        await reader.close()
    return [answer.rows[0]["stats__mark"] for answer in found]


def test_a_reader_recovers_when_another_master_is_named_and_nobody_writes_to_the_old_one(
    sentinels: Sentinels, stage: Stage
) -> None:
    stage.publish_mark(1, ago(hours=3), users=700)
    caught_up(sentinels)
    assert stage.marks(700) == {1}
    sentinels.servers[0].kill()
    with pytest.raises(StoreUnavailable, match=f"{MASTER}.* cannot be reached"):
        stage.marks(700)
    assert marks_at_last(stage) == {1}  # the same reader, by itself
    assert asyncio.run(read_twice(stage)) == [1, 1]
    receipt = stage.publish_mark(2, ago(hours=2), users=700)
    assert receipt.epoch == 1  # what changed: the replica had all that the ledger tells of
    old = sentinels.servers[0].start()
    until(lambda: old.client().info("replication")["role"] == "slave", "the old master follows the new one")
    stage.publish_mark(3, ago(hours=1), users=700)
    assert stage.marks(700) == {3}
    alone = Stage(old.url, stage.folder, namespace=stage.namespace)
    with pytest.raises(StoreUnavailable, match="is a slave; set SKEWLESS_REDIS_URL to the primary"):
        alone.publish_mark(4, ago(minutes=30), users=700)
    alone.close()


def test_a_publish_whose_master_dies_ends_and_the_next_one_is_right(
    sentinels: Sentinels, stage: Stage
) -> None:
    stage.publish_mark(1, ago(hours=5), users=700)
    caught_up(sentinels)

    def kill(step: Step, rows: int) -> None:
        if step is Step.WRITTEN:
            sentinels.servers[0].kill()

    with pytest.raises(StoreUnavailable, match=r"cannot be reached.*and run the command again"):
        stage.publish_mark(2, ago(hours=4), users=700, progress=kill)
    assert marks_at_last(stage) == {1}
    stage.publish_mark(3, ago(hours=3), users=700)
    assert stage.marks(700) == {3}
    assert [event.rows for event in stage.told(Kind.PUBLISHED)] == [700, 700]


def test_what_the_replica_had_not_got_is_lost_and_told(sentinels: Sentinels, stage: Stage) -> None:
    """Replication does not wait: whoever takes over may be behind the ledger."""
    stage.publish_mark(1, ago(hours=5), users=700)
    caught_up(sentinels)
    master, replica = sentinels.servers
    replica.pause()
    master.client().client_kill_filter(_type="replica")
    stage.publish_mark(2, ago(hours=4), users=700)
    assert stage.marks(700) == {2}
    master.kill()
    replica.resume()
    assert marks_at_last(stage) == {1}  # readers get what the new master has
    assert reconcile(stage.place).lost
    assert [event.kind for event in stage.told(Kind.LOST)] == [Kind.LOST]
    receipt = stage.publish_mark(3, ago(hours=3), users=700)
    assert receipt.epoch == receipt.generation  # full
    assert stage.marks(700) == {3}


def test_what_sentinels_cannot_tell_is_explained(
    sentinels: Sentinels, tmp_path: Path, redis_url: str
) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    for url, message in (
        (sentinels.url.replace(MASTER, "other"), r"\(Sentinel's other\) cannot be reached \(No master found"),
        (f"redis+sentinel://{nobody}/{MASTER}", r"No master found for 'main' : .*ConnectionError"),
        (f"{redis_url.replace('redis:', 'redis+sentinel:')}", "is no Sentinel"),
    ):
        stage = Stage(url, tmp_path)
        for attempt in (lambda: stage.marks(1), stage.state):  # noqa: B023
            with pytest.raises(StoreUnavailable, match=message) as refused:
                attempt()
            assert "<redis" not in str(refused.value)
        stage.close()


def test_one_sentinel_of_those_named_is_enough(sentinels: Sentinels, tmp_path: Path) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    stage = Stage(f"redis+sentinel://{nobody},127.0.0.1:{sentinels.sentinels[2].port}/{MASTER}", tmp_path)
    with pytest.raises(NotPublishedError):
        stage.marks(1)
    stage.publish_mark(1, ago(hours=1), users=10)
    assert stage.marks(10) == {1}
    stage.close()


def caught_up(sentinels: Sentinels) -> None:
    """Wait until the replica has all, and every Sentinel knows it and the other Sentinels."""
    master, replica = sentinels.servers

    def has_all() -> bool:
        offsets = [server.client().info("replication")["master_repl_offset"] for server in (master, replica)]
        return offsets[0] == offsets[1] and replica.client().dbsize() > 0

    until(has_all, "the replica has it all")
    until(lambda: all(map(_knows, sentinels.sentinels)), "the Sentinels know all")


def _knows(sentinel: Server) -> bool:
    with sentinel.client() as client:
        state = client.sentinel_masters()[MASTER]
    return state["num-slaves"] == 1 and state["num-other-sentinels"] == 2


def marks_at_last(stage: Stage) -> set[object]:
    """What the stage's reader gives once there is a master again; nothing wrong before that."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return stage.marks(700)
        except StoreUnavailable:
            assert time.monotonic() < deadline, "no other master was named"
            time.sleep(0.1)
