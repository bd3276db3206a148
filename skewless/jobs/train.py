"""Build one interval of a training set: its labels with what they could have known, checked and kept for good."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from skewless.errors import BlockedError, DefinitionError, UsageError
from skewless.jobs.check import accepted_message, tell
from skewless.jobs.operate import demand_reason, enter_acceptance
from skewless.jobs.receipts import Report, Trained, silent
from skewless.ledger.events import Event, Kind
from skewless.ledger.revisions import newest_build, to_enter
from skewless.ledger.settling import unsettled_snapshots
from skewless.model import TrainingSet
from skewless.model.origin import located
from skewless.plan.fingerprint import definition_fingerprint, training_definition
from skewless.plan.repo import Selection
from skewless.timeline import Interval, due, format_instant
from skewless.workspace import Workspace

if TYPE_CHECKING:
    from skewless.offline.manifest import Manifest
    from skewless.offline.tables import Content
    from skewless.offline.training import Assembly
    from skewless.quality import Verdict


def train(
    workspace: Workspace, name: str, interval_end: datetime | None = None, *, report: Report = silent
) -> Trained:
    """Build one interval of a training set, check it, and enter it; an equal revision that is there is that one.

    interval_end  default: of the newest interval whose labels are known

    BlockedError, in words that a person can act on, where a critical check failed. UsageError for a request that makes
    no sense, DataError where a source is not what its definition says; then nothing was entered.
    """
    from skewless.offline.failures import explained

    asked = opened(workspace, name)
    interval = labels_interval(workspace, asked.training_set, interval_end)
    ledger = workspace.training_ledger(asked.training_set)
    ledger.read()  # one that cannot be read is told before the work, and not after it
    _demand_known_expectations(asked.training_set)
    doing = f"training {name} on {interval}"
    with explained(doing):
        report(doing)
        made = _make(workspace, asked, interval, report)
        event, is_new = _enter(workspace, asked, made)
        report(f"checking {name} of {interval}")
        verdict = _judge(workspace, asked, made, event)
    workspace.training_verdicts(asked.training_set).append(verdict)
    said = tell(workspace, ledger, event, verdict)
    if said is Kind.BLOCKED:
        raise BlockedError(verdict.message())
    message = verdict.message() if verdict.passed else accepted_message(verdict)
    return replace(
        _receipt(workspace, asked, interval, event, said, message),
        warnings=tuple(result.sentence for result in verdict.warnings),
        unsettled_computed=made.computed,
        is_new=is_new,
    )


def accept_training(
    workspace: Workspace, name: str, interval_end: datetime | None = None, *, reason: str
) -> Trained:
    """Accept the newest revision of an interval as it is."""
    demand_reason(reason)
    asked = opened(workspace, name)
    interval = labels_interval(workspace, asked.training_set, interval_end)
    ledger = workspace.training_ledger(asked.training_set)
    built = newest_build(ledger.read(), interval.end, asked.fingerprint)
    if built is None:
        raise UsageError(
            f"training set {name!r} has no revision of {interval} under its present definition; build it: "
            f"skewless train {name} --interval-end {format_instant(interval.end)}"
        )
    entered = enter_acceptance(workspace, ledger, built, reason)
    said = Kind.ACCEPTED if entered else Kind.PASSED
    message = f"{name!r} at {format_instant(interval.end)} " + (
        f"was accepted: {reason}" if entered else "is good already; nothing to accept"
    )
    return _receipt(workspace, asked, interval, built, said, message)


def _receipt(
    workspace: Workspace, asked: Asked, interval: Interval, built: Event, said: Kind, message: str
) -> Trained:
    return Trained(
        training_set=asked.training_set.name,
        interval_start=interval.start,
        interval_end=interval.end,
        revision=built.revision or "",
        rows=built.rows or 0,
        content_hash=built.content_hash or "",
        fingerprint=asked.fingerprint,
        verdict=said.value,
        version=workspace.training_ledger(asked.training_set).versions[-1],
        message=message,
    )


# -- what is asked for ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """A training set, with the features of its service and what decides its rows."""

    training_set: TrainingSet
    selections: tuple[Selection, ...]
    definition: Mapping[str, Any]

    @property
    def fingerprint(self) -> str:
        """The fingerprint of its definition."""
        return definition_fingerprint(dict(self.definition))


def opened(workspace: Workspace, name: str) -> Asked:
    """The training set of that name; UsageError, with the nearest, where there is none."""
    training_set = workspace.repo.training_set(name)
    selections = workspace.repo.resolve(training_set.service)
    return Asked(training_set, selections, training_definition(training_set, selections))


def labels_interval(workspace: Workspace, training_set: TrainingSet, end: datetime | None) -> Interval:
    """The interval that is meant; UsageError where there is none that ends so, or its labels are not known yet."""
    now, timetable = workspace.clock.now(), training_set.timetable
    if end is None:
        return timetable.interval_ending(timetable.newest_at(now - training_set.label_delay))
    try:
        interval = timetable.interval_ending(end)
    except ValueError as error:
        raise UsageError(f"training set {training_set.name!r}: {error}") from error
    known_at = interval.end + training_set.label_delay
    if not due(known_at, now):
        raise UsageError(
            f"training set {training_set.name!r}: the labels of {interval} are known from {format_instant(known_at)} "
            f"on; it is {format_instant(now)}"
        )
    return interval


def _demand_known_expectations(training_set: TrainingSet) -> None:
    """Found before the work, and before anything is written."""
    from skewless.quality import validate_expectations

    if training_set.expectations and (problems := validate_expectations(training_set)):
        raise DefinitionError(problems)


def _demand_columns(training_set: TrainingSet, columns: tuple[str, ...]) -> None:
    """Only now, with the spine at hand, is it known which columns there are."""
    problems = [
        located(training_set, text)
        for expectation in training_set.expectations
        for text in expectation.problems(columns)
    ]
    if problems:
        raise DefinitionError(problems)


# -- making it --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Made:
    """A revision that stands in the table, and that no ledger names yet."""

    revision: str
    assembly: Assembly
    content: Content
    manifest: Manifest
    unsettled: Mapping[str, tuple[datetime, ...]]
    computed: tuple[tuple[str, datetime], ...]


def _make(workspace: Workspace, asked: Asked, interval: Interval, report: Report) -> _Made:
    from skewless.offline.asking import Sources
    from skewless.offline.gauge import answered_in_slices
    from skewless.offline.manifest import manifest_of, unsettled_computed
    from skewless.offline.training import assemble, content

    views = [chosen.view for chosen in asked.selections]
    events = {view.name: workspace.ledger(view).read() for view in views}
    assembly = assemble(
        asked.training_set,
        asked.selections,
        interval,
        sources=Sources(workspace.spark, workspace.settings.warehouse),
        events=events,
        now=workspace.clock.now(),
    )
    _demand_columns(asked.training_set, assembly.columns)
    for line in answered_in_slices(assembly.asks):
        report(line)
    unsettled = {view.name: unsettled_snapshots(view, events[view.name], interval) for view in views}
    revision, table = str(uuid.uuid4()), workspace.training_table(asked.training_set, asked.fingerprint)
    table.append(assembly.rows, interval.end, revision)
    found = content(table.read(workspace.spark, [revision], assembly.columns))
    report(f"{found.rows:,} rows with {sum(len(ask.added) for ask in assembly.asks)} features are written")
    manifest = manifest_of(assembly, asked.definition, found, unsettled, workspace.clock.now())
    return _Made(revision, assembly, found, manifest, unsettled, unsettled_computed(assembly, unsettled))


def _enter(workspace: Workspace, asked: Asked, made: _Made) -> tuple[Event, bool]:
    """Tell the ledger of a build, whose manifest is there before; give its event, and whether the revision is new."""
    ledger, interval = workspace.training_ledger(asked.training_set), made.assembly.interval
    built = Event(
        kind=Kind.BUILT,
        snapshot_time=interval.end,
        revision=made.revision,
        fingerprint=asked.fingerprint,
        source_version=made.assembly.spine.version,
        rows=made.content.rows,
        content_hash=made.content.content_hash,
        actor=workspace.settings.actor,
    )
    events = ledger.read()
    entry = to_enter(events, built, assumed=False, now=workspace.clock.now())
    if entry.revision == made.revision:
        workspace.manifests(asked.training_set).append(made.revision, interval.end, made.manifest)
    if entry not in events:
        (entry,) = ledger.append(entry)
    return entry, entry.revision == made.revision


def _judge(workspace: Workspace, asked: Asked, made: _Made, event: Event) -> Verdict:
    from skewless.offline.training import content
    from skewless.quality import TrainingFacts, check_training

    table, assembly = workspace.training_table(asked.training_set, asked.fingerprint), made.assembly
    rows = table.read(workspace.spark, [made.revision], assembly.columns)
    went_in = content(assembly.labels)
    came_out = content(table.read(workspace.spark, [made.revision], assembly.labels.columns))
    facts = TrainingFacts(
        labels=went_in.rows,
        rows=made.content.rows,
        unchanged=came_out == went_in,
        timeless=assembly.spine.null_event_times(),
        unsettled=tuple(
            f"{view} at {format_instant(t)}" for view, times in made.unsettled.items() for t in times
        ),
        computed=len(made.computed),
    )
    return check_training(
        rows,
        asked.training_set,
        interval_end=assembly.interval.end,
        revision=event.revision or "",
        facts=facts,
    )
