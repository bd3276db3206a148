"""Backfills by REST and in Airflow's dialog, beside the schedule: all ways to a table give the same values."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import Page

from skewless.ledger.events import Kind
from tests.airflow.dialog import Dialog
from tests.airflow.stack import STEP, Stack, consistent, until

pytestmark = pytest.mark.slow


class Ways(NamedTuple):
    """Snapshot times of `twin` by the way in which they were built."""

    rest: list[datetime]
    dialog: list[datetime]
    by_hand: datetime


@pytest.fixture(scope="module")
def newest(airflow: Stack, caught_up: list[datetime]) -> tuple[int, datetime]:
    """What readers of `twin` have when the first backfill begins: the newest snapshot, by the schedule."""

    def live() -> tuple[int, datetime] | None:
        return airflow.live("twin") if airflow.ledger("twin", Kind.PUBLISHED) else None

    return until("a scheduled run of twin", live, explain=lambda: airflow.told("features.twin"))


@pytest.fixture(scope="module")
def ways(airflow: Stack, caught_up: list[datetime], newest: tuple[int, datetime]) -> Ways:
    """The past of `twin`, which has no start: three intervals by each kind of backfill, one by hand."""
    return Ways(rest=caught_up[0:3], dialog=caught_up[3:6], by_hand=caught_up[7])


def test_backfills_of_two_views_at_once_lose_nothing(
    airflow: Stack, caught_up: list[datetime], ways: Ways
) -> None:
    again = caught_up[4:6]
    before = airflow.ledger("steady")
    airflow.backfill("features.twin", ways.rest[0] - STEP, ways.rest[-1] - STEP)
    airflow.backfill("features.steady", again[0] - STEP, again[-1] - STEP, reprocess_behavior="completed")
    for dag_id in ("features.twin", "features.steady"):
        airflow.backfilled(dag_id)
    airflow.succeeded("features.twin", *ways.rest)
    airflow.succeeded("features.steady", *again)
    for at in ways.rest:
        assert airflow.kinds("twin", at) == ["built", "passed", "offline_only"]
    for at in again:
        built = [event for event in airflow.ledger("steady", Kind.BUILT) if event.snapshot_time == at]
        assert len({event.revision for event in built}) == 1, "a rebuild of equal content is that revision"
    kept = {event.event_id for event in airflow.ledger("steady")}
    assert {event.event_id for event in before} <= kept
    for view in ("steady", "twin"):
        consistent(airflow.ledger(view))


def test_a_backfill_of_the_dialog_runs_its_intervals_and_moves_nothing_online(
    airflow: Stack, ways: Ways, newest: tuple[int, datetime], page: Page, screenshots: Path
) -> None:
    before = airflow.live("twin")
    known = {event.snapshot_time for event in airflow.ledger("twin", Kind.BUILT)}
    dialog = Dialog(page, airflow, screenshots)
    dialog.open("features.twin")
    dialog.choose(ways.dialog[0] - STEP, ways.dialog[-1] - STEP)
    assert dialog.says() == "3 runs will be triggered."
    dialog.run()
    airflow.backfilled("features.twin")
    runs = airflow.succeeded("features.twin", *ways.dialog)
    assert [run.run_type for run in runs] == ["backfill"] * 3
    for at in ways.dialog:
        assert airflow.kinds("twin", at) == ["built", "passed", "offline_only"]
    built = {event.snapshot_time for event in airflow.ledger("twin", Kind.BUILT)} - known
    assert {at for at in built if at and at <= before[1]} == set(ways.dialog), "exactly those intervals"
    now = airflow.live("twin")
    assert now == before or (now[0] > before[0] and now[1] > before[1]), "only the schedule moves readers"
    consistent(airflow.ledger("twin"))


def test_a_run_by_hand_is_for_the_interval_that_ends_at_its_logical_date(airflow: Stack, ways: Ways) -> None:
    run = airflow.trigger("features.twin", ways.by_hand)
    assert run.snapshot_time == ways.by_hand
    airflow.succeeded("features.twin", ways.by_hand)
    assert airflow.kinds("twin", ways.by_hand) == ["built", "passed", "offline_only"]


def test_every_way_gives_the_same_values(airflow: Stack, ways: Ways, tmp_path: Path) -> None:
    """By schedule, REST, dialog, logical date, and by the command line in another warehouse."""
    elsewhere = airflow.elsewhere(tmp_path / "warehouse")
    compared = [*ways.rest, *ways.dialog, ways.by_hand]
    for at in compared:
        assert airflow.values("twin", at) == airflow.values("steady", at)
        assert airflow.content_hashes("twin", at) == airflow.content_hashes("steady", at)
    for at in (ways.rest[0], ways.dialog[-1], ways.by_hand):
        elsewhere.did("build", "steady", "--snapshot-time", at.isoformat())
        assert elsewhere.values("steady", at) == airflow.values("steady", at)
        assert elsewhere.content_hashes("steady", at) == airflow.content_hashes("steady", at)
    amounts = Counter(str(airflow.values("steady", at)) for at in compared)
    assert len(amounts) == len(compared), "values that never differ would prove nothing"
