"""What changed between two revisions is what a comparison of dicts says, in memory and bucket by bucket."""

from __future__ import annotations

import struct
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skewless import types
from skewless.errors import DataError
from skewless.online.codec import NIL, row_encoder
from skewless.online.difference import Revision, differences
from skewless.online.keys import KeyKind
from skewless.online.rows import Shape

DTYPES = [types.Float32, types.String, types.Array(types.Float64), types.Bool, types.Timestamp]
NAMES = ["share", "word", "list", "flag", "at"]
ENCODE = row_encoder(DTYPES)
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


def told(of: Shape, new: Rows, old: Rows, earlier: Rows, bucket_rows: int) -> tuple[Any, ...]:
    written, gone, dead, rows = {}, set(), set(), 0
    sides = (revision(of, side) for side in (new, old, earlier))
    for found in differences(of, *sides, bucket_rows=bucket_rows):
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
@pytest.mark.parametrize("bucket_rows", [1000, 3])
def test_changes_are_those_of_dicts(kinds: tuple[KeyKind, ...], bucket_rows: int) -> None:
    revisions = st.dictionaries(KEYS[kinds], VALUES, max_size=14)

    @settings(derandomize=True, max_examples=150, deadline=None)
    @given(revisions, revisions, revisions, st.booleans())
    def check(new: Rows, old: Rows, earlier: Rows, mostly_same: bool) -> None:
        if mostly_same:
            old = {**new, **dict(list(old.items())[:1])}
        assert told(shape(*kinds), new, old, earlier, bucket_rows) == meant(new, old, earlier)

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


@pytest.mark.parametrize("bucket_rows", [1000, 2])
@pytest.mark.parametrize(
    ("new", "old"),
    [
        ([1, 1, 2], [1, 2, 3]),
        ([4, 4, 2], [1, 2, 3]),
        ([1, 2, 3], [1, 1, 3]),
    ],
)
def test_two_rows_of_one_entity_are_an_error(new: list[int], old: list[int], bucket_rows: int) -> None:
    of = shape(NUMBER)
    row = (1.5, "a", [], True, None)
    sides = [Revision(reader(of, [((key,), row) for key in keys]), 3) for keys in (new, old)]
    with pytest.raises(DataError, match="two rows of one entity"):
        list(differences(of, *sides, revision(of, {}), bucket_rows=bucket_rows))


@pytest.mark.parametrize("bucket_rows", [1000, 2])
def test_a_revision_that_lacks_rows_is_an_error(bucket_rows: int) -> None:
    of = shape(NUMBER)
    whole = {(key,): (1.5, "a", [], True, None) for key in range(5)}
    lacking = Revision(reader(of, list(whole.items())[1:]), 5)
    with pytest.raises(DataError, match="has 4 rows, but the ledger says 5"):
        next(differences(of, revision(of, whole), lacking, revision(of, {}), bucket_rows=bucket_rows))


def test_a_null_in_a_key_is_an_error() -> None:
    of = shape(NUMBER)
    row = (1.5, "a", [], True, None)
    broken = Revision(reader(of, [((None,), row), ((1,), row)]), 2)
    with pytest.raises(DataError, match="null in the join key"):
        next(differences(of, broken, revision(of, {(1,): row}), revision(of, {})))
