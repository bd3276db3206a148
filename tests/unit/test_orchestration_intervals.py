"""Which runs are refused, and in what words; and which runs of a view began late."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from skewless.orchestration.intervals import refusal, started_late
from skewless.plan import load_repo
from skewless.plan.compile import Plan, compile_training_set, compile_view
from tests.unit.airflow_runs import SHOP

NOW = datetime(2026, 11, 24, 10, 30, tzinfo=UTC)
TEN = datetime(2026, 11, 24, 10, tzinfo=UTC)


@pytest.fixture
def hourly(tmp_path: Path) -> Plan:
    (tmp_path / "shop.py").write_text(SHOP)
    return compile_view(load_repo(tmp_path).view("hourly"))


def test_a_closed_interval_after_the_start_is_welcome(hourly: Plan):
    assert refusal(hourly, TEN, NOW) is None
    assert refusal(hourly, TEN, TEN) is None
    assert refusal(hourly, datetime(2026, 7, 1, 1, tzinfo=UTC), NOW) is None  # the first one


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (None, "no data interval, since it was triggered without a logical date"),
        (None, "Trigger it with one: 2026-11-24T10:00:01Z stands for the interval [2026-11-24T09:00:00Z, "),
        (None, "skewless build hourly --snapshot-time 2026-11-24T10:00:00Z"),
        (TEN - timedelta(minutes=1), "near are 2026-11-24T09:00:00Z and 2026-11-24T10:00:00Z"),
        (TEN + timedelta(hours=1), "has not ended; it is 2026-11-24T10:30:00Z"),
        (datetime(2026, 7, 1, tzinfo=UTC), "lies before the definition's start 2026-07-01T00:00:00Z"),
        (datetime(2026, 7, 1, tzinfo=UTC), "skewless build hourly --snapshot-time 2026-07-01T00:00:00Z"),
    ],
)
def test_a_run_that_makes_no_sense_is_told_what_to_do(hourly: Plan, end: datetime | None, words: str):
    why = refusal(hourly, end, NOW) or ""
    assert words in why
    assert why.startswith("features.hourly: ")


def test_a_training_set_names_its_own_command(tmp_path: Path):
    (tmp_path / "shop.py").write_text(SHOP)
    learned = compile_training_set(load_repo(tmp_path).training_set("learned"))
    assert "skewless train learned --interval-end 2026-11-24T10:00:00Z" in (refusal(learned, None, NOW) or "")
    assert not started_late(learned, TEN, NOW + timedelta(days=9))


def test_a_run_is_late_that_began_when_the_next_snapshot_was_due(hourly: Plan):
    next_due = TEN + timedelta(hours=1, minutes=90)
    assert started_late(hourly, TEN, next_due)
    assert not started_late(hourly, TEN, next_due - timedelta(microseconds=1))
    assert not started_late(hourly, TEN, None)
