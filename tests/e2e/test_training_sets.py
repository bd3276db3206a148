"""Training sets: which labels are in an interval, what a rebuild is, what a version names, and what blocks."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from skewless import jobs
from skewless.errors import BlockedError, UsageError
from skewless.ledger.events import Event, Kind
from skewless.plan.fingerprint import fingerprint
from skewless.settings import Settings
from skewless.store import FeatureStore
from skewless.timeline import MICROSECOND, format_instant
from tests.e2e.labels_world import END, KNOWN, NOON, START, TRAINING, LabelsWorld, label
from tests.e2e.world import minutes, payment

HOURS = timedelta(hours=1)


@pytest.fixture
def world(services: Settings, tmp_path: Path) -> LabelsWorld:
    """Payments of two users, and no labels yet."""
    world = LabelsWorld(services, tmp_path, TRAINING)
    world.load(payment(1, 10.0, NOON - 2 * HOURS), payment(2, 20.0, NOON - 3 * HOURS))
    return world


# -- which labels -----------------------------------------------------------------------------------------


def test_an_interval_has_the_labels_that_happened_in_it_and_were_known_before_its_cutoff(world: LabelsWorld):
    world.label(
        label("before", 1, START - MICROSECOND),
        label("first", 1, START),
        label("last", 1, END - MICROSECOND),
        label("after", 1, END),
        label("just in time", 1, NOON, known=KNOWN - MICROSECOND),
        label("late", 1, NOON, known=KNOWN),
        label("assumed", 1, NOON) | {"created_timestamp": None},
        label("timeless", 1, None),
    )
    receipt = world.train_set()
    assert [row["label_id"] for row in world.rows()] == ["assumed", "first", "just in time", "last"]
    assert (receipt.rows, receipt.interval_start, receipt.interval_end) == (4, START, END)
    assert receipt.warnings == ("every label has a time: 1 have none",)


def test_a_correction_stands_for_its_label_from_when_it_was_known(world: LabelsWorld):
    world.label(
        label("corrected", 1, NOON),
        label("corrected", 1, NOON, fraud=1, known=KNOWN - MICROSECOND),
        label("moved away", 1, NOON),
        label("moved away", 1, START - HOURS, known=KNOWN - HOURS),
        label("too late", 1, NOON),
        label("too late", 1, NOON, fraud=1, known=KNOWN),
    )
    world.train_set()
    assert [(row["label_id"], row["fraud"]) for row in world.rows()] == [("corrected", 1), ("too late", 0)]


def test_labels_are_joined_as_historical_features_are(world: LabelsWorld):
    world.label(label("a", 1, NOON), label("b", 2, NOON + minutes(150)), label("c", 3, NOON))
    world.train_set()
    (a, b, c) = world.rows()
    assert list(a) == [
        *("label_id", "user_id", "fraud", "event_timestamp", "created_timestamp"),
        *("recent__amount", "recent__payments", "daily__amount"),
    ]
    assert (a["recent__amount"], a["recent__payments"], a["daily__amount"]) == (10.0, 1, 10.0)
    assert (b["recent__amount"], b["recent__payments"], b["daily__amount"]) == (None, 0, 20.0)
    assert (c["recent__amount"], c["recent__payments"], c["daily__amount"]) == (None, 0, -1.0)
    asked = world.train("fraud", [(1, NOON), (2, NOON + minutes(150)), (3, NOON)])
    features = ("recent__amount", "recent__payments", "daily__amount")
    assert [[row[name] for name in features] for row in asked] == [
        [row[name] for name in features] for row in (a, b, c)
    ]


def test_rows_do_not_depend_on_what_is_stored(world: LabelsWorld, tmp_path: Path):
    world.label(label("a", 1, NOON), label("b", 2, NOON))
    computed = world.copy(tmp_path / "other").train_set()
    world.build("recent", NOON - HOURS)
    world.check("recent", NOON - HOURS)
    stored = world.train_set()
    seen = world.manifest(stored.revision)["views"]["recent"]
    assert (seen["stored"], seen["computed"]) == (1, 0)
    assert (stored.rows, stored.content_hash) == (computed.rows, computed.content_hash)


# -- revisions and versions -------------------------------------------------------------------------------


def test_a_rebuild_with_equal_content_is_that_revision(world: LabelsWorld):
    world.label(label("a", 1, NOON))
    first = world.train_set()
    again = world.at(KNOWN + HOURS).train_set()
    assert (again.revision, again.version, again.is_new) == (first.revision, first.version, False)
    assert [event.kind for event in world.entered()] == [Kind.BUILT, Kind.PASSED]
    assert len(world.rows()) == 1


def test_a_changed_source_gives_a_new_revision_and_the_old_version_stays_as_it_was(world: LabelsWorld):
    world.label(label("a", 1, NOON))
    first = world.train_set()
    world.load(payment(1, 5.0, NOON - 2 * HOURS))
    second = world.train_set()
    assert second.revision != first.revision
    assert [row["recent__amount"] for row in world.rows(first.version)] == [10.0]
    assert [row["recent__amount"] for row in world.rows(second.version)] == [15.0]
    assert [row["recent__amount"] for row in world.rows()] == [15.0]


def test_a_version_says_the_same_after_the_definition_changed(world: LabelsWorld):
    world.label(label("a", 1, NOON), label("b", 1, NOON, known=KNOWN + HOURS))
    first = world.train_set()
    old = world.rows(first.version)
    world.define(TRAINING.replace("label_delay=timedelta(hours=2)", "label_delay=timedelta(hours=4)"))
    with pytest.raises(
        UsageError, match=r"no rows in force under its present definition.*skewless train rows"
    ):
        world.rows()
    second = world.at(KNOWN + 2 * HOURS).train_set()
    assert len(world.rows()) == len(world.rows(second.version)) == 2
    assert world.rows(first.version) == old


def test_a_column_that_the_labels_get_later_is_in_no_earlier_version(world: LabelsWorld):
    world.label(label("a", 1, NOON))
    first = world.train_set()
    world.widen_labels(label("b", 2, NOON) | {"amount_lost": 3.5})
    second = world.train_set()
    assert second.revision != first.revision
    assert [row["amount_lost"] for row in world.rows()] == [None, 3.5]
    assert "amount_lost" not in world.rows(first.version)[0]


def test_the_newest_revision_of_every_interval_is_in_a_version(world: LabelsWorld):
    world.label(label("a", 1, NOON), label("b", 1, NOON - 24 * HOURS))
    jobs.train(world.workspace, "rows", START)
    receipt = world.train_set()
    assert [row["label_id"] for row in world.rows(receipt.version)] == ["a", "b"]


def test_an_unknown_version_or_set_is_told_with_those_that_there_are(world: LabelsWorld):
    store = FeatureStore.of(world.workspace)
    with pytest.raises(UsageError, match=r"no training set 'row' \(did you mean 'rows'\?\)"):
        store.training_set("row")
    with pytest.raises(UsageError, match="no rows in force under its present definition; build an interval"):
        store.training_set("rows")
    world.label(label("a", 1, NOON))
    newest = world.train_set().version
    for version in (0, -1, newest + 1):
        with pytest.raises(UsageError, match=f"has no version {version}; there are 1 to {newest}"):
            store.training_set("rows", version)
    with pytest.raises(
        UsageError, match="version 1 of training set 'rows' holds no rows: nothing had passed"
    ):
        store.training_set("rows", 1)


# -- checks -----------------------------------------------------------------------------------------------


def test_a_failing_expectation_blocks_and_the_set_keeps_what_it_had(world: LabelsWorld):
    world.label(label("a", 1, NOON))
    good = world.train_set()
    world.label(label("b", 2, NOON, fraud=7))
    with pytest.raises(BlockedError, match="was not added: 1 of its 5 checks failed") as blocked:
        world.train_set()
    words = str(blocked.value)
    assert "fraud" in words
    assert f'skewless train rows --interval-end {format_instant(END)} --accept --reason "..."' in words
    assert [row["label_id"] for row in world.rows()] == ["a"]
    assert world.rows() == world.rows(good.version)
    assert [event.kind for event in world.entered()][-1] is Kind.BLOCKED


def test_a_blocked_interval_is_accepted_by_hand(world: LabelsWorld):
    world.label(label("a", 1, NOON, fraud=7))
    assert world.cli("train", "rows", "-t", format_instant(END)).code == 3
    assert world.cli("train", "rows", "-t", format_instant(END), "--accept").code == 2
    assert world.entered()[-1].kind is Kind.BLOCKED
    ran = world.cli("train", "rows", "-t", format_instant(END), "--accept", "--reason", "seven is fine")
    assert ran.code == 0, ran.err
    assert "was accepted: seven is fine" in ran.out
    assert [row["fraud"] for row in world.rows()] == [7]
    rebuilt = world.train_set()
    assert (rebuilt.verdict, "was accepted, although its checks fail now" in rebuilt.message) == (
        "accepted",
        True,
    )
    again = jobs.accept_training(world.workspace, "rows", END, reason="once more")
    assert "good already" in again.message
    assert [event.kind for event in world.entered()] == [Kind.BUILT, Kind.BLOCKED, Kind.ACCEPTED]


def test_a_corrected_expectation_lets_a_blocked_revision_pass(world: LabelsWorld):
    world.label(label("a", 1, NOON, fraud=7))
    with pytest.raises(BlockedError):
        world.train_set()
    world.define(TRAINING.replace("value_set=[0, 1]", "value_set=[0, 1, 7]"))
    receipt = world.train_set()
    assert (receipt.verdict, receipt.is_new) == ("passed", False)
    assert [row["fraud"] for row in world.rows()] == [7]


def test_an_interval_without_labels_is_a_warning_and_has_no_rows(world: LabelsWorld):
    world.label(label("elsewhere", 1, END))
    receipt = world.train_set()
    assert (receipt.rows, receipt.verdict) == (0, "passed")
    assert receipt.warnings == ("has labels: the spine has none in this interval",)
    assert world.rows() == []


def test_snapshots_that_have_not_settled_are_named_and_computed(world: LabelsWorld):
    world.label(label("a", 1, NOON), label("b", 1, NOON + HOURS))
    view = world.workspace.repo.view("recent")
    built = {"snapshot_time": START - HOURS, "revision": "r", "fingerprint": fingerprint(view)}
    world.workspace.ledger(view).append(Event(kind=Kind.BUILT, **built))
    receipt = world.train_set()
    assert receipt.unsettled_computed == (("recent", NOON - HOURS), ("recent", NOON))
    manifest = world.manifest(receipt.revision)["views"]
    assert len(manifest["recent"]["unsettled"]) == 25
    assert manifest["recent"]["unsettled_computed"] == [format_instant(NOON - HOURS), format_instant(NOON)]
    assert manifest["daily"]["unsettled"] == []
    (warning,) = receipt.warnings
    assert f"not recent at {format_instant(START - HOURS)}" in warning
    assert "2 of them were computed from the source" in warning


# -- the receipt and the manifest -------------------------------------------------------------------------


def test_a_manifest_tells_what_a_revision_was_made_from(world: LabelsWorld):
    world.label(label("a", 1, NOON))
    receipt = world.train_set()
    told = world.manifest(receipt.revision)
    assert told["sources"] == {
        "labels": {"arrival": "recorded", "location": "sources/labels", "version": 0},
        "payments": {"arrival": "recorded", "location": "sources/payments", "version": 0},
    }
    assert (told["rows"], told["content_hash"]) == (receipt.rows, receipt.content_hash)
    assert told["fingerprint"] == receipt.fingerprint
    assert told["interval"] == {"start": format_instant(START), "end": format_instant(END)}
    assert told["labels_known_before"] == format_instant(KNOWN)
    assert told["views"]["recent"]["snapshots"] == [
        {
            "since": format_instant(NOON),
            "snapshot_time": format_instant(NOON - HOURS),
            "revision": None,
            "how": "computed",
        }
    ]


def test_the_command_prints_its_receipt(world: LabelsWorld):
    world.label(label("a", 1, NOON))
    ran = world.cli("train", "rows", "--interval-end", format_instant(END), "--json")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["verdict"] == "passed"
    assert f"training rows on [{format_instant(START)}, {format_instant(END)})" in ran.err
