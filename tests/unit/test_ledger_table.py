"""The ledger's Delta table: what is appended stands there, once, in order, whoever else appends."""

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier

import pytest
from deltalake import DeltaTable, write_deltalake

from skewless.errors import LedgerError
from skewless.ledger.events import Event, Kind
from skewless.ledger.table import SCHEMA, Ledger
from skewless.timeline import MICROSECOND, FixedClock

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return str(tmp_path / "ledger" / "view")


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOON)


def built(revision: str, **values) -> Event:
    return Event(kind=Kind.BUILT, revision=revision, snapshot_time=NOON, **values)


def test_a_ledger_that_does_not_exist_is_empty_and_reading_does_not_make_it(uri, clock):
    assert Ledger(uri, clock).read() == ()
    assert not Path(uri).exists()


def test_every_column_comes_back_as_it_was_written(uri, clock):
    full = Event(
        kind=Kind.PUBLISHED,
        effective_at=NOON + MICROSECOND,
        snapshot_time=NOON - timedelta(hours=1),
        revision="r",
        fingerprint="f",
        known_until=NOON,
        usable_from=NOON + timedelta(days=1),
        source_version=7,
        rows=10**10,
        content_hash="h",
        flip=1_709_294_400_000_001,
        generation=3,
        epoch=2,
        expires_at=NOON + timedelta(hours=6),
        actor="op",
        reason="why",
    )
    written = Ledger(uri, clock).append(full, Event(kind=Kind.HOLD))
    read = Ledger(uri, clock).read()
    assert read == written
    assert read[0] == replace(full, recorded_at=NOON)
    assert [event.recorded_at.tzinfo for event in read] == [UTC, UTC]


def test_the_table_has_the_documented_columns_and_types(uri, clock):
    Ledger(uri, clock).append(built("r"))
    fields = {field.name: field.type.type for field in DeltaTable(uri).schema().fields}
    instants = [name for name, type_ in fields.items() if type_ == "timestamp"]
    assert list(fields) == SCHEMA.names
    assert instants == [
        "recorded_at",
        "effective_at",
        "snapshot_time",
        "known_until",
        "usable_from",
        "expires_at",
    ]


def test_recorded_at_grows_even_when_the_clock_stands_still_or_goes_back(uri, clock):
    ledger = Ledger(uri, clock)
    first, second = ledger.append(built("a"), built("b"))
    clock.at = NOON - timedelta(hours=1)
    (third,) = Ledger(uri, clock).append(built("c"))
    clock.at = NOON + timedelta(hours=1)
    (fourth,) = ledger.append(built("d"))
    assert [event.recorded_at - NOON for event in (first, second, third, fourth)] == [
        timedelta(0),
        MICROSECOND,
        2 * MICROSECOND,
        timedelta(hours=1),
    ]
    assert [event.revision for event in ledger.read()] == ["a", "b", "c", "d"]


def test_an_event_that_is_already_there_is_not_written_again(uri, clock):
    ledger = Ledger(uri, clock)
    event = built("a")
    (entered,) = ledger.append(event)
    version = DeltaTable(uri).version()
    assert Ledger(uri, clock).append(event, event) == (entered, entered)
    assert DeltaTable(uri).version() == version


def test_an_event_that_two_writers_wrote_is_read_once_as_it_was_first_recorded(uri, clock):
    ledger = Ledger(uri, clock)
    (entered,) = ledger.append(built("a"))
    twice = DeltaTable(uri).to_pyarrow_table()
    later = twice.set_column(2, SCHEMA.field(2), [[NOON + timedelta(hours=1)]])
    write_deltalake(uri, later, mode="append")
    assert len(DeltaTable(uri).to_pyarrow_table()) == 2
    assert ledger.read() == Ledger(uri, clock).read() == (entered,)


def test_a_reader_sees_what_another_appends_and_a_compaction_changes_nothing(uri, clock):
    reader, writer = Ledger(uri, clock), Ledger(uri, clock)
    written = [event for name in "abc" for event in writer.append(built(name))]
    assert reader.read() == tuple(written)
    written += writer.append(built("d"))
    assert reader.read() == tuple(written)
    assert DeltaTable(uri).optimize.compact()["numFilesRemoved"] == 4
    assert reader.read() == Ledger(uri, clock).read() == tuple(written)


def test_a_ledger_that_was_removed_and_made_again_is_not_mixed_with_what_was_read_before(uri, clock):
    ledger = Ledger(uri, clock)
    assert ledger.append(built("old")) == ledger.read()
    shutil.rmtree(uri)
    assert ledger.read() == ()
    Ledger(uri, clock).append(built("new"))
    assert [event.revision for event in ledger.read()] == ["new"]


APPENDER = """
import sys
from skewless.ledger.events import Event, Kind
from skewless.ledger.table import Ledger
from skewless.timeline import SystemClock

uri, name = sys.argv[1:]
print("ready", flush=True)
sys.stdin.readline()
for table in range(8):
    for i in range(3):
        Ledger(f"{uri}{table}", SystemClock()).append(Event(kind=Kind.BUILT, revision=f"{name}{i}"))
"""


def test_two_processes_that_append_at_once_lose_nothing(uri, clock):
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", APPENDER, uri, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in "ab"
    ]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    errors = [writer.communicate(timeout=60)[1] for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0], errors
    for table in range(8):  # several, as a race to make the table is won rarely
        events = Ledger(f"{uri}{table}", clock).read()
        for name in "ab":
            assert [e.revision for e in events if e.revision.startswith(name)] == [
                f"{name}{i}" for i in range(3)
            ]
        assert [event.recorded_at for event in events] == sorted(event.recorded_at for event in events)


def test_several_that_make_the_table_at_once_make_one(tmp_path, clock):
    for n in range(20):  # several, as the race is close only sometimes
        uri, start = str(tmp_path / str(n)), Barrier(4)

        def append(name: str, uri: str = uri, start: Barrier = start) -> None:
            ledger = Ledger(uri, clock)
            start.wait(timeout=30)
            ledger.append(built(name))

        with ThreadPoolExecutor(4) as all_four:
            list(all_four.map(append, "abcd"))
        assert {event.revision for event in Ledger(uri, clock).read()} == set("abcd")


def _no_log(folder: Path) -> None:
    shutil.rmtree(folder / "_delta_log")


def _torn_commit(folder: Path) -> None:
    newest = sorted((folder / "_delta_log").glob("*.json"))[-1]
    newest.write_text(newest.read_text()[:40])


def _torn_data(folder: Path) -> None:
    next(folder.glob("*.parquet")).write_bytes(b"PAR1")


def _not_a_ledger(folder: Path) -> None:
    table = DeltaTable(folder).to_pyarrow_table().drop_columns(["kind"])
    shutil.rmtree(folder)
    write_deltalake(folder, table)


def _unknown_kind(folder: Path) -> None:
    table = DeltaTable(folder).to_pyarrow_table()
    kind = SCHEMA.get_field_index("kind")
    write_deltalake(folder, table.set_column(kind, SCHEMA.field(kind), [["teleported"]]), mode="append")


@pytest.mark.parametrize("damage", [_no_log, _torn_commit, _torn_data, _not_a_ledger, _unknown_kind])
def test_a_damaged_ledger_says_where_it_is_and_what_to_do_and_is_not_written(uri, clock, damage):
    Ledger(uri, clock).append(built("a"))
    damage(Path(uri))
    before = sorted(str(path) for path in Path(uri).rglob("*"))
    for act in (Ledger(uri, clock).read, lambda: Ledger(uri, clock).append(built("b"))):
        with pytest.raises(LedgerError) as caught:
            act()
        assert uri in str(caught.value)
        assert "restore it from a backup" in str(caught.value)
    assert sorted(str(path) for path in Path(uri).rglob("*")) == before
