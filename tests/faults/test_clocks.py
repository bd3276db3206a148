"""A machine's clock is ten minutes wrong: what is due, live or expired, the server's clock alone decides."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from skewless.errors import PublishRefused
from skewless.ledger.table import Ledger
from skewless.online.publication import Step
from skewless.online.reader import OnlineReader
from tests.faults.revisions import Revisions, built, demand_live, published
from tests.faults.servers import Server
from tests.redis.stage import FEATURES, Stage

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class WrongClock:
    """A machine's clock that is so much ahead, or behind."""

    ahead: timedelta

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@pytest.fixture(params=[-10, 10], ids=["behind", "ahead"])
def clock(request: pytest.FixtureRequest) -> WrongClock:
    return WrongClock(timedelta(minutes=request.param))


def with_clock(stage: Stage, clock: WrongClock) -> Stage:
    """The same view from a machine with that clock."""
    stage.ledger = Ledger(stage.ledger.uri, clock)
    stage.place = replace(stage.place, ledger=stage.ledger)
    stage.reader.close()
    stage.reader = OnlineReader(stage.redis_url, stage.namespace, clock)
    return stage


@pytest.fixture
def stage(start: Callable[..., Server], stage_at: Callable[[str], Stage], clock: WrongClock) -> Stage:
    return with_clock(stage_at(start().url), clock)


def since(stage: Stage, revisions: Revisions, number: int) -> timedelta:
    """How long ago, by the right clock, a snapshot became due."""
    return datetime.now(UTC) - revisions.time(number) - stage.view.publish_delay


def test_a_snapshot_is_due_by_the_servers_clock(stage: Stage) -> None:
    due = datetime.now(UTC) - stage.view.publish_delay - timedelta(seconds=5)
    revisions = Revisions(0, begin=due - timedelta(minutes=1))
    published(
        stage, revisions, 1
    )  # due since five seconds, though a clock that is behind says: in ten minutes
    with pytest.raises(PublishRefused, match="not due yet by the server's clock") as refused:
        published(
            stage, revisions, 2
        )  # due in 55 seconds, though a clock that is ahead says: nine minutes ago
    assert refused.value.code == "not_due"
    demand_live(stage, revisions, 1)


def test_what_becomes_due_while_it_is_written_is_published(stage: Stage) -> None:
    """It is looked up early and again at the flip, both by the server's clock."""
    due = datetime.now(UTC) - stage.view.publish_delay + timedelta(seconds=0.6)
    revisions = Revisions(0, begin=due - timedelta(minutes=1))
    with pytest.raises(PublishRefused, match="not due yet"):
        published(stage, revisions, 1)
    time.sleep(0.7)
    published(stage, revisions, 1)
    demand_live(stage, revisions, 1)


def test_a_snapshot_expires_by_the_servers_clock_and_its_age_is_the_readers(
    stage: Stage, clock: WrongClock
) -> None:
    assert stage.view.max_staleness is not None
    gone = datetime.now(UTC) + timedelta(seconds=2)
    revisions = Revisions(0, begin=gone - stage.view.max_staleness - timedelta(minutes=1))
    published(stage, revisions, 1)
    demand_live(stage, revisions, 1)
    served = stage.reader.read(FEATURES, [{"user_id": 1}]).views["stats"]
    right = datetime.now(UTC) - revisions.time(1)
    assert abs(served.age - right - clock.ahead) < timedelta(seconds=1)
    time.sleep(max(0.0, (gone - datetime.now(UTC)).total_seconds() - 0.3))
    assert stage.reader.read(FEATURES, [{"user_id": 1}]).views["stats"].state == "live"
    time.sleep(max(0.0, (gone - datetime.now(UTC)).total_seconds()) + 0.01)
    assert stage.reader.read(FEATURES, [{"user_id": 1}]).views["stats"].state == "expired"


def test_of_two_revisions_of_a_snapshot_the_later_built_wins_whatever_the_clocks_say(
    stage: Stage, clock: WrongClock
) -> None:
    """One machine's clock is wrong, the other's is wrong the other way."""
    revisions = Revisions(0)
    first = built(stage, revisions, 1)
    with_clock(stage, WrongClock(-clock.ahead))
    second = built(stage, revisions, 1)
    published(stage, revisions, 1, second)
    with pytest.raises(PublishRefused, match="a newer revision of this one, is live"):
        published(stage, revisions, 1, first)
    steps: list[Step] = []
    published(stage, revisions, 1, progress=lambda step, rows: steps.append(step))
    assert Step.FLIPPED in steps
    demand_live(stage, revisions, 1)
