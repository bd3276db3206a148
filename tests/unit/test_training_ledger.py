"""What a training set's ledger, manifests and checks say, without an engine."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from skewless.errors import DataError, UsageError
from skewless.ledger.events import Event, Kind
from skewless.ledger.versions import VersionedLedger, newest_in_force, revisions_in_force
from skewless.offline.manifest import Manifest, Manifests, differences
from skewless.quality.training import TrainingFacts, TrainingVerdict, builtin_results
from skewless.timeline import FixedClock

DAY = timedelta(days=1)
END = datetime(2024, 3, 1, tzinfo=UTC)


def event(kind: Kind, revision: str, end: datetime = END, fingerprint: str = "f", **more: Any) -> Event:
    return Event(kind=kind, revision=revision, snapshot_time=end, fingerprint=fingerprint, **more)


def good(revision: str, **about: Any) -> tuple[Event, ...]:
    return event(Kind.BUILT, revision, **about), event(Kind.PASSED, revision, **about)


# -- versions ---------------------------------------------------------------------------------------------


def test_of_every_interval_the_newest_good_revision_is_in_force():
    events = (
        *good("a", end=END + DAY),
        *good("b"),
        *good("c"),
        event(Kind.BUILT, "d"),
        event(Kind.BUILT, "e"),
        event(Kind.BLOCKED, "e"),
        *good("other", fingerprint="g"),
    )
    assert list(revisions_in_force(events, "f").items()) == [(END, "c"), (END + DAY, "a")]
    accepted = event(Kind.ACCEPTED, "e", usable_from=datetime.max.replace(tzinfo=UTC))
    assert revisions_in_force((*events, accepted), "f")[END] == "e"
    assert revisions_in_force(events, "none") == {}


def test_the_newest_build_in_force_tells_the_fingerprint_of_a_version():
    events = (*good("a"), *good("b", fingerprint="g", end=END - DAY))
    assert newest_in_force(events) == events[2]
    blocked = (event(Kind.BUILT, "c", fingerprint="h"), event(Kind.BLOCKED, "c", fingerprint="h"))
    assert newest_in_force((*events, *blocked)) == events[2]
    assert newest_in_force(blocked) is None


def test_every_version_of_a_ledger_stays_readable(tmp_path: Path):
    ledger = VersionedLedger(str(tmp_path / "ledger"), FixedClock(END))
    assert list(ledger.versions) == []
    entered = [ledger.append(event(Kind.BUILT, f"r{number}"))[0] for number in range(25)]
    assert list(ledger.versions) == list(range(1, 26))
    for version in ledger.versions:
        assert ledger.read_version(version) == tuple(entered[:version])
    assert ledger.read() == tuple(entered)
    assert DeltaTable(ledger.uri).metadata().configuration["delta.enableExpiredLogCleanup"] == "false"


# -- manifests --------------------------------------------------------------------------------------------

TOLD = {
    "definition": {"label_delay": 1, "views": {"recent": {"fingerprint": "f", "schedule": "@hourly"}}},
    "interval": {"start": "2024-02-29T00:00:00Z", "end": "2024-03-01T00:00:00Z"},
    "sources": {"labels": {"version": 3}, "facts": {"version": None}},
    "views": {
        "recent": {"ledger_position": "2024-03-01T00:00:00.000001Z"},
        "new": {"ledger_position": None},
    },
    "columns": [["user_id", "bigint"], ["recent__amount", "double"]],
}


def manifests(folder: Path) -> Manifests:
    return Manifests(str(folder / "manifests"), FixedClock(END))


def test_a_manifest_is_read_as_it_was_written(tmp_path: Path):
    table = manifests(tmp_path)
    table.append("r1", END, Manifest(TOLD | {"rows": 1}))
    table.append("r2", END, Manifest(TOLD | {"rows": 2}))
    found = table.read("r2")
    assert found == Manifest(TOLD | {"rows": 2})
    assert found.text == Manifest(dict(reversed((TOLD | {"rows": 2}).items()))).text
    assert found.interval == (END - DAY, END)
    assert found.versions == {"labels": 3, "facts": None}
    assert found.columns == ("user_id", "recent__amount")
    assert found.position("recent") == END + timedelta(microseconds=1)
    assert found.position("new") is None
    assert pa.table(DeltaTable(table.uri).to_pyarrow_table()).num_rows == 2


def test_the_columns_are_those_of_the_revision_built_last(tmp_path: Path):
    clock = FixedClock(END)
    table = Manifests(str(tmp_path / "manifests"), clock)
    for revision in ("r2", "r1", "r3"):
        table.append(revision, END, Manifest(TOLD | {"columns": [[revision, "bigint"]]}))
        clock.at += DAY
    assert table.columns(["r1", "r2"]) == ("r1",)
    with pytest.raises(DataError, match="tell of none of r9"):
        table.columns(["r9"])


def test_an_unknown_revision_is_told_with_the_nearest(tmp_path: Path):
    table = manifests(tmp_path)
    with pytest.raises(UsageError, match="no manifest tells of revision 'abcd'"):
        table.read("abcd")
    table.append("abcde", END, Manifest(TOLD))
    with pytest.raises(UsageError, match="did you mean 'abcde'"):
        table.read("abcd")


def test_manifests_that_cannot_be_read_are_told(tmp_path: Path):
    log = tmp_path / "manifests" / "_delta_log"
    log.mkdir(parents=True)
    (log / f"{0:020}.json").write_text("no JSON")
    with pytest.raises(DataError, match=r"the manifests at .* cannot be read"):
        manifests(tmp_path).read("r")


def test_differences_of_definitions_are_named_by_their_place():
    now = {"label_delay": 2, "views": {"recent": {"fingerprint": "f", "schedule": "@daily"}, "new": {}}}
    assert list(differences(TOLD["definition"], now)) == [
        "label_delay was 1, is 2",
        "views.new was None, is {}",
        "views.recent.schedule was '@hourly', is '@daily'",
    ]


# -- checks -----------------------------------------------------------------------------------------------

FACTS = TrainingFacts(labels=2, rows=2, unchanged=True, timeless=0, unsettled=(), computed=0)


def verdict(**facts: Any) -> TrainingVerdict:
    results = tuple(builtin_results(replace(FACTS, **facts)))
    return TrainingVerdict(view="rows", snapshot_time=END, revision="r", results=results)


def test_what_is_as_it_should_be_passes_without_a_warning():
    assert verdict().passed
    assert verdict().warnings == ()


@pytest.mark.parametrize("wrong", [{"rows": 3}, {"rows": 1}, {"unchanged": False}])
def test_other_rows_than_the_spines_are_blocked(wrong: dict[str, Any]):
    words = verdict(**wrong).message()
    assert words.startswith(
        "'rows' at 2024-03-01T00:00:00Z was not added: 1 of its 4 checks failed\n  exactly the"
    )
    assert 'skewless train rows --interval-end 2024-03-01T00:00:00Z --accept --reason "..."' in words


@pytest.mark.parametrize(
    ("noted", "words"),
    [
        ({"labels": 0, "rows": 0}, "has labels: the spine has none in this interval"),
        ({"timeless": 3}, "every label has a time: 3 have none"),
        ({"unsettled": ("v at T",), "computed": 1}, "not v at T; 1 of them were computed from the source"),
        ({"unsettled": tuple("abcdefg")}, "not a, b, c, d, e and 2 more; 0 of them"),
    ],
)
def test_what_may_be_right_is_a_warning(noted: dict[str, Any], words: str):
    found = verdict(**noted)
    assert found.passed
    (warning,) = found.warnings
    assert words in warning.sentence
