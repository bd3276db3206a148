"""The table of transitions that the protocol's model keeps to, replayed against the real scripts.

Times in the table are seconds from now, by the server's clock; each case stands in a namespace of its own.
"""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from skewless.errors import PublishRefused
from skewless.ledger.events import Event, Kind
from skewless.online.codec import pack_int
from skewless.online.connection import Session
from skewless.online.keys import ViewKeys
from skewless.online.records import Pointer
from skewless.online.scripts import run
from skewless.online.state import OnlineState, read_state
from skewless.online.telling import encode_events
from skewless.timeline import from_micros, to_micros

TABLE = Path(__file__).parents[1] / "golden" / "online" / "transitions.json"
CASES = json.loads(TABLE.read_text())
EVENTS = encode_events([Event(kind=Kind.PUBLISHED, event_id="told", generation=1)])


@pytest.fixture(scope="module")
def session(redis_url: str) -> Any:
    with Session(redis_url, "any") as opened:
        yield opened


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_the_scripts_do_what_the_model_does(session: Session, case: dict[str, Any]) -> None:
    keys = ViewKeys(f"t-{uuid.uuid4().hex[:12]}", "v")
    now = micros_now(session)
    arrange(session, keys, case["before"], now)
    assert shown(read_state(session, keys), raw_alive(session, keys), now) == normal(case["before"])

    outcome, answer = "ok", []
    try:
        answer = run(session, case["script"], keys, *arguments(case["script"], case["args"], now))
    except PublishRefused as refused:
        outcome = refused.code
    assert outcome == case["outcome"]
    if "returns" in case:
        assert [int(answer[0]), int(answer[1])] == [case["returns"]["generation"], case["returns"]["epoch"]]
    state = read_state(session, keys)
    old = (case["before"]["p"] or {}).get("flip")
    after = shown(state, raw_alive(session, keys), now, new_flip=None if state.flip == old else state.flip)
    assert after == normal(case["after"])
    if after["p"] and after["p"]["flip"] == "new":
        assert state.told is not None
        assert state.told.flip == state.flip
        assert state.told.events[0].event_id == "told"
        assert now <= (state.flip or 0) < now + 5_000_000


def test_every_script_and_refusal_is_in_the_table() -> None:
    assert {case["script"] for case in CASES} == {
        "open",
        "flip",
        "rollback",
        "expire",
        "hold",
        "release",
        "swept",
    }
    assert {case["outcome"] for case in CASES} == {
        "ok", "held", "moved", "superseded", "not_due", "older", "no_previous", "dirty_epoch", "not_published"
    }  # fmt: skip


def arrange(session: Session, keys: ViewKeys, before: dict[str, Any], now: int) -> None:
    pointer, alive, state = before["p"], before["a"], before["s"]
    if pointer:
        time = from_micros(at(pointer["snapshot_time"], now))
        written = Pointer(pointer["flip"], pointer["generation"], pointer["epoch"], time)
        session.call("SET", keys.pointer, written.encode())
    if alive:
        session.call("SET", keys.alive, pack_int(alive["flip"]))
        if alive["expires_at"] is not None:
            session.call("PEXPIREAT", keys.alive, at(alive["expires_at"], now) // 1000 - 1)
    fields = {name: state[name] for name in ("writing", "dirty", "held", "top")}
    fields |= {"order": state.get("revision_order", 0), "garbage": " ".join(map(str, state["garbage"]))}
    if state["previous"]:
        it = state["previous"]
        expiry = {None: "never", "past": "past"}.get(it["expires_at"]) or at(it["expires_at"], now)
        fields["previous"] = f"{it['generation']} {it['epoch']} {at(it['snapshot_time'], now)} {expiry}"
    if state["event"]:
        fields["event"] = f'{{"flip":{pointer["flip"] if pointer else 1},"events":[]}}'
    session.call("HSET", keys.state, *(part for item in fields.items() for part in item))


def arguments(script: str, args: dict[str, Any], now: int) -> tuple[Any, ...]:
    if script == "open":
        return (args["expected_flip"], args["ledger_top"], args["full"], args["rollback"])
    if script in ("rollback", "expire"):
        return (args["expected_flip"], args.get("ledger_flip", 0), EVENTS)
    if script == "swept":
        return tuple(args["epochs"])
    if script in ("hold", "release"):
        return ()
    expires = "never" if args["expires_at"] is None else at(args["expires_at"], now)
    times = (at(args["snapshot_time"], now), at(args["due_at"], now), expires)
    return (
        args["generation"],
        args["epoch"],
        *times,
        args["rollback"],
        args.get("revision_order", 0),
        args.get("ledger_flip", 0),
        EVENTS,
    )


def shown(state: OnlineState, alive: int | None, now: int, new_flip: int | None = None) -> dict[str, Any]:
    """The server's state in the table's form."""

    def seconds(instant: Any) -> Any:
        return instant if instant is None or instant == "past" else (to_micros(instant) - now) // 1_000_000

    def flip(number: int) -> Any:
        return "new" if number == new_flip and number < 9_000_000_000_000_000 else number

    pointer = state.pointer and {
        "flip": flip(state.pointer.flip),
        "generation": state.pointer.generation,
        "epoch": state.pointer.epoch,
        "snapshot_time": seconds(state.pointer.snapshot_time),
    }
    previous = state.previous and {
        "generation": state.previous.generation,
        "epoch": state.previous.epoch,
        "snapshot_time": seconds(state.previous.snapshot_time),
        "expires_at": seconds(state.previous.expires_at),
    }
    vouched = None if alive is None else {"flip": flip(alive), "expires_at": seconds(state.expires_at)}
    if vouched and not state.alive:
        vouched["expires_at"] = "unread"  # it vouches for another flip
    return {
        "p": pointer,
        "a": vouched,
        "s": {
            "writing": state.writing,
            "dirty": int(state.dirty),
            "held": int(state.held),
            "top": state.top,
            "previous": previous,
            "garbage": sorted(state.garbage),
            "event": state.told is not None,
            "revision_order": state.order,
        },
    }


def normal(expected: dict[str, Any]) -> dict[str, Any]:
    """The table's state with what it leaves out; an alive key that vouches for another flip is not read."""
    copy = json.loads(json.dumps(expected))
    copy["s"].setdefault("revision_order", 0)
    copy["s"]["garbage"].sort()
    if copy["a"] and copy["a"]["flip"] != (copy["p"] or {}).get("flip"):
        copy["a"]["expires_at"] = "unread"
    return copy


def at(seconds: int, now: int) -> int:
    return now + seconds * 1_000_000


def micros_now(session: Session) -> int:
    """The server's time, cut to whole milliseconds: expiries are kept in those."""
    seconds, micros = session.call("TIME")
    return int(seconds) * 1_000_000 + int(micros) // 1000 * 1000


def raw_alive(session: Session, keys: ViewKeys) -> int | None:
    raw = session.call("GET", keys.alive)
    return None if raw is None else int.from_bytes(raw[1:], "big", signed=True)
