"""What a comparison of the online store with the feature table found, for a person and for a program."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from skewless.timeline import format_instant


@dataclass(frozen=True, slots=True)
class Entities:
    """How many entities, and the first few of them: their keys, as the server has them, and what is there."""

    count: int = 0
    first: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """The live generation of a view, and where it is not what its revision says.

    same        nothing of what follows was found; leavings are no difference
    rows        how many of the revision were compared
    missing     entities of the revision that readers would get the absent row of
    different   entities whose row has other bytes, or cannot be read
    stray       entities that the revision lacks, and readers get rows of
    meta        how the description of the rows, or a constant row, is not as defined
    readers     how what readers have is not what the ledger says
    notes       what could not be compared, and why
    left_over   entities' keys that an ended publish left in the live epoch; no reader sees them
    left_epochs epochs that ended publishes left, and that the next one drops
    """

    view: str
    generation: int
    epoch: int
    snapshot_time: datetime
    revision: str | None
    same: bool
    held: bool
    rows: int = 0
    missing: Entities = Entities()
    different: Entities = Entities()
    stray: Entities = Entities()
    meta: tuple[str, ...] = ()
    readers: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    left_over: Entities = Entities()
    left_epochs: tuple[int, ...] = ()

    def __str__(self) -> str:
        """Say it in lines, the first with what was compared, the last with what to do next."""
        at = f"{self.view} at {format_instant(self.snapshot_time)}, generation {self.generation}"
        verdict = "is what its revision says" if self.same else "is NOT what its revision says"
        lines = [f"{at}: {verdict}; {self.rows:,} rows compared", *self._found(), *self._left()]
        return "\n  ".join(lines if self.same else [*lines, self._next()])

    def _found(self) -> Iterator[str]:
        for what, entities in (
            ("missing online", self.missing),
            ("with another row online", self.different),
            ("online, and not in the revision", self.stray),
        ):
            yield from _listed(what, entities)
        yield from self.meta
        yield from self.readers
        yield from self.notes

    def _left(self) -> Iterator[str]:
        yield from _listed("left over by an ended publish, which no reader sees", self.left_over)
        if self.left_epochs:
            yield f"epochs left over, which the next full publish drops: {', '.join(map(str, self.left_epochs))}"

    def _next(self) -> str:
        publish = f"skewless publish {self.view} --snapshot-time {format_instant(self.snapshot_time)} --full"
        first = f"skewless release {self.view}, then " if self.held else ""
        return f"to write it anew: {first}{publish}"


def _listed(what: str, entities: Entities) -> Iterator[str]:
    if entities.count:
        noun = "entity" if entities.count == 1 else "entities"
        more = ", ..." if entities.count > len(entities.first) else ""
        yield f"{entities.count:,} {noun} {what}: {', '.join(entities.first)}{more}"
