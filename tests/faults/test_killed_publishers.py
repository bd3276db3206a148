"""Publishers killed anywhere: readers never notice, no flip is lost, and the next publish is right."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable

import pytest

from skewless.ledger.events import Kind
from skewless.online.publication import Receipt, Step
from skewless.online.reconcile import reconcile
from tests.faults.publishers import At, Publisher
from tests.faults.readers import Readers
from tests.faults.revisions import Revisions, demand_live, published, repeated, seeds
from tests.faults.servers import Server
from tests.redis.stage import Stage

pytestmark = pytest.mark.slow

KILLS = repeated(long=20, short=15)


@seeds(long=10)
def test_publishers_killed_anywhere_leave_reads_right(
    start: Callable[..., Server], stage_at: Callable[[str], Stage], seed: int
) -> None:
    stage, revisions, chance = stage_at(start().url), Revisions(seed, users=2000), random.Random(seed)
    published(stage, revisions, 1)
    number, killed, flipped = 1, 0, [1]
    with Readers.of(stage, revisions) as readers:
        while killed < KILLS:
            number += 1
            readers.at_most(number)
            killed += _publish_and_kill(stage, revisions, number, chance)
            live = revisions.live(stage)
            assert live in (number, flipped[-1])
            flipped += [number] if live == number else []
            readers.at_least(live)
            if chance.random() < 0.6:
                number += 1
                readers.at_most(number)
                published(stage, revisions, number, full=chance.random() < 0.2)
                readers.at_least(number)
                flipped.append(number)
                demand_live(stage, revisions, number)
                _demand_clean(stage)
        readers.catch_up()
    reconcile(stage.place)
    assert revisions.told(stage, Kind.PUBLISHED) == flipped
    assert stage.told(Kind.LOST) == []


def _publish_and_kill(stage: Stage, revisions: Revisions, number: int, chance: random.Random) -> bool:
    """Kill it after a step, or a while after it has begun or opened; False when it was done before."""
    full = chance.random() < 0.3
    if chance.random() < 0.5:
        at = At(chance.choice(list(Step)), chance.choice((1, 1, 3, 6)), signal.SIGKILL)
        publisher = Publisher.start(stage, revisions, number, at=at, full=full)
    else:
        publisher = Publisher.start(stage, revisions, number, full=full)
        if chance.random() < 0.6 and publisher.wait_for(Step.OPENED):
            time.sleep(chance.random() * 0.03)
        else:
            time.sleep(chance.random() * 0.3)
        publisher.kill()
    outcome = publisher.outcome()
    assert outcome is None or isinstance(outcome, Receipt), outcome
    return outcome is None


def _demand_clean(stage: Stage) -> None:
    """Nothing of a dead publisher is left after a publish."""
    state = stage.state()
    assert state.pointer is not None
    kept = {state.pointer.epoch, state.previous.epoch if state.previous else state.pointer.epoch}
    assert stage.epochs() == kept
    assert (state.garbage, state.dirty, state.writing) == ((), False, 0)
