"""Many ranges of one sequence at once, against loops over each."""

import numpy as np
import pytest

from skewless.offline.ranges import count_below, counts_before, first_without, least, nth_least


@pytest.mark.parametrize("size", [1, 2, 7, 64, 100])
def test_every_answer_is_that_of_a_loop(size: int) -> None:
    rng = np.random.default_rng(size)
    ranks = rng.integers(0, rng.choice([2, 5, size + 1]), size).astype(np.int32)
    lo = rng.integers(0, size + 1, 300)
    hi = np.minimum(lo + rng.integers(0, size + 1, 300), size)
    bound = rng.integers(0, size + 3, 300)
    parts = [ranks[a:b] for a, b in zip(lo, hi, strict=True)]
    assert count_below(ranks, lo, hi, bound).tolist() == [
        (p < b).sum() for p, b in zip(parts, bound, strict=True)
    ]
    some = lo < hi
    parts = [part for part in parts if len(part)]
    assert least(ranks, lo, hi)[some].tolist() == [part.min() for part in parts]
    n = np.array([rng.integers(0, len(part)) for part in parts])
    assert nth_least(ranks, lo[some], hi[some], n).tolist() == [
        sorted(part)[place] for part, place in zip(parts, n, strict=True)
    ]


def test_the_first_place_without_is_found_within_its_range() -> None:
    rises = np.array([1, 3, 3, 9, 2, 4, 8])  # two ranges that rise: to place 4, and from there
    lo, hi = np.array([0, 0, 4, 4, 2, 5]), np.array([4, 4, 7, 7, 2, 6])
    limit = np.array([3, 99, 0, 5, 9, 9])
    assert first_without(lambda at: rises[at] < limit, lo, hi).tolist() == [1, 4, 4, 6, 2, 6]


def test_counts_before_each_place_and_the_end() -> None:
    assert counts_before(np.array([True, False, True])).tolist() == [0, 1, 1, 2]
    assert counts_before(np.array([], dtype=np.bool_)).tolist() == [0]
