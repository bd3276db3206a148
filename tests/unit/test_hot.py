"""Answered in slices by time, a hot key has the bits that it has whole; and slices are worth their copies."""

from __future__ import annotations

import random
from bisect import bisect_left
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from skewless.offline.columns import EVENT, KNOWN, NEVER, SUPERSEDED, instants
from skewless.offline.hot import FROM_EVER, HotKey, Slice, Start, chosen, slices, starts, told
from tests.kernel_cases import SPAN, KernelCase, kernel_case


def base(rows: list[dict[str, Any]], key: Any, begin: int) -> int:
    """When the newest row of a key happened that everybody sees from an instant on."""
    stand = [
        row[EVENT]
        for row in rows
        if row["row_k"] == key and row[EVENT] < begin and row[KNOWN] < begin and row[SUPERSEDED] is None
    ]
    return max(stand, default=FROM_EVER)


def sliced(case: KernelCase, table: pa.Table, key: Any, begins: list[int]) -> tuple[Slice, ...]:
    """A key's slices, however much they copy."""
    reaches = [output.reach for output in case.program().outputs]
    window = max((reach for reach in reaches if reach is not None), default=0)
    rows = table.to_pylist()
    known = [base(rows, key, begin) for begin in begins] if None in reaches else None
    delay = max(cutoff - snapshot for _, snapshot, cutoff in case.asks)
    return slices(starts(begins, window, known), delay)


def answered_in_slices(case: KernelCase, rng: random.Random) -> list[list[Any]]:
    """The answers to all asks, each from the rows of its key's slice alone."""
    table = case.table()
    first = min(snapshot for _, snapshot, _ in case.asks)
    begins = [first, *sorted({t for t in rng.sample(range(SPAN + 4), 4) if t > first})]
    event, known, gone = (instants(table, name) for name in (EVENT, KNOWN, SUPERSEDED))
    found: dict[int, list[Any]] = {}
    for key in {key for key, _, _ in case.asks}:
        of_key = np.array([row == key and key is not None for row in table["row_k"].to_pylist()], dtype=bool)
        for part in sliced(case, table, key, begins):
            here = [place for place, ask in enumerate(case.asks) if ask[0] == key and part.asked(ask[1])]
            rows = table.filter(pa.array(of_key & part.needed(event, known, gone)))
            asks = tuple(case.asks[place] for place in here)
            answers = replace(case, asks=asks).answered(rows)
            assert not found.keys() & set(here), "an ask belongs to one slice"
            found |= dict(zip(here, answers, strict=True))
    return [found[place] for place in range(len(case.asks))]


def test_slices_answer_as_all_rows_do_in_bits() -> None:
    """Late rows, corrections, ties, windows and fields that read the newest row of all before."""
    for seed in range(120):
        case = kernel_case(seed)
        if case.asks:
            assert answered_in_slices(case, random.Random(seed)) == case.answered(), f"seed {seed}"


@pytest.mark.slow
def test_slices_do_so_in_hundreds_of_cases() -> None:
    for seed in range(1_000, 1_800):
        case = kernel_case(seed)
        if case.asks:
            assert answered_in_slices(case, random.Random(seed)) == case.answered(), f"seed {seed}"


def test_a_slice_leaves_out_what_none_of_its_asks_can_see() -> None:
    (early, late) = slices(starts([100, 200], 50, [FROM_EVER, 180]), delay=5)
    assert (early, late) == (Slice(100, 200, FROM_EVER, 205), Slice(200, NEVER, 150, NEVER))
    assert not early.needed(120, 205, NEVER), "known only after its last cutoff"
    assert not late.needed(160, 160, 199), "had given way before its first cutoff"
    assert not late.needed(149, 149, NEVER), "older than windows and base"
    assert late.needed(150, 10**9, 200)


def test_all_slices_together_hold_at_most_twice_the_rows() -> None:
    for seed in range(300):
        rng = random.Random(seed)
        times = sorted(
            rng.choice([rng.randint(0, 99), rng.randint(50, 55)]) for _ in range(rng.randint(1, 200))
        )
        window, share = rng.choice([0, 3, 20, 200]), rng.choice([1, 10, 50])

        def before(t: int, times: list[int] = times) -> int:
            return bisect_left(times, t)

        begins = sorted({0, *rng.sample(times, min(len(times), 20))})
        found = slices(chosen(starts(begins, window, None), before, share), delay=0)
        held = [sum(part.needed(t, t, NEVER) for t in times) for part in found]
        assert sum(held) <= 2 * len(times), f"seed {seed}"
        own = [before(part.end) - before(part.begin) for part in found[1:-1]]
        assert all(rows >= share for rows in own), f"seed {seed}"


def test_short_windows_part_a_key_evenly_and_long_ones_do_not() -> None:
    def parted(window: int) -> list[int]:
        every_ten = [Start(begin, begin - window) for begin in range(0, 100, 10)]
        return [start.begin for start in chosen(every_ten, lambda t: max(t, 0), share=20)]

    assert parted(1) == [0, 20, 40, 60, 80]
    assert parted(25) == [0, 40, 70], "25 rows are copied where the slice before has as many"
    assert parted(90) == [0], "a cut would leave no rows behind"


def test_what_is_told_counts_keys_rows_and_slices() -> None:
    parted = HotKey(("a",), 2_000_000, slices(starts([1, 2], 0, None), 0))
    assert list(told("v", [])) == []
    assert list(told("v", [parted, parted])) == [
        "v: 2 keys of 4,000,000 rows are answered in 4 slices by time"
    ]
