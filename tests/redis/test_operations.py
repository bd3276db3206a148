"""What an operator does: roll back, expire, hold, release; at 3 a.m., and with a full server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from skewless.errors import PublishRefused
from skewless.ledger.events import Kind
from skewless.ledger.history import live_now
from skewless.online.operations import expire, hold, release, rollback
from skewless.online.publication import Step
from skewless.timeline import SystemClock
from tests.redis.stage import FEATURES, STATS, Killed, Stage, ago, dying_after


def refused_code(call: object, *args: object, **how: object) -> str:
    with pytest.raises(PublishRefused) as refused:
        call(*args, **how)  # type: ignore[operator]
    return refused.value.code


def test_a_rollback_shows_the_previous_generation_and_holds_it(stage: Stage) -> None:
    time = ago(hours=5)
    stage.publish_mark(1, time)
    bad = stage.built(ago(hours=4), 1200)
    live = stage.publish_mark(2, ago(hours=4), again=bad)
    receipt = rollback(stage.place, actor="ann", reason="wrong amounts")
    assert stage.marks() == {1}
    assert (receipt.generation, receipt.snapshot_time, receipt.rows) == (1, time, 1200)
    assert receipt.withdrawn == (bad.revision,)
    assert receipt.flip > live.flip
    back, withdrawn = stage.told(Kind.ROLLED_BACK, Kind.WITHDRAWN)
    assert (back.actor, back.reason, back.expires_at) == ("ann", "wrong amounts", time + timedelta(hours=48))
    assert (withdrawn.revision, withdrawn.snapshot_time) == (bad.revision, bad.snapshot_time)
    assert refused_code(stage.publish_mark, 3, ago(hours=3)) == "held"
    release(stage.place)
    stage.publish_mark(3, ago(hours=3))
    assert stage.marks() == {3}
    assert stage.epochs() == {1, 3}


def test_a_rollback_needs_a_previous_generation(stage: Stage) -> None:
    assert refused_code(rollback, stage.place) == "not_published"
    stage.publish_mark(1, ago(hours=5))
    assert refused_code(rollback, stage.place) == "no_previous"
    stage.publish_mark(2, ago(hours=4))
    rollback(stage.place)
    assert refused_code(rollback, stage.place) == "no_previous"


def test_a_publish_that_was_under_way_never_flips_after_a_rollback(stage: Stage) -> None:
    stage.publish_mark(1, ago(hours=5))
    stage.publish_mark(2, ago(hours=4))

    def meanwhile(step: Step, rows: int) -> None:
        if step is Step.COMPARED:
            rollback(stage.place)
            release(stage.place)

    assert refused_code(stage.publish_mark, 3, ago(hours=3), progress=meanwhile) == "superseded"
    assert stage.marks() == {1}


def test_further_back_is_a_publish_that_holds(stage: Stage) -> None:
    target = stage.built(ago(hours=6), 1200)
    stage.publish_mark(1, ago(hours=6), again=target)
    since = [stage.built(ago(hours=hours), 1200) for hours in (5, 4)]
    for mark, publication in zip((2, 3), since, strict=True):
        stage.publish_mark(mark, ago(hours=1), again=publication)
    hold(stage.place, reason="looking")
    receipt = stage.publish_mark(1, ago(hours=6), again=target, rollback=True, reason="both wrong")
    assert stage.marks() == {1}
    assert receipt.generation == 4
    assert receipt.withdrawn == tuple(publication.revision for publication in since)
    assert stage.state().held
    assert stage.epochs() == {4}
    assert refused_code(rollback, stage.place) == "no_previous"
    assert refused_code(stage.publish_mark, 5, ago(hours=3)) == "held"


def test_further_back_that_could_not_tell_is_entered_whole(stage: Stage) -> None:
    target = stage.built(ago(hours=6), 1200)
    stage.publish_mark(1, ago(hours=6), again=target)
    stage.publish_mark(2, ago(hours=5))
    with pytest.raises(Killed):
        stage.publish_mark(1, ago(hours=6), again=target, rollback=True, progress=dying_after(Step.FLIPPED))
    assert stage.told(Kind.WITHDRAWN, Kind.HOLD) == []
    release(stage.place)
    assert [event.kind for event in stage.told(*Kind)][-4:] == ["published", "withdrawn", "hold", "release"]


def test_expired_by_hand_stays_so_until_released_and_published(stage: Stage) -> None:
    assert refused_code(expire, stage.place) == "not_published"
    publication = stage.built(ago(hours=2), 1200)
    stage.publish_mark(1, ago(hours=2), again=publication)
    receipt = expire(stage.place, actor="ann")
    answer = stage.reader.read(FEATURES, [{"user_id": 1}])
    assert answer.rows == [
        {"user_id": 1, "stats__mark": None, "stats__share": pytest.approx(0.1), "stats__word": None}
    ]
    assert answer.views["stats"].state == "expired"
    assert answer.views["stats"].flip == receipt.flip
    live = live_now(stage.ledger.read(), SystemClock().now())
    assert live is not None
    assert live.expired
    assert refused_code(stage.publish_mark, 1, ago(hours=2), again=publication) == "held"
    release(stage.place)
    assert stage.marks() == {None}
    stage.publish_mark(1, ago(hours=2), again=publication)
    assert stage.marks() == {1}


def test_a_held_view_refuses_publishes_until_released(stage: Stage) -> None:
    hold(stage.place, actor="ann", reason="launch")
    assert refused_code(stage.publish_mark, 1, ago(hours=2)) == "held"
    release(stage.place)
    stage.publish_mark(1, ago(hours=2))
    assert [event.kind for event in stage.told(Kind.HOLD, Kind.RELEASE)] == ["hold", "release"]
    assert stage.told(Kind.HOLD)[0].reason == "launch"


@pytest.fixture
def brief(redis_url: str, tmp_path: Path) -> Iterator[Stage]:
    """A view whose snapshots are good for two hours."""
    made = Stage(redis_url, tmp_path, replace(STATS, max_staleness=timedelta(hours=2)))
    yield made
    made.close()


def about_to_expire() -> datetime:
    return datetime.now(UTC) - timedelta(hours=2) + timedelta(milliseconds=1500, microseconds=1)


def wait_for(t: datetime) -> None:
    time.sleep(max(0.0, (t - datetime.now(UTC)).total_seconds()) + 0.002)


def test_a_snapshot_expires_at_its_instant(brief: Stage) -> None:
    snapshot_time = about_to_expire()
    brief.publish_mark(1, snapshot_time, users=5)
    gone_at = snapshot_time + timedelta(hours=2)
    micros = round(gone_at.timestamp() * 1_000_000)
    assert brief.server.pexpiretime(brief.place.keys.alive) == -(-micros // 1000) - 1
    assert brief.marks(5) == {1}
    wait_for(gone_at)
    assert brief.marks(5) == {None}
    assert brief.reader.read(["stats:mark"], [{"user_id": 1}]).views["stats"].state == "expired"


def test_a_rollback_to_a_snapshot_past_its_staleness_expires_the_view(brief: Stage) -> None:
    snapshot_time = about_to_expire()
    brief.publish_mark(1, snapshot_time, users=5)
    brief.publish_mark(2, ago(hours=1), users=5)
    assert brief.marks(5) == {2}
    wait_for(snapshot_time + timedelta(hours=2))
    assert brief.marks(5) == {2}
    rollback(brief.place)
    assert brief.marks(5) == {None}
    (event,) = brief.told(Kind.ROLLED_BACK)
    assert (event.generation, brief.state().alive) == (1, False)
    live = live_now(brief.ledger.read(), SystemClock().now())
    assert live is not None
    assert live.expired  # for training as for readers


def test_neither_a_hold_nor_a_release_prolongs_what_readers_have(brief: Stage) -> None:
    snapshot_time = about_to_expire()
    brief.publish_mark(1, snapshot_time, users=5)
    alive = brief.place.keys.alive
    until = brief.server.pexpiretime(alive)
    for operation in (hold, release, hold):
        operation(brief.place)
        assert brief.server.pexpiretime(alive) == until
    assert brief.marks(5) == {1}
    wait_for(snapshot_time + timedelta(hours=2))
    assert brief.marks(5) == {None}
    assert brief.state().held


def test_a_snapshot_that_is_stale_at_its_flip_is_expired_at_once(stage: Stage) -> None:
    stage.publish_mark(1, ago(hours=49), users=5)
    assert stage.marks(5) == {None}
    assert not stage.state().alive


@pytest.fixture
def full(stage: Stage) -> Iterator[Stage]:
    """Two generations on a server without a free byte."""
    stage.publish_mark(1, ago(hours=5))
    stage.publish_mark(2, ago(hours=4))
    stage.server.config_set("maxmemory", 1)
    yield stage
    stage.server.config_set("maxmemory", 0)


def test_rollback_works_on_a_full_server(full: Stage) -> None:
    rollback(full.place)
    assert full.marks() == {1}


def test_expire_works_on_a_full_server(full: Stage) -> None:
    expire(full.place)
    assert full.marks() == {None}


def test_hold_works_on_a_full_server(full: Stage) -> None:
    hold(full.place)
    assert full.state().held
