"""Maintenance: joins small files, and deletes what nothing refers to and retention does not hold."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from deltalake import DeltaTable

from skewless.errors import DataError, SkewlessError
from skewless.jobs.receipts import Report, Tidied, silent
from skewless.ledger.delta import failing_as, files_of, open_table
from skewless.ledger.events import Event, Kind
from skewless.ledger.retention import lost, removable
from skewless.ledger.standing import removed_revisions
from skewless.ledger.table import Ledger
from skewless.ledger.upkeep import MANY, Freed, checkpoint, clean, compact, folders, forget, small_files
from skewless.model import FeatureView, TrainingSet
from skewless.plan import uris
from skewless.workspace import Workspace

Stored = Mapping[str, datetime]
_ADVICE = "Repair access to that folder, or restore it from a backup, and run the command again"


def maintain(
    workspace: Workspace,
    view_names: tuple[str, ...] = (),
    *,
    dry_run: bool = False,
    report: Report = silent,
) -> tuple[Tidied, ...]:
    """Tidy the tables of some views; without names, of all views and training sets.

    dry_run  change nothing, and tell what would be done

    It may run beside builds, publishes and readers, and may be killed at any time.
    DataError, when all others are done, that names the tables which could not be read.
    """
    items: list[FeatureView | TrainingSet] = [
        workspace.repo.view(name) for name in view_names or sorted(workspace.repo.views)
    ]
    if not view_names:
        items += [item for _, item in sorted(workspace.repo.training_sets.items())]
    tidied, failed = [], []
    for item in items:
        report(f"{'looking at' if dry_run else 'maintaining'} {item.name}")
        try:
            done = sum(_done(workspace, item, dry_run), Done())
        except SkewlessError as error:
            failed.append(str(error))
        else:
            tidied.append(done.of(item.name, dry_run))
    if failed:
        raise DataError("\n".join(failed))
    return tuple(tidied)


@dataclass(frozen=True, slots=True)
class Done:
    """What was done, or would be.

    revisions  that went, with the size of their rows; their files are deleted once nobody can be reading them
    joined     how many files there are fewer
    """

    revisions: int = 0
    size: int = 0
    joined: int = 0
    freed: Freed = field(default_factory=Freed)

    def __add__(self, other: Done) -> Done:
        return Done(
            self.revisions + other.revisions,
            self.size + other.size,
            self.joined + other.joined,
            self.freed + other.freed,
        )

    def of(self, name: str, dry_run: bool) -> Tidied:
        """The receipt of one definition."""
        return Tidied(
            name=name,
            dry_run=dry_run,
            revisions=self.revisions,
            revisions_size=self.size,
            joined=self.joined,
            deleted=self.freed.files,
            deleted_size=self.freed.size,
        )


def _done(workspace: Workspace, item: FeatureView | TrainingSet, dry_run: bool) -> Iterator[Done]:
    if isinstance(item, FeatureView):
        return _of_view(workspace, item, dry_run)
    return _of_set(workspace, item, dry_run)


def _of_view(workspace: Workspace, view: FeatureView, dry_run: bool) -> Iterator[Done]:
    warehouse, ledger = workspace.settings.warehouse, workspace.ledger(view)
    events = ledger.read()

    def going(stored: Stored) -> frozenset[str]:
        return may_go(workspace, view, events, stored)

    for each in _fingerprints(events):
        revisions = _Revisions(uris.feature_table(warehouse, view.name, each), view.join_keys, going)
        yield revisions.tidy(workspace, ledger, dry_run)
        yield _of_tiles(workspace, view, uris.tile_table(warehouse, view.name, each), dry_run)
    verdicts, definitions = (
        uris.verdict_table(warehouse, view.name),
        uris.definition_table(warehouse, view.name),
    )
    for uri in (ledger.uri, verdicts, definitions):
        yield _of_small_table(workspace, uri, dry_run)


def may_go(
    workspace: Workspace, view: FeatureView, events: tuple[Event, ...], stored: Stored
) -> frozenset[str]:
    """Which of the stored revisions of a view may go now, by the settings and the manifests of the warehouse."""
    keep = workspace.settings.retention_days
    return removable(
        view,
        events,
        stored,
        named=() if keep is None else _named_by_manifests(workspace),
        now=workspace.clock.now(),
        settling=_unreferenced(workspace),
        keep=None if keep is None else timedelta(days=keep),
    )


def _of_set(workspace: Workspace, training_set: TrainingSet, dry_run: bool) -> Iterator[Done]:
    """A version of its ledger names rows for good: none that it ever told of goes, and no file of its own."""
    warehouse, name = workspace.settings.warehouse, training_set.name
    ledger = workspace.training_ledger(training_set)
    events = ledger.read()

    def going(stored: Stored) -> frozenset[str]:
        return lost(events, stored, now=workspace.clock.now(), settling=_unreferenced(workspace))

    for each in _fingerprints(events):
        revisions = _Revisions(uris.training_rows(warehouse, name, each), (), going)
        yield revisions.tidy(workspace, ledger, dry_run)
    for uri in (uris.training_verdicts(warehouse, name), uris.training_manifests(warehouse, name)):
        yield _of_small_table(workspace, uri, dry_run)


def _fingerprints(events: Iterable[Event]) -> list[str]:
    """Those that were built, each of which has a table of its own."""
    return sorted({event.fingerprint for event in events if event.kind is Kind.BUILT and event.fingerprint})


def _unreferenced(workspace: Workspace) -> timedelta:
    return timedelta(days=workspace.settings.vacuum_days)


def _named_by_manifests(workspace: Workspace) -> frozenset[str]:
    """The revisions that the manifests of the warehouse name, of training sets that are no longer defined too."""
    from skewless.offline.manifest import Manifests

    warehouse = workspace.settings.warehouse
    tables = [uris.training_manifests(warehouse, name) for name in folders(f"{warehouse}/training")]
    return frozenset().union(*(Manifests(uri, workspace.clock).revisions_read() for uri in tables))


@dataclass(frozen=True)
class _Revisions:
    """A table of revisions, and which of those that it holds go."""

    uri: str
    keys: Sequence[str]
    going: Callable[[Stored], frozenset[str]]

    def tidy(self, workspace: Workspace, ledger: Ledger, dry_run: bool) -> Done:
        """Take revisions away, join small files, delete what nothing refers to; DataError where it cannot be read."""
        with failing_as(DataError, f"the table at {self.uri} cannot be maintained", _ADVICE):
            table = open_table(self.uri)
            return Done() if table is None else self._tidy(workspace, ledger, table, dry_run)

    def _tidy(self, workspace: Workspace, ledger: Ledger, table: DeltaTable, dry_run: bool) -> Done:
        from skewless.offline.rewriting import pieces, rewrite, worn

        held = pieces(table)
        stored: dict[str, datetime] = {}
        for piece in held:
            stored[piece.revision] = max(piece.appended, stored.get(piece.revision, piece.appended))
        going = self.going(stored)
        doomed = [piece for piece in held if piece.revision in going]
        anew = worn(table, doomed)
        joined = sum(len(files) - 1 for files in anew)
        if anew and not dry_run:
            _tell(workspace, ledger, going)
            joined = sum(rewrite(DeltaTable(self.uri), files, going, self.keys) for files in anew)
            checkpoint(DeltaTable(self.uri))
        freed = clean(DeltaTable(self.uri), _unreferenced(workspace), dry_run=dry_run)
        return Done(len(going), sum(piece.size for piece in doomed), joined, freed)


def _tell(workspace: Workspace, ledger: Ledger, going: Collection[str]) -> None:
    """Enter that revisions go, before they do: nobody may count on rows that are not there."""
    events = ledger.read()
    built = {event.revision: event for event in events if event.kind is Kind.BUILT}
    told = [built[name] for name in sorted(going) if name in built and name not in removed_revisions(events)]
    ledger.append(
        *(
            Event(
                kind=Kind.REMOVED,
                snapshot_time=event.snapshot_time,
                revision=event.revision,
                fingerprint=event.fingerprint,
                actor=workspace.settings.actor,
            )
            for event in told
        )
    )


def _of_tiles(workspace: Workspace, view: FeatureView, uri: str, dry_run: bool) -> Done:
    """Days that the newest snapshots no longer reach go; a build that needs one makes it again."""
    from skewless.offline.tiling import TILE

    with failing_as(DataError, f"the table at {uri} cannot be maintained", _ADVICE):
        table = open_table(uri)
        if table is None or view.reach is None:
            return Done()
        begins = (workspace.clock.now() - view.reach - timedelta(days=2)).date()
        gone = forget(table, TILE, str(begins), dry_run=dry_run)
        return Done(joined=gone, freed=clean(table, _unreferenced(workspace), dry_run=dry_run))


def _of_small_table(workspace: Workspace, uri: str, dry_run: bool) -> Done:
    with failing_as(DataError, f"the table at {uri} cannot be maintained", _ADVICE):
        table = open_table(uri)
        if table is None:
            return Done()
        many = small_files(files_of(table))
        joined = (many - 1 if many >= MANY else 0) if dry_run else compact(table)
        if joined and not dry_run:
            checkpoint(table)
        return Done(joined=joined, freed=clean(table, _unreferenced(workspace), dry_run=dry_run))
