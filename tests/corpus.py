"""Seeded cases for the engine: few distinct times, keys and values, so that ties and boundaries are common.

Cases are plain values grouped by view, because a view fixes what one Spark job computes: batch all cases of a
view by adding `case.number` as a first join key to its source, spine and stored rows. Nothing else is needed:
event ids are never shared between cases, and the ledger's history belongs to the view.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.cases import FEATURES, Case, CaseView, describe, expected, explained, features_of, shrink
from tests.oracle import Agg, Entry, Expr, Field, Key, Row, Values, View

__all__ = [
    "FEATURES",
    "Case",
    "CaseView",
    "Corpus",
    "corpus",
    "describe",
    "expected",
    "explained",
    "features_of",
    "shrink",
]

BASE = datetime(2024, 3, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
NOTHING = timedelta(0)
TICKS = 12
HOT = range(3, 9)  # the ticks that have a history, and around which rows and questions gather

# The schedules; every tick is BASE + i * interval, because all of them divide a day.
SCHEDULES = {"*/15 * * * *": 15 * MINUTE, "@hourly": HOUR, "0 */6 * * *": 6 * HOUR}
DELAYS = {  # data_delay, publish_delay: both may be longer than an interval
    "*/15 * * * *": [
        (NOTHING, NOTHING),
        (5 * MINUTE, 5 * MINUTE),
        (5 * MINUTE, 15 * MINUTE),
        (20 * MINUTE, 40 * MINUTE),
    ],
    "@hourly": [(NOTHING, 10 * MINUTE), (5 * MINUTE, 15 * MINUTE), (90 * MINUTE, 100 * MINUTE), (HOUR, HOUR)],
    "0 */6 * * *": [(NOTHING, NOTHING), (2 * HOUR, 2 * HOUR + 10 * MINUTE), (HOUR, 3 * HOUR)],
}

KINDS = {"n": "int", "x": "float", "s": "string", "flag": "bool"}  # the value columns that every source has
KEY_KINDS = {"k": "string", "i": "int"}
KEY_POOL: dict[str, list[Any]] = {"k": ["a", "b", "a|b", ""], "i": [1, 2, -7]}
EVENT_ID_KINDS = {"e": "string", "v": "int"}
RECKONED = ("sum", "avg", "stddev", "quantile")  # of numbers only
FUNCTIONS = (*RECKONED, "count", "min", "max", "first", "last", "last_n", "count_distinct")
QUANTILES = ["0", "0.1", "0.5", "0.95", "1"]
Supply = Iterator[tuple[str, str]]  # (function, null rule)
SMALL, BIG = [-2, 0, 1, 2, 3], [1, 2, 2**53 + 1, -(2**53) - 1]
PLAIN = [-0.0, 0.0, 0.1, 0.2, 0.3, 1.0, 2.5, -1.0, 1e16, -1e16]
EXTREME = [1e308, -1e308, float("inf"), float("-inf"), float("nan"), 5e-324, -5e-324, 1e-300]


# -- expressions: the same thing said to Spark and to Python ------------------------------------------------


def column(name: str, kind: str) -> Expr:
    """A column of the source."""
    return Expr(name, kind, (name,), lambda row: row[name])


def of(sql: str, kind: str, reads: str, function: Callable[..., Any], *, nulls: bool = False) -> Expr:
    """An expression over columns; without `nulls`, null as soon as one of them is null, as in SQL."""
    names = tuple(reads.split())

    def evaluate(row: Row) -> Any:
        values = [row[name] for name in names]
        return None if not nulls and None in values else function(*values)

    return Expr(sql, kind, names, evaluate)


COLUMNS = {name: column(name, kind) for name, kind in KINDS.items()}
EXPRESSIONS = [
    of("n + 1", "int", "n", lambda n: n + 1),
    of("coalesce(n, 0)", "int", "n", lambda n: 0 if n is None else n, nulls=True),
    of("x * 2", "float", "x", lambda x: x * 2),
    of(
        "CASE WHEN n > 1 THEN x END",
        "float",
        "n x",
        lambda n, x: x if n is not None and n > 1 else None,
        nulls=True,
    ),
    of("upper(s)", "string", "s", lambda s: s.upper()),
    of("s = 'a'", "bool", "s", lambda s: s == "a"),
    column("event_timestamp", "timestamp"),
]
PREDICATES = [
    of("n > 1", "bool", "n", lambda n: n > 1),
    of("s = 'a'", "bool", "s", lambda s: s == "a"),
    of("x IS NOT NULL", "bool", "x", lambda x: x is not None, nulls=True),
    of("x > 0", "bool", "x", lambda x: x > 0 or x != x),  # NaN is above all numbers
    of("NOT flag", "bool", "flag", lambda flag: not flag),
]


# -- the corpus ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Corpus:
    """Views, and the cases of each by the view's name."""

    views: tuple[CaseView, ...]
    cases: dict[str, tuple[Case, ...]]

    def __iter__(self) -> Iterator[Case]:
        return itertools.chain.from_iterable(self.cases.values())


def corpus(seed: int = 20240301, views: int = 12, cases: int = 36) -> Corpus:
    """The corpus: always the same for the same arguments."""
    rng = random.Random(seed)
    fields = field_supply(rng)
    made = tuple(make_view(rng, index, fields) for index in range(views))
    numbers = itertools.count(1)
    return Corpus(
        made, {view.name: tuple(make_case(rng, next(numbers), view) for _ in range(cases)) for view in made}
    )


# -- views ------------------------------------------------------------------------------------------------


def field_supply(rng: random.Random) -> Supply:
    """(function, null rule), every combination in turn, again and again."""
    pairs = [("rows", "skip"), *itertools.product(FUNCTIONS, ("skip", "zero", "forward_fill"))]
    while True:
        rng.shuffle(pairs)
        yield from pairs


def make_view(rng: random.Random, index: int, supply: Supply) -> CaseView:
    """A view; its place decides schedule, keys and columns, so that each variant is surely there."""
    schedule = list(SCHEDULES)[index % 3]
    interval = SCHEDULES[schedule]
    data_delay, publish_delay = DELAYS[schedule][index // 3 % len(DELAYS[schedule])]
    fields = make_fields(rng, interval, supply)
    passes = any(isinstance(field.value, Expr) for field in fields)
    has_created = index % 4 != 3
    ticks = tuple(BASE + step * interval for step in range(1, TICKS + 1))
    truth = View(
        keys=[("k",), ("i",), ("k", "i")][index // 2 % 3],
        fields=fields,
        ticks=ticks,
        event_id=[("e",), (), ("e", "v")][index % 3 if index < 12 else (index + 1) % 3],
        ttl=rng.choice([None, interval, 2 * interval]) if passes else None,
        data_delay=data_delay,
        publish_delay=publish_delay,
        max_staleness=[interval + publish_delay, None, 2 * interval + publish_delay][index // 4 % 3],
        history=make_history(rng, ticks, publish_delay, interval),
    )
    return CaseView(f"view_{index:02}", schedule, has_created, tuple(rng.choice([SMALL, SMALL, BIG])), truth)


def make_fields(rng: random.Random, interval: timedelta, supply: Supply) -> tuple[Field, ...]:
    """Three to eight fields: aggregates and pass-throughs, the latter sometimes of a column's own name."""
    fields: list[Field] = []
    for place in range(rng.randint(3, 8)):
        if rng.random() < 0.7:
            fields.append(make_aggregate(rng, f"f{place}", interval, supply))
            continue
        value = rng.choice([*COLUMNS.values(), *EXPRESSIONS])
        own = value.sql in COLUMNS and all(field.name != value.sql for field in fields) and rng.random() < 0.5
        fields.append(make_field(rng, value.sql if own else f"f{place}", value, value.kind))
    return tuple(fields)


def make_aggregate(rng: random.Random, name: str, interval: timedelta, supply: Supply) -> Field:
    """A field with the supply's next function and null rule."""
    function, nulls = next(supply)
    window = rng.choice([interval / 2, interval, interval, 3 * interval, MICROSECOND])
    where = rng.choice([None, None, *PREDICATES])
    if function == "rows":
        return make_field(rng, name, Agg("count", None, window, nulls, where), "count")
    numbers = [expr for expr in (*COLUMNS.values(), *EXPRESSIONS[:4]) if expr.kind in ("int", "float")]
    anything = [*COLUMNS.values(), *numbers]
    value = rng.choice(numbers if nulls == "zero" or function in RECKONED else anything)
    n = rng.randint(1, 3) if function == "last_n" else None
    q = rng.choice(QUANTILES) if function == "quantile" else None
    return make_field(rng, name, Agg(function, value, window, nulls, where, n, q), kind_of(function, value))


def kind_of(function: str, value: Expr) -> str:
    """The kind of an aggregate's result."""
    kinds = {"count": "count", "count_distinct": "count"} | dict.fromkeys(
        ("avg", "stddev", "quantile"), "float"
    )
    return f"array {value.kind}" if function == "last_n" else kinds.get(function, value.kind)


def make_field(rng: random.Random, name: str, value: Expr | Agg, kind: str) -> Field:
    """The field with a dtype that its kind fits, and perhaps a default."""
    dtypes = {
        "count": ["int64", "int32", "float32"],
        "int": ["int64", "int64", "float64"],
        "float": ["float64", "float32"],
        "string": ["string"],
        "bool": ["bool"],
        "timestamp": ["timestamp"],
    }
    defaults = {"int": -99, "float": -0.5, "string": "none", "bool": True, "timestamp": BASE}
    if kind.startswith("array "):
        element = rng.choice(dtypes[kind.removeprefix("array ")])
        return Field(name, f"array<{element}>", value, None)  # it is never null
    dtype = rng.choice(dtypes[kind])
    default = defaults[dtype.rstrip("0123456789")] if rng.random() < 0.4 else None
    return Field(name, dtype, value, default)


# -- histories --------------------------------------------------------------------------------------------

# What may have become of a snapshot: revisions r and q, each event with its usable_from, counted in half
# intervals after the snapshot is due. In the first REFUSED nothing is in force for a
# while at least; they are drawn more often.
REFUSED = 7
STORIES: list[list[tuple[Any, ...]]] = [
    [("built", "r"), ("blocked", "r")],
    [("built", "r"), ("passed", "r"), ("withdrawn", "r")],
    [("built", "r"), ("blocked", "r"), ("accepted", "r", 3)],
    [("built", "r"), ("blocked", "r"), ("built", "q", 2), ("blocked", "q")],
    [("built", "r"), ("passed", "r"), ("withdrawn", "r"), ("built", "r", 1)],
    [("built", "r"), ("blocked", "r"), ("built", "q", 1)],
    [("built", "r"), ("blocked", "r"), ("built", "q", 2), ("passed", "q")],
    [("built", "r"), ("passed", "r")],
    [("built", "r")],
    [("built", "r", 3), ("passed", "r")],
    [("built", "r"), ("passed", "r"), ("accepted", "r", 3)],
    [("built", "r"), ("passed", "r"), ("withdrawn", "r"), ("accepted", "r", 1)],
    [("built", "r"), ("blocked", "r"), ("built", "r", 1), ("accepted", "r", 2)],
    [("built", "r"), ("passed", "r"), ("built", "q", 1), ("passed", "q")],
    [("built", "r"), ("passed", "r"), ("built", "q"), ("passed", "q"), ("built", "r"), ("passed", "r")],
    [("built", "r"), ("passed", "r"), ("built", "q", 1), ("passed", "q"), ("built", "r", 3), ("passed", "r")],
    [("built", "r"), ("passed", "r"), ("built", "q"), ("blocked", "q")],
    [("built", "r"), ("passed", "r"), ("built", "q"), ("passed", "q"), ("withdrawn", "q")],
    [("built", "other"), ("passed", "other")],
    [("built", "other"), ("blocked", "other")],
    [("built", "r"), ("passed", "r"), ("built", "other"), ("passed", "other")],
]


def make_history(
    rng: random.Random, ticks: tuple[datetime, ...], publish_delay: timedelta, interval: timedelta
) -> tuple[Entry, ...]:
    """A story for most of the hot ticks, told in turns; the order within a snapshot is the story's."""
    told: list[list[Entry]] = []
    for place in HOT:
        if rng.random() < 0.35:
            continue  # nobody built it
        story = rng.choice(STORIES[:REFUSED] if rng.random() < 0.35 else STORIES[REFUSED:])
        due = ticks[place] + publish_delay
        told.append([make_entry(event, place, ticks[place], due, interval / 2) for event in story])
    entries = []
    while told:
        story_left = rng.choice(told)
        entries.append(story_left.pop(0))
        told = [story for story in told if story]
    return tuple(entries)


def make_entry(event: tuple[Any, ...], place: int, tick: datetime, due: datetime, half: timedelta) -> Entry:
    """The event of a story as the ledger has it."""
    kind, revision, *later = event
    usable_from = due + later[0] * half if later else None
    return Entry(kind, tick, f"{revision}{place}", usable_from, "another" if revision == "other" else "asked")


# -- sources, stored rows, spines -------------------------------------------------------------------------


def make_case(rng: random.Random, number: int, view: CaseView) -> Case:
    """A case around two or three of the view's ticks, with two or three entities."""
    truth = view.truth
    hot = rng.sample([truth.ticks[place] for place in HOT], rng.choice([2, 3]))
    keys: list[Key] = [tuple(rng.choice(KEY_POOL[name]) for name in truth.keys) for _ in range(2)]
    floats = rng.sample(PLAIN, 3) + (rng.sample(EXTREME, 2) if rng.random() < 0.5 else [])
    events = rng.sample(event_times(view, hot), 4)
    rows = [make_row(rng, number, view, hot, keys, floats, events) for _ in range(rng.randint(0, 12))]
    if rows and rng.random() < 0.4:  # the same event, told twice with one thing changed
        twice = dict(rng.choice(rows))
        changed = rng.choice(list(KINDS))
        rows.append({**twice, changed: value_of(rng, changed, view, floats)})
    stored = {
        entry.revision: make_stored(rng, truth, keys, place)
        for place, entry in enumerate(truth.history)
        if entry.kind == "built" and entry.fingerprint == "asked"
    }
    return Case(number, view, tuple(rows), stored, make_spine(rng, truth, hot, keys))


def event_times(view: CaseView, hot: list[datetime]) -> list[datetime]:
    """Where event times gather: at ticks, at the far ends of windows and ttl, and a microsecond beside."""
    spans = [field.value.window for field in view.truth.fields if isinstance(field.value, Agg)]
    spans += [view.truth.ttl] if view.truth.ttl else []
    interval = SCHEDULES[view.schedule]
    edges = [hot[0], *(hot[0] - span for span in spans), hot[1] - (spans or [interval])[0]]
    beside = [hot[0] - MICROSECOND, edges[-1] - MICROSECOND]
    return edges + beside + [hot[i] - interval / 4 for i in (0, 0, 1)]


def make_row(
    rng: random.Random,
    number: int,
    view: CaseView,
    hot: list[datetime],
    keys: list[Key],
    floats: list[float],
    events: list[datetime],
) -> Row:
    """A row of a source."""
    truth = view.truth
    happened = rng.choice(events) if rng.random() < 0.95 else None
    row = dict(zip(truth.keys, rng.choice(keys), strict=True))
    if rng.random() < 0.04:
        row[rng.choice(truth.keys)] = None
    row["event_timestamp"] = happened
    if view.has_created:
        row["created_timestamp"] = known_at(rng, truth, hot, happened)
    if "e" in truth.event_id:
        row["e"] = rng.choice([f"{number}-1", f"{number}-2", f"{number}-3", f"{number}-4", None])
    if "v" in truth.event_id:
        row["v"] = rng.choice([1, 1, 2, None])
    return {**row, **{name: value_of(rng, name, view, floats) for name in KINDS}}


def known_at(
    rng: random.Random, truth: View, hot: list[datetime], happened: datetime | None
) -> datetime | None:
    """When a row became known: at once, just before or at a cutoff, long after, or nobody wrote it down."""
    cutoff = rng.choice([hot[0], *hot]) + truth.data_delay
    if happened is None or rng.random() < 0.4:
        return rng.choice([cutoff, cutoff - MICROSECOND, cutoff - MICROSECOND, cutoff + MINUTE])
    return rng.choice([happened, happened, happened + MICROSECOND, happened + MINUTE, None])


def value_of(rng: random.Random, name: str, view: CaseView, floats: list[float]) -> Any:
    """A value of one of the columns, null in one of five."""
    if rng.random() < 0.2:
        return None
    pools: dict[str, list[Any]] = {"n": list(view.integers), "x": floats, "s": ["a", "b", "é"]}
    return rng.choice(pools.get(name, [True, False]))


def make_stored(rng: random.Random, truth: View, keys: list[Key], place: int) -> dict[Key, Values]:
    """What a revision's table holds: values that no source gives, so that reading them is proved."""
    visible = {
        "int32": 70_000 + place,
        "int64": 7_000_000_000 + place,
        "float32": 1000.5 + place,
        "float64": 1e6 + place / 3,
        "string": f"stored {place}",
        "bool": place % 2 == 0,
        "timestamp": BASE - timedelta(days=place + 1),
    }
    visible |= {f"array<{dtype}>": (value,) for dtype, value in visible.items()}
    rows: dict[Key, Values] = {}
    for key in keys:
        if rng.random() < 0.8:
            nullable = [field.default is None and rng.random() < 0.1 for field in truth.fields]
            values = [visible[field.dtype] for field in truth.fields]
            rows[key] = tuple(None if null else v for null, v in zip(nullable, values, strict=True))
    return rows


def make_spine(
    rng: random.Random, truth: View, hot: list[datetime], keys: list[Key]
) -> tuple[tuple[Key, datetime], ...]:
    """One to eight questions at the instants where an answer changes, or a microsecond beside them."""
    unknown = tuple({"k": "nobody", "i": 404}[name] for name in truth.keys)
    nulls = tuple(None if place == 0 else key for place, key in enumerate(keys[0]))
    earliest, latest = truth.ticks[0] + truth.publish_delay, truth.ticks[-1] + truth.publish_delay
    instants = turning_points(truth, hot)
    questions: list[tuple[Key, datetime]] = []
    for _ in range(rng.randint(1, 7)):
        t = rng.choice(instants) + rng.choice([NOTHING, NOTHING, MICROSECOND, -MICROSECOND])
        key = rng.choices([*keys, unknown, nulls], [8, 8, 2, 1])[0]
        questions.append((key, min(max(t, earliest), latest - MICROSECOND)))
    return tuple(questions + questions[: rng.randint(0, 1)])  # sometimes the same question twice


def turning_points(truth: View, hot: list[datetime]) -> list[datetime]:
    """Where answers change: at ticks, when snapshots are due, expire, or a revision becomes usable."""
    instants = hot + [tick + truth.publish_delay for tick in (hot[0], hot[0], hot[0], *hot)]
    instants += [tick + truth.max_staleness for tick in hot if truth.max_staleness is not None]
    return instants + [entry.usable_from for entry in truth.history if entry.usable_from is not None]
