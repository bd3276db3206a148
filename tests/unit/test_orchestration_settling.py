"""The wait of a training set for the runs of the snapshots that its labels see, over real ledgers."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred

from skewless.ledger.events import Event, Kind
from skewless.ledger.table import Ledger
from skewless.orchestration.triggers import SettledTrigger
from skewless.plan import fingerprint, load_repo
from skewless.plan.uris import ledger_table
from skewless.timeline import SystemClock, format_instant
from tests.unit.airflow_runs import run_of, shop
from tests.unit.test_orchestration_operators import execute

HOUR = SystemClock().now().replace(minute=0, second=0, microsecond=0)
SEEN = HOUR - timedelta(
    hours=2
)  # the newest that labels before the full hour see, 90 minutes late as it is due


def tell(folder: Path, kind: Kind) -> None:
    """Enter an event of the snapshot into the ledger of the view."""
    view = load_repo(folder / "features").view("hourly")
    event = Event(kind=kind, snapshot_time=SEEN, revision="a", fingerprint=fingerprint(view))
    Ledger(ledger_table(str(folder / "warehouse"), "hourly"), SystemClock()).append(event)


def deferred(folder: Path) -> SettledTrigger | None:
    """The trigger that the task waits for; None where it waits for nothing."""
    wait: Any = shop(folder)["training.learned"].get_task("wait_settled")
    try:
        execute(wait, run_of(HOUR))
    except TaskDeferred as error:
        trigger: Any = error.trigger
        return trigger
    return None


async def fired(trigger: SettledTrigger) -> Any:
    return await anext(aiter(trigger.run()))


def quick(trigger: SettledTrigger, **changes: Any) -> SettledTrigger:
    """The same trigger, made again as Airflow does, and less patient."""
    path, arguments = trigger.serialize()
    assert path == "skewless.orchestration.triggers.SettledTrigger"
    return SettledTrigger(**json.loads(json.dumps(arguments)) | {"poll": 0.05} | changes)


def test_labels_whose_snapshots_have_no_run_to_wait_for_are_not_waited_for(tmp_path: Path):
    assert deferred(tmp_path) is None


@pytest.mark.parametrize("ended", [Kind.PUBLISHED, Kind.OFFLINE_ONLY, Kind.HELD, Kind.BLOCKED])
def test_a_run_that_came_to_an_end_is_not_waited_for(tmp_path: Path, ended: Kind):
    shop(tmp_path)
    for kind in (Kind.BUILT, ended):
        tell(tmp_path, kind)
    assert deferred(tmp_path) is None


def test_the_wait_ends_when_the_run_does(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    shop(tmp_path)
    tell(tmp_path, Kind.BUILT)
    trigger = deferred(tmp_path)
    assert f"hourly at {format_instant(SEEN)}" in capfd.readouterr().out
    assert trigger is not None

    async def while_it_waits() -> None:
        waiting = asyncio.create_task(fired(quick(trigger)))
        done, _ = await asyncio.wait([waiting], timeout=1)
        assert not done
        tell(tmp_path, Kind.OFFLINE_ONLY)
        await asyncio.wait_for(waiting, timeout=20)

    asyncio.run(while_it_waits())
    assert deferred(tmp_path) is None


def test_the_wait_ends_in_any_case_and_says_what_is_missing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    shop(tmp_path)
    tell(tmp_path, Kind.BUILT)
    trigger = deferred(tmp_path)
    assert trigger is not None
    assert trigger.times["deadline"] == format_instant(HOUR + timedelta(hours=8))
    asyncio.run(fired(quick(trigger, deadline=format_instant(SystemClock().now() + timedelta(seconds=1)))))
    capfd.readouterr()
    wait: Any = shop(tmp_path)["training.learned"].get_task("wait_settled")
    wait.execute_complete(run_of(HOUR))
    said = capfd.readouterr().out
    assert "not settled in time" in said
    assert f"hourly at {format_instant(SEEN)}" in said


def test_what_cannot_be_read_now_is_looked_at_again(tmp_path: Path):
    shop(tmp_path)
    tell(tmp_path, Kind.BUILT)
    trigger = deferred(tmp_path)
    assert trigger is not None
    broken = tmp_path / "features" / "shop.py"
    good = broken.read_text()
    broken.write_text("a definition that (")

    async def while_it_is_broken() -> None:
        waiting = asyncio.create_task(fired(quick(trigger)))
        done, _ = await asyncio.wait([waiting], timeout=1)
        assert not done
        broken.write_text(good)
        tell(tmp_path, Kind.PUBLISHED)
        await asyncio.wait_for(waiting, timeout=20)

    asyncio.run(while_it_is_broken())
