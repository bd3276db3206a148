"""What a job did, for a person and for a program."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, is_dataclass
from datetime import datetime, timedelta
from typing import Any

from skewless.timeline import format_instant

Report = Callable[[str], None]


def silent(_: str) -> None:
    """Report nothing."""


def plain(value: Any) -> Any:
    """A value as JSON has it: instants as ISO with Z, durations as seconds."""
    if isinstance(value, datetime):
        return format_instant(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value.hex() if isinstance(value, bytes) else value


def to_json(value: Any) -> str:
    """One line of JSON."""
    return json.dumps(plain(value), ensure_ascii=False)


def size(number: float) -> str:
    """A number of bytes as people read it.

    >>> size(999), size(12_345), size(3_400_000_000)
    ('999 B', '12.3 kB', '3.4 GB')
    """
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if number < 1000 or unit == "TB":
            break
        number /= 1000
    return f"{number:.0f} {unit}" if unit == "B" else f"{number:,.1f} {unit}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A revision; `is_new` is false where an equal one was there.

    usable_from       None for an ordinary one: readers and training rows may have it once its snapshot is due
    null_event_times  how many rows of the source have no event time, and so are never visible
    """

    view: str
    snapshot_time: datetime
    revision: str
    rows: int
    content_hash: str
    source_version: int | None
    fingerprint: str
    known_until: datetime | None
    usable_from: datetime | None
    null_event_times: int
    is_new: bool

    def __str__(self) -> str:
        what = "built" if self.is_new else "unchanged"
        lines = [
            f"{self.view} at {format_instant(self.snapshot_time)}: {what}, {self.rows:,} rows, {self.revision}"
        ]
        if self.usable_from:
            lines.append(f"  usable from {format_instant(self.usable_from)} on")
        if self.null_event_times:
            lines.append(
                f"  {self.null_event_times:,} rows of the source have no event time and are never visible"
            )
        return "\n".join(lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A verdict that passed."""

    view: str
    snapshot_time: datetime
    revision: str
    verdict: str
    message: str
    warnings: tuple[str, ...]

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What became of a publish: published, already_live, offline_only or held; or of a rollback: rolled_back.

    awaited  the newer snapshot for whose run readers were left as they are
    """

    view: str
    snapshot_time: datetime
    revision: str
    outcome: str
    generation: int | None = None
    published_at: datetime | None = None
    rows: int | None = None
    withdrawn: tuple[str, ...] = ()
    awaited: datetime | None = None

    def __str__(self) -> str:
        what = {
            "published": f"published as generation {self.generation}",
            "already_live": f"is live already, as generation {self.generation}",
            "offline_only": f"corrects training only: {self._newer()}",
            "held": f"was not published: the view is held; skewless release {self.view}",
            "rolled_back": f"is live again, as generation {self.generation}; {len(self.withdrawn)} withdrawn, held",
        }[self.outcome]
        return f"{self.view} at {format_instant(self.snapshot_time)} {what}"

    def _newer(self) -> str:
        if self.awaited is None:
            return "a newer snapshot is live, or the view is not online"
        sooner = f"skewless publish {self.view} --snapshot-time {format_instant(self.snapshot_time)}"
        return (
            f"{format_instant(self.awaited)} is due, and its own run publishes it; or this one, now: {sooner}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Backfilled:
    """What a backfill did for the snapshots in (since, until].

    done_before  how many had all that they need; new: of those built, the ones whose content was not there
    published    what became of the newest that is due, where it is one of them
    """

    view: str
    since: datetime
    until: datetime
    intervals: int
    done_before: int
    built: int
    new: int
    checked: int
    published: Published | None = None

    def __str__(self) -> str:
        span = f"from {format_instant(self.since)} to {format_instant(self.until)}"
        if self.done_before == self.intervals:
            return f"{self.view} {span}: nothing to do, all {self.intervals} intervals are done"
        lines = [
            f"{self.view} {span}: {self.intervals} intervals, {self.done_before} done before, {self.built} built "
            f"({self.new} new), {self.checked} checked"
        ]
        return "\n".join(lines + ([f"  {self.published}"] if self.published else []))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tidied:
    """What maintenance did for a view or training set; with `dry_run`, what it would do.

    revisions, revisions_size  that went, and the bytes of their rows
    joined                     how many files there are fewer
    deleted, deleted_size      files that nothing referred to for long enough
    """

    name: str
    dry_run: bool
    revisions: int
    revisions_size: int
    joined: int
    deleted: int
    deleted_size: int

    def __str__(self) -> str:
        went, gone = ("would go", "would be deleted") if self.dry_run else ("went", "deleted")
        parts = [
            f"{self.revisions:,} revisions {went} ({size(self.revisions_size)})" if self.revisions else "",
            f"{self.joined:,} files fewer" if self.joined else "",
            f"{self.deleted:,} files {gone} ({size(self.deleted_size)})" if self.deleted else "",
        ]
        return f"{self.name}: {', '.join(filter(None, parts)) or 'nothing to do'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A revision that a person accepted."""

    view: str
    snapshot_time: datetime
    revision: str
    usable_from: datetime | None

    def __str__(self) -> str:
        at = format_instant(self.snapshot_time)
        if self.usable_from is None:
            return f"{self.view} at {at} is good already; nothing to accept"
        return (
            f"{self.view} at {at} accepted, for readers and training rows from {format_instant(self.usable_from)} on\n"
            f"  publish it: skewless publish {self.view} --snapshot-time {at}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Operated:
    """What an operator did to a live view."""

    view: str
    action: str
    generation: int | None
    snapshot_time: datetime | None

    def __str__(self) -> str:
        there = f"generation {self.generation}" if self.generation else "nothing published"
        meaning = {
            "hold": f"is held: {there} stays until `skewless release {self.view}`",
            "release": "is released; no revision is in force to publish yet",
            "expire": f"is expired: readers get the expired row until `skewless release {self.view}`",
        }[self.action]
        return f"{self.view} {meaning}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """One interval of a training set that is in force: passed, or accepted.

    version             of the training set, from now on: `store.training_set(name, version=...)`
    unsettled_computed  the snapshots, as (view, snapshot time), that were computed since their runs had not ended
    is_new              false where an equal revision was there
    """

    training_set: str
    interval_start: datetime
    interval_end: datetime
    revision: str
    rows: int
    content_hash: str
    fingerprint: str
    verdict: str
    version: int
    message: str
    warnings: tuple[str, ...] = ()
    unsettled_computed: tuple[tuple[str, datetime], ...] = ()
    is_new: bool = False

    def __str__(self) -> str:
        labels = f"[{format_instant(self.interval_start)}, {format_instant(self.interval_end)})"
        what = "built" if self.is_new else "unchanged"
        head = f"{self.training_set} of {labels}: {what}, {self.rows:,} rows, {self.revision}, version {self.version}"
        return f"{head}\n{self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """The proof that a revision was made again from its manifest, row for row."""

    training_set: str
    interval_start: datetime
    interval_end: datetime
    revision: str
    rows: int
    content_hash: str
    sources: dict[str, int | None]

    def __str__(self) -> str:
        read = ", ".join(
            f"{name} at {'its present state' if version is None else f'version {version}'}"
            for name, version in self.sources.items()
        )
        return (
            f"{self.training_set} {self.revision} was made again from its manifest, and is equal: "
            f"{self.rows:,} rows, content {self.content_hash}\n  read: {read}"
        )
