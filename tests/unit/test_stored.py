"""Rows meet by revision and keys, whatever the keys are and however files hold the revisions."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from skewless import DeltaSource, Entity, FeatureView, Field
from skewless.errors import DataError
from skewless.offline.seen import NOT_STORED
from skewless.offline.slices import boundaries
from skewless.offline.stored import StoredRevisions, holding, positions
from skewless.offline.tables import FeatureTable
from skewless.timeline import to_micros
from skewless.types import Float32

T = datetime(2026, 7, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
SOURCE = DeltaSource(name="facts", path="sources/facts", timestamp_field="at")

POOLS = {
    "integers": (pa.int64(), [-7, 0, 1, 12, 123, 2**62, None]),
    "strings": (pa.string(), ["", "a", "a|b", "é", "12", None]),
}


def test_composite_keys_are_compared_column_by_column():
    stored = [pa.array([12, 1]), pa.array(["3", "23"])]
    asked = [pa.array([1, 12, 123]), pa.array(["23", "23", ""])]
    found = positions(asked, np.zeros(3, dtype=np.int64), stored, np.zeros(2, dtype=np.int64))
    assert found.tolist() == [1, NOT_STORED, NOT_STORED]


@pytest.mark.parametrize("kinds", [["integers"], ["strings"], ["integers", "strings"], ["strings"] * 3])
def test_positions_are_what_a_loop_finds(kinds: list[str]):
    rng = random.Random(str(kinds))
    for _ in range(150):
        asked, stored = (drawn(rng, kinds, rng.randint(0, 8)) for _ in range(2))
        sides = [as_arrays(kinds, *side) for side in (asked, stored)]
        found = positions(*sides[0], *sides[1]).tolist()
        assert found == by_loop(asked, stored)


def test_runs_of_ascending_keys_are_searched_and_give_the_same():
    stored, numbers = pa.array([-5, 0, 3, 8, 0, 9]), np.array([6, 6, 6, 6, 2, 2])
    asked = pa.array([8, 9, None, -5, 0, 0, 0, 9])
    found = positions([asked], np.array([6, 6, 6, 6, 5, 6, 2, 2]), [stored], numbers)
    assert found.tolist() == [3, NOT_STORED, NOT_STORED, 0, NOT_STORED, 1, 4, 5]


def drawn(rng: random.Random, kinds: list[str], size: int) -> tuple[list[list[object]], list[int]]:
    columns = [[rng.choice(POOLS[kind][1]) for _ in range(size)] for kind in kinds]
    return columns, [rng.choice([NOT_STORED, 0, 1]) for _ in range(size)]


def as_arrays(kinds: list[str], columns: list[list[object]], numbers: list[int]) -> Any:
    keys = [pa.array(column, POOLS[kind][0]) for kind, column in zip(kinds, columns, strict=True)]
    return keys, np.array(numbers, dtype=np.int64)


def by_loop(asked: tuple[Any, Any], stored: tuple[Any, Any]) -> list[int]:
    """The last equal row of each, if any."""
    ours, theirs = ([*zip(numbers, *columns, strict=True)] for columns, numbers in (asked, stored))
    found = []
    for row in ours:
        equal = [place for place, other in enumerate(theirs) if other == row]
        findable = None not in row and row[0] != NOT_STORED
        found.append(equal[-1] if equal and findable else NOT_STORED)
    return found


# -- files ------------------------------------------------------------------------------------------------


@pytest.fixture
def table(tmp_path: Path) -> FeatureTable:
    """Three revisions, two of them of one snapshot, in a file each; each row's value tells its revision and key."""
    view = FeatureView(
        name="seen", entities=[Entity(name="pair", join_keys=["k", "n"])], source=SOURCE,
        schema=[Field(name="value", dtype=Float32)],
    )  # fmt: skip
    for revision in ("r0", "r1", "r2"):
        write_deltalake(tmp_path / "seen", rows_of(revision), mode="append", partition_by=["_period"])
    return FeatureTable(view, str(tmp_path / "seen"))


SNAPSHOTS = {"r0": T, "r1": T + HOUR, "r2": T + HOUR}


def rows_of(revision: str) -> pa.Table:
    keys = [("a", 1), ("a", 2), ("b", 1)]
    values = [place + 10 * int(revision[1]) for place in range(3)]
    at = pa.array([SNAPSHOTS[revision]] * 3, pa.timestamp("us", tz="UTC"))
    k, n = zip(*keys, strict=True)
    return pa.table({"k": k, "n": pa.array(n, pa.int64()), "_snapshot_time": at, "_revision": [revision] * 3,
                     "value": pa.array(values, pa.float32()), "_period": ["2026-07-01"] * 3})  # fmt: skip


def look(table: FeatureTable, asked: list[tuple[str, object, str]]) -> list[object]:
    revisions = [(name, to_micros(at)) for name, at in SNAPSHOTS.items() if name != "r1"]
    names = [name for name, _ in revisions]
    files = tuple(holding(table.files(), revisions))
    stored = StoredRevisions(table.uri, files, ("k", "n"), ("string", "int64"), ("value",), tuple(names))
    k, n, wanted = zip(*asked, strict=True)
    numbers = np.array([names.index(name) if name else NOT_STORED for name in wanted])
    has, rows = stored.find([pa.array(k), pa.array(n, pa.int64())], numbers)
    values = iter(rows["value"].to_pylist() if rows.num_columns else [])
    return [next(values) if there else None for there in has]


ASKED = [("b", 1, "r2"), ("a", 2, "r0"), ("a", None, "r2"), ("b", 2, "r0"), ("a", 1, ""), ("a", 2, "r2")]
ANSWER = [22.0, 1.0, None, None, None, 21.0]


def test_each_row_finds_its_own_revision(table: FeatureTable):
    assert look(table, ASKED) == ANSWER
    assert look(table, [("a", 1, "")]) == [None]


def test_files_that_were_joined_give_the_same(table: FeatureTable):
    DeltaTable(table.uri).optimize.compact()
    assert len(table.files()) == 1
    assert look(table, ASKED) == ANSWER


def test_only_files_of_the_snapshots_that_are_seen_are_opened(table: FeatureTable):
    for file in table.files():
        if file.first == to_micros(T):
            Path(table.uri, file.path).write_bytes(b"torn")
    assert look(table, [("b", 1, "r2")]) == [22.0]
    with pytest.raises(
        DataError, match=r"a data file cannot be read .*_period=2026-07-01.*build its snapshots again"
    ):
        look(table, [("b", 1, "r0")])


# -- slices -----------------------------------------------------------------------------------------------


def test_slices_begin_where_another_snapshot_is_seen():
    parts = list(range(0, 6400, 100))
    since = list(range(-50, 6400, 250))
    begins = boundaries(parts, since, 8)
    assert set(begins) <= set(since)
    assert len(begins) == 7


def test_rows_that_see_one_snapshot_are_one_slice():
    assert boundaries([5] * 1, since=[0, 100], tasks=10) == []
    assert boundaries([5, 6, 7], since=[0], tasks=3) == []
