"""Maintenance on real tables: fewer files, nothing lost, and in nobody's way."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from skewless import jobs
from skewless.errors import DataError, UsageError
from skewless.ledger.events import Event, Kind
from skewless.ledger.upkeep import MANY
from skewless.offline.columns import SNAPSHOT
from skewless.offline.manifest import Manifest, Manifests
from skewless.offline.tables import PERIOD, REVISION, SNAPSHOT_TIME
from skewless.offline.training import INTERVAL_END
from skewless.plan.fingerprint import fingerprint
from skewless.plan.uris import training_manifests, training_rows
from skewless.settings import Settings
from skewless.timeline import to_micros
from tests.e2e.labels_world import TRAINING
from tests.e2e.world import PAYMENTS, World, hours_ago, minutes, payment

TICKS = [hours_ago(number) for number in (4, 3, 2, 1)]
NOW = TICKS[-1] + minutes(20)
LATER = NOW + timedelta(days=10, minutes=1)  # events are stamped one after the other
ROWS = pa.schema(
    [
        ("user_id", pa.int64()),
        (SNAPSHOT_TIME, pa.timestamp("us", tz="UTC")),
        (REVISION, pa.string()),
        ("amount", pa.float64()),
        ("payments", pa.int64()),
        (PERIOD, pa.string()),
    ]
)


def at_once(settings: Settings, **more: Any) -> Settings:
    """Settings under which no file waits to be deleted."""
    return settings.model_copy(update={"vacuum_days": 0, **more})


def tidied(world: World, view: str, *, dry_run: bool = False) -> dict[str, Any]:
    """What maintenance did for a view."""
    (done,) = jobs.maintain(world.workspace, (view,), dry_run=dry_run)
    return {name: getattr(done, name) for name in ("revisions", "joined", "deleted")}


def table_of(world: World, view: str) -> DeltaTable:
    return DeltaTable(world.workspace.feature_table(world.workspace.repo.view(view)).uri)


def live_files(world: World, view: str) -> set[str]:
    return {Path(uri).name for uri in table_of(world, view).file_uris()}


def files_there(world: World, view: str) -> set[str]:
    return {file.name for file in Path(table_of(world, view).table_uri[7:]).rglob("*.parquet")} - {
        file.name for file in Path(table_of(world, view).table_uri[7:], "_delta_log").glob("*.parquet")
    }


def stored_revisions(world: World, view: str) -> set[str]:
    return {*table_of(world, view).to_pyarrow_table(columns=[REVISION])[REVISION].unique().to_pylist()}


def rows_of(world: World, view: str, revision: str) -> list[dict[str, Any]]:
    table = world.workspace.feature_table(world.workspace.repo.view(view))
    return sorted(pa.table(table.reader(revision).read_all()).to_pylist(), key=lambda row: row["user_id"])


# -- what Spark built -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def built(services: Settings, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Four snapshots, each built twice with equal content, as cleared runs do."""
    world = World(at_once(services), tmp_path_factory.mktemp("built"), PAYMENTS).at(NOW)
    world.load(*(payment(user, 10.0 * user, t - minutes(user)) for user in (3, 1, 2) for t in TICKS))
    for rebuild in (False, True):
        jobs.backfill(world.workspace, "unserved", hours_ago(5), TICKS[-1], rebuild=rebuild)
    return world.at(LATER)


def revisions(world: World) -> dict[datetime, str]:
    return {event.snapshot_time: event.revision for event in world.told("unserved", Kind.BUILT)}


def test_rebuilds_of_equal_content_go_and_everything_else_is_as_it_was(built: World, tmp_path: Path):
    world = built.copy(tmp_path)
    before = {t: rows_of(world, "unserved", revision) for t, revision in revisions(world).items()}
    told, files = world.told("unserved", *Kind), live_files(world, "unserved")
    assert [len(before[t]) for t in TICKS] == [3, 3, 3, 3]

    assert tidied(world, "unserved", dry_run=True)["revisions"] == len(TICKS)
    assert live_files(world, "unserved") == files
    stray = Path(table_of(world, "unserved").file_uris()[0].removeprefix("file://")).with_name(
        "stray.parquet"
    )
    stray.write_bytes(b"of a writer that was killed")
    done = tidied(world, "unserved")
    assert (done["revisions"], done["deleted"] >= len(files)) == (len(TICKS), True)

    assert {t: rows_of(world, "unserved", revision) for t, revision in revisions(world).items()} == before
    assert world.told("unserved", *Kind) == told
    assert files_there(world, "unserved") == live_files(world, "unserved")
    assert live_files(world, "unserved") < files, "what holds nothing that goes is not written anew"
    assert stored_revisions(world, "unserved") == {*revisions(world).values()}
    assert tidied(world, "unserved") == {"revisions": 0, "joined": 0, "deleted": 0}


def test_spark_builds_and_reads_on_after_it(built: World, tmp_path: Path):
    world = built.copy(tmp_path)
    assert tidied(world, "unserved")["revisions"] == len(TICKS)
    again = world.build("unserved", TICKS[0])
    assert (again.is_new, again.revision) == (False, revisions(world)[TICKS[0]])
    table = world.workspace.feature_table(world.workspace.repo.view("unserved"))
    (row,) = world.train(["unserved:payments"], [(3, TICKS[2] + minutes(30))])
    assert (row["unserved__payments"], row["unserved__how"]) == (1, "stored")
    contents = table.contents(world.workspace.spark, list(revisions(world).values()))
    assert {name: content.content_hash for name, content in contents.items()} == {
        event.revision: event.content_hash for event in world.told("unserved", Kind.BUILT)
    }


# -- what a retention lets go -----------------------------------------------------------------------------


@pytest.fixture
def world(settings: Settings, tmp_path: Path) -> World:
    """A blocked and a good revision of a snapshot, and good ones of others: of one day, in a file each."""
    world = World(at_once(settings, retention_days=10), tmp_path, TRAINING).at(NOW)
    laid(world, TICKS[0], "blocked", Kind.BLOCKED)
    for number in range(MANY):
        laid(world, TICKS[0] + number * minutes(1), f"r{number}", Kind.PASSED)
    return world


def laid(world: World, t: datetime, revision: str, *kinds: Kind) -> None:
    """A revision: its rows as a build lays them, and what the ledger tells."""
    stamps = {SNAPSHOT_TIME: t, REVISION: revision, PERIOD: f"{t:%Y-%m-%d}", "amount": 1.0}
    rows = pa.Table.from_pylist([stamps | {"user_id": n, "payments": n} for n in (2, 1)], schema=ROWS)
    view = world.workspace.repo.view("recent")
    write_deltalake(world.workspace.feature_table(view).uri, rows, mode="append", partition_by=[PERIOD])
    about = {"snapshot_time": t, "revision": revision, "fingerprint": fingerprint(view), "rows": 2}
    told = [Event(kind=kind, content_hash=revision, **about) for kind in (Kind.BUILT, *kinds)]
    world.workspace.ledger(view).append(*told)


def test_an_aged_revision_goes_and_its_neighbours_are_joined_in_order(world: World):
    assert tidied(world.at(LATER - minutes(2)), "recent", dry_run=True) == {
        "revisions": 0, "joined": MANY + MANY, "deleted": 0
    }  # fmt: skip
    assert tidied(world.at(LATER), "recent")["revisions"] == 1
    assert [event.revision for event in world.told("recent", Kind.REMOVED)] == ["blocked"]
    (file,) = table_of(world, "recent").file_uris()
    stored = pq.ParquetFile(file.removeprefix("file://")).read().to_pylist()
    order = [(row[SNAPSHOT_TIME], row[REVISION], row["user_id"]) for row in stored]
    assert (len(order), order) == (2 * MANY, sorted(order))
    assert (rows_of(world, "recent", "blocked"), len(rows_of(world, "recent", "r3"))) == ([], 2)


def test_the_plan_tells_what_could_be_freed(world: World):
    def retention() -> dict[str, int]:
        recent = world.workspace.repo.view("recent")
        (found,) = [item.findings for item in jobs.plan(world.workspace) if item.plan.definition is recent]
        return asdict(found.retention)

    assert retention()["idle"] == 0
    world.at(LATER)
    before = retention()
    assert before["idle"] == before["total"] * 2 // (2 * MANY + 2)
    tidied(world, "recent")
    assert retention()["idle"] == 0


def test_nobody_brings_back_what_went(world: World):
    laid(world, TICKS[1], "lonely", Kind.BLOCKED)
    laid(world, TICKS[2], "newest", Kind.PASSED)
    tidied(world.at(LATER), "recent")
    assert [event.revision for event in world.told("recent", Kind.REMOVED)] == ["blocked", "lonely"]
    with pytest.raises(UsageError, match=r"has no revision of .* build it"):
        jobs.accept(world.workspace, "recent", TICKS[1], reason="why not")


def test_what_was_killed_after_it_told_is_gone_on_with(world: World):
    view = world.workspace.repo.view("recent")
    world.workspace.ledger(view).append(
        Event(kind=Kind.REMOVED, snapshot_time=TICKS[0], revision="blocked", fingerprint=fingerprint(view))
    )
    assert tidied(world, "recent")["revisions"] == 1
    assert rows_of(world, "recent", "blocked") == []
    assert len(world.told("recent", Kind.REMOVED)) == 1


def test_a_manifest_holds_what_it_names_whoever_defines_its_training_set(world: World):
    told = {"views": {"recent": {"snapshots": [{"revision": "blocked"}, {"revision": None}]}}}
    uri = training_manifests(world.settings.warehouse, "of_last_year")
    Manifests(uri, world.clock).append("rows", TICKS[0], Manifest(told))
    assert tidied(world.at(LATER), "recent")["revisions"] == 0
    assert len(rows_of(world, "recent", "blocked")) == 2


def test_a_build_that_began_before_it_ends_well_after_it(services: Settings, world: World):
    """Spark takes its time to compute the row; meanwhile all files of its partition are replaced."""
    table = world.workspace.feature_table(world.workspace.repo.view("recent"))
    version = table_of(world, "recent").version()
    slowly = "reflect('java.lang.Thread', 'sleep', bigint(6000)) is not null"
    rows = world.workspace.spark.range(1).selectExpr(
        "bigint(7) as user_id",
        f"bigint({to_micros(TICKS[0])}) as {SNAPSHOT}",
        f"if({slowly}, 0D, 1D) as amount",
        "bigint(7) as payments",
    )
    with ThreadPoolExecutor(1) as thread:
        build = thread.submit(table.append, rows, {TICKS[0]: "late"})
        time.sleep(2)
        tidied(world.at(LATER), "recent")
        replaced = table_of(world, "recent").version()
        assert not build.done()
    assert build.exception() is None
    assert version < replaced < table_of(world, "recent").version()
    assert [row["user_id"] for row in rows_of(world, "recent", "late")] == [7]
    assert len(rows_of(world, "recent", "r1")) == 2


# -- the small tables -------------------------------------------------------------------------------------


def test_a_ledger_of_many_files_tells_the_same_from_one(world: World):
    ledger = world.workspace.ledger(world.workspace.repo.view("recent"))
    reader, before = world.workspace.ledger(world.workspace.repo.view("recent")), ledger.read()
    reader.read()
    assert len(DeltaTable(ledger.uri).file_uris()) == MANY + 1
    tidied(world, "recent")
    assert len(DeltaTable(ledger.uri).file_uris()) == 1
    assert ledger.read() == reader.read() == before
    reader.append(Event(kind=Kind.HOLD))
    assert len(ledger.read()) == len(before) + 1


def test_of_a_training_set_goes_only_what_no_event_tells_of_and_its_versions_stay(world: World):
    training_set = world.workspace.repo.training_set("rows")
    ledger, uri = (
        world.workspace.training_ledger(training_set),
        training_rows(world.settings.warehouse, "rows", "f" * 64),
    )
    for revision in ("lost", *(f"kept{number}" for number in range(MANY + 1))):
        rows = pa.table({"user_id": [1], INTERVAL_END: [TICKS[0]], REVISION: [revision]})
        write_deltalake(uri, rows, mode="append", partition_by=[REVISION])
        if revision != "lost":
            told = {"snapshot_time": TICKS[0], "revision": revision, "fingerprint": "f" * 64}
            ledger.append(Event(kind=Kind.BUILT, **told))
    versions = ledger.versions
    done = {item.name: item.revisions for item in jobs.maintain(world.at(LATER).workspace)}
    assert done == {"daily": 0, "recent": 1, "rows": 1, "unserved": 0}
    stored = DeltaTable(uri).to_pyarrow_table(columns=[REVISION])[REVISION].to_pylist()
    assert sorted(stored) == [f"kept{number}" for number in range(MANY + 1)]
    assert (ledger.versions, len(ledger.read_version(3))) == (versions, 3)


def test_a_table_that_cannot_be_read_is_told_when_the_others_are_done(world: World):
    daily = world.workspace.repo.view("daily")
    broken = Path(world.workspace.verdicts(daily).uri) / "_delta_log"
    broken.mkdir(parents=True)
    (broken / f"{0:020}.json").write_text("{")
    with pytest.raises(DataError, match=r"verdicts/daily cannot be maintained.*\. Repair access"):
        jobs.maintain(world.at(LATER).workspace)
    assert len(world.told("recent", Kind.REMOVED)) == 1
