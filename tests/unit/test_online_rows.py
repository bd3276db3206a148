"""Rows go out in parts that are small by rows and by bytes, whatever their sizes are."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from skewless import types
from skewless.online.keys import KeyKind
from skewless.online.rows import Piece, Shape, pieces

SHAPE = Shape(
    "view", (("k", KeyKind.INTEGER),), (("word", types.String), ("list", types.Array(types.Float64)))
)
MOST = 4_000_000


def batch(sizes: list[int]) -> pa.RecordBatch:
    """Rows of about so many bytes, by turns in a text and in a list."""
    words = ["w" * size if number % 2 else "" for number, size in enumerate(sizes)]
    lists = [[] if number % 2 else [0.5] * (size // 8) for number, size in enumerate(sizes)]
    columns: dict[str, Any] = {"k": range(len(sizes)), "word": words, "list": lists}
    return pa.record_batch([pa.array(list(values)) for values in columns.values()], names=list(columns))


@pytest.mark.parametrize(
    "sizes",
    [
        [0] * 50_000,
        [1000] * 20_000,
        [10] * 9_000 + [100_000] * 100,
        [10, 9_000_000, 10, 10, 5_000_000],
        [],
    ],
    ids=["empty", "equal", "skewed", "huge", "none"],
)
def test_parts_are_small_and_all_rows_are_in_them_in_order(sizes: list[int]) -> None:
    parts = list(pieces(SHAPE, [batch(sizes)]))
    assert [key for part in parts for key in part.keys[0].to_pylist()] == list(range(len(sizes)))
    assert all(len(part) == 1 or part.nbytes <= MOST for part in parts)
    assert all(map(len, parts))
    assert max(map(len, parts), default=0) <= 10_000
    assert len(parts) <= 2 * len(sizes) / 10_000 + 4 * sum(sizes) / MOST + 5


def test_joined_pieces_have_the_rows_of_all() -> None:
    sizes = [100] * 30
    whole = Piece.of(SHAPE, batch(sizes))
    joined = Piece.joined(SHAPE, [whole.slice(0, 7), whole.slice(7, 0), whole.slice(7, 23)])
    assert [joined.key(place) + joined.row(place) for place in range(30)] == [
        whole.key(place) + whole.row(place) for place in range(30)
    ]
