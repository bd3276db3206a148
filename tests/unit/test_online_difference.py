"""What changed between two revisions is what a comparison of dicts says, in memory and bucket by bucket."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skewless import types
from skewless.errors import DataError
from skewless.online.buckets import Limit, Revision
from skewless.online.codec import NIL, row_encoder
from skewless.online.difference import differences
from skewless.online.keys import KeyKind
from skewless.online.rows import Shape

DTYPES = [types.Float32, types.String, types.Array(types.Float64), types.Bool, types.Timestamp]
NAMES = ["share", "word", "list", "flag", "at"]
ENCODE = row_encoder(DTYPES)
LIMITS = [Limit(), Limit(rows=3), Limit(size=100)]
Key = tuple[Any, ...]
Rows = dict[Key, tuple[Any, ...]]


def shape(*keys: KeyKind) -> Shape:
    return Shape(
        "view", tuple((f"k{i}", kind) for i, kind in enumerate(keys)), tuple(zip(NAMES, DTYPES, strict=True))
    )


TEXT, NUMBER = KeyKind.STRING, KeyKind.INTEGER
ARROW = {TEXT: pa.string(), NUMBER: pa.int64()}


def reader(of: Shape, rows: list[tuple[Key, tuple[Any, ...]]]) -> pa.RecordBatchReader:
    schema = pa.schema(
        [
            *((name, ARROW[kind]) for name, kind in of.keys),
            *((name, dtype.arrow()) for name, dtype in of.fields),
        ]
    )
    lines = [(*key, *row) for key, row in rows]
    columns = [list(column) for column in zip(*lines, strict=True)] or [[] for _ in schema]
    return pa.table(columns, schema=schema).to_reader(max_chunksize=7)


def revision(of: Shape, rows: Rows) -> Revision:
    return Revision(reader(of, list(rows.items())), len(rows))


def told(of: Shape, new: Rows, old: Rows, earlier: Rows, limit: Limit) -> tuple[Any, ...]:
    written, gone, dead, rows = {}, set(), set(), 0
    sides = (revision(of, side) for side in (new, old, earlier))
    for found in differences(of, *sides, limit=limit):
        rows += found.rows
        for place, before in enumerate(found.packed_before(0, len(found.written)).to_pylist()):
            row = found.row_before(place)
            assert before == (NIL if row is None else ENCODE(row))
            written[found.written.key(place)] = (ENCODE(found.written.row(place)), before)
        gone |= {found.gone.key(place) for place in range(len(found.gone))}
        dead |= {found.dead.key(place) for place in range(len(found.dead))}
    assert rows == len(new)
    return written, gone, dead


def meant(new: Rows, old: Rows, earlier: Rows) -> tuple[Any, ...]:
    packed = {key: ENCODE(row) for key, row in old.items()}
    written = {
        key: (ENCODE(row), packed.get(key, NIL)) for key, row in new.items() if ENCODE(row) != packed.get(key)
    }
    return written, old.keys() - new.keys(), earlier.keys() - old.keys() - new.keys()


VALUES = st.tuples(
    st.sampled_from([None, 0.0, -0.0, 1.5, float("nan")]),
    st.sampled_from([None, "", "a"]),
    st.sampled_from([None, [], [0.0], [-0.0], [None]]),
    st.sampled_from([None, True, False]),
    st.none(),
)
KEYS = {
    (NUMBER,): st.tuples(st.integers(-8, 8)),
    (TEXT, NUMBER): st.tuples(st.sampled_from(["", "a", "a|", "é"]), st.integers(0, 3)),
}


@pytest.mark.parametrize("kinds", list(KEYS), ids=str)
@pytest.mark.parametrize("limit", LIMITS)
def test_changes_are_those_of_dicts(kinds: tuple[KeyKind, ...], limit: Limit) -> None:
    revisions = st.dictionaries(KEYS[kinds], VALUES, max_size=14)

    @settings(derandomize=True, max_examples=150 if limit == Limit() else 50, deadline=None)
    @given(revisions, revisions, revisions, st.booleans())
    def check(new: Rows, old: Rows, earlier: Rows, mostly_same: bool) -> None:
        if mostly_same:
            old = {**new, **dict(list(old.items())[:1])}
        assert told(shape(*kinds), new, old, earlier, limit) == meant(new, old, earlier)

    check()


def test_a_nan_of_other_bits_is_written_again_and_the_same_is_not() -> None:
    of = Shape("view", (("k0", NUMBER),), (("share", types.Float64),))
    (odd,) = struct.unpack(">d", bytes.fromhex("fff8000000000001"))
    usual = float("nan")

    def written(new: float, old: float) -> int:
        sides = [pa.table({"k0": [1], "share": pa.array([value], pa.float64())}) for value in (new, old)]
        empty = sides[0].slice(0, 0)
        revisions = [Revision(side.to_reader(), len(side)) for side in (*sides, empty)]
        (found,) = differences(of, *revisions)
        return len(found.written)

    assert (written(usual, usual), written(odd, odd), written(odd, usual)) == (0, 0, 1)


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize(
    ("new", "old"),
    [
        ([1, 1, 2], [1, 2, 3]),
        ([4, 4, 2], [1, 2, 3]),
        ([1, 2, 3], [1, 1, 3]),
    ],
)
def test_two_rows_of_one_entity_are_an_error(new: list[int], old: list[int], limit: Limit) -> None:
    of = shape(NUMBER)
    row = (1.5, "a", [], True, None)
    sides = [Revision(reader(of, [((key,), row) for key in keys]), 3) for keys in (new, old)]
    with pytest.raises(DataError, match="two rows of one entity"):
        list(differences(of, *sides, revision(of, {}), limit=limit))


@pytest.mark.parametrize("limit", LIMITS)
def test_a_revision_that_lacks_rows_is_an_error(limit: Limit) -> None:
    of = shape(NUMBER)
    whole = {(key,): (1.5, "a", [], True, None) for key in range(5)}
    lacking = Revision(reader(of, list(whole.items())[1:]), 5)
    with pytest.raises(DataError, match="has 4 rows, but the ledger says 5"):
        next(differences(of, revision(of, whole), lacking, revision(of, {}), limit=limit))


def test_no_bucket_is_larger_than_the_limit_however_sizes_are_spread() -> None:
    of = Shape("view", (("k0", NUMBER),), (("word", types.String),))
    old: Rows = {(number,): ("w" * (10_000 if number >= 900 else 1),) for number in range(1000)}
    new = {key: ("other", *row[1:]) for key, row in old.items() if key[0] % 7}
    schema = pa.schema([("k0", pa.int64()), ("word", pa.string())])

    def side(rows: Rows) -> Revision:
        columns = [[key for (key,) in rows], [word for (word,) in rows.values()]]
        return Revision(pa.table(columns, schema=schema).to_reader(max_chunksize=100), len(rows))

    limit = Limit(size=50_000)
    found = list(differences(of, side(new), side(old), side({}), limit))
    assert max(each.old.nbytes for each in found) <= limit.size
    assert sum(len(each.written) for each in found) == len(new)
    assert sum(len(each.gone) for each in found) == len(old) - len(new)


def test_a_row_that_is_larger_than_the_limit_is_compared_all_the_same() -> None:
    of = Shape("view", (("k0", NUMBER),), (("word", types.String),))
    sides = [pa.table({"k0": [1, 2], "word": [word * 1000, "b"]}) for word in "ab"]
    revisions = [Revision(side.to_reader(), side.num_rows) for side in (*sides, sides[0].slice(0, 0))]
    found = list(differences(of, *revisions, limit=Limit(size=10)))
    assert sum(len(each.written) for each in found) == 1


def test_two_rows_of_one_entity_that_are_larger_than_the_limit_are_an_error_too() -> None:
    of = Shape("view", (("k0", NUMBER),), (("word", types.String),))
    twice = pa.table({"k0": [1, 1, 2], "word": ["a" * 1000, "b" * 1000, ""]})
    once = pa.table({"k0": [1], "word": ["a" * 1000]})
    revisions = [Revision(side.to_reader(), side.num_rows) for side in (twice, once, once.slice(0, 0))]
    with pytest.raises(DataError, match="two rows of one entity"):
        list(differences(of, *revisions, limit=Limit(size=10)))


KILLED = """
import os, signal
import pyarrow as pa
from skewless import types
from skewless.online.buckets import Limit, Revision
from skewless.online.difference import differences
from skewless.online.keys import KeyKind
from skewless.online.rows import Shape

rows = pa.table({"k": range(10_000), "v": range(10_000)})
of = Shape("view", (("k", KeyKind.INTEGER),), (("v", types.Int64),))
found = differences(of, *(Revision(rows.to_reader(), 10_000) for _ in range(3)), limit=Limit(rows=100))
next(found)
assert len(os.listdir("/proc/self/fd")) > 100, "nothing was laid out"
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_publisher_that_is_killed_leaves_no_file(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", KILLED], env=os.environ | {"TMPDIR": str(tmp_path)}, check=False
    )
    assert ran.returncode == -signal.SIGKILL
    assert list(tmp_path.iterdir()) == []


def test_a_null_in_a_key_is_an_error() -> None:
    of = shape(NUMBER)
    row = (1.5, "a", [], True, None)
    broken = Revision(reader(of, [((None,), row), ((1,), row)]), 2)
    with pytest.raises(DataError, match="null in the join key"):
        next(differences(of, broken, revision(of, {(1,): row}), revision(of, {})))
