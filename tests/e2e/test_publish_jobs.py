"""Publishing and what operators do by hand, as jobs and as commands. Most revisions here were stored without Spark."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from skewless import jobs
from skewless.errors import PublishRefused, StoreUnavailable, UsageError
from skewless.jobs import status
from skewless.ledger.events import Kind
from skewless.local import down, up
from skewless.local.port import free_port
from skewless.online.state import look
from skewless.settings import Settings
from skewless.timeline import format_instant
from tests.e2e.world import HOUR, PAYMENTS, World, hours_ago, minutes, payment, service_record

FIRST, SECOND, THIRD = hours_ago(4), hours_ago(3), hours_ago(2)
DUE = minutes(15)


@pytest.fixture
def world(settings: Settings, redis_url: str, tmp_path: Path) -> World:
    """An empty world; nothing here starts Spark before a test asks for it."""
    return World(settings, tmp_path, PAYMENTS)


def publish_all(world: World, *snapshots: Any) -> list[str]:
    """Store and publish snapshots in which user 1 has the snapshot's hour as amount."""
    revisions = []
    for t in snapshots:
        revisions.append(world.stored("recent", t, (1, float(t.hour), 1)))
        world.publish("recent", t)
    return revisions


def amount(world: World) -> Any:
    """What readers get for user 1."""
    return world.lookup(["recent:amount"], 1)[0]["recent__amount"]


def kinds(world: World, t: Any) -> list[Kind]:
    """What the ledger tells of a snapshot."""
    return [event.kind for event in world.told("recent", *Kind) if event.snapshot_time == t]


# -- what becomes of a publish ----------------------------------------------------------------------------


def test_a_good_revision_becomes_a_generation(world: World):
    revision = world.stored("recent", FIRST, (1, 7.0, 1))
    receipt = world.publish("recent", FIRST)
    assert (receipt.outcome, receipt.generation, receipt.revision) == ("published", 1, revision)
    assert world.seen("recent") == (1, FIRST)
    assert amount(world) == 7.0


def test_publishing_twice_is_publishing_once(world: World):
    publish_all(world, FIRST)
    again = world.publish("recent", FIRST)
    assert (again.outcome, again.generation) == ("already_live", 1)
    assert "is live already, as generation 1" in str(again)
    assert len(world.told("recent", Kind.PUBLISHED)) == 1


def test_an_older_interval_built_again_corrects_training_only(world: World):
    publish_all(world, FIRST, SECOND)
    corrected = world.stored("recent", FIRST, (1, 99.0, 1))
    outcomes = [world.publish("recent", FIRST).outcome for _ in range(2)]
    assert outcomes == ["offline_only", "offline_only"]
    (event,) = world.told("recent", Kind.OFFLINE_ONLY)  # told once, however often it is tried
    assert (event.snapshot_time, event.revision) == (FIRST, corrected)
    assert world.seen("recent") == (2, SECOND)
    assert amount(world) == float(SECOND.hour)


def test_an_interval_that_was_overtaken_never_moves_readers_backwards(world: World):
    publish_all(world, SECOND)
    world.stored("recent", FIRST, (1, 99.0, 1))
    assert world.publish("recent", FIRST).outcome == "offline_only"
    assert world.seen("recent") == (1, SECOND)


def test_a_publish_that_is_overtaken_or_held_under_way_says_so_as_if_it_had_come_later(world: World):
    for t in (FIRST, SECOND, THIRD):
        world.stored("recent", t, (1, float(t.hour), 1))

    def overtaken(_: str) -> None:
        world.publish("recent", SECOND)

    def held(_: str) -> None:
        jobs.hold(world.workspace, "recent")

    for t, meanwhile, outcome in ((FIRST, overtaken, "offline_only"), (THIRD, held, "held")):
        assert jobs.publish(world.workspace, "recent", t, report=meanwhile).outcome == outcome
        assert kinds(world, t) == [Kind.BUILT, Kind.PASSED, Kind(outcome)]
    assert world.seen("recent") == (1, SECOND)


def test_a_run_that_catches_up_leaves_readers_to_the_newest_due_snapshots_own_run(world: World):
    publish_all(world, FIRST)
    for t in (SECOND, THIRD, HOUR - timedelta(hours=1)):
        world.stored("recent", t, (1, float(t.hour), 1))
    world.at(HOUR + DUE - minutes(1))  # an hour ago is the newest that is due
    newest = HOUR - timedelta(hours=1)
    caught_up = jobs.publish(world.workspace, "recent", SECOND, if_newest=True)
    assert (caught_up.outcome, caught_up.awaited) == ("offline_only", newest)
    assert f"{format_instant(newest)} is due, and its own run publishes it" in str(caught_up)
    assert kinds(world, SECOND) == [Kind.BUILT, Kind.PASSED, Kind.OFFLINE_ONLY]
    assert world.seen("recent") == (1, FIRST)
    live = jobs.publish(world.workspace, "recent", FIRST, if_newest=True)
    assert live.outcome == "already_live"
    code, out, _ = world.cli("publish", "recent", "-t", format_instant(newest), "--if-newest", "--json")
    assert (code, json.loads(out)["outcome"]) == (0, "published")
    assert world.seen("recent") == (2, newest)
    assert jobs.publish(world.workspace, "recent", THIRD, if_newest=True).outcome == "offline_only"


def test_a_blocked_newest_is_not_waited_for_and_a_repaired_one_goes_online_late(world: World):
    publish_all(world, FIRST)
    world.at(HOUR - timedelta(hours=1) + DUE - minutes(1))  # THIRD is the newest that is due
    world.stored("recent", SECOND, (1, 99.0, 1), verdict=Kind.BLOCKED)
    world.stored("recent", THIRD, (1, 99.0, 1), verdict=Kind.BLOCKED)
    world.stored("recent", SECOND, (1, float(SECOND.hour), 1))  # the source was repaired, the run cleared
    assert jobs.publish(world.workspace, "recent", SECOND, if_newest=True).outcome == "published"
    assert world.seen("recent") == (2, SECOND)
    world.stored("recent", THIRD, (1, float(THIRD.hour), 1))
    assert jobs.publish(world.workspace, "recent", THIRD, if_newest=True).outcome == "published"
    assert world.seen("recent") == (3, THIRD)


def test_the_feature_lists_of_a_views_services_are_left_for_other_languages(world: World):
    world.define(
        f"{PAYMENTS}\nfrom skewless import FeatureService\n"
        "model = FeatureService(name='model', features=[recent, 'daily:amount'])\n"
        "other = FeatureService(name='other', features=[daily])\n"
    )
    redis_url, namespace = world.settings.redis_url, world.namespace
    publish_all(world, FIRST)
    assert service_record(redis_url, namespace, "model") == [
        "recent:amount",
        "recent:payments",
        "daily:amount",
    ]
    assert service_record(redis_url, namespace, "other") is None
    world.define(world.definitions.replace("[recent, ", "['recent:amount', "))
    assert world.publish("recent", FIRST).outcome == "already_live"
    assert service_record(redis_url, namespace, "model") == ["recent:amount", "daily:amount"]


def test_the_live_snapshot_built_again_becomes_the_next_generation(world: World):
    publish_all(world, FIRST)
    world.stored("recent", FIRST, (1, 99.0, 1))
    assert world.publish("recent", FIRST).outcome == "published"
    assert world.seen("recent") == (2, FIRST)
    assert amount(world) == 99.0


def test_a_snapshot_before_its_time_is_refused_with_the_instant(world: World):
    world.stored("recent", HOUR, (1, 7.0, 1))
    code, _, err = world.at(HOUR + DUE - minutes(1)).cli("publish", "recent", "-t", format_instant(HOUR))
    assert code == 1
    assert f"can be published from {format_instant(HOUR + DUE)} on" in err
    assert not world.told("recent", Kind.PUBLISHED)


def test_the_servers_clock_decides_and_not_the_workers(world: World):
    ahead = HOUR + timedelta(hours=3)
    world.stored("recent", ahead, (1, 7.0, 1))
    with pytest.raises(PublishRefused, match=format_instant(ahead + DUE)) as refused:
        world.at(ahead + timedelta(days=1)).publish("recent", ahead)
    assert refused.value.code == "not_due"
    assert look(world.settings.redis_url, world.namespace, "recent").pointer is None
    assert not world.told("recent", Kind.PUBLISHED)


def test_an_unchecked_revision_is_refused_with_the_command_that_checks_it(world: World):
    publish_all(world, FIRST)
    world.stored("recent", FIRST, (1, 99.0, 1), verdict=None)
    with pytest.raises(
        UsageError, match=f"no verdict: skewless check recent --snapshot-time {format_instant(FIRST)}"
    ):
        world.publish("recent", FIRST)
    assert amount(world) == float(FIRST.hour)


def test_what_was_never_built_is_refused_with_the_command_that_builds_it(world: World):
    for step in ("check", "publish"):
        code, _, err = world.cli(step, "recent", "-t", format_instant(FIRST))
        assert code == 2
        assert f"build it: skewless build recent --snapshot-time {format_instant(FIRST)}" in err


def test_an_unknown_view_or_snapshot_is_misuse_that_names_what_is_near(world: World):
    code, _, err = world.cli("publish", "recnet")
    assert (code, "did you mean 'recent'" in err) == (2, True)
    code, _, err = world.cli("publish", "recent", "-t", format_instant(FIRST + minutes(1)))
    assert (code, f"near are {format_instant(FIRST)} and {format_instant(SECOND)}" in err) == (2, True)


def test_a_view_that_is_not_online_is_for_training_only(world: World):
    world.stored("unserved", FIRST, (1, 7.0, 1))
    assert world.publish("unserved", FIRST).outcome == "offline_only"
    assert [event.snapshot_time for event in world.told("unserved", Kind.OFFLINE_ONLY)] == [FIRST]
    for command in ("hold", "release", "rollback", "expire"):
        code, _, err = world.cli(command, "unserved")
        assert (code, "is not online (online=False)" in err) == (2, True)
    (found,) = status(world.workspace, ("unserved",))
    assert (found.state, found.generation, found.newest_verdict) == ("offline", None, "passed")


# -- hold and release -------------------------------------------------------------------------------------


def test_a_held_view_keeps_its_generation_and_tells_of_what_it_missed(world: World):
    publish_all(world, FIRST)
    assert world.cli("hold", "recent", "--reason", "repairs").code == 0
    publish_all(world, SECOND, THIRD)
    assert [event.snapshot_time for event in world.told("recent", Kind.HELD)] == [SECOND, THIRD]
    assert world.seen("recent") == (1, FIRST)
    assert world.publish("recent", FIRST).outcome == "already_live"  # it missed nothing of that one


def test_a_release_publishes_the_newest_snapshot_in_force(world: World):
    publish_all(world, FIRST)
    world.cli("hold", "recent")
    publish_all(world, SECOND, THIRD)
    world.stored("recent", hours_ago(1), (1, 99.0, 1), verdict=Kind.BLOCKED)
    ran = world.cli("release", "recent", "--json")
    assert json.loads(ran.out)["snapshot_time"] == format_instant(THIRD)
    assert world.seen("recent") == (2, THIRD)
    assert not look(world.settings.redis_url, world.namespace, "recent").held


def test_a_release_with_nothing_to_publish_says_so(world: World):
    world.cli("hold", "recent")
    ran = world.cli("release", "recent")
    assert (ran.code, "no revision is in force to publish yet" in ran.out) == (0, True)


def test_a_release_after_the_definition_changed_keeps_a_newer_snapshot_of_the_old_one(world: World):
    publish_all(world, SECOND)
    world.cli("hold", "recent")
    world.define(PAYMENTS.replace("timedelta(hours=4)", "timedelta(hours=5)"))
    world.stored("recent", FIRST, (1, 99.0, 1))
    ran = world.cli("release", "recent", "--json")
    assert (ran.code, json.loads(ran.out)["outcome"]) == (0, "offline_only")
    assert world.seen("recent") == (1, SECOND)


# -- roll back and expire ---------------------------------------------------------------------------------


def test_a_rollback_gives_readers_the_generation_before_and_holds_the_view(world: World):
    _, second = publish_all(world, FIRST, SECOND)
    ran = world.cli("rollback", "recent", "--reason", "doubled amounts", "--json")
    assert json.loads(ran.out)["withdrawn"] == [second]
    assert world.seen("recent") == (1, FIRST)
    assert amount(world) == float(FIRST.hour)
    (event,) = world.told("recent", Kind.WITHDRAWN)
    assert (event.revision, event.reason) == (second, "doubled amounts")
    publish_all(world, THIRD)
    assert world.told("recent", Kind.HELD)
    assert world.seen("recent") == (1, FIRST)


def test_a_release_after_a_rollback_does_not_bring_back_what_was_withdrawn(world: World):
    publish_all(world, FIRST, SECOND)
    world.cli("rollback", "recent")
    ran = world.cli("release", "recent", "--json")
    assert json.loads(ran.out)["outcome"] == "already_live"
    assert world.seen("recent") == (1, FIRST)
    publish_all(world, THIRD)
    assert world.seen("recent")[1] == THIRD


def test_a_rollback_further_back_publishes_that_snapshot_again(world: World):
    _, second, third = publish_all(world, FIRST, SECOND, THIRD)
    ran = world.cli("rollback", "recent", "--to", format_instant(FIRST), "--json")
    assert set(json.loads(ran.out)["withdrawn"]) == {second, third}
    assert world.seen("recent") == (4, FIRST)
    assert amount(world) == float(FIRST.hour)
    assert look(world.settings.redis_url, world.namespace, "recent").held


def test_two_rollbacks_go_back_two_generations(world: World):
    publish_all(world, FIRST, SECOND, THIRD)
    for expected in (SECOND, FIRST):
        assert world.cli("rollback", "recent").code == 0
        assert world.seen("recent")[1] == expected
    assert amount(world) == float(FIRST.hour)


def test_a_rollback_to_nowhere_changes_nothing_and_names_another_way(world: World):
    publish_all(world, FIRST)
    for arguments in ([], ["--to", format_instant(SECOND)]):
        code, _, err = world.cli("rollback", "recent", *arguments)
        assert code == 2
        assert "others that were published: none" in err
        assert "skewless expire recent" in err
    assert world.seen("recent") == (1, FIRST)
    assert kinds(world, FIRST) == [Kind.BUILT, Kind.PASSED, Kind.PUBLISHED]


def test_a_rollback_never_lands_on_what_was_expired_by_hand(world: World):
    publish_all(world, FIRST, SECOND)
    for command in ("expire", "release"):
        assert world.cli(command, "recent").code == 0
    assert world.seen("recent") == (3, SECOND)  # the same revision once more: generation 2 stays expired
    assert world.cli("rollback", "recent").code == 0
    assert world.seen("recent") == (4, FIRST)
    assert amount(world) == float(FIRST.hour)


def test_one_broken_file_stops_no_rollback_of_another_view(world: World):
    publish_all(world, FIRST, SECOND)
    broken = world.settings.features / "broken.py"
    broken.write_text("view = FeatureView(")
    try:
        ran = world.cli("rollback", "recent")
    finally:
        broken.unlink()
    assert ran.code == 0
    assert "ignored: " in ran.err
    assert "broken.py:1: broken: SyntaxError" in ran.err
    assert world.seen("recent") == (1, FIRST)


@pytest.mark.usefixtures("spark")
def test_training_skips_what_a_rollback_withdrew(services: Settings, world: World):
    publish_all(world, FIRST, SECOND, THIRD)
    world.load(payment(1, 5.0, FIRST - minutes(30)))
    world.cli("rollback", "recent", "--to", format_instant(FIRST))
    rows = world.train(["recent"], [(1, t + DUE) for t in (FIRST, SECOND, THIRD)])
    assert [(row["recent__snapshot_time"], row["recent__how"]) for row in rows] == [
        (FIRST, "stored"),
        (FIRST, "skipped"),
        (FIRST, "skipped"),
    ]
    assert {row["recent__amount"] for row in rows} == {float(FIRST.hour)}


def test_an_expired_view_gives_the_expired_row_until_it_is_released(world: World):
    world.stored("daily", FIRST, (1, 7.0, 1))
    world.publish("daily", FIRST)
    assert world.cli("expire", "daily", "--reason", "wrong since midnight").code == 0
    features = ["daily:amount", "daily:payments"]
    assert world.lookup(features, 1) == [{"user_id": 1, "daily__amount": -1.0, "daily__payments": None}]
    assert world.publish("daily", FIRST).outcome == "held"
    assert status(world.workspace, ("daily",))[0].state == "expired"
    assert json.loads(world.cli("release", "daily", "--json").out)["outcome"] == "published"
    assert world.lookup(features, 1) == [{"user_id": 1, "daily__amount": 7.0, "daily__payments": 1}]


# -- looking ----------------------------------------------------------------------------------------------


def test_status_lists_every_view_as_data_and_as_a_table(world: World):
    publish_all(world, FIRST)
    found = {item["view"]: item for item in json.loads(world.command("status", "--json").out)}
    (published,) = world.told("recent", Kind.PUBLISHED)
    wanted = ("view", "generation", "snapshot_time", "published_at", "verdict", "rows")
    times = (format_instant(FIRST), format_instant(published.effective_at))
    assert tuple(found["recent"][name] for name in wanted) == ("recent", 1, *times, "passed", 1)
    assert tuple(found["daily"][name] for name in wanted) == ("daily", None, None, None, None, None)
    assert list(found) == ["daily", "recent", "unserved"]
    assert "live" in next(line for line in world.cli("status").out.splitlines() if line.startswith("recent"))


# -- the online store is away -----------------------------------------------------------------------------


@pytest.fixture
def own_server(settings: Settings, tmp_path: Path) -> Iterator[Settings]:
    """A Valkey of one test, which it may stop and start."""
    port = free_port()
    own = settings.model_copy(
        update={"home": tmp_path / "own", "redis_url": f"redis://127.0.0.1:{port}/0", "spark": "local[*]"}
    )
    up(own)
    with contextlib.ExitStack() as after:
        after.callback(down, own)
        yield own


@pytest.mark.usefixtures("spark")
def test_a_publish_while_the_online_store_is_away_is_done_by_clearing_from_build(
    services: Settings, own_server: Settings, tmp_path: Path
):
    reached = services.model_copy(update={"redis_url": own_server.redis_url})
    world = World(reached, tmp_path, PAYMENTS)
    world.load(*(payment(user, 10.0, SECOND - minutes(10)) for user in (1, 2)))
    publish_all(world, FIRST)
    down(own_server)
    with pytest.raises(StoreUnavailable):
        world.run("recent", SECOND)
    code, _, err = world.cli("publish", "recent", "-t", format_instant(SECOND))
    assert code == 1
    assert own_server.redis_url.removeprefix("redis://").removesuffix("/0") in err
    assert "Traceback" not in err
    assert status(world.workspace, ("recent",))[0].state == "unreachable"
    assert kinds(world, SECOND) == [Kind.BUILT, Kind.PASSED]
    up(own_server)
    assert world.seen("recent") == (1, FIRST)
    assert world.run("recent", SECOND).outcome == "published"
    assert world.seen("recent") == (2, SECOND)
    assert kinds(world, SECOND) == [Kind.BUILT, Kind.PASSED, Kind.PUBLISHED]
    assert amount(world) == 10.0
