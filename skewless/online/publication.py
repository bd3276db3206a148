"""What is published, how far it is, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

import pyarrow as pa

from skewless.model import FeatureView
from skewless.timeline import from_micros


class Step(StrEnum):
    """What a publish has just done."""

    OPENED = "opened"
    CLEANED = "cleaned"
    DESCRIBED = "described"
    WRITTEN = "written"  # told after every part, with the revision's rows that are there by now
    COMPARED = "compared"
    FLIPPED = "flipped"
    TOLD = "told"
    SWEPT = "swept"


Progress = Callable[[Step, int], None]


class Rows(Protocol):
    """Gives the rows of a revision by its name: join keys and fields, or the columns asked for, each entity once.

    DataError where they cannot be read.
    """

    def __call__(self, revision: str, columns: Sequence[str] | None = None) -> pa.RecordBatchReader:
        """Any batches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """A revision to publish: `rows` is the number of its rows, as the ledger's `built` event has it."""

    view: FeatureView
    fingerprint: str
    snapshot_time: datetime
    revision: str
    rows: int

    @property
    def due_at(self) -> datetime:
        """Before this instant, by the server's clock, it is not shown."""
        return self.snapshot_time + self.view.publish_delay

    @property
    def expires_at(self) -> datetime | None:
        """From this instant on readers get the expired row; None: never."""
        return self.view.expires_at(self.snapshot_time)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What is live after an operation; `already_live` when a publish had nothing to do."""

    view: str
    generation: int
    epoch: int
    flip: int
    snapshot_time: datetime
    revision: str | None
    rows: int | None
    expires_at: datetime | None
    withdrawn: tuple[str, ...] = ()
    already_live: bool = False

    @property
    def published_at(self) -> datetime:
        """When readers saw it, by the server's clock."""
        return from_micros(self.flip)
