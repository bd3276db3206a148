"""A request that is asked again takes one step, unless something is not as it was."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from skewless import types
from skewless.errors import NotPublishedError, UsageError
from skewless.online.answer import Answer
from skewless.online.codec import NIL, pack_int, row_encoder
from skewless.online.entities import Entities
from skewless.online.keys import KeyKind
from skewless.online.records import Meta, Pointer, encode_slots
from skewless.online.request import Alias, Memory, Request
from skewless.timeline import SystemClock, from_micros

FIELDS = (("mark", types.Int64), ("word", types.String))
USERS = Meta("f", (("user_id", KeyKind.INTEGER),), FIELDS, (0, None), (-1, None))
NAMES = Meta("g", (("name", KeyKind.STRING),), FIELDS[::-1], (None, 0), (None, -1))
FEATURES = ["stats:mark"]


class Server:
    """What is under which key, and how often it was asked."""

    def __init__(self) -> None:
        self.memory, self.asked = Memory("n"), 0
        self.content: dict[str, bytes] = {}

    def publish(self, meta: Meta, flip: int, epoch: int, rows: dict[str, tuple[Any, ...]]) -> None:
        pack = row_encoder(meta.dtypes)
        self.put("p", Pointer(flip, flip, epoch, from_micros(0)).encode())
        self.put("a", pack_int(flip))
        self.put(f"m:{epoch}", meta.encode())
        for key, row in rows.items():
            self.put(f"{epoch}:{key}", encode_slots(flip, pack(row)))

    def put(self, key: str, raw: bytes) -> None:
        self.content["{n:stats}:" + key] = raw

    def ask(self, features: list[str], *entities: dict[str, Any], **aliases: Alias) -> Answer:
        request = Request(self.memory, features, Entities.of([*entities]), aliases)
        conversation = request.answer(SystemClock())
        self.asked, replies = 0, None
        try:
            while True:
                commands = next(conversation) if replies is None else conversation.send(replies)
                self.asked += 1
                assert all(len(command) <= 1 + 2 + 500 and None not in command for command in commands)
                replies = [[self.content.get(key) for key in keys] for _, *keys in commands]
        except StopIteration as done:
            answer: Answer = done.value
            return answer

    def marks(self, *users: Any) -> list[Any]:
        return self.ask(FEATURES, *({"user_id": user} for user in users)).columns["stats__mark"]


@pytest.fixture
def server() -> Server:
    found = Server()
    found.publish(USERS, 1, 1, {"7": (70, "a"), "8": (80, "b")})
    assert found.marks(7) == [70]
    assert found.asked == 3
    return found


def test_the_second_time_it_takes_one_step(server: Server) -> None:
    assert server.marks(8, 9, 7) == [80, 0, 70]
    assert server.asked == 1
    assert server.marks() == []
    assert server.asked == 1


def test_what_is_published_beside_the_live_rows_is_seen_at_once(server: Server) -> None:
    server.publish(USERS, 2, 1, {"7": (71, "a")})
    server.put("1:8", encode_slots(2, NIL, 1, row_encoder(USERS.dtypes)((80, "b"))))
    assert server.marks(7, 8) == [71, 0]
    assert server.asked == 4  # its meta is confirmed
    assert server.marks(7, 8) == [71, 0]
    assert server.asked == 1
    assert server.ask(FEATURES, {"user_id": 7}).views["stats"].generation == 2


def test_a_new_epoch_is_read_the_long_way_once(server: Server) -> None:
    server.publish(USERS, 2, 2, {"7": (72, "a")})
    assert server.marks(7, 8) == [72, 0]
    assert server.asked > 1
    assert server.marks(7, 8) == [72, 0]
    assert server.asked == 1


def test_an_expired_view_has_its_expired_row(server: Server) -> None:
    server.put("a", pack_int(9))
    assert server.marks(7) == [-1]
    assert server.asked == 1
    server.put("a", b"\xcc\x01")  # the flip in another width
    assert server.marks(7) == [70]
    assert server.asked == 1


def test_other_join_keys_and_fields_of_a_new_epoch_are_asked_for(server: Server) -> None:
    server.publish(NAMES, 2, 2, {"Ann": ("c", 90)})
    with pytest.raises(UsageError, match="looked up by name"):
        server.marks(7)
    assert server.ask(FEATURES, {"name": "Ann"}).columns == {"stats__mark": [90]}
    assert server.ask(FEATURES, {"name": "Ann"}).columns == {"stats__mark": [90]}
    assert server.asked == 1


@pytest.mark.parametrize("was_asked_between", [False, True])
def test_a_store_that_counts_its_epochs_anew_is_not_read_as_before(
    server: Server, was_asked_between: bool
) -> None:
    server.content.clear()
    if was_asked_between:
        with pytest.raises(NotPublishedError):
            server.marks(7)
    other = replace(USERS, fields=(("debt", types.Int64), *FIELDS), absent=(0, 0, None), expired=(0, 0, None))
    server.publish(other, 2, 1, {"7": (-5, 70, "a")})
    assert server.marks(7) == [70]
    server.content.clear()
    server.publish(NAMES, 3, 1, {"7": ("c", 90)})
    with pytest.raises(UsageError, match="looked up by name"):
        server.marks(7)


def test_fields_that_another_request_saw_moving_are_not_confused(server: Server) -> None:
    turned = replace(USERS, fields=FIELDS[::-1], absent=(None, 0), expired=(None, -1))
    server.publish(turned, 2, 2, {"7": ("z", 72)})
    assert server.ask(["stats:word"], {"user_id": 7}).columns == {"stats__word": ["z"]}
    assert server.marks(7) == [72]


def test_an_alias_that_is_called_as_a_view_is_no_view(server: Server) -> None:
    both = {"user_id": 7, "payee": 8}
    paid = server.ask(FEATURES, both, stats=Alias("stats", {"user_id": "payee"}))
    assert paid.columns == {"stats__mark": [80]}
    assert server.ask(FEATURES, both).columns == {"stats__mark": [70]}


def test_a_null_is_absent_and_what_is_no_key_is_told(server: Server) -> None:
    assert server.marks(None, 7) == [0, 70]
    with pytest.raises(UsageError, match="'7' is no integer"):
        server.marks("7")


def test_a_view_that_is_gone_is_not_published(server: Server) -> None:
    server.content.clear()
    with pytest.raises(NotPublishedError, match="'stats' is not published"):
        server.marks(7)


def test_more_than_one_command_holds_is_asked_in_chunks(server: Server) -> None:
    assert server.marks(*[7, 8, 9] * 300) == [70, 80, 0] * 300
    assert server.asked == 1


def test_each_request_has_its_own_features(server: Server) -> None:
    assert server.ask(["stats:word"], {"user_id": 7}).columns == {"stats__word": ["a"]}
    assert server.ask(["stats:word", "stats:mark"], {"user_id": 7}).columns == {
        "stats__word": ["a"],
        "stats__mark": [70],
    }
    assert server.marks(7) == [70]
