"""A real Cluster of three masters: each view on one of them, read together, also while a slot moves."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from skewless.errors import NotPublishedError, SkewlessError, StoreUnavailable
from skewless.ledger.events import Kind
from skewless.online.operations import expire, hold, release, rollback
from skewless.online.publication import Step
from skewless.online.reader import AsyncOnlineReader, OnlineReader
from skewless.online.services import put_service
from tests.faults.servers import Server
from tests.redis.stage import STATS, Stage, ago
from tests.redis.topologies import Cluster

pytestmark = pytest.mark.slow

USERS = [{"user_id": user} for user in range(700)]  # more than one command has


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    made = Cluster("valkey-9", tmp_path_factory.mktemp("cluster"))
    try:
        yield made.start()
    finally:
        made.stop()


@pytest.fixture
def stages(cluster: Cluster, tmp_path: Path) -> Iterator[list[Stage]]:
    """Views of one namespace, one on each node."""
    found: dict[int, Stage] = {}
    namespace = f"n{time.monotonic_ns()}"
    for number in range(100):
        view = replace(STATS, name=f"view_{number}")
        stage = Stage(cluster.url, tmp_path / view.name, view, namespace=namespace, keeps=True)
        found.setdefault(cluster.owner(stage.place.keys.pointer).port, stage)
    assert len(found) == 3
    yield list(found.values())
    for stage in found.values():
        stage.close()


def mark_of(stage: Stage) -> str:
    return f"{stage.view.name}__mark"


def feature_of(stage: Stage) -> str:
    return f"{stage.view.name}:mark"


def marks(stage: Stage, reader: OnlineReader | None = None) -> set[object]:
    rows = (reader or stage.reader).get([feature_of(stage)], USERS)
    return {row[mark_of(stage)] for row in rows}


def test_views_on_several_nodes_are_read_together(cluster: Cluster, stages: list[Stage]) -> None:
    for mark, stage in enumerate(stages):
        stage.publish_mark(mark, ago(hours=2), users=700)
    put_service(cluster.url, stages[0].namespace, "all", [feature_of(stage) for stage in stages])
    expected = {mark_of(stage): mark for mark, stage in enumerate(stages)}
    for features in ([feature_of(stage) for stage in stages], ["all"]):
        rows = stages[0].reader.get(features, USERS)
        assert rows == [{**user, **expected} for user in USERS]
        assert asyncio.run(read_once(cluster.url, stages[0].namespace, features)) == rows
    with pytest.raises(NotPublishedError):
        stages[0].reader.get(["nobody:mark"], USERS)


async def read_once(url: str, namespace: str, features: list[str]) -> list[dict[str, object]]:
    reader = AsyncOnlineReader(url, namespace)
    try:
        return (await reader.read(features, USERS)).rows
    finally:
        await reader.close()


def test_all_that_is_done_to_a_view_is_done_on_its_node(stages: list[Stage]) -> None:
    for stage in stages:
        stage.publish_mark(1, ago(hours=5), users=700)
        assert stage.publish_mark(2, ago(hours=4), users=700).epoch == 1  # what changed, into the live epoch
        stage.publish_mark(3, ago(hours=3), users=700, full=True)
        assert (marks(stage), stage.state().top) == ({3}, 3)
        rollback(stage.place)
        assert (marks(stage), stage.state().held) == ({2}, True)
        release(stage.place)
        hold(stage.place)
        expire(stage.place)
        assert (marks(stage), stage.state().alive) == ({None}, False)
        assert [event.kind for event in stage.told(Kind.ROLLED_BACK, Kind.EXPIRED)] == [
            Kind.ROLLED_BACK,
            Kind.EXPIRED,
        ]


def other(cluster: Cluster, server: Server) -> Server:
    return next(node for node in cluster.servers if node is not server)


@pytest.mark.parametrize("full", [True, False])
def test_a_publish_whose_slot_moves_ends_and_the_next_one_is_right(
    cluster: Cluster, stages: list[Stage], full: bool
) -> None:
    stage = stages[0]
    key = stage.place.keys.pointer
    source = cluster.owner(key)
    target = other(cluster, source)
    stage.publish_mark(1, ago(hours=5), users=700)

    def publish_meanwhile(where: str) -> None:
        if where != "half":
            return
        with pytest.raises(StoreUnavailable, match="moves the keys to another node, or has moved them"):
            stage.publish_mark(4, ago(hours=2.5), users=700, full=full)

    def move(done: Step, rows: int) -> None:
        if done is Step.OPENED:
            cluster.move(key, source, target, meanwhile=lambda where: None)

    with pytest.raises(StoreUnavailable, match="run the command again when they have moved"):
        stage.publish_mark(2, ago(hours=4), users=700, full=full, progress=move)
    assert marks(stage) == {1}
    stage.publish_mark(3, ago(hours=3), users=700, full=full)
    assert marks(stage) == {3}
    cluster.move(key, target, source, meanwhile=publish_meanwhile)
    assert marks(stage) == {3}
    stage.publish_mark(5, ago(hours=2), users=700, full=full)
    assert marks(stage) == {5}
    assert [event.rows for event in stage.told(Kind.PUBLISHED)] == [700] * 3


@pytest.mark.parametrize("ask", ["threads", "asyncio"])
def test_who_reads_while_a_slot_moves_waits_a_little(cluster: Cluster, stages: list[Stage], ask: str) -> None:
    stage = stages[1]
    key = stage.place.keys.pointer
    source = cluster.owner(key)
    stage.publish_mark(1, ago(hours=5), users=700)
    read = {"threads": lambda: marks(stage), "asyncio": lambda: marks_by_asyncio(cluster, stage)}[ask]
    assert read() == {1}
    over, answers = threading.Event(), []

    def keep_reading() -> None:
        while not over.is_set():
            start = time.monotonic()
            answers.append((read(), time.monotonic() - start))

    reading = threading.Thread(target=keep_reading)

    def meanwhile(where: str) -> None:
        time.sleep(0.2)  # at "half" the keys are on two nodes, and nobody can have them all

    reading.start()
    try:
        cluster.move(key, source, other(cluster, source), meanwhile)
    finally:
        over.set()
        reading.join()
    cluster.move(key, other(cluster, source), source, lambda where: None)
    assert {frozenset(found) for found, _ in answers} == {frozenset({1})}
    assert max(seconds for _, seconds in answers) < 2


def marks_by_asyncio(cluster: Cluster, stage: Stage) -> set[object]:
    rows = asyncio.run(read_once(cluster.url, stage.namespace, [feature_of(stage)]))
    return {row[mark_of(stage)] for row in rows}


def test_a_lost_connection_is_asked_again(cluster: Cluster, stages: list[Stage]) -> None:
    stage = stages[0]
    stage.publish_mark(1, ago(hours=5), users=700)

    def cut() -> None:
        for server in cluster.servers:
            with server.client() as client:
                client.client_kill_filter(_type="normal", skipme=True)

    async def read_before_and_after() -> list[object]:
        reader = AsyncOnlineReader(cluster.url, stage.namespace)
        found = [await reader.read([feature_of(stage)], USERS)]
        cut()
        found.append(await reader.read([feature_of(stage)], USERS))
        await reader.close()
        return [row[mark_of(stage)] for answer in found for row in answer.rows]

    assert marks(stage) == {1}
    cut()
    assert marks(stage) == {1}
    assert set(asyncio.run(read_before_and_after())) == {1}


def test_a_slot_that_stays_half_moved_is_told(cluster: Cluster, stages: list[Stage]) -> None:
    stage = stages[2]
    key = stage.place.keys.pointer
    source, seen = cluster.owner(key), []
    stage.publish_mark(1, ago(hours=5), users=700)

    def meanwhile(where: str) -> None:
        if where == "half":
            for read in (lambda: marks(stage), lambda: marks_by_asyncio(cluster, stage)):
                start = time.monotonic()
                with pytest.raises(StoreUnavailable, match="moves the keys to another node"):
                    read()
                seen.append(time.monotonic() - start)

    cluster.move(key, source, other(cluster, source), meanwhile)
    assert marks(stage) == {1}
    cluster.move(key, other(cluster, source), source, lambda where: None)
    assert all(0.2 < seconds < 3 for seconds in seen)
    assert len(seen) == 2


def test_a_slot_that_moves_at_once_keeps_nobody_waiting(cluster: Cluster, stages: list[Stage]) -> None:
    """Valkey 9 copies a slot's keys beside its traffic, and then hands them over together."""
    stage = stages[2]
    key = stage.place.keys.pointer
    source = cluster.owner(key)
    stage.publish_mark(1, ago(hours=5), users=700)
    over, answers = threading.Event(), []

    def keep_reading() -> None:
        while not over.is_set():
            answers.append(marks(stage))

    reading = threading.Thread(target=keep_reading)
    reading.start()
    try:
        for here, there in ((source, other(cluster, source)), (other(cluster, source), source)):
            cluster.move_at_once(key, here, there)
            stage.publish_mark(1, ago(hours=4 if here is source else 3), users=700)
    finally:
        over.set()
        reading.join()
    assert {frozenset(found) for found in answers} == {frozenset({1})}
    assert len(answers) > 10


def test_the_url_of_one_node_is_not_enough(cluster: Cluster, stages: list[Stage]) -> None:
    stage = stages[0]
    stage.publish_mark(1, ago(hours=5), users=700)
    node = other(cluster, cluster.owner(stage.place.keys.pointer))
    reader = OnlineReader(node.url, stage.namespace)
    with pytest.raises(StoreUnavailable, match=r"with SKEWLESS_REDIS_URL as redis\+cluster://"):
        marks(stage, reader)
    reader.close()
    alone = Stage(node.url, stage.folder, stage.view, namespace=stage.namespace)
    with pytest.raises(StoreUnavailable, match=r"with SKEWLESS_REDIS_URL as redis\+cluster://"):
        alone.publish_mark(2, ago(hours=4), users=700)
    alone.close()


def test_a_server_alone_is_no_cluster(redis_url: str, tmp_path: Path) -> None:
    stage = Stage(redis_url.replace("redis:", "redis+cluster:"), tmp_path)
    for attempt in (lambda: stage.marks(), lambda: stage.publish_mark(1, ago(hours=1))):
        with pytest.raises(
            StoreUnavailable, match=r"is no Cluster \(.*\); write SKEWLESS_REDIS_URL as redis://"
        ):
            attempt()
    stage.close()


def test_a_node_that_was_lost_and_is_back_is_read_again(cluster: Cluster, stages: list[Stage]) -> None:
    stage = stages[0]
    server = cluster.owner(stage.place.keys.pointer)
    stage.publish_mark(1, ago(hours=5), users=700)
    server.client().save()
    server.kill()
    for read in (lambda: marks(stage), stage.state, lambda: marks_by_asyncio(cluster, stage)):
        with pytest.raises(StoreUnavailable, match="the online store at "):
            read()
    server.start()
    answered(lambda: marks(stage))
    assert marks(stage) == marks_by_asyncio(cluster, stage) == {1}
    stage.publish_mark(2, ago(hours=4), users=700)
    assert marks(stage) == {2}


def answered(ask: Callable[[], object]) -> None:
    """Wait until the Cluster is whole again."""
    deadline = time.monotonic() + 20
    while True:
        try:
            ask()
        except SkewlessError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        else:
            return
