"""Questions about many ranges `lo <= place < hi` of one sequence, answered together, in numpy.

Each takes time in proportion to the sequence and the number of ranges, times a logarithm at most, however long the
ranges are and however they overlap; and memory in proportion to the sequence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Ranks = npt.NDArray[np.int32]


def first_without(holds: Callable[[Indices], Flags], lo: Indices, hi: Indices) -> Indices:
    """Give the first place of each range where `holds` is false, by halving; `hi` where there is none.

    holds  takes one place per range; within a range it is true first, and false from some place on
    """
    lo, hi = lo.copy(), hi.copy()
    while (unsure := lo < hi).any():
        middle = (lo + hi) >> 1
        true = holds(np.where(unsure, middle, 0)) & unsure
        lo = np.where(true, middle + 1, lo)
        hi = np.where(unsure & ~true, middle, hi)
    return lo


def places_of(lo: Indices, hi: Indices) -> Indices:
    """All places of all ranges, one range after the other.

    >>> places_of(np.array([5, 0]), np.array([7, 1]))
    array([5, 6, 0])
    """
    ends = np.cumsum(hi - lo)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(hi - ends, hi - lo)


def counts_before(flags: Flags) -> Indices:
    """For each place, and the end, how many flags before it are set."""
    counts = np.zeros(len(flags) + 1, dtype=np.int64)
    np.cumsum(flags, out=counts[1:])
    return counts


def least(ranks: Ranks, lo: Indices, hi: Indices) -> Ranks:
    """Give the least rank of each range; anything for an empty one.

    Two spans of a power of two cover a range; the least of every such span comes from those of half the length.
    """
    found = np.zeros(len(lo), dtype=ranks.dtype)
    level = np.frexp((hi - lo).astype(np.float64))[1] - 1
    spans = ranks
    for step in range(int(level.max(initial=-1)) + 1):
        here = np.flatnonzero(level == step)
        found[here] = np.minimum(spans[lo[here]], spans[hi[here] - (1 << step)])
        spans = np.minimum(spans[: -(1 << step)], spans[1 << step :]) if len(spans) > 1 << step else spans
    return found


def nth_least(ranks: Ranks, lo: Indices, hi: Indices, n: Indices) -> Ranks:
    """Give the n-th least rank of each range, counted from 0; `0 <= n < hi - lo`."""
    found = np.zeros(len(lo), dtype=np.int32)
    for bit, zeros in _bits(ranks, int(ranks.max(initial=0))):
        first, last = zeros[lo], zeros[hi]
        ones = n >= last - first
        n = np.where(ones, n - (last - first), n)
        found |= ones.astype(np.int32) << bit
        lo, hi = np.where(ones, zeros[-1] + lo - first, first), np.where(ones, zeros[-1] + hi - last, last)
    return found


def count_below(ranks: Ranks, lo: Indices, hi: Indices, bound: Indices) -> Indices:
    """Count the ranks of each range that are less than its bound."""
    count = np.zeros(len(lo), dtype=np.int64)
    for bit, zeros in _bits(ranks, int(max(ranks.max(initial=0), bound.max(initial=0)))):
        first, last = zeros[lo], zeros[hi]
        ones = (bound >> bit) & 1 == 1
        count += np.where(ones, last - first, 0)
        lo, hi = np.where(ones, zeros[-1] + lo - first, first), np.where(ones, zeros[-1] + hi - last, last)
    return count


def _bits(ranks: Ranks, greatest: int) -> Iterator[tuple[int, Indices]]:
    """From the highest bit on: the bit, and how many ranks before each place lack it.

    After each bit the ranks are parted by it, in place order: a wavelet matrix (Claude, Navarro, Ordonez, 2015),
    one level at a time. What was a range of places stays one, on the side of the bit that is followed.
    """
    for bit in reversed(range(greatest.bit_length())):
        lacks = (ranks & (1 << bit)) == 0
        yield bit, counts_before(lacks)
        if bit:
            ranks = np.concatenate([ranks[lacks], ranks[~lacks]])
