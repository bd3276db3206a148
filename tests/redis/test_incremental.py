"""Publishes of what changed: readers see what a full publish would show, and a generation back it is as it was."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from skewless.errors import DataError, OnlineError, PublishRefused
from skewless.online.operations import release, rollback
from skewless.online.publication import Step
from skewless.online.publisher import publish as publish_online
from skewless.online.records import encode_slots
from tests.redis.stage import FEATURES, Killed, Stage, ago, dying_after

Rows = dict[int, tuple[Any, ...]]


@pytest.fixture
def stage(redis_url: str, tmp_path: Path) -> Stage:
    return Stage(redis_url, tmp_path, keeps=True)


def publish(stage: Stage, rows: Rows, **how: Any) -> Any:
    """A snapshot later than all before."""
    newest = stage.state().pointer
    time = newest.snapshot_time + timedelta(minutes=1) if newest else ago(hours=20)
    return stage.publish_rows([(user, *row) for user, row in rows.items()], time, **how)


def read(stage: Stage, users: int) -> Rows:
    """What readers get, without those who are absent."""
    found = stage.reader.get(FEATURES, [{"user_id": user} for user in range(users)])
    rows = {row["user_id"]: tuple(row[name.replace(":", "__")] for name in FEATURES) for row in found}
    return {user: row for user, row in rows.items() if row[0] is not None}


def users_with_keys(stage: Stage) -> set[str]:
    return {key.partition(":")[2] for key in stage.raw_keys() if key.partition(":")[0].isdecimal()}


FIRST: Rows = {0: (1, 0.5, "a"), 1: (2, 0.5, None), 2: (3, None, "c"), 3: (4, -0.0, "d")}


def test_only_what_changed_is_written_and_all_of_it_is_read(stage: Stage) -> None:
    assert publish(stage, FIRST).epoch == 1
    second = {0: FIRST[0], 1: (2, 0.5, "b"), 3: (4, 0.0, "d"), 4: (5, 0.25, "e")}  # 2 is gone
    written: list[int] = []
    receipt = publish(
        stage, second, progress=lambda step, rows: step is Step.WRITTEN and written.append(rows)
    )
    assert (receipt.generation, receipt.epoch) == (2, 1)
    assert written == [4, 4]  # the revision's rows, of which one needed no write; then the tombstone of 2
    assert read(stage, 6) == second
    assert str(read(stage, 6)[3][1]) == "0.0"
    rollback(stage.place)
    assert read(stage, 6) == FIRST
    assert str(read(stage, 6)[3][1]) == "-0.0"


def test_a_tombstone_is_removed_by_the_publish_after_the_next(stage: Stage) -> None:
    for number, rows in enumerate([FIRST, {0: FIRST[0]}, {0: FIRST[0]}]):
        publish(stage, rows)
        assert read(stage, 6) == rows
        assert users_with_keys(stage) == [{"0", "1", "2", "3"}, {"0", "1", "2", "3"}, {"0"}][number]
    publish(stage, FIRST)
    assert read(stage, 6) == FIRST


def test_nothing_changed_is_a_new_generation_all_the_same(stage: Stage) -> None:
    publish(stage, FIRST)
    receipt = publish(stage, FIRST)
    assert (receipt.generation, receipt.epoch) == (2, 1)
    assert read(stage, 6) == FIRST


@pytest.mark.parametrize("seed", range(4))
def test_any_history_is_read_as_full_publishes_would_show_it(stage: Stage, seed: int) -> None:
    chance = random.Random(seed)
    before: Rows = {}
    for number in range(1, 13):
        rows = {
            user: before[user] if user in before and chance.random() < 0.6 else drawn(chance)
            for user in range(40)
            if chance.random() < 0.8
        }
        receipt = publish(stage, rows, full=chance.random() < 0.15)
        assert read(stage, 40) == rows
        assert users_with_keys(stage) >= set(map(str, rows))
        if number > 1 and chance.random() < 0.25:
            rollback(stage.place)
            assert read(stage, 40) == before
            release(stage.place)
            rows = before
        before = rows
        assert receipt.generation == number
    assert stage.state().garbage == ()
    assert len(stage.epochs()) <= 2


def drawn(chance: random.Random) -> tuple[Any, ...]:
    return (
        chance.randrange(5),
        chance.choice([None, 0.5, -0.0, 0.0]),
        chance.choice([None, "", "ä", "b" * 40]),
    )


@pytest.mark.parametrize("step", [Step.OPENED, Step.WRITTEN, Step.COMPARED])
def test_after_a_publisher_that_died_the_next_publish_is_full(stage: Stage, step: Step) -> None:
    publish(stage, FIRST)
    with pytest.raises(Killed):
        publish(stage, {0: (9, 9.0, "x"), 7: (9, 9.0, "x")}, progress=dying_after(step))
    assert read(stage, 8) == FIRST
    with pytest.raises(PublishRefused, match="previous generation"):
        rollback(stage.place)
    receipt = publish(stage, {1: (1, 1.0, "y")})
    assert receipt.epoch == receipt.generation == 3
    assert read(stage, 8) == {1: (1, 1.0, "y")}
    assert stage.epochs() == {1, 3}


@pytest.mark.parametrize("step", [Step.FLIPPED, Step.TOLD])
def test_a_publisher_that_died_after_the_flip_changes_nothing(stage: Stage, step: Step) -> None:
    publish(stage, FIRST)
    with pytest.raises(Killed):
        publish(stage, {0: (9, 9.0, "x")}, progress=dying_after(step))
    assert read(stage, 8) == {0: (9, 9.0, "x")}
    receipt = publish(stage, {1: (1, 1.0, "y")})
    assert (receipt.generation, receipt.epoch) == (3, 1)
    assert read(stage, 8) == {1: (1, 1.0, "y")}


def test_revisions_that_cannot_be_read_any_more_are_followed_by_a_full_publish(stage: Stage) -> None:
    first = publish(stage, FIRST)
    (stage.folder / "rows" / first.revision).unlink()
    assert publish(stage, {0: (2, 2.0, "b")}).epoch == 2
    assert read(stage, 6) == {0: (2, 2.0, "b")}


def test_full_writes_what_is_live_again(stage: Stage) -> None:
    publication = stage.built(ago(hours=1), 5)
    for _ in range(2):
        stage.publish_mark(1, ago(hours=1), users=5, again=publication)
    assert stage.state().top == 1
    again = stage.publish_mark(1, ago(hours=1), users=5, again=publication, full=True)
    assert (again.generation, again.epoch) == (2, 2)
    assert stage.marks(5) == {1}


def test_two_rows_of_one_entity_stop_the_publish_of_changes_too(stage: Stage) -> None:
    publish(stage, FIRST)
    for row in (FIRST[0], (8, 8.0, "h")):
        with pytest.raises(DataError, match="two rows of one entity"):
            stage.publish_rows([(0, *FIRST[0]), (0, *row), (1, *FIRST[1])], ago(hours=1))
    assert read(stage, 6) == FIRST


def test_two_rows_of_one_entity_in_parts_far_apart_stop_a_full_publish(stage: Stage) -> None:
    rows = [(user, *FIRST[0]) for user in (*range(600), 7)]
    with pytest.raises(DataError, match=r"stats}:1:7 was written twice"):
        stage.publish_rows(rows, ago(hours=1))


def test_after_the_server_lost_a_flip_the_publish_is_full(stage: Stage) -> None:
    publish(stage, FIRST)
    file = stage.snapshot_of_server()
    publish(stage, {0: (2, 2.0, "b")})
    stage.restore_server(file)
    receipt = publish(stage, {0: (3, 3.0, "c")})
    assert receipt.epoch == receipt.generation == 3
    assert read(stage, 6) == {0: (3, 3.0, "c")}


def test_a_definition_with_other_constant_rows_is_published_in_full(stage: Stage) -> None:
    publish(stage, FIRST)
    fields = [replace(item, default="none") if item.name == "word" else item for item in stage.view.schema]
    stage.view = replace(stage.view, schema=fields)
    assert publish(stage, FIRST).epoch == 2
    assert stage.reader.get(["stats:word"], [{"user_id": 9}]) == [{"user_id": 9, "stats__word": "none"}]


def test_a_tombstone_that_a_reader_would_not_see_stops_the_publish(stage: Stage) -> None:
    publish(stage, FIRST)
    key = stage.place.keys.entity(1, "2")

    def meddle(step: Step, rows: int) -> None:
        if step is Step.WRITTEN:
            stage.server.set(key, before)

    before = stage.server.get(key)
    with pytest.raises(OnlineError, match="a reader would get"):
        publish(stage, {0: FIRST[0], 1: FIRST[1], 3: FIRST[3]}, progress=meddle)
    assert read(stage, 6) == FIRST


def test_a_live_row_that_a_rollback_would_not_find_stops_the_publish(stage: Stage) -> None:
    publish(stage, FIRST)
    key = stage.place.keys.entity(1, "0")

    def meddle(step: Step, rows: int) -> None:
        if step is Step.WRITTEN:
            new, row, *_ = msgspec.msgpack.decode(stage.server.get(key))
            assert new == 2
            rows_of_two = [msgspec.msgpack.encode(each) for each in (row, [8, 0.5, "a"])]
            stage.server.set(key, encode_slots(2, rows_of_two[0], 1, rows_of_two[1]))

    with pytest.raises(
        OnlineError, match=r"a reader would get \(8, 0.5, 'a'\) for '0', and the row is \(1, "
    ):
        publish(stage, {**FIRST, 0: (7, 0.5, "a")}, progress=meddle)


def test_what_a_full_publish_left_is_swept_by_one_of_changes(stage: Stage) -> None:
    publish(stage, FIRST)
    with pytest.raises(Killed):
        publish(stage, FIRST, full=True, progress=dying_after(Step.WRITTEN))
    assert stage.epochs() == {1, 2}
    assert publish(stage, {0: FIRST[0]}).epoch == 1
    assert stage.epochs() == {1}
    assert stage.state().garbage == ()
    assert read(stage, 6) == {0: FIRST[0]}


def test_a_text_that_is_not_utf8_is_refused(stage: Stage) -> None:
    broken = pa.StringArray.from_buffers(1, pa.array([b"\xff"]).buffers()[1], pa.py_buffer(b"\xff"))
    table = stage.table([(1, 1, 0.5, "a")]).read_all()
    spoilt = table.set_column(table.schema.get_field_index("word"), "word", broken)
    with pytest.raises(
        DataError, match="'word' of the snapshot of 'stats' is string, and cannot be published"
    ):
        publish_online(stage.place, stage.built(ago(hours=1), 1), lambda *_: spoilt.to_reader())


def test_why_every_row_is_written_is_told(stage: Stage) -> None:
    first = publish(stage, FIRST)
    (stage.folder / "rows" / first.revision).unlink()
    told: list[str] = []
    publish(stage, FIRST, report=told.append)
    assert len(told) == 1
    assert told[0].startswith("publishing every row of stats: what changed cannot be told (there is no ")
