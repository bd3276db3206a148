"""Many intervals at once: the same rows, records and verdicts as one run each, however often it is killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from skewless import jobs
from skewless.errors import BlockedError
from skewless.ledger.events import Kind
from skewless.plan.fingerprint import fingerprint, view_definition
from skewless.plan.uris import verdict_table
from skewless.settings import Settings
from skewless.timeline import format_instant
from tests.e2e.world import PAYMENTS, Ran, World, hours_ago, minutes, payment

TICKS = [hours_ago(number) for number in (4, 3, 2, 1)]
BLOCKED = TICKS[1]
NOW = TICKS[-1] + minutes(20)
SPAN = ("--from", format_instant(hours_ago(5)), "--to", format_instant(TICKS[-1]))


def supplied(services: Settings, folder: Path) -> World:
    """Three users; a wrong amount that is corrected an hour later, so that one snapshot alone sees it."""
    world = World(services, folder, PAYMENTS).at(NOW)
    world.load(
        *(payment(user, 10.0 * user, TICKS[0] - minutes(20 * user)) for user in (1, 2, 3)),
        payment(1, -500.0, BLOCKED - minutes(30), id="wrong"),
        payment(1, 5.0, BLOCKED - minutes(30), id="wrong", known=BLOCKED + minutes(40)),
        payment(2, 7.0, TICKS[3] - minutes(30), known=TICKS[3] + minutes(4)),
    )
    return world


@pytest.fixture(scope="module")
def one_by_one(services: Settings, tmp_path_factory: pytest.TempPathFactory) -> World:
    """What a late run of each interval makes."""
    world = supplied(services, tmp_path_factory.mktemp("one_by_one"))
    for t in TICKS:
        world.build("recent", t)
        try:
            world.check("recent", t)
        except BlockedError:
            continue
        jobs.publish(world.workspace, "recent", t, if_newest=True)
    return world


@pytest.fixture(scope="module")
def killed(services: Settings, tmp_path_factory: pytest.TempPathFactory) -> World:
    """A backfill that was killed when it began its second batch."""
    world = supplied(services, tmp_path_factory.mktemp("killed"))
    words = [sys.executable, "-m", "skewless.cli", "backfill", "recent", *SPAN]
    with subprocess.Popen(
        words, env=os.environ | world.variables(), stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "building recent: 3 intervals" in line:
                break
        process.kill()
    return world


@pytest.fixture(scope="module")
def gone_on(killed: World, tmp_path_factory: pytest.TempPathFactory) -> tuple[World, Ran]:
    """The same, run again to its end."""
    world = killed.copy(tmp_path_factory.mktemp("resumed"))
    return world, world.cli("backfill", "recent", *SPAN)


@pytest.fixture(scope="module")
def resumed(gone_on: tuple[World, Ran]) -> World:
    return gone_on[0]


def records(world: World, view: str = "recent") -> dict[datetime, list[tuple[Any, ...]]]:
    """What the ledger tells of each snapshot, but for names and times."""
    found: dict[datetime, list[tuple[Any, ...]]] = defaultdict(list)
    for event in world.told(view, *Kind):
        told = (
            event.kind,
            event.rows,
            event.content_hash,
            event.source_version,
            event.usable_from,
            event.reason,
        )
        found[event.snapshot_time].append(told)
    return found


def judged(world: World) -> list[tuple[Any, ...]]:
    """The verdicts, but for names and times."""
    rows = DeltaTable(verdict_table(world.settings.warehouse, "recent")).to_pyarrow_table().to_pylist()
    names = ("snapshot_time", "position", "expectation", "success", "severity", "observed", "sentence")
    return sorted(tuple(row[name] for name in names) for row in rows)


def values(world: World) -> dict[datetime, list[dict[str, Any]]]:
    """The rows of each snapshot's newest revision."""
    table = world.workspace.feature_table(world.workspace.repo.view("recent"))
    built = {event.snapshot_time: event.revision for event in world.told("recent", Kind.BUILT)}
    read = {t: pa.Table.from_batches(table.reader(revision)).to_pylist() for t, revision in built.items()}
    return {t: sorted(rows, key=lambda row: row["user_id"]) for t, rows in read.items()}


# -- the same as one by one -------------------------------------------------------------------------------


def test_a_kill_loses_the_batch_at_hand_alone(killed: World, one_by_one: World):
    first = TICKS[0]
    assert records(killed) == {first: records(one_by_one)[first]}


def test_the_rows_events_and_verdicts_are_those_of_one_run_each(resumed: World, one_by_one: World):
    assert values(resumed) == values(one_by_one)
    assert records(resumed) == records(one_by_one)
    assert judged(resumed) == judged(one_by_one)
    assert {t: [told[0] for told in events] for t, events in records(resumed).items()} == {
        TICKS[0]: [Kind.BUILT, Kind.PASSED, Kind.OFFLINE_ONLY],
        TICKS[1]: [Kind.BUILT, Kind.BLOCKED],
        TICKS[2]: [Kind.BUILT, Kind.PASSED, Kind.OFFLINE_ONLY],
        TICKS[3]: [Kind.BUILT, Kind.PASSED, Kind.PUBLISHED],
    }


def test_a_build_keeps_the_definition_that_it_was_made_under(resumed: World):
    recent = resumed.workspace.repo.view("recent")
    assert resumed.workspace.definitions(recent).read() == {fingerprint(recent): view_definition(recent)}


def test_readers_get_the_newest_in_one_step(resumed: World, one_by_one: World):
    assert resumed.seen("recent") == one_by_one.seen("recent") == (1, TICKS[3])
    assert resumed.lookup(["recent:amount"], 1, 2) == one_by_one.lookup(["recent:amount"], 1, 2)


def test_a_blocked_interval_is_told_at_the_end_and_the_others_stand(gone_on: tuple[World, Ran]):
    code, out, err = gone_on[1]
    assert (code, out) == (3, "")
    assert "1 of 3 intervals are blocked; the other 2 stand" in err
    assert f"  {format_instant(BLOCKED)}: amount between 0 and" in err
    for progress in ("3 of 3 built", "1 of 3 checked", f"3 of 3 checked: {format_instant(TICKS[3])} passed"):
        assert progress in err


# -- again ------------------------------------------------------------------------------------------------


def test_what_is_done_is_left_alone_and_what_is_blocked_is_tried_again(resumed: World, tmp_path: Path):
    world = resumed.copy(tmp_path)
    before = records(world)
    ran = world.cli("backfill", "recent", *SPAN)
    assert (ran.code, "1 of 1 intervals are blocked" in ran.err) == (3, True)
    assert records(world) == before
    jobs.accept(world.workspace, "recent", BLOCKED, reason="a refund")
    told = json.loads(world.cli("backfill", "recent", *SPAN, "--json").out)
    assert (told["intervals"], told["done_before"], told["built"]) == (4, 4, 0)
    assert "nothing to do, all 4 intervals are done" in world.cli("backfill", "recent", *SPAN).out


def test_a_view_that_is_not_served_ends_with_its_verdict_and_a_rebuild_finds_what_is_there(
    services: Settings, tmp_path: Path
):
    world = supplied(services, tmp_path)
    words = ["backfill", "unserved", "--from", format_instant(TICKS[0]), "--json"]
    first = json.loads(world.cli(*words, "--to", format_instant(TICKS[1])).out)
    assert (first["intervals"], first["built"], first["new"], first["published"]) == (1, 1, 1, None)
    before = world.told("unserved", *Kind)
    again = json.loads(world.cli(*words, "--to", format_instant(TICKS[1]), "--rebuild").out)
    assert (again["intervals"], again["built"], again["new"]) == (1, 1, 0)
    assert [event.kind for event in before] == [Kind.BUILT, Kind.PASSED]
    assert world.told("unserved", *Kind) == before


# -- what makes no sense ----------------------------------------------------------------------------------


def test_the_future_is_refused_before_anything_is_done(settings: Settings, tmp_path: Path):
    world = World(settings, tmp_path, PAYMENTS).at(TICKS[-1] + minutes(4))
    ran = world.cli("backfill", "recent", *SPAN)
    assert ran.code == 2
    assert f"can be built from {format_instant(TICKS[-1] + minutes(5))} on" in ran.err
    assert f"the newest that can be built is --to {format_instant(TICKS[-2])}" in ran.err
    ran = world.cli("backfill", "recent", "--from", SPAN[3], "--to", SPAN[1])
    assert (ran.code, "lies after --to" in ran.err) == (2, True)
    assert not Path(world.settings.warehouse).exists()


def test_no_interval_is_nothing_to_do(settings: Settings, tmp_path: Path):
    world = World(settings, tmp_path, PAYMENTS).at(NOW)
    ran = world.cli(
        "backfill", "recent", "--from", format_instant(TICKS[0]), "--to", format_instant(TICKS[0])
    )
    assert (ran.code, "nothing to do, all 0 intervals are done" in ran.out) == (0, True)
