"""The online protocol is right whoever stalls or dies, and each of its guards is needed."""

from __future__ import annotations

import json
from itertools import combinations_with_replacement
from pathlib import Path
from typing import Any

import pytest

from tests import protocol
from tests.protocol import ALL, Alive, Guard, Now, Pointer, Previous, Refused, Server
from tests.protocol_search import Found, explore
from tests.protocol_world import Job, Setup

TRANSITIONS = json.loads((Path(__file__).parents[1] / "golden/online/transitions.json").read_text())


def changes(revision: int) -> Job:
    return Job("publish", revision, full=False)


def full(revision: int) -> Job:
    return Job("publish", revision)


FAR = Job("publish", 1, rollback=True)  # back to revision 1 by publishing it again
ROLLBACK, EXPIRE, HOLD, RELEASE = Job("rollback"), Job("expire"), Job("hold"), Job("release")
ANYONE = (changes(3), changes(4), full(3), full(4), FAR, ROLLBACK, EXPIRE, HOLD, RELEASE)
ANYONE_OF_EIGHT = tuple(job for job in ANYONE if job != full(4))

ONE = (full(1),)  # what was published before: one generation,
TWO = (full(1), changes(2))  # or two in one epoch


def timed(*jobs: Job, before: tuple[Job, ...] = TWO) -> Setup:
    """Revision 3 becomes due, and 2 expires, when time passes."""
    return Setup(jobs, before, due={3: 1}, expires={2: 1}, ticks=1)


def fails(*jobs: Job, before: tuple[Job, ...] = TWO) -> Setup:
    """The server may come back once with an older file, and with a clock that is behind."""
    return Setup(jobs, before, restores=True)


PAIRS = tuple(combinations_with_replacement(ANYONE, 2))
FAST = {
    "any two beside one generation": [timed(*pair, before=ONE) for pair in PAIRS],
    "any two beside two generations": [timed(*pair) for pair in PAIRS],
    "any two, and the server fails": [fails(*pair) for pair in PAIRS],
    "nothing published, and the server fails": [fails(changes(2), full(3), before=())],
    "three publishers": [Setup((changes(3), changes(4), full(4)), TWO)],
    "rolled back and released": [Setup((changes(3), changes(4), ROLLBACK, RELEASE), TWO)],
}
SLOW = {
    "any three": [Setup(three, TWO) for three in combinations_with_replacement(ANYONE_OF_EIGHT, 3)],
    "three, and the server fails": [fails(changes(3), full(4), EXPIRE), fails(changes(3), ROLLBACK, RELEASE)],
    "four, over time": [timed(changes(3), FAR, EXPIRE, RELEASE), timed(full(3), changes(4), EXPIRE, RELEASE)],
}


def nothing_is_wrong(setups: list[Setup]) -> int:
    """Explore them all; the number of states."""
    states = 0
    for setup in setups:
        found = explore(setup, ALL)
        assert not found.trace, f"{setup}\n{found}"
        states += found.states
    return states


@pytest.mark.parametrize("bounds", FAST)
def test_no_interleaving_is_wrong(bounds: str) -> None:
    assert nothing_is_wrong(FAST[bounds]) > 5_000


@pytest.mark.parametrize(
    "bounds",
    [
        pytest.param(name, marks=pytest.mark.long if name == "any three" else pytest.mark.slow)
        for name in SLOW
    ],
)
def test_no_longer_interleaving_is_wrong(bounds: str) -> None:
    assert nothing_is_wrong(SLOW[bounds]) > 20_000


# Where the lack of each guard shows, and as what.
LACKS: dict[Guard, tuple[Setup, str]] = {
    Guard.HELD_IN_OPEN: (Setup((changes(3), HOLD)), "opened while held"),
    Guard.FLIP_SEEN_IN_OPEN: (Setup((changes(3), changes(3))), "the ledger can only have"),
    Guard.GENERATION_ABOVE_LEDGER: (fails(changes(3), changes(3), before=ONE), "share a generation"),
    Guard.GARBAGE_KEPT: (Setup((full(3), HOLD)), "nobody will ever drop"),
    Guard.DIRTY_IN_OPEN: (Setup((changes(3), changes(4))), "a read gives"),
    Guard.NEW_EPOCH: (Setup((full(3),)), "a read"),
    Guard.WRITING_IN_FLIP: (Setup((full(3), EXPIRE, RELEASE)), "opened before a rollback"),
    Guard.DUE_IN_FLIP: (timed(changes(3)), "before it was due"),
    Guard.OLDER_IN_FLIP: (Setup((changes(3), full(4))), "older snapshot"),
    Guard.PREVIOUS_KEPT: (Setup((full(3), ROLLBACK)), "no meta"),
    Guard.EVENT_KEPT: (Setup((changes(3),)), "the ledger can only have"),
    Guard.FLIP_ABOVE_LEDGER: (fails(full(3), full(4)), "without a new flip"),
    Guard.FLIP_SEEN_IN_ROLLBACK: (Setup((changes(3), ROLLBACK), TWO), "did not see"),
    Guard.DIRTY_IN_ROLLBACK: (Setup((changes(3), ROLLBACK), TWO), "a read finds neither slot"),
    Guard.DIRTY_AFTER_ROLLBACK: (Setup((changes(3), ROLLBACK, RELEASE), TWO), "a read gives"),
    Guard.ROLLBACK_ENDS_PUBLISH: (Setup((full(3), ROLLBACK, RELEASE), TWO), "opened before a rollback"),
    Guard.ROLLBACK_HOLDS: (Setup((changes(3), ROLLBACK), TWO), "while held"),
    Guard.PREVIOUS_SPENT: (Setup((FAR, ROLLBACK)), "onto what was withdrawn"),
    Guard.FLIP_SEEN_IN_EXPIRE: (Setup((changes(3), EXPIRE)), "did not see"),
    Guard.NEW_FLIP_IN_EXPIRE: (Setup((EXPIRE,)), "without a new flip"),
    Guard.EXPIRE_ENDS_PUBLISH: (Setup((full(3), EXPIRE, RELEASE)), "opened before a rollback"),
    Guard.EXPIRE_HOLDS: (Setup((changes(3), EXPIRE)), "while held"),
    Guard.HOLD_ENDS_PUBLISH: (Setup((full(3), HOLD, RELEASE)), "opened before a rollback"),
    Guard.RECONCILE: (Setup((changes(3), full(4))), "the ledger can only have"),
    Guard.LEDGER_READ_FIRST: (Setup((changes(3), ROLLBACK), TWO), "nothing was lost"),
    Guard.LOST_IS_FULL: (fails(changes(3), changes(4)), "a read finds neither slot"),
    Guard.LIVE_ROW_BESIDE: (Setup((changes(3),)), "a read gives"),
    Guard.CONNECTED_FIRST: (fails(changes(3), changes(3), before=ONE), "share a generation"),
    Guard.ONE_CONNECTION: (fails(full(3), before=ONE), "no meta"),
    Guard.ONE_ALIVE_STATE: (timed(HOLD), "a read gives"),
    Guard.ONE_FLIP: (Setup((changes(4),)), "a read gives"),
    Guard.EPOCH_SEEN: (Setup((full(3),)), "a read gives"),
    Guard.FIRST_SLOT_NOT_ABOVE: (Setup((ROLLBACK,), TWO), "a read gives"),
}
# Two guards against one fault: either is enough, and without both it happens.
DOUBLED: dict[tuple[Guard, Guard], tuple[Setup, str]] = {
    (Guard.HELD_IN_FLIP, Guard.HOLD_ENDS_PUBLISH): (Setup((changes(3), HOLD)), "flipped while held"),
    (Guard.ALIVE_DROPPED, Guard.ALIVE_VOUCHES): (Setup((EXPIRE,)), "a read gives"),
}


def test_every_guard_is_accounted_for() -> None:
    assert set(LACKS) | {guard for pair in DOUBLED for guard in pair} == ALL


@pytest.mark.parametrize("guard", LACKS, ids=lambda guard: guard.name)
def test_without_one_guard_something_goes_wrong(guard: Guard) -> None:
    setup, fault = LACKS[guard]
    assert_found(explore(setup, ALL - {guard}), fault)
    assert not explore(setup, ALL).trace


@pytest.mark.parametrize("pair", DOUBLED, ids=lambda pair: f"{pair[0].name}-{pair[1].name}")
def test_without_both_guards_something_goes_wrong(pair: tuple[Guard, Guard]) -> None:
    setup, fault = DOUBLED[pair]
    assert_found(explore(setup, ALL - set(pair)), fault)
    assert not explore(setup, ALL).trace


def assert_found(found: Found, fault: str) -> None:
    print(found)
    assert found.trace, f"nothing went wrong in {found.states} states"
    assert fault in found.trace[-1]


def test_a_counterexample_is_a_short_story() -> None:
    found = explore(Setup((changes(3),)), ALL - {Guard.LIVE_ROW_BESIDE})
    assert str(found).splitlines() == [
        "  1. publisher of 3 (changes): reads the ledger",
        "  2. publisher of 3 (changes): reads the pointer",
        "  3. publisher of 3 (changes): publish",
        "  4. publisher of 3 (changes): writes key 2",
        "  5. the reader reads the first key",
        "  6. the reader reads the first key",
        "  7. the reader reads on",
        "  8. WRONG: a read gives ('a', None), and live were [1] (-1: expired)",
    ]


# The table of transitions that binds the real scripts too

FRESH = 8_000_000_000_000_000  # the server's clock, above the flips in the table but one


@pytest.mark.parametrize("row", TRANSITIONS, ids=lambda row: row["name"])
def test_the_model_does_what_the_table_says(row: dict[str, Any]) -> None:
    before = to_server(row["before"])
    outcome, after, returns = replay(before, row["script"], row["args"])
    assert (outcome, returns) == (row["outcome"], row.get("returns"))
    assert after == to_server(row["after"])


def test_the_table_has_every_outcome_of_every_script() -> None:
    assert {(row["script"], row["outcome"]) for row in TRANSITIONS} == {
        *(("open", outcome) for outcome in ("ok", "held", "moved")),
        *(("flip", outcome) for outcome in ("ok", "held", "superseded", "not_due", "older")),
        *(("expire", outcome) for outcome in ("ok", "moved", "not_published")),
        *(
            ("rollback", outcome)
            for outcome in ("ok", "moved", "not_published", "no_previous", "dirty_epoch")
        ),
        *((script, "ok") for script in ("hold", "release", "swept")),
    }


def replay(before: Server, script: str, args: dict[str, Any]) -> tuple[str, Server, dict[str, int] | None]:
    now = Now(seconds=0, micros=FRESH)
    try:
        if script == "open":
            after, generation, epoch = protocol.open_(before, **args)
            return "ok", after, {"generation": generation, "epoch": epoch}
        if script == "swept":
            return "ok", protocol.swept(before, epochs=frozenset(args["epochs"])), None
        if script in ("hold", "release"):
            return "ok", getattr(protocol, script)(before, **args), None
        return "ok", getattr(protocol, script)(before, now, **args), None
    except Refused as refused:
        return refused.code, before, None


def to_server(state: dict[str, Any]) -> Server:
    """A state of the table. Of the event it only says that there is one; in the model that is the pointer."""
    pointer = Pointer(**fresh(state["p"])) if state["p"] else None
    hash_ = dict(state["s"])
    return Server(
        pointer=pointer,
        alive=Alive(**fresh(state["a"])) if state["a"] else None,
        writing=hash_["writing"],
        dirty=bool(hash_["dirty"]),
        held=bool(hash_["held"]),
        top=hash_["top"],
        previous=Previous(**hash_["previous"]) if hash_["previous"] else None,
        garbage=frozenset(hash_["garbage"]),
        event=pointer if hash_["event"] else None,
        order=hash_.get("revision_order", 0),
    )


def fresh(fields: dict[str, Any]) -> dict[str, Any]:
    return fields | ({"flip": FRESH} if fields["flip"] == "new" else {})
