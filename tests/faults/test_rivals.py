"""Publishers of one view that meet: at once, or one that stood still while others went on."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable

import pytest

from skewless.errors import PublishRefused
from skewless.ledger.events import Kind
from skewless.online.operations import expire, hold, release, rollback
from skewless.online.publication import Receipt, Step
from tests.faults.publishers import At, Failed, Publisher
from tests.faults.readers import Outcome, Readers
from tests.faults.revisions import Revisions, built, demand_live, published, repeated, seeds
from tests.faults.servers import Server
from tests.redis.stage import Stage

pytestmark = pytest.mark.slow

BEFORE_THE_FLIP = (Step.OPENED, Step.CLEANED, Step.DESCRIBED, Step.WRITTEN, Step.COMPARED)
AFTER_THE_FLIP = (Step.FLIPPED, Step.TOLD)


@pytest.fixture
def stage(start: Callable[..., Server], stage_at: Callable[[str], Stage]) -> Stage:
    return stage_at(start().url)


def refused_code(outcome: Receipt | Failed | None) -> str | None:
    """Why a publish was refused; None where it was not. Anything else that it failed of is an error here."""
    assert outcome is not None, "it was killed"
    if isinstance(outcome, Receipt):
        return None
    assert outcome.kind == PublishRefused.__name__, outcome
    return outcome.code


def demand_flips_told_once(stage: Stage, revisions: Revisions) -> None:
    """The ledger has the live flip, no flip twice, and no revision after a newer one."""
    published_events = stage.told(Kind.PUBLISHED)
    flips = [event.flip for event in published_events]
    assert stage.state().flip in flips
    assert len(flips) == len(set(flips))
    in_order = sorted(published_events, key=lambda event: event.flip or 0)
    numbers = [revisions.number(event.snapshot_time) for event in in_order if event.snapshot_time]
    assert numbers == sorted(numbers)


@seeds(long=12)
def test_of_publishers_at_once_one_wins_and_the_others_are_told(stage: Stage, seed: int) -> None:
    revisions, chance = Revisions(seed), random.Random(seed)
    published(stage, revisions, 1)
    number, codes = 1, []
    with Readers.of(stage, revisions) as readers:
        for _ in range(repeated(long=15, short=8)):
            readers.at_most(number + 2)
            same = built(stage, revisions, number + 1) if chance.random() < 0.3 else None
            rivals = [
                Publisher.start(
                    stage,
                    revisions,
                    number + 1 if same else number + rival,
                    again=same,
                    full=chance.random() < 0.5,
                )
                for rival in (1, 2)
            ]
            refusals = [refused_code(rival.outcome()) for rival in rivals]
            won = [number + (1 if same else rival) for rival in (1, 2) if refusals[rival - 1] is None]
            assert won, f"both were refused: {refusals}"
            assert {*refusals} <= {None, "superseded", "moved", "older"}
            demand_live(stage, revisions, max(won))
            demand_flips_told_once(stage, revisions)
            number = max(won)
            readers.at_least(number)
            codes += [code for code in refusals if code]
        number += 1
        readers.at_most(number)
        published(stage, revisions, number)
        demand_live(stage, revisions, number)
    assert codes, "they never met"
    assert stage.told(Kind.LOST) == []


@seeds(long=60, short=6)
def test_a_publisher_that_wakes_up_after_others_have_published_does_no_harm(stage: Stage, seed: int) -> None:
    """It stood still before its flip, with parts written, for one to three publishes or an operator's act."""
    revisions, chance = Revisions(seed), random.Random(seed)
    for number in (1, 2):
        published(stage, revisions, number)
    step, full = chance.choice(BEFORE_THE_FLIP), chance.random() < 0.5
    if step in (Step.CLEANED, Step.DESCRIBED):
        full = True
    at = At(step, 1, signal.SIGSTOP)
    with Readers.of(stage, revisions) as readers:
        readers.at_most(3)
        stalled = Publisher.start(stage, revisions, 3, at=at, full=full)
        assert stalled.wait_for(step)
        last = _go_on_without_it(stage, revisions, readers, chance)
        stalled.resume()
        assert refused_code(stalled.outcome()) in ("superseded", "held")
        readers.catch_up()
        demand_live(stage, revisions, last)
        release(stage.place)
        readers.at_most(9)
        published(stage, revisions, 9, full=True)
        demand_live(stage, revisions, 9)
        readers.catch_up()
    demand_flips_told_once(stage, revisions)
    state = stage.state()
    assert state.pointer is not None
    assert stage.epochs() <= {state.pointer.epoch, state.previous.epoch if state.previous else 0}
    assert 3 not in revisions.told(stage, Kind.PUBLISHED)


def _go_on_without_it(stage: Stage, revisions: Revisions, readers: Readers, chance: random.Random) -> int:
    """Publish up to three revisions more; then perhaps roll back, or hold. Gives what is live then."""
    last = 3 + chance.randrange(4)
    for number in range(4, last + 1):
        readers.at_most(number)
        published(stage, revisions, number, full=chance.random() < 0.5)
        readers.at_least(number)
    if last == 3:
        hold(stage.place)
        return 2
    if chance.random() < 0.5:
        readers.allow(Outcome.ROWS, back_to=2)
        rollback(stage.place)
        readers.allow(Outcome.ROWS)
        return last - 1 if last > 4 else 2
    return last


@seeds(long=20, short=3)
def test_a_publisher_that_wakes_up_after_its_flip_tells_nothing_twice_and_drops_nothing_of_others(
    stage: Stage, seed: int
) -> None:
    revisions, chance = Revisions(seed), random.Random(seed)
    published(stage, revisions, 1)
    step, last = chance.choice(AFTER_THE_FLIP), 2 + chance.randrange(1, 4)
    with Readers.of(stage, revisions) as readers:
        readers.at_most(last)
        stalled = Publisher.start(
            stage, revisions, 2, at=At(step, 1, signal.SIGSTOP), full=chance.random() < 0.5
        )
        assert stalled.wait_for(step)
        readers.at_least(2)
        for number in range(3, last + 1):
            published(stage, revisions, number, full=chance.random() < 0.5)
            readers.at_least(number)
        stalled.resume()
        assert refused_code(stalled.outcome()) is None
        readers.catch_up()
        demand_live(stage, revisions, last)
        demand_flips_told_once(stage, revisions)
        readers.allow(Outcome.ROWS, back_to=last - 1)
        rollback(stage.place)
        demand_live(stage, revisions, last - 1)
    assert revisions.told(stage, Kind.PUBLISHED)[-1] in (2, last)
    assert sorted(revisions.told(stage, Kind.PUBLISHED)) == list(range(1, last + 1))


@seeds(long=12)
def test_a_publisher_stopped_anywhere_flips_only_before_others_open(stage: Stage, seed: int) -> None:
    """Stopped from outside, at any instant, in the middle of a command too."""
    revisions, chance = Revisions(seed, users=2000), random.Random(seed)
    published(stage, revisions, 1)
    number = 1
    with Readers.of(stage, revisions) as readers:
        for _ in range(repeated(long=15, short=6)):
            readers.at_most(number + 2)
            stopped = Publisher.start(stage, revisions, number + 1, full=chance.random() < 0.5)
            stopped.wait_for(Step.OPENED)
            time.sleep(chance.random() * 0.04)
            stopped.pause()
            published(stage, revisions, number + 2)
            readers.at_least(number + 2)
            stopped.resume()
            outcome = refused_code(stopped.outcome())
            assert outcome in (None, "superseded")
            demand_live(stage, revisions, number + 2)
            assert (number + 1 in revisions.told(stage, Kind.PUBLISHED)) == (outcome is None)
            number += 2
        readers.catch_up()
    demand_flips_told_once(stage, revisions)


@pytest.mark.parametrize("operation", [rollback, expire, hold])
@seeds(long=10)
def test_whoever_was_writing_when_an_operator_acts_never_flips(
    stage: Stage, operation: Callable[..., object], seed: int
) -> None:
    revisions, chance = Revisions(seed), random.Random(seed)
    published(stage, revisions, 1)
    published(stage, revisions, 2, full=True)
    step = chance.choice((Step.OPENED, Step.WRITTEN, Step.COMPARED))
    stalled = Publisher.start(stage, revisions, 3, at=At(step, 1, signal.SIGSTOP))
    assert stalled.wait_for(step)
    operation(stage.place)
    stalled.resume()
    assert refused_code(stalled.outcome()) in ("superseded", "held")
    assert revisions.live(stage) == (1 if operation is rollback else 2)
    assert stage.state().held
    release(stage.place)
    published(stage, revisions, 4)
    demand_live(stage, revisions, 4)
