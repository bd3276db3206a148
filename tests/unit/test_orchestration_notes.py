"""A run's note, from what its tasks left."""

from __future__ import annotations

from typing import Any

import pytest

from skewless.orchestration.notes import LONGEST, note_of

T = "2026-11-24T10:00:00Z"
BUILT = {"snapshot_time": T, "rows": 5786}
PASSED: dict[str, Any] = {"snapshot_time": T, "verdict": "passed", "warnings": []}
TASKS = ["wait_data", "build", "check", "wait_publish", "publish"]


def note(failures: dict[str, Any] | None = None, **receipts: dict[str, Any]) -> str | None:
    return note_of(TASKS, receipts, failures or {})


@pytest.mark.parametrize(
    ("published", "words"),
    [
        ({"outcome": "published", "generation": 12}, "generation 12"),
        ({"outcome": "already_live", "generation": 12}, "already live, generation 12"),
        ({"outcome": "offline_only", "generation": None}, "offline only"),
        ({"outcome": "held", "generation": None}, "held"),
    ],
)
def test_a_run_tells_rows_verdict_and_what_became_of_the_publish(published: dict[str, Any], words: str):
    assert note(build=BUILT, check=PASSED, publish=published) == f"{T}: 5,786 rows, passed, {words}"


def test_warnings_are_counted():
    assert note(build=BUILT, check=PASSED | {"warnings": ["a"]}) == f"{T}: 5,786 rows, passed with 1 warning"
    assert note(check=PASSED | {"warnings": ["a", "b"]}) == f"{T}: passed with 2 warnings"


def test_a_run_that_failed_tells_where_and_nothing_of_an_earlier_try_after_it():
    blocked = {"error": "1 of 2 checks failed\n  amount: 3 below 0", "exit_code": 3}
    left = {"build": BUILT, "publish": {"outcome": "published", "generation": 11}}
    assert note({"check": blocked}, **left) == f"{T}: 5,786 rows, blocked: 1 of 2 checks failed"
    refused = {"error": "features.hourly: this run has no data interval", "exit_code": 2}
    assert note({"wait_data": refused}) == "wait_data failed: features.hourly: this run has no data interval"


def test_a_training_sets_run_tells_its_version():
    trained = {"interval_end": T, "rows": 197, "verdict": "passed", "version": 4}
    words = note_of(["wait_labels", "wait_settled", "train"], {"train": trained}, {})
    assert words == f"{T}: 197 rows, passed, version 4"


def test_a_run_that_did_nothing_has_no_note_and_a_long_one_fits_airflow():
    assert note() is None
    assert len(note({"build": {"error": "x" * 3000, "exit_code": 1}}) or "") == LONGEST
