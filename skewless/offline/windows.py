"""From the rows that asks reach to those whose values are aggregated: first the filter, then the null rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from skewless.agg import Nulls
from skewless.offline.ranges import Flags, Indices, counts_before


@dataclass(frozen=True)
class Treated:
    """Rows after filter and null rule; ranges of the rows before become ranges of these.

    rows     their numbers in the bucket; None: all rows as they stand
    before   how many of these come before each place of the rows before; None: just as many
    nearest  under forward_fill, per place: the first value that is not null, there or later
    """

    rows: Indices | None
    before: Indices | None = None
    nearest: Indices | None = None

    @classmethod
    def of(cls, rows: Indices | None, accepted: Flags | None, valid: Flags | None, rule: Nulls) -> Treated:
        """Keep the rows that are accepted, and treat their nulls.

        accepted, valid  per row of the bucket: whether the filter accepts it (None: no filter), and whether its
                         value is not null (None: no value is read)
        """
        keep = _at(accepted, rows)
        if valid is not None and rule != "forward_fill":
            keep = _at(valid, rows) if keep is None else keep & _at(valid, rows)
        before = None
        if keep is not None and not keep.all():
            rows, before = np.flatnonzero(keep) if rows is None else rows[keep], counts_before(keep)
        if valid is None or rule != "forward_fill":
            return cls(rows, before)
        filled, nearest = _filled(np.arange(len(valid)) if rows is None else rows, _at(valid, rows))
        return cls(filled, before, nearest)

    def ranges(self, lo: Indices, hi: Indices) -> tuple[Indices, Indices]:
        """The same ranges among these rows."""
        if self.before is not None:
            lo, hi = self.before[lo], self.before[hi]
        if self.nearest is not None:
            lo = np.minimum(self.nearest[lo], hi)
        return lo, hi

    def taken(self, values: Any) -> Any:
        """The values, given per row of the bucket, of these rows."""
        return _at(values, self.rows)


def _at(values: Any, rows: Indices | None) -> Any:
    return values if values is None or rows is None else values[rows]


def _filled(rows: Indices, there: Flags) -> tuple[Indices, Indices]:
    """For each place the newest row up to it with a value, and the first place from it on that has one.

    A range that begins with such a place is filled from its own rows only, whatever stands before it.
    """
    places = np.arange(len(rows))
    newest = np.maximum.accumulate(np.where(there, places, 0)) if len(rows) else places
    nearest = np.append(np.where(there, places, len(rows)), len(rows))
    return rows[newest], np.minimum.accumulate(nearest[::-1])[::-1]
