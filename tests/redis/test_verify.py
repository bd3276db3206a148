"""`skewless verify` finds every key that is not as its revision says, and nothing else."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from redis import Redis

from skewless.errors import DataError, NotPublishedError, OnlineError
from skewless.jobs.receipts import to_json
from skewless.ledger.events import Kind
from skewless.online.codec import NIL, row_encoder
from skewless.online.operations import expire, hold, release, rollback
from skewless.online.publication import Step
from skewless.online.publisher import publish as publish_online
from skewless.online.records import encode_slots
from skewless.online.verification import Entities, Verification
from skewless.online.verify import Definition, verify
from skewless.settings import Settings
from tests.e2e.world import PAYMENTS, World, hours_ago
from tests.redis.stage import Killed, Stage, ago, dying_after, marked

USERS = 1200
PACK = row_encoder([item.dtype for item in Stage.view.schema])


@pytest.fixture
def stage(redis_url: str, tmp_path: Path) -> Stage:
    return Stage(redis_url, tmp_path, keeps=True)


def verified(stage: Stage, fingerprint: str = "f", **how: Any) -> Verification:
    """Compare with the revisions that the stage keeps."""

    def read(revision: str, columns: Any = None) -> Any:
        table = pq.read_table(stage.folder / "rows" / revision, columns=columns)
        return table.to_reader(max_chunksize=400)

    definition = Definition(view=stage.view, fingerprint=fingerprint)
    return verify(stage.place, definition, lambda _: read, **how)


def publish(stage: Stage, mark: int, users: int = USERS, **how: Any) -> Any:
    """A snapshot later than all before, of which user 0's row always differs, and the others' never."""
    newest = stage.state().pointer
    time = newest.snapshot_time + timedelta(minutes=1) if newest else ago(hours=20)
    rows = [*marked(mark, 1), *marked(0, users)[1:]]
    return stage.publish_rows(rows, time, **how)


def key(stage: Stage, user: object, epoch: int = 1) -> str:
    return stage.place.keys.entity(epoch, str(user))


@pytest.fixture
def published(stage: Stage) -> Stage:
    """Generation 3 in epoch 1: a live row beside the one before, tombstones, and rows of the first generation."""
    publish(stage, 1)
    publish(stage, 2, users=USERS + 100)
    publish(stage, 3)
    return stage


def test_what_was_published_is_the_same(published: Stage) -> None:
    before, ledger = published.snapshot_of_server(), published.ledger.read()
    told: list[tuple[int, int]] = []
    found = verified(published, told=lambda *rows: told.append(rows))
    assert (found.same, found.generation, found.epoch, found.rows) == (True, 3, 1, USERS)
    assert told[-1] == (USERS, USERS)
    assert found.missing == found.different == found.stray == found.left_over == Entities()
    assert str(found).endswith("generation 3: is what its revision says; 1,200 rows compared")
    assert published.snapshot_of_server() == before
    assert published.ledger.read() == ledger


def gone(stage: Stage) -> None:
    stage.server.delete(key(stage, 7))


def buried(stage: Stage) -> None:
    stage.server.set(key(stage, 7), encode_slots(1, NIL))


def other_row(stage: Stage) -> None:
    stage.server.set(key(stage, 7), encode_slots(1, PACK((0, 0.0, "w1"))))


def other_zero(stage: Stage) -> None:
    stage.server.set(key(stage, 7), encode_slots(1, PACK((0, -0.0, "w0"))))


def unreadable(stage: Stage) -> None:
    stage.server.set(key(stage, 7), b"\x94hello")


def unreadable_before(stage: Stage) -> None:
    """The row before the live one, which no reader gets, and which keeps all of them from reading the live one."""
    stage.server.set(key(stage, 7), encode_slots(2, PACK((0, 0.0, "w0")), 1, b"\x91\xc0"))


def row_before_only(stage: Stage) -> None:
    """The live row has a generation that is not live: readers get the one before."""
    live, earlier = PACK((0, 0.0, "w0")), PACK((0, 0.5, "w0"))
    stage.server.set(key(stage, 7), encode_slots(9, live, 1, earlier))


def above_both(stage: Stage) -> None:
    """Neither slot is of a generation that is live, as an older file of the server may leave it."""
    row = PACK((0, 0.0, "w0"))
    stage.server.set(key(stage, 7), encode_slots(9, row, 8, row))


def stray(stage: Stage) -> None:
    stage.server.set(key(stage, 5555), encode_slots(1, PACK((0, 0.0, "w0"))))


@pytest.mark.parametrize(
    ("meddle", "kind", "told"),
    [
        (gone, "missing", "7"),
        (buried, "missing", "7"),
        (above_both, "missing", "7"),
        (other_row, "different", "7 (online [0, 0.0, 'w1'], in the revision [0, 0.0, 'w0'])"),
        (other_zero, "different", "7 (online [0, -0.0, 'w0'], in the revision [0, 0.0, 'w0'])"),
        (unreadable, "different", "7 (online not readable, in the revision [0, 0.0, 'w0'])"),
        (unreadable_before, "different", "7 (online not readable, in the revision [0, 0.0, 'w0'])"),
        (row_before_only, "different", "7 (online [0, 0.5, 'w0'], in the revision [0, 0.0, 'w0'])"),
        (stray, "stray", "5555 ([0, 0.0, 'w0'])"),
    ],
)
def test_one_key_that_is_not_as_it_must_be_is_found(
    published: Stage, meddle: Callable[[Stage], None], kind: str, told: str
) -> None:
    meddle(published)
    found = verified(published)
    assert not found.same
    kinds = {name: getattr(found, name) for name in ("missing", "different", "stray")}
    assert kinds == {name: Entities() for name in kinds} | {kind: Entities(1, (told,))}
    lines = str(found).splitlines()
    assert "is NOT what its revision says" in lines[0]
    assert lines[1].startswith("  1 entity ")
    assert lines[1].endswith(told)
    assert lines[-1].startswith("  to write it anew: skewless publish stats --snapshot-time 2")
    assert lines[-1].endswith(" --full")


def test_a_full_publish_of_what_is_live_mends_all_of_it(stage: Stage) -> None:
    rows, publication = marked(1, 50), stage.built(ago(hours=1), 50)
    read = stage.rows_of(rows, publication.revision)
    publish_online(stage.place, publication, read)
    for meddle in (gone, stray):
        meddle(stage)
    assert not verified(stage).same
    publish_online(stage.place, publication, read, full=True)
    assert verified(stage).same


def test_many_are_counted_and_the_first_named(published: Stage) -> None:
    published.server.delete(*(key(published, user) for user in range(20, 720)))
    found = verified(published)
    assert found.missing == Entities(700, ("20", "21", "22", "23", "24"))
    assert "700 entities missing online: 20, 21, 22, 23, 24, ..." in str(found)


def test_what_ended_publishes_left_is_told_and_is_no_difference(published: Stage) -> None:
    with pytest.raises(Killed):
        publish(published, 4, users=USERS + 30, progress=dying_after(Step.WRITTEN))
    with pytest.raises(Killed):
        publish(published, 5, full=True, progress=dying_after(Step.WRITTEN))
    hold(published.place)  # which ends the last one: until then it may be on its way
    found = verified(published)
    assert found.same
    assert (found.left_over.count, found.left_epochs) == (30, (5,))
    assert "30 entities left over by an ended publish, which no reader sees: 12" in str(found)
    release(published.place)
    publish(published, 6)
    found = verified(published)
    assert (found.same, found.left_over.count, found.left_epochs) == (True, 0, ())


def test_rows_of_a_publish_on_its_way_are_no_leavings(published: Stage) -> None:
    seen: list[Verification] = []

    def look(step: Step, rows: int) -> None:
        if step in (Step.OPENED, Step.WRITTEN):
            seen.append(verified(published))

    publish(published, 4, users=USERS + 30, progress=look)
    publish(published, 5, full=True, progress=look)
    assert len(seen) > 4
    assert all(found.same and not found.left_over.count and not found.left_epochs for found in seen)


@pytest.mark.parametrize("full", [False, True])
def test_what_a_publish_writes_that_began_later_is_no_leaving(published: Stage, full: bool) -> None:
    marks = iter([4])

    def dying(rows: int, of: int) -> None:
        for mark in marks:
            with pytest.raises(Killed):
                publish(published, mark, users=USERS + 30, full=full, progress=dying_after(Step.WRITTEN))

    found = verified(published, told=dying)
    assert (found.same, found.left_over.count, found.left_epochs) == (True, 0, ())
    assert verified(published).same


def test_where_the_flip_moves_it_begins_again(published: Stage) -> None:
    reports: list[str] = []
    marks = iter([4])

    def moving(rows: int, of: int) -> None:
        for mark in marks:
            publish(published, mark)

    found = verified(published, told=moving, report=reports.append)
    assert (found.same, found.generation) == (True, 4)
    assert reports == ["what is live of stats has changed meanwhile: comparing from the beginning"]


def test_a_view_that_never_stands_still_is_an_error(published: Stage) -> None:
    marks = iter(range(4, 100))
    with pytest.raises(OnlineError, match="changed 3 times while it was compared; run it when fewer"):
        verified(published, told=lambda rows, of: publish(published, next(marks)))


def test_a_rollback_is_compared_with_the_revision_before(published: Stage) -> None:
    rollback(published.place)
    found = verified(published)
    assert (found.same, found.generation, found.rows, found.held) == (True, 2, USERS + 100, True)
    gone(published)
    assert "to write it anew: skewless release stats, then skewless publish stats" in str(verified(published))


def test_expired_by_hand_is_as_the_ledger_says(published: Stage) -> None:
    expire(published.place)
    assert verified(published).same


def test_an_expiry_that_is_not_the_ledgers_is_a_difference(published: Stage) -> None:
    alive = published.place.keys.alive
    published.server.persist(alive)
    (told,) = verified(published).readers
    assert told.startswith("readers get rows for ever, and by the ledger they get rows until 2")
    published.server.delete(alive)
    (told,) = verified(published).readers
    assert told.startswith("readers get the expired row, and by the ledger they get rows until 2")


def test_a_server_that_went_back_is_a_difference(stage: Stage) -> None:
    publish(stage, 1)
    file = {name: raw for name, raw in stage.snapshot_of_server().items() if name != "a"}
    publish(stage, 2)
    stage.restore_server(file)
    found = verified(stage)
    assert (found.generation, found.missing.count, found.same) == (1, 0, False)
    assert "the server went back. Write it anew: skewless publish stats" in found.readers[0]


def test_nothing_live_is_an_error_that_says_which(stage: Stage) -> None:
    with pytest.raises(
        NotPublishedError, match=r"'stats' is not published in namespace .*: skewless publish stats"
    ):
        verified(stage)
    publish(stage, 1)
    stage.restore_server({})
    with pytest.raises(
        NotPublishedError, match=r"nothing is live, and the ledger has generation 1 of snapshot 2"
    ):
        verified(stage)


def test_a_description_that_is_gone_is_told(published: Stage) -> None:
    published.server.delete(published.place.keys.meta(1))
    found = verified(published)
    assert (found.same, found.rows) == (False, 0)
    assert found.meta == ("the description of the rows of epoch 1 is gone: nobody can read any",)


def test_constant_rows_are_compared_with_the_definition(published: Stage) -> None:
    view = published.view
    fields = [replace(item, default="none") if item.name == "word" else item for item in view.schema]
    published.view = replace(view, schema=fields)
    found = verified(published)
    assert (found.same, found.rows) == (False, USERS)
    numbers = "'mark': None, 'share': 0.10000000149011612, 'word'"
    told = f"row is {{{numbers}: None}}, and is defined as {{{numbers}: 'none'}}"
    assert found.meta == (f"the absent {told}", f"the expired {told}")
    published.view = replace(view, schema=[view.schema[0], view.schema[2], view.schema[1]])
    assert verified(published).same  # in another order


def test_fields_and_kinds_are_compared_with_the_definition(published: Stage) -> None:
    view, meta = published.view, published.place.keys.meta(1)
    published.view = replace(view, schema=view.schema[:2])
    assert verified(published).meta[-1] == (
        "rows are described as mark int64, share float32, word string, and defined as mark int64, share float32"
    )
    published.view = view
    described = published.server.get(meta)
    published.server.set(meta, described.replace(b"\xa7integer", b"\xa6string"))
    found = verified(published)
    assert found.meta == ("rows are described as user_id string, and defined as user_id integer",)
    assert (found.same, found.rows) == (False, 0)
    published.server.set(meta, described.replace(b"\xa1f", b"\xa1g"))
    assert verified(published).meta == ("the rows are described as of fingerprint g, and are of f",)
    published.server.set(meta, b"?")
    assert verified(published).meta[0].startswith("the online meta is not MessagePack of ours")


def test_a_definition_that_changed_since_is_told_and_rows_are_compared_all_the_same(published: Stage) -> None:
    gone(published)
    found = verified(published, fingerprint="g")
    assert found.missing.count == 1
    assert found.notes[0].startswith("the definition has changed since")


def test_a_table_that_lost_rows_is_an_error(published: Stage) -> None:
    (newest,) = [e for e in published.told(Kind.PUBLISHED) if e.generation == 3]
    file = published.folder / "rows" / str(newest.revision)
    pq.write_table(pq.read_table(file).slice(1), file)
    with pytest.raises(
        DataError, match=r"has 1199 rows of revision .*, and the ledger says 1200; restore the table"
    ):
        verified(published)


def test_what_is_found_is_json(published: Stage) -> None:
    stray(published)
    read = json.loads(to_json(verified(published)))
    assert (read["same"], read["stray"]) == (False, {"count": 1, "first": ["5555 ([0, 0.0, 'w0'])"]})


# -- the command ------------------------------------------------------------------------------------------


@pytest.fixture
def world(settings: Settings, redis_url: str, tmp_path: Path) -> World:
    """A deployment with one published snapshot of three users."""
    world = World(settings, tmp_path, PAYMENTS)
    world.stored("recent", hours_ago(3), *((user, 1.5 * user, 1) for user in range(3)))
    world.publish("recent", hours_ago(3))
    return world


def test_the_command_compares_and_its_exit_code_tells(world: World) -> None:
    ran = world.cli("verify", "recent")
    assert (ran.code, ran.err) == (0, "verifying recent\n")
    assert ran.out.endswith("generation 1: is what its revision says; 3 rows compared\n")
    with contextlib.closing(Redis.from_url(world.settings.redis_url)) as server:
        server.delete(f"{{{world.namespace}:recent}}:1:2")
    ran = world.cli("verify", "recent", "--json")
    assert ran.code == 1
    found = json.loads(ran.out)
    assert (found["same"], found["missing"], found["rows"]) == (False, {"count": 1, "first": ["2"]}, 3)


def test_the_command_it_names_mends_it(world: World) -> None:
    with contextlib.closing(Redis.from_url(world.settings.redis_url)) as server:
        server.delete(f"{{{world.namespace}:recent}}:1:2")
    last = world.cli("verify", "recent").out.splitlines()[-1]
    words = last.partition("skewless ")[2].split()
    assert words[0] == "publish"
    assert world.cli(*words).code == 0
    assert world.cli("verify", "recent").code == 0


def test_a_generation_of_an_earlier_definition_is_compared_with_its_own_table(world: World) -> None:
    world.define(PAYMENTS.replace("timedelta(hours=4)", "timedelta(hours=5)"))
    ran = world.cli("verify", "recent")
    assert ran.code == 0
    assert "3 rows compared\n  the definition has changed since" in ran.out


def test_what_is_not_online_or_not_published_cannot_be_verified(world: World) -> None:
    assert world.cli("verify", "unserved").code == 2
    code, out, err = world.cli("verify", "daily", "--json")
    assert (code, out) == (1, "")
    assert "'daily' is not published in namespace" in json.loads(err.splitlines()[-1])["error"]


def test_status_says_where_ledger_and_store_differ_and_changes_nothing(world: World) -> None:
    view = world.workspace.repo.view("recent")
    keys, ledger = world.workspace.online(view).keys, world.workspace.ledger(view)
    assert json.loads(world.cli("status", "recent", "--json").out)[0]["disagreements"] == []
    events = ledger.read()
    with contextlib.closing(Redis.from_url(world.settings.redis_url)) as server:
        server.delete(keys.pointer)
        server.hset(keys.state, "held", 1)
        before = {key: server.dump(key) for key in server.scan_iter(match=keys.tag + "*")}
        (found,) = json.loads(world.cli("status", "recent", "--json").out)
        lines = world.cli("status").out.splitlines()
        assert {key: server.dump(key) for key in server.scan_iter(match=keys.tag + "*")} == before
    assert ledger.read() == events
    held, lost = found["disagreements"]
    assert held.startswith("the view is held online, and not in the ledger")
    assert lost.endswith("Write it anew: skewless publish recent")
    assert lines[-2:] == [f"recent: {held}", f"recent: {lost}"]
