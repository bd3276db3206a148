"""What makes `golden/online/cases.json`: what every reader answers from the golden store.

`python -m tests.golden_cases` writes both files; a test holds them to this text.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.golden_store import ALL, NUMBER_ROWS, NUMBERS, ROWS, TEXTS, TIME, f32, f64, store, text_of

FOLDER = Path(__file__).parent / "golden" / "online"
LIVE = {"generation": 5, "snapshot_time": TIME, "state": "live"}
EXPIRED = LIVE | {"state": "expired"}
EVERY = [f"all:{name}" for name in ALL]


def row(name: str, view: str = "all") -> dict[str, Any]:
    """A row of the view with every dtype, as a reader names it."""
    return {f"{view}__{field}": value for field, value in zip(ALL, ROWS[name], strict=True)}


EACH = [f"numbers:{name}" for name in NUMBERS]


def numbers(*names: str) -> list[dict[str, Any]]:
    """Rows of the view whose dtypes are all of one width."""
    return [
        {f"numbers__{field}": value for field, value in zip(NUMBERS, NUMBER_ROWS[name], strict=True)}
        for name in names
    ]


def user(*numbers: Any) -> list[dict[str, Any]]:
    return [{"user_id": number} for number in numbers]


def answered(
    name: str, features: list[str], entities: list[dict[str, Any]], rows: list[Any], **more: Any
) -> dict[str, Any]:
    return {"name": name, "features": features, "entities": entities, "rows": rows, **more}


def refused(
    name: str, features: list[str], entities: list[dict[str, Any]], error: str, *mentions: str
) -> dict[str, Any]:
    return {"name": name, "features": features, "entities": entities, "error": error, "mentions": [*mentions]}


NUMBERED = [1, 2, 3, -4, 2**63 - 1]
NAMES = ["plain", "nulls", "least", "most", "odd"]


def right_rows() -> list[dict[str, Any]]:
    word, score = {"all__word": "caf\u00e9"}, {"plain__score": f32(0.5)}
    absent = {"all__word": None, "all__small": 0}
    many = [{"all__small": 7}, {"all__small": None}]
    return [
        answered("every dtype, one entity", EVERY, user(1), [row("plain")], views={"all": LIVE}),
        answered("every dtype, nulls and extremes", EVERY, user(*NUMBERED), [row(name) for name in NAMES]),
        answered("an entity of an older generation", EVERY, user(11), [row("plain")]),
        answered("the slot of a generation that is not live", EVERY, user(12), [row("plain")]),
        answered("an entity that a later generation brings", EVERY, user(13), [row("absent")]),
        answered("an entity that is gone", EVERY, user(14), [row("absent")]),
        answered("an entity that a later generation takes", EVERY, user(15), [row("plain")]),
        answered("the newer of two slots", EVERY, user(16), [row("odd")]),
        answered("other widths of headers and integers", EVERY, user(17), [row("plain")]),
        answered("flat rows", EACH, user(1, 1), numbers("plain", "plain")),
        answered("flat rows, and one with nulls", EACH, user(*NUMBERED), numbers(*NAMES)),
        answered("flat rows in two slots", EACH, user(12, 16), numbers("plain", "odd")),
        answered("a flat row that is gone", EACH, user(14, 1), numbers("absent", "plain")),
        answered("a row that might be flat", EACH, user(1, 17), numbers("plain", "plain")),
        answered("a flat row beside nulls", EACH, user(18), numbers("plain")),
        answered("any byte for true", EACH, user(19), numbers("plain")),
        answered("a flat row with a longer header", EACH, user(20), numbers("plain")),
        answered("one field of a flat row", ["numbers:exact"], user(1), [{"numbers__exact": f64(0.1)}]),
        answered("an entity that never was", EVERY, user(18), [row("absent")]),
        answered("a null key", ["all:word", "all:small"], user(None, 1), [absent, word | {"all__small": 7}]),
        answered(
            "the order of the features, and one named twice",
            ["all:word", "all:flag", "all:word"],
            user(1),
            [word | {"all__flag": True}],
        ),
        answered("an entity asked twice", ["all:small"], user(1, 1), [{"all__small": 7}] * 2),
        answered("more of an entity than its key", ["all:word"], [{"user_id": 1, "note": 3.5}], [word]),
        answered("no entities", ["all:word"], [], []),
        answered("100,000 entities", ["all:small"], user(1, 2), many, times=50_000),
        answered(
            "keys of any text",
            ["texts:place"],
            [{"name": text} for text in TEXTS],
            [{"texts__place": place} for place in range(len(TEXTS))],
        ),
        answered(
            "texts that are nobody",
            ["texts:place"],
            [{"name": text} for text in ("a", "a%7Cb", "100")],
            [{"texts__place": -1}] * 3,
        ),
        answered(
            "two join keys",
            ["pairs:seats"],
            [{"day": -7, "origin": "a|b"}, {"day": 7, "origin": "a|b"}],
            [{"pairs__seats": 3}, {"pairs__seats": None}],
        ),
        answered(
            "a null beside a key",
            ["pairs:seats"],
            [{"origin": "", "day": 0}, {"origin": None, "day": 0}, {"origin": "LGA", "day": None}],
            [{"pairs__seats": 4}, {"pairs__seats": None}, {"pairs__seats": None}],
        ),
        answered(
            "several views",
            ["plain:score", "all:word"],
            user(1),
            [score | word],
            views={"plain": LIVE, "all": LIVE},
        ),
        answered(
            "an expired view",
            ["expired:score"],
            user(1, 2),
            [{"expired__score": f32(-1.0)}] * 2,
            views={"expired": EXPIRED},
        ),
        answered(
            "alive of another flip",
            ["outlived:score"],
            user(1),
            [{"outlived__score": f32(-1.0)}],
            views={"outlived": EXPIRED},
        ),
        answered("alive in another width", ["unsigned:score"], user(1), [{"unsigned__score": f32(0.5)}]),
        answered("an expired view without entities", ["expired:score"], [], [], views={"expired": EXPIRED}),
        answered("elements behind the last known", ["longer:score"], user(1), [{"longer__score": f32(0.5)}]),
        answered("a service", ["scores"], user(1), [score | word]),
        answered("a service and a feature", ["scores", "plain:score"], user(1), [score | word]),
        answered(
            "a service with aliases",
            ["trip"],
            [{"origin": "JFK", "dest": "LGA", "day": 0}],
            [TRIP],
            views={"pairs": LIVE, "from": LIVE, "to": LIVE},
        ),
    ]


TRAVEL = [{"origin": "JFK", "dest": "LGA", "via": "JFK", "day": 0}]
TRIP = {"pairs__price": f64(2.5), "from__price": f64(2.5), "to__price": f64(3.5), "to__seats": 9}


def errors() -> list[dict[str, Any]]:
    one = user(1)
    return [
        refused("an unknown view", ["nothing:score"], one, "not_published", "nothing"),
        refused("an unknown view, no entities", ["nothing:score"], [], "not_published", "nothing"),
        refused("a view without a pointer", ["no_pointer:score"], one, "not_published", "no_pointer"),
        refused("a view without its meta", ["no_meta:score"], one, "not_published", "no_meta"),
        refused("an unknown service", ["nothing"], one, "not_published", "nothing"),
        refused("an unknown field", ["plain:scor"], one, "usage", "scor", "score"),
        refused("an unknown field, no entities", ["plain:scor"], [], "usage", "scor"),
        refused("no features", [], one, "usage"),
        refused("a name without a field", ["plain:"], one, "usage", "plain:"),
        refused("a name without a view", [":score"], one, "usage", ":score"),
        refused("a view's name that is none", ["9plain:score"], one, "usage", "9plain:score"),
        refused("a service's name that is none", ["pla-in"], one, "usage", "pla-in"),
        refused("no name", [""], one, "usage"),
        refused("a text for an integer key", ["plain:score"], user("1"), "usage", "integer"),
        refused("a float for an integer key", ["plain:score"], user(1.5), "usage", "integer"),
        refused("a truth for an integer key", ["plain:score"], user(True), "usage", "integer"),
        refused("an integer for a text key", ["texts:place"], [{"name": 1}], "usage", "string"),
        refused("a list for a key", ["plain:score"], user([1]), "usage", "integer"),
        refused(
            "a null before a text for an integer key",
            ["pairs:price"],
            [{"origin": None, "day": "0"}],
            "usage",
            "integer",
        ),
        refused(
            "a null behind an integer for a text key",
            ["pairs:price"],
            [{"origin": 1, "day": None}],
            "usage",
            "string",
        ),
        refused("no join key", ["plain:score"], [{"user": 1}], "usage", "user_id"),
        refused("one of two join keys", ["pairs:price"], [{"origin": "JFK"}], "usage", "day"),
        refused("the second entity lacks its key", ["plain:score"], [{"user_id": 1}, {}], "usage", "user_id"),
        refused("an alias' key is missing", ["trip"], [{"origin": "JFK", "day": 0}], "usage", "dest"),
        refused(
            "a pointer of a newer format", ["newer_pointer:score"], one, "unreadable", "format 2", "format 1"
        ),
        refused("a meta of a newer format", ["newer_meta:score"], one, "unreadable", "format 2", "format 1"),
        refused("a pointer that does not parse", ["torn_pointer:score"], one, "unreadable"),
        refused("a pointer that is too short", ["short_pointer:score"], one, "unreadable"),
        refused("a meta that does not parse", ["torn_meta:score"], one, "unreadable"),
        refused("a dtype of later", ["new_dtype:score"], one, "unreadable", "decimal"),
        refused("a kind of key of later", ["new_kind:score"], one, "unreadable", "uuid"),
        refused("a service that does not parse", ["torn"], one, "unreadable", "torn"),
        refused("an alive that does not parse", ["torn_alive:score"], one, "unreadable", "torn_alive"),
        refused("an alias without keys", ["torn_alias"], one, "unreadable", "torn_alias"),
        refused("an alias with half a pair", ["half_pair"], one, "unreadable", "half_pair"),
        refused("a service's feature without a view", ["no_colon"], one, "unreadable", "no_colon"),
        refused("an alias by a key that is none", ["other_key"], [{"payee": 1}], "unreadable", "user_id"),
        refused("an alias with a key twice", ["twice"], TRAVEL, "unreadable", "twice"),
        refused("a service's feature of no view's name", ["no_name"], one, "unreadable", "no_name"),
        refused("an alias of another field", ["other_field"], TRAVEL, "unreadable", "other_field"),
        refused("an alias with two meanings", ["trip", "other_from"], TRAVEL, "usage", "from"),
        refused("an alias named like a view", ["other_from", "from:price"], TRAVEL, "usage", "from"),
        refused("an int32 beyond its range", ["all:small"], user(97), "unreadable", "97"),
        refused("a text that is not UTF-8", ["all:word"], user(98), "unreadable", "98"),
        refused("a row that ends early", ["all:word"], user(1, 91), "unreadable", "91"),
        refused("an entity that is a text", ["all:word"], user(92), "unreadable", "92"),
        refused("a row of too few values", EVERY, user(93), "unreadable", "93"),
        refused("a text where a truth should be", ["all:flag"], user(94), "unreadable", "94"),
        refused("a text for a truth that is not asked for", ["all:word"], user(94), "unreadable", "94"),
        refused("a text where a float32 should be", ["all:ratio"], user(95), "unreadable", "95"),
        refused("a flat row with a text", ["all:small"], user(99), "unreadable", "99"),
        refused("a flat row that is too short", EACH, user(1, 91), "unreadable", "91"),
        refused("a flat row that is too long", ["numbers:flag"], user(92), "unreadable", "92"),
        refused("a flat row of no bytes", ["numbers:flag"], user(93), "unreadable", "93"),
        refused("a text for a row", ["numbers:flag"], user(94), "unreadable", "94"),
        refused("a constant row that is too short", ["torn_absent:score"], one, "unreadable"),
        refused("a text for a constant row", ["text_absent:score"], one, "unreadable"),
        refused("an entity of no bytes", ["all:word"], user(96), "unreadable", "96"),
    ]


def cases() -> dict[str, Any]:
    """The requests, and what every reader answers."""
    return {
        "about": "What every reader answers from the store: rows, or one of the errors usage, not_published and "
        "unreadable whose message has the texts of `mentions`. `times`: the entities, and the rows, so often. "
        "Values that JSON lacks are tagged: float32 and float64 by their bits, bytes in hex, timestamp in "
        "microseconds. Made by tests/golden_cases.py.",
        "cases": [*right_rows(), *errors()],
    }


def write() -> None:
    """Write both files."""
    for name, content in (("store", store()), ("cases", cases())):
        (FOLDER / f"{name}.json").write_text(text_of(content), "utf-8")


if __name__ == "__main__":
    write()
