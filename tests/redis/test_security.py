"""The users of docs/security.md on real servers: what they may do works, and nothing else does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import redis

from skewless.errors import DataError, StoreUnavailable
from skewless.online.operations import expire, hold, release, rollback
from skewless.online.publication import Step
from skewless.online.reader import AsyncOnlineReader, OnlineReader
from skewless.online.services import put_service
from skewless.online.state import look
from tests.faults.servers import Server
from tests.redis.security import USERS, admin_of, as_user, let_in
from tests.redis.stage import Killed, Stage, ago, dying_after


@pytest.fixture(scope="module", params=["valkey-9", pytest.param("redis-7", marks=pytest.mark.slow)])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(request.param, tmp_path_factory.mktemp("server"), ("enable-debug-command local",))
    try:
        made.start()
        let_in(made, USERS)
        yield made
    finally:
        made.kill()


@pytest.fixture
def admin(server: Server) -> Iterator[redis.Redis]:
    with admin_of(server) as client:
        yield client
        client.flushall()


@pytest.fixture
def stage(server: Server, admin: redis.Redis, tmp_path: Path) -> Iterator[Stage]:
    made = Stage(as_user("publisher", server.url), tmp_path, namespace="prod", keeps=True)
    yield made
    made.close()


def test_a_publisher_does_all_that_publishers_do(stage: Stage, admin: redis.Redis) -> None:
    admin.acl_log_reset()
    for number, users in enumerate([700, 600, 700, 500]):  # what changed, with tombstones
        stage.publish_mark(number, ago(hours=20 - number), users=users)
    with pytest.raises(Killed):
        stage.publish_mark(4, ago(hours=15), users=700, full=True, progress=dying_after(Step.WRITTEN))
    stage.publish_mark(5, ago(hours=14), users=700)
    put_service(stage.redis_url, "prod", "all", ["stats:mark"])
    assert stage.reader.get(["all"], [{"user_id": 1}]) == [{"user_id": 1, "stats__mark": 5}]
    rollback(stage.place)
    release(stage.place)
    stage.publish_mark(6, ago(hours=13), users=700)
    stage.publish_mark(7, ago(hours=12), users=700, full=True, rollback=True)
    expire(stage.place)
    hold(stage.place)
    release(stage.place)
    assert (stage.state().held, stage.state().alive) == (False, False)
    assert [entry["object"] for entry in admin.acl_log()] == []


def test_a_key_that_is_there_already_is_found_by_a_publisher(stage: Stage, admin: redis.Redis) -> None:
    def spoil(step: Step, rows: int) -> None:
        if step is Step.DESCRIBED:
            admin.set(stage.place.keys.entity(1, "3"), "theirs")

    with pytest.raises(DataError, match=r"\{prod:stats\}:1:3 was written twice"):
        stage.publish_mark(1, ago(hours=1), users=10, progress=spoil)


def test_a_reader_reads(stage: Stage, server: Server, admin: redis.Redis) -> None:
    stage.publish_mark(1, ago(hours=1), users=700)
    put_service(stage.redis_url, "prod", "all", ["stats:mark"])
    admin.acl_log_reset()
    url = as_user("reader", server.url, "client_name=app")
    reader = OnlineReader(url, "prod")
    reader.connect()
    assert reader.get(["all"], [{"user_id": 1}]) == [{"user_id": 1, "stats__mark": 1}]
    reader.close()
    assert asyncio.run(read_once(url, "prod")) == 1
    assert [entry["object"] for entry in admin.acl_log()] == []


def test_an_observer_tells_the_state(stage: Stage, server: Server, admin: redis.Redis) -> None:
    stage.publish_mark(1, ago(hours=1), users=10)
    hold(stage.place)
    admin.acl_log_reset()
    state = look(as_user("observer", server.url), "prod", "stats")
    assert (state.alive, state.held, state.flip) == (True, True, stage.state().flip)
    assert [entry["object"] for entry in admin.acl_log()] == []


async def read_once(url: str, namespace: str) -> object:
    reader = AsyncOnlineReader(url, namespace)
    try:
        return (await reader.read(["stats:mark"], {"user_id": 1})).rows[0]["stats__mark"]
    finally:
        await reader.close()


FOR_ADMINS = """
FLUSHALL|FLUSHDB|KEYS *|CONFIG GET *|CONFIG SET maxmemory-policy allkeys-lru|CONFIG REWRITE|DEBUG SLEEP 0|
ACL LIST|ACL WHOAMI|ACL SETUSER reader +@all|ACL SETUSER publisher +@all|SHUTDOWN|CLIENT LIST|
CLIENT KILL TYPE normal|MONITOR|REPLICAOF NO ONE|SAVE|BGSAVE|BGREWRITEAOF|MODULE LIST|SCRIPT FLUSH|
SCRIPT LOAD return|FUNCTION FLUSH|EVALSHA abc 0|DBSIZE|RANDOMKEY|DUMP {prod:stats}:p|RESTORE {prod:stats}:p 0 x|
MIGRATE localhost 1 {prod:stats}:p 0 1|RENAME {prod:stats}:p {prod:stats}:q|COPY {prod:stats}:p {prod:stats}:q|
MOVE {prod:stats}:p 1|SWAPDB 0 1|SORT {prod:stats}:p|SUBSCRIBE all|PUBLISH all x|SELECT 1|
PERSIST {prod:stats}:a|EXPIRE {prod:stats}:p 1|APPEND {prod:stats}:p x|SLOWLOG GET|LATENCY RESET|MEMORY DOCTOR|
OBJECT ENCODING {prod:stats}:p
"""
FOR_WRITERS = """
SET {prod:stats}:p x|SET {prod:stats}:1:1 x|MSET {prod:stats}:1:1 x|MSETNX {prod:stats}:1:1 x|
DEL {prod:stats}:p|UNLINK {prod:stats}:p|SET prod:service:all x|HSET {prod:stats}:s held 0|
PEXPIREAT {prod:stats}:a 1|SCAN 0|EXISTS {prod:stats}:p|INFO|EVAL return 0|EVAL return 1 {prod:stats}:p|
HGET {prod:stats}:s held
"""
FOR_OBSERVERS = "HGETALL {prod:stats}:s|MULTI|TIME|PEXPIRETIME {prod:stats}:a"
OF_ANOTHER = """
GET {prod2:stats}:p|GET prod2:service:all|MGET {prod:stats}:p {prod2:stats}:p|
MGET {prod2:stats}:p {prod2:stats}:a|GET {pro:stats}:p|GET {x-prod:stats}:p|GET prod:p|GET {prod}:p|GET prod|
GET other|GET prod:services:all
"""
WRITING_ANOTHER = """
SET {prod2:stats}:p x|MSET {prod:stats}:q x {prod2:stats}:p x|MSETNX {prod2:stats}:q x|DEL {prod2:stats}:p|
UNLINK {prod:stats}:q {prod2:stats}:p|HSET {prod2:stats}:s held 0|HGETALL {prod2:stats}:s|
PEXPIREAT {prod2:stats}:p 1|SET prod2:service:all x|EVAL return 1 {prod2:stats}:p|
EVAL redis.call('DEL','{prod2:stats}:p') 0|EXISTS {prod2:stats}:p|SET other x
"""


def listed(*texts: str) -> list[list[str]]:
    return [command.split() for text in texts for command in text.replace("\n", "").split("|")]


@pytest.mark.parametrize(
    ("user", "commands"),
    [
        ("reader", listed(FOR_ADMINS, FOR_WRITERS, FOR_OBSERVERS, OF_ANOTHER, WRITING_ANOTHER)),
        ("publisher", listed(FOR_ADMINS, OF_ANOTHER, WRITING_ANOTHER)),
        ("observer", listed(FOR_ADMINS, FOR_WRITERS, OF_ANOTHER, WRITING_ANOTHER)),
    ],
)
def test_nothing_else_is_allowed(
    stage: Stage, server: Server, admin: redis.Redis, user: str, commands: Sequence[Sequence[str]]
) -> None:
    stage.publish_mark(1, ago(hours=1), users=10)
    for key in (
        "{prod2:stats}:p",
        "{prod2:stats}:a",
        "prod2:service:all",
        "{pro:stats}:p",
        "{x-prod:stats}:p",
        "other",
    ):
        admin.set(key, "theirs")
    before = everything(admin)
    with redis.Redis(port=server.port, username=user, password=f"{user}-password", protocol=2) as client:
        allowed = [" ".join(command) for command in commands if not is_refused(client, command)]
    assert allowed == []
    assert everything(admin) == before


def is_refused(client: redis.Redis, command: Sequence[str]) -> bool:
    try:
        client.execute_command(*command)
    except redis.exceptions.NoPermissionError:
        return True
    except redis.exceptions.ResponseError as error:
        if "in script" in str(error) or "executing the script" in str(error):
            return True
        raise
    return False


def everything(admin: redis.Redis) -> dict[bytes, bytes]:
    return {key: admin.dump(key) for key in admin.scan_iter()}


@pytest.mark.parametrize(
    ("without", "refused"),
    [
        ("+info", "'info'"),
        ("+eval", "'eval'"),
        ("+pexpireat", "script"),
        ("+mget", "'mget'"),
        ("+exec", "'exec'"),
    ],
)
def test_who_lacks_a_right_is_told_which(
    stage: Stage, server: Server, admin: redis.Redis, without: str, refused: str
) -> None:
    admin.execute_command("ACL", "SETUSER", "publisher", without.replace("+", "-"))
    try:
        with pytest.raises(
            StoreUnavailable, match=rf"refuses: .*{refused}.*; .* the rights in docs/security\.md"
        ):
            stage.publish_mark(1, ago(hours=1), users=10)
    finally:
        admin.execute_command("ACL", "SETUSER", "publisher", without)
    stage.publish_mark(1, ago(hours=1), users=10)


def test_a_reader_that_publishes_is_told_what_it_lacks(stage: Stage, server: Server, tmp_path: Path) -> None:
    reader = Stage(as_user("reader", server.url), tmp_path, namespace="prod")
    attempts: dict[str, Callable[[], Any]] = {
        "'info'": lambda: reader.publish_mark(1, ago(hours=1), users=10),
        "'multi'": reader.state,
        "'eval'": lambda: hold(reader.place),
        "'set'": lambda: put_service(reader.redis_url, "prod", "all", ["stats:mark"]),
    }
    for command, attempt in attempts.items():
        with pytest.raises(StoreUnavailable, match=rf"refuses: .*{command} command; .*docs/security\.md"):
            attempt()
    reader.close()


@pytest.mark.parametrize("login", ["", "reader:wrong@", "nobody:reader-password@"])
def test_who_is_not_let_in_is_told(server: Server, tmp_path: Path, login: str) -> None:
    stage = Stage(server.url.replace("://", f"://{login}"), tmp_path, namespace="prod")
    for attempt in (stage.marks, stage.state):
        with pytest.raises(
            StoreUnavailable, match="check user and password in SKEWLESS_REDIS_URL"
        ) as refused:
            attempt()
        assert "wrong" not in str(refused.value)
        assert "reader-password" not in str(refused.value)
    stage.close()
