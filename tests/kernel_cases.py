"""Seeded cases for the kernel alone: as prepared tables for it, and as plain rows for the oracle.

Event times, arrivals, values and asks come from small pools, so that ties, boundaries, late rows and corrections meet
in every case. An hour of the definitions is a microsecond or a few here.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

import pyarrow as pa

from skewless.offline import kernel
from skewless.offline.kernel import Output, Program
from tests import oracle
from tests.corpus import BASE, COLUMNS, EXPRESSIONS, EXTREME, FUNCTIONS, PLAIN, PREDICATES, RECKONED
from tests.oracle import Agg, Expr, Field, Row, View

ARROW = {"int": pa.int64(), "float": pa.float64(), "string": pa.string(), "bool": pa.bool_()}
EVERY = [(function, nulls) for function in FUNCTIONS for nulls in ("skip", "zero", "forward_fill")]
QUANTILES = ["0", "0.1", "0.25", "0.5", "0.95", "1", "1e-05", "0.333333333333"]
READ = [*COLUMNS.values(), *EXPRESSIONS[:4]]
SPAN = 24  # microseconds in which everything happens

Ask = tuple[Any, int, int]  # entity, snapshot, cutoff


@dataclass(frozen=True)
class KernelCase:
    """Rows of a source, a view of many fields over them, and what is asked."""

    rows: tuple[Row, ...]
    view: View
    asks: tuple[Ask, ...]

    def truth(self) -> list[list[Any]]:
        """What the oracle says, in bits: per ask, one value for each field, before casts and defaults."""
        return [[oracle.bits(self._value(field, ask)) for field in self.view.fields] for ask in self.asks]

    def _value(self, field: Field, ask: Ask) -> Any:
        key, snapshot, cutoff = ask[0], at(ask[1]), at(ask[2])
        seen = [row for row in oracle.visible(self.view, self.rows, snapshot, cutoff) if row["k"] == key]
        ordered = sorted(seen, key=lambda row: oracle.newest_order(self.view, row))
        span = field.value.window if isinstance(field.value, Agg) else self.view.ttl
        inside = [row for row in ordered if key is not None and oracle.inside(row, snapshot, span)]
        if isinstance(field.value, Agg):
            return oracle.aggregate(field.value, inside)
        return field.value.of(inside[-1]) if inside else None

    def answered(self, rows: pa.Table | None = None) -> list[list[Any]]:
        """What the kernel says, in bits."""
        program, rows = self.program(), self.table() if rows is None else rows
        columns = [[ask[place] for ask in self.asks] for place in range(3)]
        kinds = {"k": rows["row_k"].type, kernel.SNAPSHOT: pa.int64(), kernel.CUTOFF: pa.int64()}
        asks = pa.table({n: pa.array(c, t) for (n, t), c in zip(kinds.items(), columns, strict=True)})
        found = kernel.answer(program, asks, rows)
        values = [found[output.name].to_pylist() for output in program.outputs]
        return [[oracle.bits(column[place]) for column in values] for place in range(len(self.asks))]

    def program(self) -> Program:
        """The view as the kernel has it."""
        prepared = self._prepared()
        outputs = tuple(self._output(field, prepared) for field in self.view.fields)
        return Program(("k",), ("row_k",), tuple(f"t_{n}" for n in oracle.columns_read(self.view)), outputs)

    def _output(self, field: Field, prepared: dict[str, Expr]) -> Output:
        names = {expr: name for name, expr in prepared.items()}
        value = field.value
        if isinstance(value, Expr):
            ttl = None if self.view.ttl is None else self.view.ttl // timedelta(microseconds=1)
            return Output(field.name, None, names[value], None, "skip", ttl)
        column, where = value.column and names[value.column], value.where and names[value.where]
        q, reach = value.q and Fraction(value.q), value.window // timedelta(microseconds=1)
        function: Any = value.function
        nulls: Any = value.nulls
        return Output(
            field.name, function, column, where, nulls, reach, value.n, q or None if q is None else q
        )

    def _prepared(self) -> dict[str, Expr]:
        parts = [
            (f.value,) if isinstance(f.value, Expr) else (f.value.column, f.value.where)
            for f in self.view.fields
        ]
        distinct = dict.fromkeys(part for pair in parts for part in pair if part is not None)
        return {f"x{place}": expr for place, expr in enumerate(distinct)}

    def table(self, hidden: int = 0) -> pa.Table:
        """The rows as the kernel has them; with so many more, of each entity and time, that nobody ever sees."""
        lives = [(row, superseded(self.view, self.rows, row)) for row in self.rows if row["event_timestamp"]]
        times = {
            "_sk_event": [micros(row["event_timestamp"]) for row, _ in lives],
            "_sk_known": [micros(oracle.known_time(row)) for row, _ in lives],
            "_sk_superseded": [gone for _, gone in lives],
        }
        columns = {name: pa.array(values, pa.int64()) for name, values in times.items()}
        columns["row_k"] = pa.array([row["k"] for row, _ in lives], self._key_type())
        for name in oracle.columns_read(self.view):
            columns[f"t_{name}"] = pa.array([row[name] for row, _ in lives], ARROW[COLUMNS[name].kind])
        for name, expr in self._prepared().items():
            columns[name] = pa.array([expr.of(row) for row, _ in lives], ARROW[expr.kind])
        table = pa.table(columns)
        never = pa.array([1 << 60] * len(table), pa.int64())
        decoys = table.set_column(table.column_names.index("_sk_known"), "_sk_known", never)
        return pa.concat_tables([table, *[decoys] * hidden])

    def _key_type(self) -> pa.DataType:
        keys = [row["k"] for row in self.rows] + [ask[0] for ask in self.asks]
        return pa.string() if any(isinstance(key, str) for key in keys) else pa.int64()


def at(micros: int) -> datetime:
    """That many microseconds after the base."""
    return BASE + timedelta(microseconds=micros)


def micros(t: datetime | None) -> int | None:
    """How many microseconds after the base."""
    return None if t is None else (t - BASE) // timedelta(microseconds=1)


def superseded(view: View, rows: tuple[Row, ...], row: Row) -> int | None:
    """When the next version of the row's event became known."""
    event = row["e"]
    if not view.event_id or event is None:
        return None
    versions = sorted((r for r in rows if r["e"] == event), key=lambda r: oracle.version_order(view, r))
    later = versions[next(place for place, r in enumerate(versions) if r is row) + 1 :]
    return micros(oracle.known_time(later[0])) if later else None


def kernel_case(seed: int) -> KernelCase:
    """The case of a seed: always the same."""
    rng = random.Random(seed)
    keys = rng.choice([["a", "b", "é|"], [1, 2, -7], [1, 2, 10**12]])
    view = View(
        keys=("k",),
        fields=tuple(_fields(rng)),
        event_id=("e",) if seed % 3 == 0 else (),
        ttl=rng.choice([None, timedelta(microseconds=rng.randint(1, SPAN))]),
    )
    floats = rng.choice([PLAIN, PLAIN + EXTREME, [rng.uniform(-9, 9) for _ in range(9)], _odd(rng)])
    lateness = rng.choice([[0], [0, 0, 0, 3], [5], [-3, 0, 1, 9, 40]])
    rows = tuple(_row(rng, keys, floats, lateness) for _ in range(rng.choice([0, 3, 12, 30, 60])))
    delays = rng.choice([[0], [4], [0, 2, 7]])
    asks = []
    for _ in range(rng.choice([0, 1, 8, 16])):
        snapshot = rng.randint(-2, SPAN + 4)
        asks.append((rng.choice([*keys, keys[0], None]), snapshot, snapshot + rng.choice(delays)))
    return KernelCase(rows, view, tuple(asks))


def _odd(rng: random.Random) -> list[float]:
    """Floats of every size and sign."""
    return [rng.choice([-1, 1]) * rng.random() * 2.0 ** rng.randint(-1074, 1023) for _ in range(9)]


def _fields(rng: random.Random) -> list[Field]:
    """Two fields that pass a value through, and aggregates; some in several windows."""
    fields = [Field(f"p{place}", "", expr) for place, expr in enumerate(rng.sample(READ, 2))]
    for place, (function, nulls) in enumerate(rng.sample(EVERY, 10)):
        numbers = [expr for expr in READ if expr.kind in ("int", "float")]
        column = rng.choice(numbers if nulls == "zero" or function in RECKONED else READ)
        read = None if function == "count" and nulls == "skip" and rng.random() < 0.5 else column
        where = rng.choice([None, None, *PREDICATES])
        n = rng.choice([1, 2, 50]) if function == "last_n" else None
        q = rng.choice(QUANTILES) if function == "quantile" else None
        for number, window in enumerate(rng.sample(range(1, SPAN), rng.choice([1, 1, 2]))):
            span = timedelta(microseconds=window)
            fields.append(Field(f"f{place}_{number}", "", Agg(function, read, span, nulls, where, n, q)))
    return fields


def _row(rng: random.Random, keys: list[Any], floats: list[float], lateness: list[int]) -> Row:
    happened = rng.randint(0, SPAN)
    created = happened + rng.choice(lateness)
    values = {
        "n": rng.choice([-2, 0, 1, 2, 3, 2**53 + 1, -(2**53) - 1]),
        "x": rng.choice(floats),
        "s": rng.choice(["a", "b", "é"]),
        "flag": rng.random() < 0.5,
    }
    return {
        "k": rng.choice([*keys, *keys, None]),
        "event_timestamp": at(happened),
        "created_timestamp": rng.choice([at(created), at(created), None])
        if created != happened
        else at(created),
        "e": rng.choice(["1", "2", "3", "4", None]),
        **{name: None if rng.random() < 0.2 else value for name, value in values.items()},
    }
