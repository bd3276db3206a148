"""Tiles tell a snapshot what its rows would, in bits, and hold no more rows than they must."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from skewless.offline.columns import EVENT, KNOWN, SUPERSEDED
from skewless.offline.complete import NEWEST, Moment, complete
from skewless.offline.kernel import Output, Program
from skewless.offline.reducing import tiles_of
from skewless.offline.tiled import TiledSnapshot
from skewless.offline.tiles import Tiling
from tests.kernel_cases import kernel_case
from tests.oracle import bits

FAST, SLOW = range(120), range(1_000, 1_600)


def tiled_case(seed: int) -> tuple[Program, pa.Table, int]:
    """A program over prepared rows that no correction ends, whose outputs all end somewhere, and a day's length.

    Every second case has all rows in one entity.
    """
    case, rng = kernel_case(seed), random.Random(seed)
    table, program, day = case.table(), case.program(), rng.choice([2, 4, 8])
    table = table.filter(table["row_k"].is_valid())
    if seed % 2 and len(table):
        one = pa.array([table["row_k"][0].as_py()] * len(table), table["row_k"].type)
        table = table.set_column(table.column_names.index("row_k"), "row_k", one)
    never = pa.nulls(len(table), pa.int64())
    table = table.set_column(table.column_names.index(SUPERSEDED), SUPERSEDED, never)
    reaches = [rng.choice([1, 3, 4, 8, 9, 13, 17, 24]) for _ in program.outputs]
    outputs = [replace(o, reach=r) for o, r in zip(program.outputs, reaches, strict=True)]
    outputs = [shortened(output, 2 * day) for output in outputs]
    outputs += [
        Output("rows", "count", None, None, "skip", 24),
        Output(NEWEST, None, EVENT, None, "skip", 24),
    ]
    return replace(program, keys=program.row_keys, outputs=tuple(outputs)), table, day


def shortened(output: Output, most: int) -> Output:
    """What cannot be tiled may reach two days at the most."""
    tiles = output.function not in ("stddev", "quantile") and output.measure.rows_read[2] != "forward_fill"
    return output if tiles or output.reach is None else replace(output, reach=min(output.reach, most))


def from_tiles(program: Program, table: pa.Table, moment: Moment, day: int) -> pa.Table:
    """The snapshot from tiles that are made a day at a time, and only the rows that are read beside them."""
    tiling = Tiling.of(program, day)
    assert tiling is not None
    snapshot = TiledSnapshot(tiling, moment)
    event, known = (table[name].to_numpy() for name in (EVENT, KNOWN))
    made = [tiles_of(tiling, table.slice(0, 0))]
    for each in snapshot.days:
        known_then = snapshot.known_on(each, each).holds(event, known)
        made.append(tiles_of(tiling, table.filter(pa.array(known_then))))
    tiles = pa.concat_tables(made)
    read = np.zeros(len(table), dtype=bool)
    for box in snapshot.boxes:
        read |= box.holds(event, known)
    return snapshot.complete(table.filter(pa.array(read)), tiles)


def told(found: pa.Table, program: Program) -> dict[object, list[object]]:
    """The values of each entity, in bits."""
    names = [output.name for output in program.outputs]
    keys = zip(*(found[key].to_pylist() for key in program.row_keys), strict=True)
    values = zip(*(found[name].to_pylist() for name in names), strict=True)
    return {key: [bits(value) for value in row] for key, row in zip(keys, values, strict=True)}


def wrong(seed: int) -> list[str]:
    """The entities of which tiles and rows tell differently."""
    program, table, day = tiled_case(seed)
    rng = random.Random(-seed)
    at = rng.randint(12, 30)
    moment = Moment(at, at + rng.choice([0, 0, 0, 1, 2, 9]))
    visible = table.filter(pa.array(table[KNOWN].to_numpy() < moment.cutoff))
    truth = told(complete(program, visible, [moment]), program)
    found = told(from_tiles(program, table, moment, day), program)
    return [
        f"{key}: {name} is {mine}, without tiles {theirs}"
        for key in truth | found
        for name, mine, theirs in zip(
            [output.name for output in program.outputs],
            found.get(key, ["absent"] * 99),
            truth.get(key, ["absent"] * 99),
            strict=False,
        )
        if mine != theirs
    ]


def test_tiles_tell_what_rows_tell() -> None:
    for seed in FAST:
        assert wrong(seed) == [], f"seed {seed}"


@pytest.mark.slow
def test_tiles_tell_it_in_hundreds_of_cases() -> None:
    for seed in SLOW:
        assert wrong(seed) == [], f"seed {seed}"


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([1.0, float("inf"), 2.0, 3.0], id="an infinity"),
        pytest.param([1.0, float("inf"), float("-inf"), 3.0], id="infinities of both signs"),
        pytest.param([1.7e308, 1.7e308, -1.7e308, 1.0], id="floats whose sum of a day is out of range"),
        pytest.param([2**62, 2**62, -(2**62), 5], id="integers whose sum of a day is out of range"),
    ],
)
def test_a_day_whose_sum_is_no_number_is_handed_on_as_its_rows(values: list[float]) -> None:
    day, known = (
        10,
        [1, 2, 3, 12],
    )  # three on a day whose sum has no number, one on the next that brings it back
    table = pa.table(
        {
            "k": pa.array([1] * 4),
            EVENT: pa.array(known),
            KNOWN: pa.array(known),
            SUPERSEDED: pa.nulls(4, pa.int64()),
            "x": pa.array([values[0], values[3], values[1], values[2]]),
        }
    )
    outputs = [
        Output("sum", "sum", "x", None, "skip", 30),
        Output("avg", "avg", "x", None, "skip", 30),
        Output(NEWEST, None, EVENT, None, "skip", 30),
    ]
    program, moment = Program(("k",), ("k",), (), tuple(outputs)), Moment(25, 25)
    found = told(from_tiles(program, table, moment, day), program)
    assert found == told(complete(program, table, [moment]), program)
    assert len(found) == 1
