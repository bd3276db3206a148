"""The kernel and the oracle agree, in bits, on thousands of small cases; and however the rows are given."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest

from tests.kernel_cases import KernelCase, kernel_case

FAST = range(300)


def wrong(case: KernelCase, rows: pa.Table | None = None) -> list[str]:
    """Every value on which they differ."""
    return [
        f"ask {ask}: {field} is {found}, truth {said}"
        for ask, values, truths in zip(case.asks, case.answered(rows), case.truth(), strict=True)
        for field, found, said in zip(case.view.fields, values, truths, strict=True)
        if found != said
    ]


@pytest.mark.parametrize("block", range(3))
def test_the_kernel_says_what_the_oracle_says(block: int) -> None:
    for seed in FAST[100 * block : 100 * (block + 1)]:
        assert wrong(kernel_case(seed)) == [], f"seed {seed}"


@pytest.mark.parametrize(
    "block",
    [pytest.param(block, marks=pytest.mark.slow if block < 3 else pytest.mark.long) for block in range(20)],
)
def test_the_kernel_says_it_in_thousands_of_cases(block: int) -> None:
    for seed in range(1_000 + 500 * block, 1_500 + 500 * block):
        assert wrong(kernel_case(seed)) == [], f"seed {seed}"


def test_shuffled_rows_and_rows_in_pieces_give_the_same_bits() -> None:
    for seed in FAST[:80]:
        case = kernel_case(seed)
        table, rng = case.table(), random.Random(seed)
        shuffled = table.take(pa.array(rng.sample(range(len(table)), len(table)), pa.int64()))
        cut = rng.randint(0, len(table))
        pieces = pa.concat_tables([shuffled.slice(0, cut), shuffled.slice(cut)])
        assert case.answered(pieces) == case.answered(table), f"seed {seed}"


def test_rows_that_nobody_sees_change_no_bit_although_they_leave_gaps() -> None:
    for seed in FAST[:80]:
        case = kernel_case(seed)
        assert case.answered(case.table(hidden=2)) == case.answered(), f"seed {seed}"
