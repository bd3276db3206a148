"""A revision is made again from its manifest, or it is said what differs; bad requests change nothing."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from skewless import jobs
from skewless.errors import DataError, DefinitionError, UsageError
from skewless.plan.uris import under
from skewless.settings import Settings
from skewless.timeline import format_instant
from tests.e2e.labels_world import END, KNOWN, NOON, TRAINING, LabelsWorld, label
from tests.e2e.world import payment

HOUR = timedelta(hours=1)


@pytest.fixture
def world(services: Settings, tmp_path: Path) -> LabelsWorld:
    """Payments of two users, a label of each."""
    world = LabelsWorld(services, tmp_path, TRAINING)
    world.load(payment(1, 10.0, NOON - 2 * HOUR), payment(2, 20.0, NOON - 3 * HOUR))
    world.label(label("a", 1, NOON), label("b", 2, NOON))
    return world


# -- the proof --------------------------------------------------------------------------------------------


def test_a_revision_is_made_again_although_everything_went_on_since(world: LabelsWorld):
    world.build("recent", NOON - HOUR)
    world.check("recent", NOON - HOUR)
    receipt = world.train_set()
    world.load(payment(1, 90.0, NOON - 2 * HOUR))
    world.label(label("a", 1, NOON, fraud=1, known=KNOWN - HOUR))
    world.build("recent", NOON - HOUR)
    world.check("recent", NOON - HOUR)
    assert world.train_set().content_hash != receipt.content_hash
    before = world.training_files()
    proof = jobs.replay(world.workspace, "rows", receipt.revision)
    assert (proof.rows, proof.content_hash) == (receipt.rows, receipt.content_hash)
    assert proof.sources == {"labels": 0, "payments": 0}
    ran = world.cli("train", "rows", "--replay", receipt.revision)
    assert ran.code == 0, ran.err
    assert f"is equal: 2 rows, content {receipt.content_hash}" in ran.out
    assert world.training_files() == before


def test_a_table_that_was_restored_differently_is_noticed(world: LabelsWorld):
    receipt = world.train_set()
    shutil.rmtree(under(world.settings.warehouse, "sources/payments"))
    world.load(payment(1, 11.0, NOON - 2 * HOUR), payment(2, 20.0, NOON - 3 * HOUR))
    with pytest.raises(DataError, match="cannot be made again: other rows come out") as differs:
        jobs.replay(world.workspace, "rows", receipt.revision)
    told = str(differs.value)
    assert f"content: {receipt.content_hash} then" in told
    assert "columns that differ: recent__amount, daily__amount\n" in told
    assert "rows:" not in told
    assert world.cli("train", "rows", "--replay", receipt.revision).code == 1


def test_a_label_that_is_gone_is_noticed(world: LabelsWorld):
    receipt = world.train_set()
    shutil.rmtree(under(world.settings.warehouse, "sources/labels"))
    world.label(label("a", 1, NOON))
    with pytest.raises(DataError, match="rows: 2 then, 1 now"):
        jobs.replay(world.workspace, "rows", receipt.revision)


def test_a_version_that_can_no_longer_be_read_is_told(world: LabelsWorld):
    world.label(label("c", 1, NOON))
    receipt = world.train_set()
    shutil.rmtree(under(world.settings.warehouse, "sources/labels"))
    world.label(label("a", 1, NOON))
    with pytest.raises(DataError, match=r"source 'labels'.*version 1"):
        jobs.replay(world.workspace, "rows", receipt.revision)


def test_a_ledger_that_lost_events_is_told(world: LabelsWorld):
    world.build("recent", NOON - HOUR)
    world.check("recent", NOON - HOUR)
    receipt = world.train_set()
    shutil.rmtree(under(world.settings.warehouse, "ledger/recent"))
    with pytest.raises(
        DataError, match=r"recent: other snapshots are seen; its ledger had 2 events .* has 0 now"
    ):
        jobs.replay(world.workspace, "rows", receipt.revision)


# -- what cannot be replayed ------------------------------------------------------------------------------


def test_a_changed_definition_is_refused_with_what_changed(world: LabelsWorld):
    receipt = world.train_set()
    changed = TRAINING.replace("window=timedelta(hours=4)", "window=timedelta(hours=5)")
    changed = changed.replace('recent",\n    timedelta(hours=4)', 'recent",\n    timedelta(hours=5)')
    world.define(changed.replace("label_delay=timedelta(hours=2)", "label_delay=timedelta(hours=1)"))
    with pytest.raises(UsageError, match="has changed since revision") as refused:
        jobs.replay(world.workspace, "rows", receipt.revision)
    assert "label_delay was 7200000000, is 3600000000" in str(refused.value)
    assert "views.recent.fingerprint was" in str(refused.value)
    assert "daily" not in str(refused.value)


def test_an_unknown_revision_is_refused(world: LabelsWorld):
    receipt = world.train_set()
    with pytest.raises(UsageError, match=f"did you mean '{receipt.revision}'"):
        jobs.replay(world.workspace, "rows", receipt.revision[:-2])


# -- bad requests: nothing is written ---------------------------------------------------------------------


SPINE_WITHOUT = TRAINING.replace('path="sources/labels"', 'path="sources/payments"').replace(
    '        event_id=["label_id"],\n', ""
)
BAD = {
    "an unknown set": (TRAINING, ("train", "row"), 2, "did you mean 'rows'?"),
    "no instant": (TRAINING, ("train", "rows", "-t", "noon"), 2, "is not an instant"),
    "no interval ends there": (TRAINING, ("train", "rows", "-t", format_instant(NOON)), 2, "near are"),
    "labels not known yet": (
        TRAINING,
        ("train", "rows", "-t", format_instant(END + 24 * HOUR)),
        2,
        f"are known from {format_instant(KNOWN + 24 * HOUR)} on",
    ),
    "two requests": (TRAINING, ("train", "rows", "--replay", "r", "--accept"), 2, "--replay stands alone"),
    "a reason for nothing": (TRAINING, ("train", "rows", "--reason", "why"), 2, "--reason is for --accept"),
    "nothing to accept": (
        TRAINING,
        ("train", "rows", "--accept", "--reason", "why"),
        2,
        "has no revision of",
    ),
    "no spine": (TRAINING.replace("sources/labels", "sources/none"), ("train", "rows"), 1, "'labels'"),
    "a spine without the time": (
        TRAINING.replace('"labels",', '"labels",#').replace(
            'path="sources/labels",\n        timestamp_field="event_timestamp"',
            'path="sources/labels",\n        timestamp_field="event_time"',
        ),
        ("train", "rows"),
        1,
        "has no column 'event_time', its timestamp_field (did you mean 'event_timestamp'?)",
    ),
    "an expectation of a column that is not there": (
        TRAINING.replace('column="fraud"', 'column="frau"'),
        ("train", "rows"),
        2,
        "there is no column 'frau' (did you mean 'fraud'?)",
    ),
    "an unknown expectation": (
        TRAINING.replace("values_to_be_in_set", "values_to_be_inside"),
        ("train", "rows"),
        2,
        "is no expectation of Great Expectations",
    ),
    "a view's source is away": (
        TRAINING.replace("sources/payments", "sources/p"),
        ("train", "rows"),
        1,
        "'payments'",
    ),
    "a broken ledger": (TRAINING, ("train", "rows"), 1, "the ledger at"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_request_is_told_and_writes_nothing(case: str, world: LabelsWorld):
    definitions, arguments, code, words = BAD[case]
    world.define(definitions)
    if case == "a broken ledger":
        log = Path(under(world.settings.warehouse, "ledger/recent")) / "_delta_log"
        log.mkdir(parents=True)
        (log / ("0" * 20 + ".json")).write_text("no JSON")
    ran = world.cli(*arguments)
    assert (ran.code, words in ran.err) == (code, True), ran.err
    assert not world.training_files()


def test_validate_knows_a_training_sets_expectations(world: LabelsWorld):
    world.define(TRAINING.replace("values_to_be_in_set", "values_to_be_inside"))
    with pytest.raises(DefinitionError, match=r"rows: 'expect_column_values_to_be_inside' is no expectation"):
        jobs.validate(world.settings.features)
