"""Which revision of a snapshot counts, where arrival is assumed or a person accepts it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from skewless import jobs
from skewless.errors import PublishRefused, UsageError
from skewless.ledger.events import Event, Kind
from skewless.settings import Settings
from skewless.timeline import MICROSECOND, format_instant
from tests.e2e.world import PAYMENTS, World, hours_ago, minutes, payment

ASSUMED = PAYMENTS.replace('    created_timestamp_column="created_timestamp",\n', "")
T = hours_ago(3)
LATE = T + minutes(50)


@pytest.fixture
def world(settings: Settings, redis_url: str, tmp_path: Path) -> World:
    """An empty world."""
    return World(settings, tmp_path, PAYMENTS)


# -- arrival is assumed -----------------------------------------------------------------------------------


def test_where_arrival_is_assumed_a_second_build_counts_from_when_it_was_made(
    services: Settings, tmp_path: Path
):
    world = World(services, tmp_path, ASSUMED)
    world.stored("recent", T, (1, 10.0, 1))
    world.load(payment(1, 15.0, T - minutes(30)), *(nowhen() for _ in range(2)))
    second = world.at(LATE).build("recent", T)
    assert (second.is_new, second.usable_from, second.null_event_times) == (True, LATE, 2)
    assert "2 rows of the source have no event time" in str(second)
    view = world.workspace.repo.view("recent")
    passed = Event(
        kind=Kind.PASSED, snapshot_time=T, revision=second.revision, fingerprint=second.fingerprint
    )
    world.workspace.ledger(view).append(passed)
    rows = world.train(["recent:amount"], [(1, LATE - MICROSECOND), (1, LATE)])
    assert [(row["recent__amount"], row["recent__how"]) for row in rows] == [
        (10.0, "stored"),
        (15.0, "stored"),
    ]


def nowhen() -> dict[str, Any]:
    """A payment without an event time."""
    return payment(1, 99.0, T - minutes(10)) | {"event_timestamp": None}


def test_a_build_that_is_usable_later_is_not_published_before(world: World):
    revision = world.stored("recent", T, (1, 7.0, 1), verdict=None)
    world.at(LATE)
    jobs.accept(world.workspace, "recent", T, reason="as good as it gets")
    with pytest.raises(PublishRefused, match="can be published from"):
        world.at(LATE - MICROSECOND).publish("recent", T)
    assert world.at(LATE).publish("recent", T).revision == revision


# -- accepted ---------------------------------------------------------------------------------------------


def test_what_is_good_already_needs_no_acceptance(world: World):
    world.stored("recent", T, (1, 7.0, 1))
    receipt = jobs.accept(world.at(LATE).workspace, "recent", T, reason="looks fine")
    assert receipt.usable_from is None
    assert "nothing to accept" in str(receipt)
    assert not world.told("recent", Kind.ACCEPTED)


def test_only_what_was_built_can_be_accepted(world: World):
    with pytest.raises(UsageError, match=r"has no revision of .* build it: skewless build recent"):
        jobs.accept(world.workspace, "recent", T, reason="trust me")
    assert not world.told("recent", *Kind)


# -- back to which ----------------------------------------------------------------------------------------


def test_a_rollback_never_goes_to_what_is_live_but_to_the_revision_before_it(world: World):
    world.stored("recent", T, (1, 7.0, 1))
    world.publish("recent", T)
    assert world.cli("rollback", "recent", "--to", format_instant(T)).code == 2
    world.stored("recent", T, (1, 8.0, 1))
    world.publish("recent", T)
    assert world.cli("rollback", "recent", "--to", format_instant(T)).code == 0
    assert world.lookup(["recent:amount"], 1)[0]["recent__amount"] == 7.0
