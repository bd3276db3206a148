"""What the definitions mean for what is there: what changed, what to backfill, what it costs to keep."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from deltalake.exceptions import DeltaError

from skewless.errors import first_line
from skewless.jobs.maintain import may_go
from skewless.jobs.receipts import size
from skewless.ledger.events import Event, Kind
from skewless.ledger.gaps import Gaps, gaps
from skewless.ledger.revisions import is_build
from skewless.ledger.storage import Stored, rewrites, stored
from skewless.model import DeltaSource, FeatureView, TrainingSet
from skewless.plan import uris
from skewless.plan.changes import changes
from skewless.plan.compile import Plan, compile_repo
from skewless.plan.fingerprint import fingerprint, short, view_definition
from skewless.timeline import format_instant
from skewless.workspace import Workspace

_YEAR = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Change:
    """The present definition beside those that were built.

    state    new (never built), unchanged, or changed (built, but under other definitions alone)
    since    where it changed: the fingerprint of the newest build
    differs  what changed since then; None where that cannot be told
    """

    state: str
    since: str | None = None
    differs: tuple[str, ...] | None = ()

    def lines(self) -> Iterator[str]:
        """What a person reads of it."""
        if self.state != "changed":
            yield self.state
            return
        yield f"changed since {short(self.since or '')}, under which it was built last:"
        told = (
            ("what changed is not known: that definition was not kept",)
            if self.differs is None
            else self.differs
        )
        yield from (f"  {line}" for line in told)


@dataclass(frozen=True, slots=True)
class Backfill:
    """The intervals without a good revision; those that were refused are for a person to decide about."""

    count: int = 0
    first: datetime | None = None
    last: datetime | None = None
    refused: int = 0
    command: str | None = None

    def lines(self) -> Iterator[str]:
        """What a person reads of it."""
        if self.command is None or self.first is None or self.last is None:
            yield "nothing is missing"
        else:
            span = f"from {format_instant(self.first)} to {format_instant(self.last)}"
            yield f"{self.count:,} interval{'' if self.count == 1 else 's'} missing, {span}:"
            yield f"  {self.command}"
        if self.refused:
            yield f"{self.refused:,} more blocked or withdrawn: repair the source and build again, or accept them"


@dataclass(frozen=True, slots=True)
class Retention:
    """What a view's tables hold, in bytes.

    a_snapshot  of the present definition, on the average; None: none was built
    a_day       what the schedule adds
    others      of it: revisions under other definitions
    idle        of it: rows that maintenance would take away: now, or once no build can still be at them
    """

    total: int
    others: int
    idle: int
    a_snapshot: int | None
    a_day: int | None

    def lines(self) -> Iterator[str]:
        """What a person reads of it."""
        if not self.total:
            yield "nothing is stored"
            return
        kept = f", {size(self.others)} of it under other definitions" if self.others else ""
        yield f"{size(self.total)} stored{kept}"
        if self.idle:
            yield f"{size(self.idle)} of it could be freed by: skewless maintain"
        if self.a_snapshot is not None and self.a_day is not None:
            yield f"{size(self.a_snapshot)} a snapshot, {size(self.a_day)} a day"


@dataclass(frozen=True, slots=True)
class Findings:
    """What a view's definition means for what is there."""

    change: Change
    backfill: Backfill
    retention: Retention
    warnings: tuple[str, ...]

    def __str__(self) -> str:
        parts = {
            "change": self.change.lines(),
            "backfill": self.backfill.lines(),
            "retention": self.retention.lines(),
            "warning": iter(self.warnings),
        }
        return "\n".join(line for name, lines in parts.items() for line in _beside(name, lines))


@dataclass(frozen=True, slots=True)
class Planned:
    """The steps of a definition, and for a view what was found."""

    plan: Plan
    findings: Findings | None = None

    def __str__(self) -> str:
        return "\n".join(filter(None, [str(self.plan), str(self.findings or "")]))

    def told(self) -> dict[str, Any]:
        """The same for a program."""
        found = asdict(self.findings) if self.findings else {}
        return {"dag_id": self.plan.dag_id, "steps": self.plan.steps, **found}


def _beside(name: str, lines: Iterator[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        yield f"  {'' if number else name:<10} {line}"


def plan(workspace: Workspace) -> tuple[Planned, ...]:
    """The plan of every view, then the steps of every training set. It reads logs and ledgers, and no data."""
    return tuple(
        Planned(item, _findings(workspace, item.definition)) for item in compile_repo(workspace.repo)
    )


def _findings(workspace: Workspace, view: FeatureView | TrainingSet) -> Findings | None:
    if not isinstance(view, FeatureView):
        return None
    events = workspace.ledger(view).read()
    return Findings(
        change=_change(workspace, view, events),
        backfill=to_backfill(view, gaps(view, events, workspace.newest_due(view))),
        retention=_retention(workspace, view, events),
        warnings=tuple(_source_warnings(workspace, view.source)),
    )


def _change(workspace: Workspace, view: FeatureView, events: tuple[Event, ...]) -> Change:
    asked, built = fingerprint(view), [e.fingerprint for e in events if e.kind is Kind.BUILT]
    if not built or asked in built:
        return Change("unchanged" if built else "new")
    before = built[-1] or ""
    kept = workspace.definitions(view).read().get(before)
    return Change("changed", before, changes(kept, view_definition(view)) if kept else None)


def to_backfill(view: FeatureView, found: Gaps) -> Backfill:
    """What must be backfilled, and the command that does it."""
    if not found.missing:
        return Backfill(refused=len(found.refused))
    first, last = found.missing[0], found.missing[-1]
    since = format_instant(view.timetable.previous_to(first))
    command = f"skewless backfill {view.name} --from {since} --to {format_instant(last)}"
    return Backfill(len(found.missing), first, last, len(found.refused), command)


def _retention(workspace: Workspace, view: FeatureView, events: tuple[Event, ...]) -> Retention:
    """Each fingerprint that was ever built has a table of its own."""
    asked, warehouse = fingerprint(view), workspace.settings.warehouse
    built = {event.fingerprint for event in events if event.kind is Kind.BUILT and event.fingerprint}
    tables = {each: stored(uris.feature_table(warehouse, view.name, each)) for each in built}
    times = {event.snapshot_time for event in events if is_build(event, asked)}
    a_snapshot = tables[asked].size // len(times) if times else None
    a_year = view.timetable.most_intervals_in(_YEAR)
    return Retention(
        total=sum(held.size for held in tables.values()),
        others=sum(held.size for each, held in tables.items() if each != asked),
        idle=sum(_idle(workspace, view, events, each, held) for each, held in tables.items()),
        a_snapshot=a_snapshot,
        a_day=None if a_snapshot is None else a_snapshot * a_year // _YEAR.days,
    )


def _idle(
    workspace: Workspace, view: FeatureView, events: tuple[Event, ...], asked: str, held: Stored
) -> int:
    """The bytes of rows that nothing holds: the ledger tells how many rows there should be."""
    built = {event.revision or "": event for event in events if is_build(event, asked)}
    going = may_go(workspace, view, events, {name: event.recorded_at for name, event in built.items()})
    rows = sum(event.rows or 0 for name, event in built.items() if name not in going)
    return held.size * max(held.rows - rows, 0) // max(held.rows, 1)


def _source_warnings(workspace: Workspace, source: DeltaSource) -> Iterator[str]:
    """A table of a catalog is not looked at: its log is the catalog's."""
    if source.path is None:
        return
    uri = uris.under(workspace.settings.warehouse, source.path)
    try:
        found = rewrites(uri)
    except (DeltaError, OSError, ValueError) as error:
        yield f"source {source.name!r} at {uri} cannot be read: {first_line(error)}"
        return
    if found is None:
        yield f"source {source.name!r}: there is no Delta table at {uri} yet"
    elif found:
        newest = found[0]
        yield (
            f"source {source.name!r} is not append-only: {newest.operation} made its version {newest.version} at "
            f"{format_instant(newest.at)}"
        )
        yield "what was known before it may not be known again: append corrections (event_id) instead"
