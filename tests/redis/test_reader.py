"""A lookup is one generation of each view, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
import struct
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from skewless import types
from skewless.errors import NotPublishedError, OnlineError, UsageError
from skewless.model import Entity, FeatureView, Field
from skewless.online.codec import pack_int
from skewless.online.entities import Entities
from skewless.online.keys import KeyKind, ViewKeys
from skewless.online.lookup import Lookup, Naming
from skewless.online.operations import expire
from skewless.online.reader import AsyncOnlineReader, OnlineReader
from skewless.online.records import Meta, Pointer, encode_slots
from skewless.online.request import Alias, Request
from skewless.online.services import put_service
from skewless.settings import Settings
from skewless.store import FeatureStore
from skewless.timeline import SystemClock
from tests.redis.stage import SOURCE, USER, Stage, ago

EVERY_DTYPE = FeatureView(
    name="all",
    entities=[USER],
    source=SOURCE,
    schema=[
        Field(name="flag", dtype=types.Bool, default=True),
        Field(name="i32", dtype=types.Int32, default=-5),
        Field(name="i64", dtype=types.Int64),
        Field(name="f32", dtype=types.Float32, default=0.1),
        Field(name="f64", dtype=types.Float64, default=0.1),
        Field(name="text", dtype=types.String, default="ä"),
        Field(name="raw", dtype=types.Bytes),
        Field(name="at", dtype=types.Timestamp, default=datetime(2013, 1, 1, tzinfo=UTC)),
        Field(name="vector", dtype=types.Array(types.Float32), default=[0.5]),
        Field(name="times", dtype=types.Array(types.Timestamp)),
    ],
)
INSTANT = datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)


def float32(bits: int) -> float:
    return struct.unpack(">f", struct.pack(">I", bits))[0]


def float64(bits: int) -> float:
    return struct.unpack(">d", struct.pack(">Q", bits))[0]


def bits(value: Any) -> Any:
    return struct.pack(">d", value).hex() if isinstance(value, float) else value


def test_every_dtype_travels_unchanged(redis_url: str, tmp_path: Path) -> None:
    stage = Stage(redis_url, tmp_path, EVERY_DTYPE)
    tiny32, tiny64 = float32(1), float64(1)
    rows = [
        (
            1,
            True,
            2**31 - 1,
            2**63 - 1,
            tiny32,
            tiny64,
            "x" * 70_000,
            b"\0\xff",
            INSTANT,
            [1.5, None],
            [INSTANT, None],
        ),
        (2, False, -(2**31), -(2**63), -0.0, -0.0, "", b"", ago(hours=1), [], []),
        (3, None, None, None, None, None, None, None, None, None, None),
        (
            4,
            True,
            0,
            0,
            float("inf"),
            float("-inf"),
            "😀\0",
            b"x" * 300,
            INSTANT,
            [float32(0x7F7FFFFF)] * 20,
            [INSTANT] * 16,
        ),
    ]
    stage.publish_rows(rows, ago(hours=1))
    names = [item.name for item in EVERY_DTYPE.schema]
    got = stage.reader.get([f"all:{name}" for name in names], [{"user_id": row[0]} for row in rows])
    assert [[bits(row[f"all__{name}"]) for name in names] for row in got] == [
        [bits(v) for v in row[1:]] for row in rows
    ]
    (absent,) = stage.reader.get([f"all:{name}" for name in names], [{"user_id": 9}])
    assert [absent[f"all__{name}"] for name in names] == [
        True, -5, None, float32(0x3DCCCCCD), 0.1, "ä", None, datetime(2013, 1, 1, tzinfo=UTC), [0.5], None
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        (0xFFC00000, 0xFFF8000000000000),
        (0x7FC00001, 0x7FF8000000000001),
        (0x7F800001, 0x7FF0000000000001),
    ],
    ids=["negative", "with a payload", "signalling"],
)
def test_nan_is_canonical_whatever_it_was(redis_url: str, tmp_path: Path, narrow: int, wide: int) -> None:
    view = FeatureView(
        name="all",
        entities=[USER],
        source=SOURCE,
        schema=[Field(name="f32", dtype=types.Float32), Field(name="f64", dtype=types.Float64)],
    )
    stage = Stage(redis_url, tmp_path, view)
    stage.publish_rows([(1, float32(narrow), float64(wide))], ago(hours=1))
    raw = stage.server.get(stage.place.keys.entity(1, "1"))
    assert raw == bytes.fromhex("94 ce00000001 c40c 7fc00000 7ff8000000000000 ce00000000 c0")


def test_a_lookup_of_thousands_goes_in_chunks_and_keeps_its_order(stage: Stage) -> None:
    rows = [(user, user * 2, 0.5, "a") for user in range(0, 3000, 2)]
    stage.publish_rows(rows, ago(hours=1))
    asked = [{"user_id": user} for user in [None, *range(2999, -1, -1), None, 4, 4]]
    got = [row["stats__mark"] for row in stage.reader.get(["stats:mark"], asked)]
    expected = [None if row["user_id"] is None or row["user_id"] % 2 else row["user_id"] * 2 for row in asked]
    assert got == expected
    assert stage.reader.get(["stats:mark"], []) == []


def test_readers_beside_publishers_never_see_two_generations(stage: Stage) -> None:
    stage.publish_mark(0, ago(hours=30), users=1600)
    seen: list[set[Any]] = []
    stop = threading.Event()

    def read() -> None:
        reader = OnlineReader(stage.redis_url, stage.namespace)
        while not stop.is_set():
            rows = reader.get(["stats:mark"], [{"user_id": user} for user in range(1600)])
            seen.append({row["stats__mark"] for row in rows})
        reader.close()

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for mark in range(1, 8):
        stage.publish_mark(mark, ago(hours=30 - mark), users=1600)
    stop.set()
    for reader in readers:
        reader.join()
    assert all(len(marks) == 1 for marks in seen)
    assert len({mark for marks in seen for mark in marks}) > 2


META = Meta("f", (("user_id", KeyKind.INTEGER),), (("mark", types.Int64),), (None,), (-1,))


def pointer(flip: int, generation: int, epoch: int) -> bytes:
    return Pointer(flip, generation, epoch, INSTANT).encode()


def row(*slots: Any) -> bytes:
    packed = [None if mark is None else b"\x91" + pack_int(mark) for mark in slots[1::2]]
    return encode_slots(
        slots[0], packed[0] or b"\xc0", *([slots[2], packed[1] or b"\xc0"] if len(slots) > 2 else [])
    )


def looked_up(*rounds: list[list[bytes | None]], users: int = 1) -> Lookup:
    """A lookup that was answered with these rounds of replies."""
    entities = Entities.of([{"user_id": user} for user in range(users)])
    lookup = Lookup(ViewKeys("n", "stats"), entities, [Naming("stats")])
    for replies in rounds:
        assert not lookup.settled
        assert len(lookup.commands()) == len(replies)
        lookup.accept(replies)
    return lookup


def opening(flip: int = 1, generation: int = 1, epoch: int = 1) -> list[list[list[bytes | None]]]:
    seen = pointer(flip, generation, epoch)
    return [[[seen, pack_int(flip)]], [[seen, pack_int(flip), META.encode()]]]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (row(5, 50), (50,)),
        (row(6, 60, 5, 50), (50,)),  # 6 is being written: not live yet
        (row(6, 60), (None,)),  # an entity that begins with 6
        (row(5, None, 4, 40), (None,)),  # a tombstone
        (row(6, None, 5, 50), (50,)),
        (row(4, 40), (40,)),
        (None, (None,)),
    ],
)
def test_of_two_slots_the_first_not_above_the_pointer_counts(
    raw: bytes | None, expected: tuple[Any, ...]
) -> None:
    lookup = looked_up(*opening(1, 5, 5), [[pointer(1, 5, 5), pack_int(1), raw]])
    assert lookup.settled
    assert lookup.settled_slots.rows() == [expected]


@pytest.mark.parametrize("alive", [None, pack_int(2)])
def test_without_alive_or_with_another_flip_the_view_is_expired(alive: bytes | None) -> None:
    lookup = looked_up(*opening(), [[pointer(1, 1, 1), alive, row(1, 10)]])
    assert lookup.settled_slots.rows() == [(-1,)]
    assert not lookup.settled_slots.live


@pytest.mark.parametrize(
    "second", [[pointer(2, 2, 1), pack_int(2)], [pointer(1, 1, 1), None], [pointer(2, 1, 1), pack_int(1)]]
)
def test_chunks_that_disagree_are_read_again(second: list[bytes | None]) -> None:
    first = [pointer(1, 1, 1), pack_int(1)]
    lookup = looked_up(*opening(), [[*first, *[row(1, 10)] * 500], [*second, row(1, 10)]], users=501)
    assert not lookup.settled
    assert [len(command) for command in lookup.commands()] == [503, 4]
    lookup.accept([[*first, *[row(1, 10)] * 500], [*first, row(1, 10)]])
    assert lookup.settled_slots.rows() == [(10,)] * 501


def test_a_new_epoch_is_read_again_with_its_own_meta() -> None:
    lookup = looked_up(*opening(), [[pointer(2, 2, 2), pack_int(2), None]])
    assert lookup.commands() == [("MGET", "{n:stats}:p", "{n:stats}:a", "{n:stats}:m:2")]
    lookup.accept([[pointer(3, 3, 3), pack_int(3), None]])  # gone meanwhile
    assert lookup.commands() == [("MGET", "{n:stats}:p", "{n:stats}:a", "{n:stats}:m:3")]
    lookup.accept([[pointer(3, 3, 3), pack_int(3), META.encode()]])
    assert lookup.commands() == [("MGET", "{n:stats}:p", "{n:stats}:a", "{n:stats}:3:0")]


def test_no_meta_beside_its_pointer_is_not_published() -> None:
    with pytest.raises(NotPublishedError):
        looked_up([[pointer(1, 1, 1), pack_int(1)]], [[pointer(1, 1, 1), pack_int(1), None]])
    with pytest.raises(NotPublishedError):
        looked_up(*opening(), [[None, None, None]])


def test_another_format_is_refused_by_its_number() -> None:
    with pytest.raises(OnlineError, match="pointer has format 2, and this skewless reads format 1"):
        Pointer.decode(bytes.fromhex("95 02 01 01 01 00"))
    assert (
        Pointer.decode(bytes.fromhex("96 01 02 03 04 00 c3")).epoch == 4
    )  # more behind is of a later minor one


def test_views_are_read_together_each_with_its_own_keys(stage: Stage, tmp_path: Path) -> None:
    routes = FeatureView(
        name="routes",
        entities=[Entity(name="route", join_keys=["origin", "user_id"])],
        source=SOURCE,
        schema=[Field(name="delay", dtype=types.Float64)],
    )
    other = Stage(stage.redis_url, tmp_path / "routes", routes, (pa.string(), pa.int64()), stage.namespace)
    stage.publish_rows([(7, 1, 0.5, "a")], ago(hours=2))
    other.publish_rows([("JFK", 7, 12.5)], ago(hours=1))
    expire(stage.place)
    features = ["routes:delay", "stats:word", "stats:mark"]
    answer = stage.reader.read(features, [{"origin": "JFK", "user_id": 7}])
    assert answer.rows == [
        {"origin": "JFK", "user_id": 7, "routes__delay": 12.5, "stats__word": None, "stats__mark": None}
    ]
    assert {name: served.state for name, served in answer.views.items()} == {
        "routes": "live",
        "stats": "expired",
    }
    assert answer.views["stats"].age - answer.views["routes"].age > timedelta(minutes=59)


@pytest.mark.parametrize(
    ("features", "entity", "message"),
    [
        (["stats:"], {"user_id": 1}, "'stats:' names no feature; write it as view:field"),
        (["stats:marc"], {"user_id": 1}, r"'stats' has no field 'marc' \(did you mean 'mark'\?\)"),
        (
            ["stats:mark"],
            {"user": 1},
            "'stats' is looked up by user_id, and an entity lacks one of them: {'user': 1}",
        ),
        (["stats:mark"], {"user_id": "1"}, "join key value '1' is no integer"),
        (["stats:mark"], {"user_id": True}, "join key value True is no integer"),
        (["stats:mark"], {"user_id": 1.0}, "join key value 1.0 is no integer"),
        (["stats:mark"], {"user_id": 10**5000}, "an integer of 16610 bits"),
        (["stats:mark"], {"user_id": 1, "stats__mark": 0}, "has a column 'stats__mark' already"),
    ],
)
def test_what_cannot_be_meant_is_explained(
    stage: Stage, features: list[str], entity: Any, message: str
) -> None:
    stage.publish_mark(1, ago(hours=1), users=3)
    with pytest.raises(UsageError, match=message):
        stage.reader.get(features, [entity])


def test_a_view_alone_is_asked_for_without_a_list(stage: Stage, settings: Settings) -> None:
    store = FeatureStore(settings.features, redis_url=stage.redis_url, namespace=stage.namespace)
    view = store.workspace.repo.view("transaction_stats")
    with pytest.raises(NotPublishedError, match="'transaction_stats' is not published"):
        store.get_online_features(view, [{"user_id": 7}])
    store.close()


def test_a_services_features_are_there_for_other_languages(stage: Stage) -> None:
    put_service(stage.redis_url, stage.namespace, "fraud", ["stats:mark", "stats:word"])
    stage.publish_mark(7, ago(hours=1), users=3)
    assert stage.reader.get(["fraud"], {"user_id": 1}) == [
        {"user_id": 1, "stats__mark": 7, "stats__word": "w7"}
    ]
    put_service(stage.redis_url, stage.namespace, "fraud", ["stats:mark"])
    assert stage.reader.get(["fraud"], {"user_id": 1}) == [{"user_id": 1, "stats__mark": 7}]
    with pytest.raises(NotPublishedError, match="no service 'x'"):
        stage.reader.get(["x"], {"user_id": 1})


def lone_store(stage: Stage, tmp_path: Path) -> FeatureStore:
    """A store of an application, which has no definitions."""
    return FeatureStore(tmp_path / "none", redis_url=stage.redis_url, namespace=stage.namespace)


def test_an_application_without_definitions_asks_for_features_and_services(
    stage: Stage, tmp_path: Path
) -> None:
    stage.publish_mark(7, ago(hours=1), users=3)
    put_service(stage.redis_url, stage.namespace, "fraud", ["stats:mark"])
    store = lone_store(stage, tmp_path)
    found = {"stats__mark": [7, None]}
    assert store.get_online_features("fraud", {"user_id": [1, 9]}).columns == found
    assert store.get_online_features("stats:mark", [{"user_id": 1}, {"user_id": 9}]).columns == found
    assert store.parse_entity("fraud", {"user_id": "1"}) == {"user_id": 1}
    assert store.get_online_features(["fraud", "stats:word"], {"user_id": 1}).columns["stats__word"] == ["w7"]
    with pytest.raises(NotPublishedError, match="no service 'frauds'"):
        store.get_online_features("frauds", {"user_id": 1})
    store.close()


def test_asyncio_looks_up_the_same_in_one_loop_and_in_the_next(stage: Stage, tmp_path: Path) -> None:
    stage.publish_mark(7, ago(hours=1), users=30)
    store = lone_store(stage, tmp_path)

    async def several() -> list[Any]:
        asked = [store.get_online_features_async("stats:mark", {"user_id": user}) for user in range(30)]
        found = [answer.rows[0]["stats__mark"] for answer in await asyncio.gather(*asked)]
        with pytest.raises(NotPublishedError):
            await store.get_online_features_async("other:mark", {"user_id": 1})
        await store.aclose()
        return found

    assert asyncio.run(several()) == [7] * 30
    assert asyncio.run(several()) == [7] * 30


@pytest.mark.parametrize(
    "entities",
    [
        {"user_id": 1},
        [{"user_id": 1}],
        {"user_id": [1]},
        {"user_id": (1,)},
        {"user_id": np.array([1])},
        {"user_id": pa.array([1])},
        {"user_id": np.int64(1)},
    ],
    ids=["one", "rows", "list", "tuple", "numpy", "arrow", "numpy scalar"],
)
def test_entities_come_in_many_forms(stage: Stage, entities: Any) -> None:
    stage.publish_mark(7, ago(hours=1), users=3)
    answer = stage.reader.read(["stats:mark"], entities)
    assert answer.rows == [{"user_id": 1, "stats__mark": 7}]
    assert answer.numpy()["stats__mark"].tolist() == [7]


@pytest.mark.parametrize(
    ("entities", "message"),
    [
        (7, "7 is no entity; an entity is a dict"),
        (["a"], "'a' is no entity"),
        ({"user_id": [1, 2], "note": [1]}, "not of one length: user_id has 2, note has 1"),
        ({"user_id": [1], "note": "x"}, "not of one length: user_id has 1, note is 'x'"),
        ({"user": [1]}, r"an entity lacks one of them: there are user"),
    ],
)
def test_what_are_no_entities_is_told(stage: Stage, entities: Any, message: str) -> None:
    stage.publish_mark(7, ago(hours=1), users=3)
    with pytest.raises(UsageError, match=message):
        stage.reader.read(["stats:mark"], entities)


def test_a_connection_that_was_lost_is_made_again_once(stage: Stage) -> None:
    stage.publish_mark(7, ago(hours=1), users=3)
    assert stage.marks(3) == {7}
    for client in stage.server.client_list():
        if client["id"] != str(stage.server.client_id()):
            stage.server.client_kill_filter(_id=client["id"])
    assert stage.marks(3) == {7}


def test_a_view_may_get_other_join_keys(stage: Stage, tmp_path: Path) -> None:
    stage.publish_mark(7, ago(hours=2), users=3)
    assert stage.marks(3) == {7}
    people = Entity(name="person", join_keys=["name"])
    renamed = replace(stage.view, entities=[people])
    other = Stage(stage.redis_url, tmp_path / "other", renamed, (pa.string(),), stage.namespace)
    other.publish_rows([("Ann", 8, 0.5, "a")], ago(hours=1))
    with pytest.raises(UsageError, match="'stats' is looked up by name"):
        stage.reader.get(["stats:mark"], {"user_id": 1})
    assert stage.reader.get(["stats:mark"], {"name": "Ann"}) == [{"name": "Ann", "stats__mark": 8}]
    other.close()


def test_lookups_that_overlap_each_see_what_a_service_is_now(stage: Stage) -> None:
    """Both asked before it changed, and both were answered after it."""
    stage.publish_mark(7, ago(hours=1), users=3)
    put_service(stage.redis_url, stage.namespace, "fraud", ["stats:mark"])
    assert stage.reader.get(["fraud"], {"user_id": 1}) == [{"user_id": 1, "stats__mark": 7}]
    talks = [Request(stage.reader._memory, ["fraud"], Entities.of({"user_id": 1}), {}) for _ in range(2)]
    conversations = [talk.answer(SystemClock()) for talk in talks]
    asked = [next(conversation) for conversation in conversations]
    put_service(stage.redis_url, stage.namespace, "fraud", ["stats:word"])
    for conversation, commands in zip(conversations, asked, strict=True):
        again = conversation.send(stage.reader._connections.ask(commands))
        with pytest.raises(StopIteration) as done:
            conversation.send(stage.reader._connections.ask(again))
        assert done.value.value.columns == {"stats__word": ["w7"]}


def test_an_answer_is_the_callers_own(stage: Stage, tmp_path: Path) -> None:
    view = FeatureView(
        name="lists",
        entities=[USER],
        source=SOURCE,
        schema=[Field(name="words", dtype=types.Array(types.String), default=["a"])],
    )
    other = Stage(stage.redis_url, tmp_path / "lists", view, namespace=stage.namespace)
    other.publish_rows([(1, ["b"])], ago(hours=1))
    entity = {"user_id": 9}
    answer = other.reader.read(["lists:words"], entity)
    entity["user_id"] = 1
    assert answer.rows == [{"user_id": 9, "lists__words": ["a"]}]
    answer.rows[0]["lists__words"].append("mine")
    answer.numpy()["lists__words"][0].append("mine")
    assert other.reader.get(["lists:words"], {"user_id": 8})[0]["lists__words"] == ["a"]
    other.close()


def test_threads_with_loops_of_their_own_share_a_reader(stage: Stage) -> None:
    stage.publish_mark(7, ago(hours=1), users=30)
    reader = AsyncOnlineReader(stage.redis_url, stage.namespace)

    async def some() -> set[Any]:
        found = {
            (await reader.read(["stats:mark"], {"user_id": user})).rows[0]["stats__mark"]
            for user in range(30)
        }
        await reader.close()
        return found

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda _: asyncio.run(some()), range(20))) == [{7}] * 20


@pytest.mark.parametrize("value", [np.array([1, 2]), np.array(1.5)])
def test_arrays_are_no_integer_keys(stage: Stage, value: Any) -> None:
    stage.publish_mark(7, ago(hours=1), users=3)
    with pytest.raises(UsageError, match="is no integer"):
        stage.reader.get(["stats:mark"], [{"user_id": value}])


def test_a_timestamp_that_python_cannot_tell_is_told(stage: Stage, tmp_path: Path) -> None:
    view = FeatureView(
        name="times", entities=[USER], source=SOURCE, schema=[Field(name="at", dtype=types.Timestamp)]
    )
    other = Stage(stage.redis_url, tmp_path / "times", view, namespace=stage.namespace)
    other.publish_rows([(1, INSTANT)], ago(hours=1))
    late = encode_slots(1, b"\x91" + pack_int(2**60))
    stage.server.set(other.place.keys.entity(1, "1"), late)
    with pytest.raises(OnlineError, match="is not readable"):
        other.reader.get(["times:at"], {"user_id": 1})
    other.close()


def test_something_else_under_the_states_key_is_told(stage: Stage) -> None:
    stage.server.set(stage.place.keys.state, "hello")
    with pytest.raises(OnlineError, match="WRONGTYPE"):
        stage.state()


@pytest.mark.parametrize("keys", [{}, {"merchant_id": "payee"}, {"user_id": "payee", "day": "day"}])
def test_an_alias_by_other_keys_than_the_views_is_refused(stage: Stage, keys: dict[str, str]) -> None:
    stage.publish_mark(7, ago(hours=1), users=3)
    with pytest.raises(OnlineError, match="the published view by user_id"):
        stage.reader.read(["other:mark"], {"payee": 1, "day": 1}, {"other": Alias("stats", keys)})
