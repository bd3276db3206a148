"""Whether an answer is right: every row once, every value as expected, whatever their order."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from benchmarks.columns import Expected, ExpectedColumns

NEARLY = (
    1e-6  # for contenders whose float sums are differences of prefix sums, which grow with all that was added
)


class WrongAnswer(Exception):
    """An answer that differs from the expected one."""


def check(answer: ds.Dataset, key: str, rows: int, expected: ExpectedColumns, *, exact: bool = True) -> str:
    """Compare a contender's rows with the right answer; give how they compare, in words.

    key   the column that numbers the rows: 0 to `rows` - 1, each once, in any order

    WrongAnswer, with the first difference, where a row is missing or twice, or a value is another.
    """
    order = _order(answer, key, rows)
    names = set(answer.schema.names)
    off = 0
    for column in expected:
        if column.name not in names:
            raise WrongAnswer(f"there is no column {column.name!r}; there are {', '.join(sorted(names))}")
        found = answer.to_table(columns=[column.name])[column.name].combine_chunks()
        off += _compare(column, found.take(order) if order is not None else found, exact=exact)
    return "every bit" if not off else f"to {NEARLY:g}; {off:,} sums are not the exact ones"


def _order(answer: ds.Dataset, key: str, rows: int) -> pa.Array | None:
    """How to take the rows in the order of the key; None where they have it."""
    ids = answer.to_table(columns=[key])[key].to_numpy()
    if len(ids) != rows:
        raise WrongAnswer(f"{len(ids):,} rows, not {rows:,}")
    order = np.argsort(ids, kind="stable")
    if not np.array_equal(ids[order], np.arange(rows)):
        raise WrongAnswer(f"some values of {key} are missing, and others are there twice")
    return None if np.array_equal(order, np.arange(rows)) else pa.array(order)


def _compare(column: Expected, found: pa.Array, *, exact: bool) -> int:
    """How many values are only nearly right; WrongAnswer where one is wrong."""
    valid = found.is_valid().to_numpy(zero_copy_only=False)
    wanted = np.ones(len(found), dtype=bool) if column.valid is None else column.valid
    values = pc.fill_null(found, pa.scalar(0, found.type)).to_numpy(zero_copy_only=False)
    if exact and values.dtype != column.values.dtype:
        raise WrongAnswer(f"{column.name} is {values.dtype}, expected {column.values.dtype}")
    same = values == column.values
    near = same if exact else np.isclose(values, column.values, rtol=NEARLY, atol=NEARLY)
    wrong = np.flatnonzero((valid != wanted) | (wanted & ~near))
    if len(wrong):
        first = int(wrong[0])
        shown = column.values[first] if wanted[first] else None
        raise WrongAnswer(
            f"{column.name}: {len(wrong):,} values are wrong, e.g. at {first}: {found[first]}, expected {shown}"
        )
    return int((wanted & ~same).sum())
