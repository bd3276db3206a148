"""The users of docs/security.md with Sentinels and in a Cluster; with Redis 7 over TLS, too."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from skewless.errors import StoreUnavailable
from skewless.online.operations import hold, release, rollback
from skewless.online.reader import AsyncOnlineReader, OnlineReader
from skewless.online.state import look
from tests.faults.servers import Server
from tests.redis import security
from tests.redis.security import Certificates, admin_of, as_user
from tests.redis.stage import Stage, ago
from tests.redis.topologies import MASTER, PATIENCE, Cluster, Sentinels, until

pytestmark = pytest.mark.slow

AS_REPLICA = ("masteruser replica", "masterauth replica-password")
AT_SENTINELS = ("sentinel_username=watcher", "sentinel_password=watcher-password")


@pytest.fixture(params=["valkey-9", "redis-7"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def certificates(kind: str, tmp_path: Path) -> Certificates | None:
    return Certificates.make(tmp_path / "certificates") if kind == "redis-7" else None


def trusted(certificates: Certificates | None) -> tuple[str, ...]:
    return (f"ssl_ca_certs={certificates.ca}",) if certificates else ()


@pytest.fixture
def sentinels(kind: str, certificates: Certificates | None, tmp_path: Path) -> Iterator[Sentinels]:
    made = Sentinels(
        kind,
        tmp_path / "servers",
        options=(
            *security.lines(kind, security.USERS, security.OF_REPLICAS, security.BESIDE_SENTINELS),
            *AS_REPLICA,
        ),
        sentinel_options=(
            *security.lines(kind, security.OF_SENTINELS),
            f"sentinel auth-user {MASTER} sentinel",
            f"sentinel auth-pass {MASTER} sentinel-password",
            "sentinel sentinel-user peer",
            "sentinel sentinel-pass peer-password",
        ),
        certificates=certificates,
    )
    try:
        yield made.start()
    finally:
        made.stop()


def test_sentinels_name_another_master_to_users_of_the_page(
    sentinels: Sentinels, certificates: Certificates | None, tmp_path: Path
) -> None:
    options = (*AT_SENTINELS, *trusted(certificates))
    stage = Stage(as_user("publisher", sentinels.url, *options), tmp_path, namespace="prod", keeps=True)
    stage.publish_mark(1, ago(hours=5), users=700)
    master, replica = sentinels.servers
    until(lambda: same_keys(master, replica), "the replica has it all")
    until(lambda: all(map(knows, sentinels.sentinels)), "the Sentinels know all")
    url = as_user("reader", sentinels.url, *options)
    reader = OnlineReader(url, "prod")
    assert marks(reader) == {1}
    master.kill()
    assert marks_at_last(reader) == {1}
    assert asyncio.run(read_once(url)) == 1
    stage.publish_mark(2, ago(hours=4), users=700)
    assert marks(reader) == {2}
    assert look(as_user("observer", sentinels.url, *options), "prod", "stats").alive
    reader.close()
    stage.close()
    assert [denied(server) for server in (replica, *sentinels.sentinels)] == [set()] * 4


def test_who_is_no_user_of_the_sentinels_is_told(
    sentinels: Sentinels, certificates: Certificates | None, tmp_path: Path
) -> None:
    for login in ((), ("sentinel_username=watcher", "sentinel_password=wrong")):
        stage = Stage(
            as_user("publisher", sentinels.url, *login, *trusted(certificates)), tmp_path, namespace="prod"
        )
        for attempt in (stage.marks, stage.state):
            with pytest.raises(StoreUnavailable, match=r"goes into the URL as .sentinel_username="):
                attempt()
        stage.close()


USERS_YET = security.USERS.replace(
    "ACL SETUSER default off\n", ""
)  # first they are made, then the others shut out


def test_a_cluster_is_read_and_published_to_by_users_of_the_page(
    kind: str, certificates: Certificates | None, tmp_path: Path
) -> None:
    cluster = Cluster(kind, tmp_path / "servers", certificates)
    try:
        cluster.start()
        stage = Stage(
            as_user("publisher", cluster.url, *trusted(certificates)), tmp_path, namespace="prod", keeps=True
        )
        source = cluster.owner(stage.place.keys.pointer)
        target = next(server for server in cluster.servers if server is not source)

        def with_users(where: str) -> None:
            if where == "emptied":  # each command has an ASKING before it
                for name in ("reader", "publisher"):
                    sent_on = OnlineReader(as_user(name, cluster.url, *trusted(certificates)), "prod")
                    assert marks(sent_on) == {1}
                    sent_on.close()

        for server in cluster.servers:
            security.let_in(server, USERS_YET, security.IN_A_CLUSTER, security.OF_REPLICAS)
        stage.publish_mark(1, ago(hours=5), users=700)
        cluster.move(stage.place.keys.pointer, source, target, with_users)
        users = security.lines(kind, USERS_YET, security.IN_A_CLUSTER, security.OF_REPLICAS)
        replica = cluster.follow(target, *users, *AS_REPLICA)
        for server in (*cluster.servers, replica):
            with server.client() as client:
                client.execute_command("ACL", "SETUSER", "default", "off")
        with admin_of(target) as admin:
            until(lambda: admin.client_kill_filter(_type="replica"), "the replica must log in again")
        stage.publish_mark(2, ago(hours=4), users=700)
        stage.publish_mark(3, ago(hours=3), users=700, full=True)
        rollback(stage.place)
        release(stage.place)
        hold(stage.place)
        url = as_user("reader", cluster.url, *trusted(certificates))
        reader = OnlineReader(url, "prod")
        assert marks(reader) == {2}
        assert asyncio.run(read_once(url)) == 2
        until(lambda: same_keys(target, replica), "the replica has it all")
        assert look(as_user("observer", cluster.url, *trusted(certificates)), "prod", "stats").held
        reader.close()
        stage.close()
        assert [denied(server) for server in (*cluster.servers, replica)] == [set()] * 4
    finally:
        cluster.stop()


def marks(reader: OnlineReader) -> set[object]:
    rows = reader.get(["stats:mark"], [{"user_id": user} for user in range(700)])
    return {row["stats__mark"] for row in rows}


def marks_at_last(reader: OnlineReader) -> set[object]:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return marks(reader)
        except StoreUnavailable:
            assert time.monotonic() < deadline, "no other master was named"
            time.sleep(0.1)


async def read_once(url: str) -> object:
    reader = AsyncOnlineReader(url, "prod")
    try:
        return (await reader.read(["stats:mark"], {"user_id": 1})).rows[0]["stats__mark"]
    finally:
        await reader.close()


def denied(server: Server) -> set[str]:
    """What a server refused to its users."""
    with admin_of(server) as admin:
        entries = admin.acl_log()
    return {f"{entry['username']}: {entry['reason']} {entry['object']}" for entry in entries}


def same_keys(master: Server, replica: Server) -> bool:
    with admin_of(master) as one, admin_of(replica) as other:
        return one.dbsize() == other.dbsize() > 0


def knows(sentinel: Server) -> bool:
    with admin_of(sentinel) as client:
        state = client.sentinel_masters()[MASTER]
    return state["num-slaves"] == 1 and state["num-other-sentinels"] == 2
