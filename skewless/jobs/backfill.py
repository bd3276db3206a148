"""Backfill: many intervals of a view, computed by few Spark jobs, with the records of one run each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from skewless.errors import BlockedError, UsageError
from skewless.jobs.build import append_revisions, enter_builds
from skewless.jobs.check import check_build
from skewless.jobs.publish import publish, settle_past
from skewless.jobs.receipts import Backfilled, Published, Report, silent
from skewless.ledger.events import Event, Kind
from skewless.ledger.gaps import Stage, stages
from skewless.ledger.revisions import newest_build
from skewless.ledger.table import Ledger
from skewless.model import FeatureView
from skewless.plan.fingerprint import fingerprint
from skewless.timeline import MICROSECOND, after, due, format_instant
from skewless.workspace import Workspace

if TYPE_CHECKING:
    from skewless.offline.binding import BoundView

# What a batch holds at the most: so much is computed by one job, and is lost when it is killed.
ROWS, SNAPSHOTS = 5_000_000, 100


def backfill(
    workspace: Workspace,
    view_name: str,
    since: datetime,
    until: datetime | None = None,
    *,
    rebuild: bool = False,
    report: Report = silent,
) -> Backfilled:
    """Build, check and settle the snapshots `T` with since < T <= until that have no good revision.

    until    default: the newest that is due
    rebuild  those that have one too; content that is there already is that revision, as always

    Each gets the rows, the events and the verdict that its own run would give it. The newest due one goes online as
    that would; the others correct training. Killed, it loses the batch at hand, and goes on when it is run again.

    BlockedError where checks failed, when all is done: the other intervals stand. UsageError for what cannot be
    built yet; DataError where the source is not what the definition says.
    """
    view = workspace.repo.view(view_name)
    ledger = workspace.ledger(view)
    ticks = _ticks(workspace, view, since, until or workspace.newest_due(view))
    todo = stages(view, ledger.read(), ticks)
    if rebuild:
        todo = dict.fromkeys(ticks, Stage.BUILD)
    todo = {t: stage for t, stage in todo.items() if stage is not Stage.DONE}
    work = _Work(workspace, view, ledger, len(todo), report)
    for batch in _batches(view, ledger, todo):
        work.do(batch)
    if work.blocked:
        raise BlockedError("\n".join(work.blocked_lines()))
    return work.receipt(since, until, len(ticks))


def _ticks(workspace: Workspace, view: FeatureView, since: datetime, until: datetime) -> list[datetime]:
    """The snapshot times in (since, until]; UsageError where the newest cannot be built yet."""
    if after(since, until):
        raise UsageError(f"--from {format_instant(since)} lies after --to {format_instant(until)}")
    ticks = list(view.timetable.ticks(since + MICROSECOND, until))
    now, delay = workspace.clock.now(), view.source.data_delay
    if ticks and not due(ticks[-1] + delay, now):
        newest = view.timetable.newest_at(now - delay)
        raise UsageError(
            f"feature view {view.name!r}: snapshot {format_instant(ticks[-1])} can be built from "
            f"{format_instant(ticks[-1] + delay)} on; it is {format_instant(now)}. Nothing was done; "
            f"the newest that can be built is --to {format_instant(newest)}"
        )
    return ticks


def _batches(
    view: FeatureView, ledger: Ledger, todo: dict[datetime, Stage]
) -> Iterator[dict[datetime, Stage]]:
    """The work, oldest first, in batches of about so many rows, as the builds before tell; at first, of one."""
    left = sorted(todo)
    while left:
        size = batch_size(_rows_of_a_snapshot(ledger.read(), fingerprint(view)))
        batch, left = left[:size], left[size:]
        yield {t: todo[t] for t in batch}


def batch_size(rows: int | None) -> int:
    """How many snapshots of so many rows are computed by one job.

    >>> batch_size(None), batch_size(10), batch_size(1_000_000), batch_size(60_000_000)
    (1, 100, 5, 1)
    """
    return 1 if rows is None else min(max(ROWS // max(rows, 1), 1), SNAPSHOTS)


def _rows_of_a_snapshot(events: tuple[Event, ...], asked: str) -> int | None:
    """The most rows of the last builds under the definition; None where there is none."""
    built = [e.rows for e in events if e.kind is Kind.BUILT and e.fingerprint == asked and e.rows is not None]
    return max(built[-SNAPSHOTS:], default=None)


@dataclass
class _Work:
    """What is done, batch by batch, and what came of it."""

    workspace: Workspace
    view: FeatureView
    ledger: Ledger
    intervals: int
    report: Report
    built: int = 0
    new: int = 0
    checked: int = 0
    blocked: dict[datetime, str] = field(default_factory=dict)
    published: Published | None = None

    def do(self, batch: dict[datetime, Stage]) -> None:
        """Build, check and settle the snapshots of one batch."""
        self._build([t for t, stage in batch.items() if stage is Stage.BUILD])
        good = [t for t, stage in batch.items() if stage is Stage.SETTLE or self._passes(t)]
        if self.view.online:
            self._settle([t for t in good if due(t, self.workspace.newest_due(self.view))])

    def _build(self, ticks: Sequence[datetime]) -> None:
        from skewless.offline.failures import explained

        if not ticks:
            return
        doing = f"building {self.view.name}: {len(ticks)} intervals to {format_instant(ticks[-1])}"
        with explained(doing):
            self.report(doing)
            cutoffs = {t: t + self.view.source.data_delay for t in ticks}
            built = append_revisions(self.workspace, self._bound(), cutoffs, self.report)
        entered = enter_builds(self.workspace, self.view, self.ledger, built)
        self.built += len(ticks)
        self.new += sum(is_new for _, is_new in entered)
        self.report(f"{self.built} of {self.intervals} built")

    def _bound(self) -> BoundView:
        from skewless.offline.binding import BoundView
        from skewless.offline.source import read_source

        source = read_source(self.workspace.spark, self.view.source, self.workspace.settings.warehouse)
        return BoundView(self.view, source)

    def _passes(self, t: datetime) -> bool:
        """Check the newest revision of a snapshot; where it is blocked, keep why."""
        try:
            receipt = check_build(self.workspace, self.view, self.ledger, self._newest(t))
            said = receipt.verdict
        except BlockedError as error:
            self.blocked[t] = _cause(str(error))
            said = "blocked"
        self.checked += 1
        self.report(f"{self.checked} of {self.intervals} checked: {format_instant(t)} {said}")
        return said != "blocked"

    def _newest(self, t: datetime) -> Event:
        built = newest_build(self.ledger.read(), t, fingerprint(self.view))
        assert built is not None, "it was built before"
        return built

    def _settle(self, ticks: Sequence[datetime]) -> None:
        """The newest that is due goes the ordinary way, the others correct training."""
        newest_due = self.workspace.newest_due(self.view)
        past = [t for t in ticks if t != newest_due]
        if past:
            settle_past(self.workspace, self.view, [self._newest(t) for t in past])
        if newest_due in ticks:
            self.published = publish(
                self.workspace, self.view.name, newest_due, if_newest=True, report=self.report
            )

    def receipt(self, since: datetime, until: datetime | None, intervals: int) -> Backfilled:
        """What was done."""
        return Backfilled(
            view=self.view.name,
            since=since,
            until=until or self.workspace.newest_due(self.view),
            intervals=intervals,
            done_before=intervals - self.intervals,
            built=self.built,
            new=self.new,
            checked=self.checked,
            published=self.published,
        )

    def blocked_lines(self) -> Iterator[str]:
        """Which intervals are blocked, why, and what a person can do about each."""
        stand = self.intervals - len(self.blocked)
        name = self.view.name
        yield f"{name!r}: {len(self.blocked)} of {self.intervals} intervals are blocked; the other {stand} stand"
        yield from (f"  {format_instant(t)}: {why}" for t, why in self.blocked.items())
        yield "Readers keep what they have. Repair the source and run it again, or look at one and decide:"
        yield f"  skewless check {name} --snapshot-time {format_instant(next(iter(self.blocked)))}"


def _cause(message: str) -> str:
    """Of a message about one blocked revision: which checks failed."""
    _, *details = message.splitlines()
    failed = [line.strip() for line in details if line.startswith("  ")]
    return failed[0] if failed else message
