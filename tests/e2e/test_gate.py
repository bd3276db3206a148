"""What does not pass its checks reaches nobody; and every way out of that."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from skewless.errors import BlockedError, UsageError
from skewless.ledger.events import Kind
from skewless.settings import Settings
from skewless.timeline import MICROSECOND, format_instant
from tests.e2e.world import PAYMENTS, World, hours_ago, minutes, payment

pytestmark = pytest.mark.usefixtures("spark")  # which ends the session that the jobs take

FIRST, BAD, STILL_BAD, MENDED = (hours_ago(number) for number in (6, 5, 4, 3))
WRONG = payment(2, -1000.0, BAD - minutes(30), id="wrong")
EARLIER = [payment(user, 10.0 * user, FIRST - minutes(30)) for user in (1, 2, 3, 4)]
RIGHT = 20.0 + 25.0
DUE = minutes(15)


def correction(known: Any) -> dict[str, Any]:
    """The wrong payment, put right."""
    return payment(2, 25.0, BAD - minutes(30), known=known, id="wrong")


def seen(world: World, *instants: Any) -> list[tuple[Any, ...]]:
    """What training rows of user 2 see of `recent`: snapshot, how, amount."""
    rows = world.train(["recent"], [(2, t) for t in instants])
    return [tuple(row[f"recent__{name}"] for name in ("snapshot_time", "how", "amount")) for row in rows]


def readers_have(world: World) -> tuple[Any, ...]:
    """Generation, snapshot and amount of user 2 that readers have of `recent`."""
    return (*world.seen("recent"), world.lookup(["recent:amount"], 2)[0]["recent__amount"])


SKIPPED = (FIRST, "skipped", 20.0)


# -- a failing expectation --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def blocked(services: Settings, tmp_path_factory: pytest.TempPathFactory) -> World:
    """A good snapshot is live; the next one has an amount below zero, and its check has failed."""
    world = World(services, tmp_path_factory.mktemp("blocked"), PAYMENTS)
    world.load(*EARLIER, payment(4, 1.0, FIRST - minutes(20)), payment(4, 1.0, FIRST - minutes(10)))
    world.at(FIRST + DUE)
    world.build("recent", FIRST)
    world.first = world.check("recent", FIRST)
    world.publish("recent", FIRST)
    world.load(WRONG)
    world.at(BAD + DUE)
    world.build("recent", BAD)
    world.ran = world.cli("check", "recent")
    return world


@pytest.fixture
def world(blocked: World, tmp_path: Path) -> World:
    """The blocked world, for one test to go on with."""
    return blocked.copy(tmp_path)


def test_a_failing_expectation_ends_the_check_with_code_3_and_words_to_act_on(blocked: World):
    code, out, err = blocked.ran
    where = f"recent --snapshot-time {format_instant(BAD)}"
    assert (code, out) == (3, "")
    assert f"'recent' at {format_instant(BAD)} was not published: 1 of its 6 checks failed" in err
    assert "  amount between 0 and ...: 1 of 4 values below 0\n" in err
    assert "Readers keep the previous snapshot." in err
    assert "repair the source and build again (in Airflow: clear the run from build)" in err
    assert f"skewless build {where} --known-until now" in err
    assert f'skewless accept {where} --reason "..."' in err
    assert "Traceback" not in err


def test_a_failing_warning_blocks_nothing_and_is_shown(blocked: World):
    assert blocked.first.verdict == "passed"
    assert blocked.first.warnings == ("payments between ... and 2: 1 of 4 values above 2",)
    assert "warning: payments between" in str(blocked.first)


def test_a_blocked_snapshot_is_not_published_and_the_refusal_says_why_again(blocked: World):
    code, _, err = blocked.cli("publish", "recent")
    assert code == 3
    assert "amount between 0 and ...: 1 of 4 values below 0" in err
    assert [event.snapshot_time for event in blocked.told("recent", Kind.PUBLISHED)] == [FIRST]


def test_readers_and_training_keep_the_snapshot_before_a_blocked_one(blocked: World):
    blocked.at(BAD + DUE)
    assert readers_have(blocked) == (1, FIRST, 20.0)
    assert seen(blocked, BAD + DUE - MICROSECOND, BAD + DUE) == [(FIRST, "stored", 20.0), SKIPPED]


def test_status_shows_the_live_generation_and_the_blocked_snapshot_after_it(blocked: World):
    ran = blocked.command("status", "recent", "--json")
    (found,) = json.loads(ran.out)
    (published,) = blocked.told("recent", Kind.PUBLISHED)
    assert {name: found[name] for name in ("view", "generation", "snapshot_time", "verdict", "rows")} == {
        "view": "recent",
        "generation": 1,
        "snapshot_time": format_instant(FIRST),
        "verdict": "passed",
        "rows": 4,
    }
    assert found["published_at"] == format_instant(published.effective_at)
    assert (found["newest_built"], found["newest_verdict"]) == (format_instant(BAD), "blocked")


# -- the ways out -----------------------------------------------------------------------------------------


def test_when_the_source_corrects_itself_the_first_snapshot_that_knows_it_passes(world: World):
    world.at(STILL_BAD + DUE).load(correction(known=STILL_BAD + minutes(5)))
    with pytest.raises(BlockedError, match="1 of 4 values below 0"):
        world.run("recent", STILL_BAD)
    assert world.run("recent", MENDED).outcome == "published"
    assert readers_have(world) == (2, MENDED, RIGHT)
    asks = [t + DUE for t in (BAD, STILL_BAD, MENDED)]
    assert seen(world, *asks) == [SKIPPED, SKIPPED, (MENDED, "stored", RIGHT)]


@pytest.fixture(scope="module")
def rewritten(blocked: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    """The source was written anew, as it ought to have been, and the run cleared from build."""
    world = blocked.copy(tmp_path_factory.mktemp("rewritten")).at(BAD + minutes(50))
    world.rewrite(*EARLIER, correction(known=BAD - minutes(29)))
    world.built = world.build("recent", BAD)
    world.checked = world.check("recent", BAD)
    world.published = world.publish("recent", BAD)
    return world


def test_a_rewritten_source_gives_a_new_revision_that_passes_and_is_published(rewritten: World):
    assert rewritten.built.is_new
    assert rewritten.checked.verdict == "passed"
    assert rewritten.published.outcome == "published"
    assert readers_have(rewritten) == (2, BAD, RIGHT)
    assert seen(rewritten, BAD + DUE) == [(BAD, "stored", RIGHT)]


def test_a_late_correction_serves_training_rows_from_the_instant_until_which_it_was_known(world: World):
    known_until = BAD + minutes(30)
    world.at(known_until).load(correction(known=BAD + minutes(20)))
    ran = world.cli("build", "recent", "--known-until", "now", "--json")
    assert json.loads(ran.out)["known_until"] == format_instant(known_until)
    assert world.check("recent", BAD).verdict == "passed"
    assert world.publish("recent", BAD).outcome == "published"
    assert readers_have(world) == (2, BAD, RIGHT)
    assert seen(world, known_until - MICROSECOND, known_until) == [SKIPPED, (BAD, "stored", RIGHT)]


def test_knowledge_from_before_the_cutoff_or_from_the_future_is_refused(world: World):
    world.at(BAD + minutes(30))
    for until, words in ((BAD, "lies before the cutoff"), (BAD + minutes(31), "can be built with knowledge")):
        with pytest.raises(UsageError, match=words):
            world.build("recent", BAD, known_until=until)
    assert len(world.told("recent", Kind.BUILT)) == 2


def test_an_accepted_snapshot_serves_training_rows_from_its_acceptance(world: World):
    accepted = BAD + minutes(40)
    ran = world.at(accepted).cli("accept", "recent", "--reason", "refunds are due today")
    assert ran.code == 0
    assert f"from {format_instant(accepted)} on" in ran.out
    assert world.publish("recent", BAD).outcome == "published"
    assert readers_have(world) == (2, BAD, -980.0)
    assert seen(world, accepted - MICROSECOND, accepted) == [SKIPPED, (BAD, "stored", -980.0)]
    (event,) = world.told("recent", Kind.ACCEPTED)
    assert (event.reason, event.actor) == ("refunds are due today", world.settings.actor)


def test_an_acceptance_needs_a_reason(world: World):
    assert world.cli("accept", "recent").code == 2
    code, _, err = world.cli("accept", "recent", "--reason", " ")
    assert (code, "needs a reason" in err) == (2, True)
    assert not world.told("recent", Kind.ACCEPTED)


def test_a_blocked_revision_that_passes_now_counts_as_accepted_now(world: World):
    world.define(PAYMENTS.replace("min_value=0", "min_value=-5000"))
    now = BAD + minutes(45)
    assert not world.at(now).build("recent", BAD).is_new
    assert world.check("recent", BAD).verdict == "passed"
    assert [
        event.usable_from for event in world.told("recent", Kind.PASSED) if event.snapshot_time == BAD
    ] == [now]
    assert world.publish("recent", BAD).outcome == "published"


def test_what_passed_by_itself_is_no_persons_word_and_a_failing_check_blocks_it_again(world: World):
    world.define(PAYMENTS.replace("min_value=0", "min_value=-5000"))
    assert world.check("recent", BAD).verdict == "passed"
    world.define(PAYMENTS)
    with pytest.raises(BlockedError, match="1 of its 6 checks failed"):
        world.check("recent", BAD)


def test_a_withdrawn_revision_stays_withdrawn_until_it_is_accepted(rewritten: World, tmp_path: Path):
    world = rewritten.copy(tmp_path)
    assert world.cli("rollback", "recent", "--reason", "doubts").code == 0
    assert readers_have(world) == (1, FIRST, 20.0)
    assert world.build("recent", BAD).revision == rewritten.built.revision
    for step in ("check", "publish"):
        code, _, err = world.cli(step, "recent")
        assert code == 3
        assert "was withdrawn by a rollback" in err
        assert f'skewless accept recent --snapshot-time {format_instant(BAD)} --reason "..."' in err
    assert seen(world, BAD + DUE) == [SKIPPED]
    assert world.cli("accept", "recent", "--reason", "no doubts").code == 0
    assert world.publish("recent", BAD).outcome == "held"
    assert world.cli("release", "recent").code == 0
    assert readers_have(world)[1:] == (BAD, RIGHT)


# -- the checks that every view has -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def quiet(services: Settings, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Four users once; then one of them; then nobody."""
    world = World(services, tmp_path_factory.mktemp("quiet"), PAYMENTS)
    world.load(payment(1, 10.0, FIRST - minutes(10)))
    world.load(*(payment(user, 10.0 * user, FIRST - minutes(200)) for user in (2, 3, 4)))
    assert world.run("recent", FIRST).outcome == "published"
    assert world.run("daily", FIRST).outcome == "published"
    return world


def blocking_sentences(world: World, view: str, t: Any) -> list[str]:
    """Why a snapshot is blocked."""
    world.at(t + DUE).build(view, t)
    with pytest.raises(BlockedError, match="was not published") as blocked:
        world.check(view, t)
    lines = str(blocked.value).splitlines()
    return [line.strip() for line in lines[1 : lines.index(next(x for x in lines if "Readers keep" in x))]]


def test_half_of_the_entities_gone_is_no_snapshot_for_readers(quiet: World):
    assert blocking_sentences(quiet, "recent", hours_ago(5)) == [
        "at least 0.5 of the previous snapshot's entities: 1 rows, 4 before"
    ]
    assert readers_have(quiet) == (1, FIRST, 20.0)


def test_an_empty_revision_is_no_snapshot_for_readers(quiet: World):
    newest = format_instant(FIRST - minutes(10))
    assert blocking_sentences(quiet, "recent", hours_ago(2)) == [
        "not empty: the revision has no rows",
        "at least 0.5 of the previous snapshot's entities: 0 rows, 4 before",
        f"source 'payments' not silent for more than 3:00:00: its newest visible event is of {newest}",
    ]
    assert readers_have(quiet) == (1, FIRST, 20.0)


def test_a_source_that_went_silent_leaves_readers_and_training_where_they_are(quiet: World):
    silent, newest = hours_ago(3), format_instant(FIRST - minutes(10))
    quiet.at(silent + DUE).build("daily", silent)
    code, _, err = quiet.cli("check", "daily")
    assert code == 3
    assert f"'daily' at {format_instant(silent)} was not published: 1 of its 4 checks failed" in err
    assert (
        f"source 'payments' not silent for more than 3:00:00: its newest visible event is of {newest}" in err
    )
    assert "Readers keep the previous snapshot." in err
    assert quiet.cli("publish", "daily").code == 3
    assert quiet.seen("daily") == (1, FIRST)
    (row,) = quiet.train(["daily"], [(1, silent + DUE)])
    assert (row["daily__snapshot_time"], row["daily__how"]) == (hours_ago(4), "skipped")
