"""The network is slow, breaks, or keeps things back: a publish is right or fails, and readers never notice."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator

import pytest

from skewless.errors import PublishRefused, StoreUnavailable
from skewless.ledger.events import Kind
from skewless.online.operations import expire, release, rollback
from skewless.online.publication import Publication, Receipt, Step
from skewless.online.reconcile import reconcile
from skewless.online.scripts import text
from tests.faults.proxy import Proxy
from tests.faults.readers import Outcome, Readers
from tests.faults.revisions import Revisions, built, demand_live, published, repeated, seeds
from tests.faults.servers import Server
from tests.redis.stage import FEATURES, Stage

pytestmark = pytest.mark.slow

TIMEOUT = 0.3
BEFORE_THE_FLIP = (Step.OPENED, Step.CLEANED, Step.DESCRIBED, Step.WRITTEN, Step.COMPARED)


@pytest.fixture
def server(start: Callable[..., Server]) -> Server:
    return start()


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    with Proxy(server.port) as standing:
        yield standing


@pytest.fixture
def near(server: Server, stage_at: Callable[[str], Stage]) -> Stage:
    """The view, right at its server."""
    return stage_at(server.url)


@pytest.fixture
def far(proxy: Proxy, stage_at: Callable[[str], Stage]) -> Stage:
    """The same view behind the proxy, whose clients wait for a third of a second."""
    return stage_at(proxy.url(socket_timeout=TIMEOUT))


def demand_published_once(
    stage: Stage, revisions: Revisions, number: int, publication: Publication
) -> Receipt:
    """Publish a revision again that may be live or not: then it is, and the ledger has one flip of it."""
    receipt = published(stage, revisions, number, publication)
    demand_live(stage, revisions, number)
    flips = [event for event in stage.told(Kind.PUBLISHED) if event.revision == publication.revision]
    assert [event.flip for event in flips] == [receipt.flip]
    return receipt


def test_slow_answers_change_nothing(near: Stage, far: Stage, proxy: Proxy) -> None:
    revisions = Revisions(0)
    published(near, revisions, 1)
    proxy.delay = 0.02
    with Readers.of(far, revisions) as readers:
        for number, full in enumerate((False, True), start=2):
            readers.at_most(number)
            published(far, revisions, number, full=full)
            readers.at_least(number)
            readers.catch_up()
    demand_live(near, revisions, 3)
    assert readers.outcomes == {"ROWS": readers.outcomes.total()}


@seeds(long=20)
def test_a_slow_lookup_that_spans_several_publishes_is_of_one_generation(
    near: Stage, far: Stage, proxy: Proxy, seed: int
) -> None:
    """Its three commands arrive one after the other, while publishes come in pairs."""
    revisions, chance = Revisions(seed), random.Random(seed)
    published(near, revisions, 1)
    proxy.delay, proxy.piece, number = 0.02, 3000, 1
    with Readers.of(far, revisions) as readers:
        for _ in range(6):
            time.sleep(chance.random())
            for _ in range(2):
                number += 1
                readers.at_most(number)
                published(near, revisions, number, full=chance.random() < 0.2)
                readers.at_least(number)
        readers.catch_up(1)
    assert readers.outcomes == {"ROWS": readers.outcomes.total()}


@seeds(long=30, short=4)
def test_answers_that_take_too_long_end_a_publish(near: Stage, far: Stage, proxy: Proxy, seed: int) -> None:
    revisions, chance = Revisions(seed), random.Random(seed)
    published(near, revisions, 1)
    slow_from = chance.choice(BEFORE_THE_FLIP)

    def progress(step: Step, rows: int) -> None:
        if step is slow_from:
            proxy.delay = 4 * TIMEOUT

    publication, full = built(near, revisions, 2), slow_from in (Step.CLEANED, Step.DESCRIBED)
    with Readers.of(near, revisions) as readers:
        readers.at_most(2)
        with pytest.raises(StoreUnavailable, match=rf"127\.0\.0\.1:{proxy.port} cannot be reached \(Timeout"):
            published(far, revisions, 2, publication, full=full, progress=progress)
        proxy.delay = 0
        proxy.settle()
        demand_published_once(near, revisions, 2, publication)
        readers.at_least(2)
        readers.catch_up()


def test_a_reader_that_waits_too_long_says_so_and_reads_on(near: Stage, far: Stage, proxy: Proxy) -> None:
    revisions = Revisions(0)
    published(near, revisions, 1)
    demand_live(far, revisions, 1)
    proxy.delay = 4 * TIMEOUT
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        far.reader.get(FEATURES, [{"user_id": 1}])
    assert time.monotonic() - began < 30
    proxy.delay = 0
    demand_live(far, revisions, 1)


@seeds(long=10)
def test_a_connection_that_breaks_after_any_byte_ends_a_publish(
    near: Stage, far: Stage, proxy: Proxy, seed: int
) -> None:
    revisions, chance = Revisions(seed), random.Random(seed)
    published(near, revisions, 1)
    sizes, number, failed = {}, 1, 0
    for full in (False, True):
        number += 1
        proxy.passed = 0
        published(far, revisions, number, full=full)
        sizes[full] = proxy.passed
    with Readers.of(near, revisions) as readers:
        for _ in range(repeated(long=20, short=12)):
            number, full = number + 1, chance.random() < 0.5
            publication = built(near, revisions, number)
            readers.at_most(number)
            proxy.cut(after=chance.randrange(sizes[full]))
            try:
                published(far, revisions, number, publication, full=full)
            except StoreUnavailable as error:
                failed += "cannot be reached" in str(error)
            proxy.cut_after = None
            demand_published_once(near, revisions, number, publication)
            readers.at_least(number)
        readers.catch_up()
    assert failed > 6
    assert revisions.told(near, Kind.PUBLISHED) == list(range(1, number + 1))


@pytest.mark.parametrize("full", [False, True])
def test_a_flip_whose_answer_is_lost_is_told_once_and_not_published_again(
    near: Stage, far: Stage, proxy: Proxy, full: bool
) -> None:
    revisions = Revisions(0)
    published(near, revisions, 1)
    publication = built(near, revisions, 2)
    proxy.swallow = text("flip").encode()
    with Readers.of(near, revisions) as readers:
        readers.at_most(2)
        with pytest.raises(StoreUnavailable):
            published(far, revisions, 2, publication, full=full)
        assert proxy.swallowed.is_set()
        readers.at_least(2)
        readers.catch_up()
        assert revisions.told(near, Kind.PUBLISHED) == [1]
        assert demand_published_once(near, revisions, 2, publication).already_live
        assert near.state().top == 2
        reconcile(near.place)
    assert revisions.told(near, Kind.PUBLISHED) == [1, 2]


@pytest.mark.parametrize(("script", "operation"), [("rollback", rollback), ("expire", expire)])
def test_what_an_operator_did_is_told_once_though_its_answer_was_lost(
    near: Stage, far: Stage, proxy: Proxy, script: str, operation: Callable[..., Receipt]
) -> None:
    revisions = Revisions(0)
    for number in (1, 2):
        published(near, revisions, number)
    proxy.swallow = text(script).encode()
    with pytest.raises(StoreUnavailable):
        operation(far.place, actor="ann")
    assert proxy.swallowed.is_set()
    with pytest.raises(PublishRefused, match="the view is held"):
        published(near, revisions, 3)
    reconcile(near.place)
    (event,) = near.told(Kind.ROLLED_BACK, Kind.EXPIRED)
    assert (event.flip, event.actor) == (near.state().flip, "ann")
    assert len(near.told(Kind.WITHDRAWN)) == (script == "rollback")
    release(near.place)
    published(near, revisions, 3)
    demand_live(near, revisions, 3)


@seeds(long=30, short=4)
def test_writes_that_arrive_after_others_have_published_do_no_harm(
    near: Stage, far: Stage, proxy: Proxy, seed: int
) -> None:
    """A publisher gives up; what it sent is on its way still, and arrives one, two or three publishes later."""
    revisions, chance = Revisions(seed), random.Random(seed)
    published(near, revisions, 1)
    published(near, revisions, 2)
    held_from = chance.choice([Step.OPENED, Step.DESCRIBED, Step.WRITTEN, Step.COMPARED])

    def progress(step: Step, rows: int) -> None:
        if step is held_from:
            proxy.hold()

    with Readers.of(near, revisions) as readers:
        readers.at_most(3)
        with pytest.raises(StoreUnavailable):
            published(far, revisions, 3, progress=progress, full=held_from is Step.DESCRIBED)
        last = 3 + chance.randrange(1, 4)
        for number in range(4, last + 1):
            readers.at_most(number)
            published(near, revisions, number)
            readers.at_least(number)
        before = proxy.passed
        proxy.release()
        proxy.settle()
        assert proxy.passed > before
        readers.catch_up()
        demand_live(near, revisions, last)
        readers.allow(Outcome.ROWS, back_to=2)
        rollback(near.place)
        readers.allow(Outcome.ROWS)
        demand_live(near, revisions, last - 1 if last > 4 else 2)
        release(near.place)
        readers.at_most(last + 1)
        published(near, revisions, last + 1)
        demand_live(near, revisions, last + 1)
    assert near.epochs() <= {near.state().pointer.epoch, near.state().previous.epoch}  # type: ignore[union-attr]
