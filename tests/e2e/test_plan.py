"""What `skewless plan` finds in a warehouse: without Spark, and without the online store."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from skewless.ledger.events import Kind
from skewless.plan.fingerprint import fingerprint
from skewless.settings import Settings
from skewless.timeline import format_instant
from tests.e2e.world import PAYMENTS, World, hours_ago, minutes, payment

T = hours_ago(5)
CHANGED = PAYMENTS.replace("timedelta(hours=4),", "timedelta(hours=2),")


@pytest.fixture
def world(settings: Settings, tmp_path: Path) -> World:
    """Three snapshots of `recent`, one of them blocked; nothing of the other views."""
    world = World(settings, tmp_path, PAYMENTS)
    world.load(payment(1, 10.0, T - minutes(30)))
    for hours, verdict in enumerate([Kind.PASSED, Kind.BLOCKED, Kind.PASSED]):
        world.stored("recent", T + timedelta(hours=hours), (1, 10.0, 1), verdict=verdict)
    recent = world.workspace.repo.view("recent")
    world.workspace.definitions(recent).keep(recent)
    world.at(T + timedelta(hours=3, minutes=30))
    return world


def planned(world: World) -> dict[str, Any]:
    """What the command finds, by DAG."""
    ran = world.cli("plan", "--json")
    assert ran.code == 0, ran.err
    return {item["dag_id"]: item for item in json.loads(ran.out)}


def test_a_view_as_it_was_built_misses_only_what_came_since(world: World):
    found = planned(world)
    recent, daily = found["features.recent"], found["features.daily"]
    newest = format_instant(T + timedelta(hours=3))
    assert recent["change"]["state"] == "unchanged"
    assert recent["backfill"] == {
        "count": 1,
        "first": newest,
        "last": newest,
        "refused": 1,
        "command": f"skewless backfill recent --from {format_instant(T + timedelta(hours=2))} --to {newest}",
    }
    assert (daily["change"]["state"], daily["backfill"]["count"]) == ("new", 0)
    assert recent["warnings"] == daily["warnings"] == []


def test_what_a_view_costs_is_the_size_of_its_live_files(world: World):
    retention = planned(world)["features.recent"]["retention"]
    table = Path(world.workspace.feature_table(world.workspace.repo.view("recent")).uri)
    taken = sum(file.stat().st_size for file in table.rglob("*.parquet"))
    assert (retention["total"], retention["others"], retention["a_snapshot"]) == (taken, 0, taken // 3)
    assert 24 * taken // 3 <= retention["a_day"] <= 25 * taken // 3


def test_a_changed_view_says_what_changed_and_misses_everything(world: World):
    before = fingerprint(world.workspace.repo.view("recent"))
    world.define(CHANGED)
    recent = planned(world)["features.recent"]
    assert recent["change"] == {
        "state": "changed",
        "since": before,
        "differs": [
            "field amount: aggregate.window was 4:00:00, is 2:00:00",
            "field payments: aggregate.window was 4:00:00, is 2:00:00",
        ],
    }
    assert (recent["backfill"]["count"], recent["backfill"]["refused"]) == (4, 0)
    assert recent["retention"]["others"] == recent["retention"]["total"] > 0
    assert "since " + before[:12] in world.cli("plan").out


def test_a_source_that_was_rewritten_is_warned_about(world: World):
    world.rewrite(payment(1, 11.0, T - minutes(30)))
    (what, advice) = planned(world)["features.recent"]["warnings"]
    assert "source 'payments' is not append-only: OVERWRITE made its version 1" in what
    assert "append corrections" in advice


def test_a_source_that_is_not_there_is_a_warning_and_no_failure(world: World):
    world.define(PAYMENTS.replace("sources/payments", "sources/elsewhere"))
    (warning,) = planned(world)["features.recent"]["warnings"]
    assert "there is no Delta table at" in warning
