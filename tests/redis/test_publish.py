"""A publish makes a whole revision live in one instant, or changes nothing."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from skewless.errors import (
    DataError,
    NotPublishedError,
    OnlineError,
    PublishRefused,
    StoreUnavailable,
    UsageError,
)
from skewless.ledger.events import Kind
from skewless.ledger.history import live_now
from skewless.local.port import free_port
from skewless.model import Entity, FeatureView, Field
from skewless.online.connection import Session
from skewless.online.operations import hold
from skewless.online.publication import Step
from skewless.online.publisher import publish
from skewless.online.reader import OnlineReader
from skewless.timeline import SystemClock, from_micros
from skewless.types import String
from tests.redis.stage import FEATURES, SOURCE, Stage, ago


def test_what_was_published_is_read(stage: Stage) -> None:
    time = ago(hours=1)
    receipt = stage.publish_rows([(7, 1, 0.5, "a"), (-8, None, float("nan"), None)], time, actor="ann")
    rows = stage.reader.get(
        FEATURES, [{"user_id": 7, "label": True}, {"user_id": -8}, {"user_id": 9}, {"user_id": None}]
    )
    assert rows[0] == {"user_id": 7, "label": True, "stats__mark": 1, "stats__share": 0.5, "stats__word": "a"}
    assert rows[1]["stats__mark"] is None
    assert rows[1]["stats__share"] != rows[1]["stats__share"]
    absent = {"stats__mark": None, "stats__share": pytest.approx(0.1), "stats__word": None}
    assert rows[2] == {"user_id": 9, **absent}
    assert rows[3] == {"user_id": None, **absent}
    (event,) = stage.told(Kind.PUBLISHED)
    assert (event.flip, event.effective_at) == (receipt.flip, receipt.published_at)
    assert (event.generation, event.epoch, event.rows, event.actor) == (1, 1, 2, "ann")
    assert event.expires_at == time + timedelta(hours=48)


def test_the_answer_says_what_it_is_from(stage: Stage) -> None:
    time = ago(hours=1)
    receipt = stage.publish_mark(1, time, users=3)
    served = stage.reader.read(["stats:mark"], [{"user_id": 1}]).views["stats"]
    assert (served.snapshot_time, served.generation, served.flip) == (time, 1, receipt.flip)
    assert served.state == "live"
    ages = (served.age, stage.state().age or timedelta())
    assert all(timedelta(hours=1) <= age < timedelta(hours=1, minutes=1) for age in ages)


def test_nothing_is_live_before_the_flip_and_all_of_it_after(stage: Stage) -> None:
    stage.publish_mark(1, ago(hours=3))
    seen: dict[Step, set[int]] = {}
    stage.publish_mark(
        2, ago(hours=2), progress=lambda step, rows: seen.setdefault(step, set()).update(stage.marks())
    )
    before = {Step.OPENED, Step.CLEANED, Step.DESCRIBED, Step.WRITTEN, Step.COMPARED}
    assert {step: marks for step, marks in seen.items() if step in before} == {step: {1} for step in before}
    assert {step: marks for step, marks in seen.items() if step not in before} == {
        Step.FLIPPED: {2},
        Step.TOLD: {2},
        Step.SWEPT: {2},
    }


def test_a_view_that_was_never_published_is_an_error_not_absent(stage: Stage) -> None:
    with pytest.raises(NotPublishedError, match="'stats' is not published in namespace"):
        stage.reader.get(FEATURES, [{"user_id": 1}])
    with pytest.raises(NotPublishedError):
        stage.publish_mark(
            1, ago(hours=1), progress=lambda step, rows: step is Step.WRITTEN and stage.marks()
        )


def test_the_epoch_before_the_previous_is_dropped(stage: Stage) -> None:
    for mark in (1, 2, 3):
        stage.publish_mark(mark, ago(hours=10 - mark))
    assert stage.epochs() == {2, 3}
    assert stage.state().garbage == ()


def test_a_snapshot_that_is_not_due_waits(stage: Stage) -> None:
    with pytest.raises(
        PublishRefused, match="not due yet by the server's clock; run it again from 2"
    ) as refused:
        stage.publish_mark(1, ago(minutes=10))
    assert refused.value.code == "not_due"
    assert stage.raw_keys() == set()


def test_an_older_snapshot_or_revision_never_replaces_a_newer_one(stage: Stage) -> None:
    time = ago(hours=3)
    first, second = stage.built(time, 5), stage.built(time, 5)
    stage.publish_mark(2, time, users=5, again=second)
    for older in (first, stage.built(time - timedelta(microseconds=1), 5)):
        with pytest.raises(PublishRefused, match="never goes backwards") as refused:
            stage.publish_mark(1, time, users=5, again=older)
        assert refused.value.code == "older"
    assert stage.state().top == 1  # refused before anything was written
    assert stage.marks(5) == {2}
    stage.publish_mark(3, time, users=5)
    assert stage.marks(5) == {3}


def test_what_is_live_is_not_published_again(stage: Stage) -> None:
    publication = stage.built(ago(hours=1), 5)
    first = stage.publish_mark(1, ago(hours=1), users=5, again=publication)
    again = stage.publish_mark(1, ago(hours=1), users=5, again=publication)
    assert again.already_live
    assert (again.generation, again.flip) == (first.generation, first.flip)
    assert len(stage.told(Kind.PUBLISHED)) == 1


def test_of_two_publishers_the_later_one_wins_and_the_other_is_told(stage: Stage) -> None:
    stage.publish_mark(1, ago(hours=5))

    def meanwhile(step: Step, rows: int) -> None:
        if step is Step.DESCRIBED:
            stage.publish_mark(3, ago(hours=2))

    with pytest.raises(
        PublishRefused, match="a later publish, rollback, expire or hold ended this one"
    ) as refused:
        stage.publish_mark(2, ago(hours=3), progress=meanwhile)
    assert refused.value.code == "superseded"
    assert stage.marks() == {3}


def test_a_publisher_whose_rows_the_winner_dropped_is_told_the_same(stage: Stage) -> None:
    def meanwhile(step: Step, rows: int) -> None:
        if step is Step.WRITTEN and rows == 1200:
            stage.publish_mark(3, ago(hours=2))

    with pytest.raises(PublishRefused) as refused:
        stage.publish_mark(2, ago(hours=3), progress=meanwhile)
    assert refused.value.code == "superseded"
    assert stage.marks() == {3}


def test_a_publisher_that_sweeps_late_leaves_later_epochs_alone(stage: Stage) -> None:
    stage.publish_mark(1, ago(hours=5))

    def meanwhile(step: Step, rows: int) -> None:
        if step is Step.TOLD:
            stage.publish_mark(3, ago(hours=3))

    stage.publish_mark(2, ago(hours=4), progress=meanwhile)
    assert stage.marks() == {3}
    assert stage.epochs() >= {2, 3}


def test_the_flip_itself_refuses_a_publisher_that_was_ended(stage: Stage) -> None:
    def meanwhile(step: Step, rows: int) -> None:
        if step is Step.COMPARED:
            hold(stage.place)

    with pytest.raises(PublishRefused) as refused:
        stage.publish_mark(1, ago(hours=2), progress=meanwhile)
    assert refused.value.code == "held"
    with pytest.raises(NotPublishedError):
        stage.marks()


def test_what_an_ended_publisher_still_writes_is_swept_later(stage: Stage) -> None:
    stage.publish_mark(1, ago(hours=9))
    server = stage.server
    server.set(stage.place.keys.entity(2, "late"), b"x")  # of a publisher that nobody knows of any more
    server.hset(stage.place.keys.state, "top", 2)
    for mark in (2, 3):
        stage.publish_mark(mark, ago(hours=9 - mark))
    assert stage.epochs() == {3, 4}


def test_two_rows_of_one_entity_fail_the_publish(stage: Stage) -> None:
    with pytest.raises(DataError, match="written twice"):
        stage.publish_rows([(7, 1, 0.5, "a"), (7, 2, 0.5, "a")], ago(hours=1))
    assert stage.state().pointer is None


@pytest.mark.parametrize(
    ("rows", "counted", "message"),
    [
        ([(1, 1, 0.5, "a")], 2, "has 1 rows, but the ledger says 2"),
        ([(None, 1, 0.5, "a")], 1, "null in the join key"),
    ],
)
def test_rows_that_are_not_what_the_ledger_says_fail_the_publish(
    stage: Stage, rows: list[tuple[object, ...]], counted: int, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        publish(stage.place, stage.built(ago(hours=1), counted), lambda *_: stage.table(rows))
    assert stage.state().pointer is None


def test_a_column_of_another_type_fails_before_anything_changes(stage: Stage) -> None:
    wrong = pa.table({"user_id": [1.5], "mark": [1], "share": [0.5], "word": ["a"]})
    with pytest.raises(
        DataError, match="join key 'user_id' of 'stats' is double; join keys are strings or integers"
    ):
        publish(stage.place, stage.built(ago(hours=1), 1), lambda *_: wrong.to_reader())
    lacking = pa.table({"user_id": [1], "mark": [1]})
    with pytest.raises(DataError, match="lacks share, word"):
        publish(stage.place, stage.built(ago(hours=1), 1), lambda *_: lacking.to_reader())
    assert stage.raw_keys() == set()


def test_an_empty_revision_that_was_accepted_is_published(stage: Stage) -> None:
    stage.publish_rows([], ago(hours=1))
    assert stage.reader.get(["stats:mark"], [{"user_id": 1}]) == [{"user_id": 1, "stats__mark": None}]


@pytest.fixture
def configured(stage: Stage) -> Iterator[Stage]:
    """A stage whose test may change the server's configuration."""
    names = ("maxmemory", "maxmemory-policy")
    before = {name: stage.server.config_get(name)[name] for name in names}
    yield stage
    for name, value in before.items():
        stage.server.config_set(name, value)


def test_a_server_that_evicts_is_refused(configured: Stage) -> None:
    configured.server.config_set("maxmemory-policy", "allkeys-lru")
    with pytest.raises(
        StoreUnavailable, match=r"maxmemory-policy allkeys-lru.*CONFIG SET maxmemory-policy noeviction"
    ):
        configured.publish_mark(1, ago(hours=1))
    assert configured.raw_keys() == set()


def test_a_write_that_the_server_refuses_fails_the_publish(configured: Stage) -> None:
    configured.publish_mark(1, ago(hours=3))

    def full(step: Step, rows: int) -> None:
        if step is Step.DESCRIBED:
            configured.server.config_set("maxmemory", 1)

    with pytest.raises(StoreUnavailable, match="is full; give it memory"):
        configured.publish_mark(2, ago(hours=2), progress=full)
    assert configured.marks() == {1}
    configured.server.config_set("maxmemory", 0)
    configured.publish_mark(3, ago(hours=2))
    assert configured.marks() == {3}


def test_a_server_that_is_away_is_named_and_a_later_publish_goes_through(
    stage: Stage, tmp_path: Path
) -> None:
    port = free_port()
    away = Stage(f"redis://:secret@127.0.0.1:{port}/0", tmp_path)
    publication = away.built(ago(hours=1), 5)
    with pytest.raises(
        StoreUnavailable, match=rf"127\.0\.0\.1:{port} cannot be reached.*SKEWLESS_REDIS_URL"
    ) as error:
        away.publish_mark(1, ago(hours=1), users=5, again=publication)
    assert "secret" not in str(error.value)
    with pytest.raises(StoreUnavailable, match=f"127.0.0.1:{port}"):
        away.marks()
    stage.publish_mark(1, ago(hours=1), users=5, again=publication)
    assert stage.marks(5) == {1}


def test_a_connection_that_is_lost_ends_the_publish_for_good(stage: Stage) -> None:
    stage.publish_mark(1, ago(hours=3))
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        stage.publish_mark(2, ago(hours=2), progress=cutting_after(stage, Step.DESCRIBED))
    assert stage.marks() == {1}
    stage.publish_mark(3, ago(hours=2))
    assert stage.marks() == {3}


def test_a_connection_that_is_lost_when_all_is_told_leaves_garbage_to_the_next_publish(stage: Stage) -> None:
    said: list[str] = []
    for mark in (1, 2):
        stage.publish_mark(mark, ago(hours=5 - mark), full=True)
    receipt = stage.publish_mark(
        3, ago(hours=2), full=True, progress=cutting_after(stage, Step.TOLD), report=said.append
    )
    assert (receipt.generation, stage.marks()) == (3, {3})
    assert [line for line in said if "'stats' is live; what nobody reads any more stays" in line]
    assert stage.epochs() == {1, 2, 3}
    stage.publish_mark(4, ago(hours=1), full=True)
    assert stage.epochs() == {3, 4}


def cutting_after(stage: Stage, step: Step) -> Callable[[Step, int], None]:
    """A progress callback that cuts all other connections to the server right after that step."""

    def progress(done: Step, rows: int) -> None:
        if done is step:
            mine = stage.server.client_id()
            for other in stage.server.client_list():
                if int(other["id"]) != mine:
                    stage.server.client_kill_filter(_id=other["id"])

    return progress


def test_every_connection_is_made_before_a_publish_is_opened(redis_url: str, tmp_path: Path) -> None:
    stage = Stage(f"{redis_url}?client_name={uuid.uuid4().hex}", tmp_path)
    name = stage.server.client_getname()
    seen: dict[Step, set[str]] = {}

    def count(step: Step, rows: int) -> None:
        seen[step] = {other["id"] for other in stage.server.client_list() if other["name"] == name}

    stage.publish_mark(1, ago(hours=1), progress=count)
    assert len(seen[Step.OPENED]) == 3  # the publisher's two, and the one that counts
    assert seen[Step.SWEPT] == seen[Step.OPENED]


NASTY = ["a|b", "a", "|", "%7C", "%", "", "\n", "\0", "\x1f\x7f", "😀", "ä|ß", " ", "{x}", "7:y", "*?[a]\\"]


def test_composite_and_nasty_keys_never_meet(redis_url: str, tmp_path: Path) -> None:
    pair = FeatureView(
        name="pairs",
        entities=[Entity(name="pair", join_keys=["left", "right", "number"])],
        source=SOURCE,
        schema=[Field(name="own", dtype=String)],
    )
    stage = Stage(redis_url, tmp_path, pair, (pa.string(), pa.string(), pa.int32()))
    numbers = (0, -1, 2**31 - 1, -(2**31))
    rows = [
        (left, right, number, f"{left!r}{right!r}{number}")
        for left in NASTY
        for right in NASTY
        for number in numbers
    ]
    stage.publish_rows(rows, ago(hours=1))
    entities = [{"left": left, "right": right, "number": number} for left, right, number, _ in rows]
    assert [row["pairs__own"] for row in stage.reader.get(["pairs:own"], entities)] == [
        row[3] for row in rows
    ]


def test_the_ledger_says_what_readers_see(stage: Stage) -> None:
    stage.publish_mark(1, ago(hours=3), users=5)
    receipt = stage.publish_mark(2, ago(hours=2), users=5)
    live = live_now(stage.ledger.read(), SystemClock().now())
    assert live is not None
    assert (live.generation, live.since, live.expired) == (2, from_micros(receipt.flip), False)


def test_rows_that_a_reader_would_get_otherwise_stop_the_publish(stage: Stage) -> None:
    stage.publish_mark(1, ago(hours=3), users=3)

    def spoil(step: Step, rows: int) -> None:
        if step is Step.WRITTEN:
            server, keys = stage.server, stage.place.keys
            server.set(keys.entity(2, "1"), server.get(keys.entity(1, "1")))

    with pytest.raises(OnlineError, match=r"a reader would get \(1, .* for '1', and the row is \(2, "):
        stage.publish_mark(2, ago(hours=2), users=3, progress=spoil)
    assert stage.marks(3) == {1}


@pytest.mark.parametrize("url", ["http://localhost:6379", "redis://localhost:port/0", "localhost:6379"])
def test_an_address_that_is_none_is_explained(url: str) -> None:
    for connect in (lambda url: Session(url, "any"), lambda url: OnlineReader(url, "n")):
        with pytest.raises(
            UsageError, match=r"the online store's URL is wrong: .*; write it as redis://host:6379/0"
        ):
            connect(url)


def test_a_session_never_connects_again(stage: Stage) -> None:
    with Session(stage.redis_url, stage.place.keys.pointer) as session:
        mine = session.call("CLIENT", "ID")
        stage.server.client_kill_filter(_id=mine)
        with pytest.raises(StoreUnavailable, match="cannot be reached"):
            session.call("PING")
        with pytest.raises(StoreUnavailable, match="the connection was lost before"):
            session.call("PING")
