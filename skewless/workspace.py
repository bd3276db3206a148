"""What every job needs at hand: settings, clock, definitions, and the way to each view's tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from skewless.errors import Problem, SetupError, UsageError
from skewless.ledger.definitions import Definitions
from skewless.ledger.table import Ledger
from skewless.ledger.versions import VersionedLedger
from skewless.model import FeatureView, TrainingSet
from skewless.plan import uris
from skewless.plan.fingerprint import fingerprint
from skewless.plan.repo import Repo, check_repo, load_repo
from skewless.settings import Settings
from skewless.timeline import Clock, FixedClock, SystemClock, due, format_instant

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from skewless.offline.manifest import Manifests
    from skewless.offline.tables import FeatureTable
    from skewless.offline.tiling import Tiles
    from skewless.offline.training import TrainingTable
    from skewless.online.reconcile import OnlineView
    from skewless.quality.verdicts import Verdicts


@dataclass(frozen=True)
class Workspace:
    """Settings, definitions and clock of one process. Nothing is connected before it is needed."""

    settings: Settings
    repo: Repo
    clock: Clock

    @classmethod
    def open(cls, settings: Settings) -> Workspace:
        """Load the definitions; DefinitionError tells all that is wrong with them."""
        return cls(settings, load_repo(settings.features), _clock(settings))

    @classmethod
    def open_what_is_good(cls, settings: Settings, told: Callable[[Problem], None]) -> Workspace:
        """Load the good definitions, and tell what is wrong: a mistake elsewhere must not stop a rollback."""
        repo, problems = check_repo(settings.features)
        for problem in problems:
            told(problem)
        return cls(settings, repo, _clock(settings))

    @cached_property
    def spark(self) -> SparkSession:
        """The Spark session; SetupError when there is none."""
        try:
            from skewless.offline.session import open_session, submitted
        except ImportError as error:
            raise SetupError(f"{error.name} is not installed; pip install 'skewless[spark]'") from error
        from skewless.local.java import find_java
        from skewless.local.session import session_url
        from skewless.local.spark_connect import delta_jars

        if not self.settings.spark.startswith("sc://") and not submitted():
            find_java()
            delta_jars(self.settings)
        return open_session(session_url(self.settings), self.settings.jars, self.settings.spark_python)

    def ledger(self, view: FeatureView) -> Ledger:
        """The view's ledger."""
        return Ledger(uris.ledger_table(self.settings.warehouse, view.name), self.clock)

    def definitions(self, view: FeatureView) -> Definitions:
        """The definitions under which the view was built."""
        return Definitions(uris.definition_table(self.settings.warehouse, view.name), self.clock)

    def verdicts(self, view: FeatureView) -> Verdicts:
        """The view's verdicts."""
        from skewless.quality.verdicts import Verdicts

        return Verdicts(uris.verdict_table(self.settings.warehouse, view.name), view.name, self.clock)

    def feature_table(self, view: FeatureView) -> FeatureTable:
        """The view's revisions, of its present fingerprint."""
        from skewless.offline.tables import FeatureTable

        return FeatureTable.of(view, fingerprint(view), self.settings.warehouse)

    def tiles(self, view: FeatureView) -> Tiles:
        """What the view's builds keep of days that are over."""
        from skewless.offline.tiling import Tiles

        uri = uris.tile_table(self.settings.warehouse, view.name, fingerprint(view))
        return Tiles(uri, self.settings.tiles_from)

    def online(self, view: FeatureView) -> OnlineView:
        """The view's place in the online store."""
        from skewless.online.reconcile import OnlineView

        return OnlineView(
            redis_url=self.settings.redis_url,
            namespace=self.settings.namespace,
            view=view.name,
            ledger=self.ledger(view),
        )

    def training_ledger(self, training_set: TrainingSet) -> VersionedLedger:
        """The ledger of a training set."""
        return VersionedLedger(uris.training_ledger(self.settings.warehouse, training_set.name), self.clock)

    def training_verdicts(self, training_set: TrainingSet) -> Verdicts:
        """The verdicts of a training set."""
        from skewless.quality.verdicts import Verdicts

        name = training_set.name
        return Verdicts(uris.training_verdicts(self.settings.warehouse, name), name, self.clock)

    def manifests(self, training_set: TrainingSet) -> Manifests:
        """The manifests of a training set."""
        from skewless.offline.manifest import Manifests

        return Manifests(uris.training_manifests(self.settings.warehouse, training_set.name), self.clock)

    def training_table(self, training_set: TrainingSet, fingerprint: str) -> TrainingTable:
        """The revisions of a training set under one fingerprint."""
        from skewless.offline.training import TrainingTable

        return TrainingTable(uris.training_rows(self.settings.warehouse, training_set.name, fingerprint))

    def newest_due(self, view: FeatureView) -> datetime:
        """The newest snapshot time that is due by now."""
        return view.timetable.newest_at(self.clock.now() - view.publish_delay)

    def snapshot_time(self, view: FeatureView, asked: datetime | None) -> datetime:
        """The snapshot time that is meant: the one asked for, or the newest that is due.

        UsageError, with the nearest ones, where the view's schedule has no such interval.
        """
        if asked is None:
            return self.newest_due(view)
        try:
            return view.timetable.interval_ending(asked).end
        except ValueError as error:
            raise UsageError(f"feature view {view.name!r}: {error}") from error

    def demand_past(self, view: FeatureView, snapshot_time: datetime, instant: datetime, what: str) -> None:
        """UsageError unless the instant has come."""
        if not due(instant, self.clock.now()):
            raise UsageError(
                f"feature view {view.name!r}: snapshot {format_instant(snapshot_time)} can be {what} from "
                f"{format_instant(instant)} on; it is {format_instant(self.clock.now())}"
            )


def _clock(settings: Settings) -> Clock:
    return FixedClock(settings.now) if settings.now else SystemClock()
