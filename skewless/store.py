"""The one door for notebooks and applications: training rows and online lookups, with the same values."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from skewless.errors import NotPublishedError, SkewlessError, UsageError, did_you_mean
from skewless.model import AliasedView, FeatureService, FeatureView
from skewless.plan.fingerprint import fingerprint
from skewless.plan.repo import Feature, Features
from skewless.settings import load_settings
from skewless.timeline import format_instant, to_micros
from skewless.workspace import Workspace

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from skewless.offline.retrieval import Ask, AsOf
    from skewless.offline.spine import Spine
    from skewless.online.answer import Answer
    from skewless.online.entities import Given
    from skewless.online.keys import KeyKind
    from skewless.online.reader import AsyncOnlineReader, OnlineReader
    from skewless.online.request import Aliases

T = TypeVar("T")


Report = Callable[[str], None]


def _print(line: str) -> None:
    """Notebooks show what goes to stderr; results alone go to stdout."""
    print(line, file=sys.stderr, flush=True)


class FeatureStore:
    """Definitions, training rows and lookups of one deployment. Arguments default to the settings.

    >>> store = FeatureStore("features")                                               # doctest: +SKIP
    >>> store.get_historical_features(labels, ["transaction_stats:avg_transactions_1h"])   # doctest: +SKIP
    """

    def __init__(
        self,
        features: str | Path | None = None,
        *,
        warehouse: str | Path | None = None,
        redis_url: str | None = None,
        namespace: str | None = None,
        spark: SparkSession | None = None,
        report: Report = _print,
    ) -> None:
        """Keep the settings; nothing is loaded or connected before it is needed.

        report  is told, a line at a time, what a person should know of work that takes long; default: to stderr
        """
        folder = None if warehouse is None else str(warehouse)
        given = {"features": features, "warehouse": folder, "redis_url": redis_url, "namespace": namespace}
        self.settings = load_settings(**{name: value for name, value in given.items() if value is not None})
        self._spark, self._report = spark, report

    @classmethod
    def of(cls, workspace: Workspace, report: Report = _print) -> FeatureStore:
        """A store over an open workspace."""
        store = cls.__new__(cls)
        store.settings, store._spark, store._report = workspace.settings, None, report
        store.__dict__["workspace"] = workspace
        return store

    @cached_property
    def workspace(self) -> Workspace:
        """The definitions with their settings; DefinitionError tells all that is wrong with them."""
        return Workspace.open(self.settings)

    @property
    def spark(self) -> SparkSession:
        """The Spark session."""
        return self._spark or self.workspace.spark

    # -- training -----------------------------------------------------------------------------------------

    def get_historical_features(
        self,
        entity_df: Spine,
        features: Features,
        *,
        as_of: AsOf = "scheduled",
        explain: bool = False,
        timestamp_field: str = "event_timestamp",
    ) -> DataFrame:
        """Join a spine with features: exactly its rows and columns, then one column `<view>__<field>` per feature.

        entity_df  a spine: join keys, a time column, any others; a Spark or pandas DataFrame, a pyarrow Table, a
                   Delta table's path under the warehouse or URI, or the name of a table that Spark knows
        features   `"view:feature"` names, views, aliased views, a feature service or its name; a view need not be
                   deployed, and is asked as it stands
        as_of      "scheduled": what a reader gets at each row's time when runs are on time
                   "event": what was known strictly before the row's own instant
        explain    adds, per view, <view>__snapshot_time, <view>__how (stored, computed or skipped), and
                   <view>__why_null (absent, expired or null in source)

        Snapshots that nobody built are computed from the source; `report` tells how many, how to build them, and
        which views have keys with so many rows that they are answered in slices by time.

        UsageError where the spine lacks a column, has null or future times, or a feature is unknown; DataError where
        a source is not what its definition says.
        """
        from skewless.offline.failures import explained
        from skewless.offline.gauge import answered_in_slices
        from skewless.offline.retrieval import join
        from skewless.offline.spine import as_spark
        from skewless.offline.unbuilt import unbuilt

        with explained("joining the spine"):
            spine = as_spark(self.spark, entity_df, self.settings.warehouse)
            asks = self._asks(spine, features, as_of, explain, timestamp_field)
            for found in unbuilt(asks):
                self._report(found.told(deployed=self._is_deployed(found.view)))
            for line in answered_in_slices(asks):
                self._report(line)
            return join(spine, asks, timestamp_field=timestamp_field, explain=explain)

    def _is_deployed(self, view: FeatureView) -> bool:
        known = self.workspace.repo.views.get(view.name)
        return known is not None and fingerprint(known) == fingerprint(view)

    def _asks(
        self, spine: DataFrame, features: Features, as_of: str, explain: bool, timestamp_field: str
    ) -> list[Ask]:
        from skewless.offline.asking import Sources, check_spine, seeing
        from skewless.offline.retrieval import AsOf

        if as_of == "published":
            raise UsageError(
                "as_of='published' is not available yet: what readers really got is not replayed; use "
                "as_of='scheduled', which is what they get when runs are on time"
            )
        if as_of not in get_args(AsOf):
            known = ", ".join(map(repr, get_args(AsOf)))
            raise UsageError(
                f"as_of={as_of!r} is not supported{did_you_mean(as_of, get_args(AsOf))}; use one of {known}"
            )
        asks = Sources(self.spark, self.settings.warehouse).asks(self.workspace.repo.resolve(features))
        told = [name for ask in asks for name in ask.explained] if explain else []
        check_spine(spine, asks, added=told, timestamp_field=timestamp_field)
        events_of = (lambda view: self.workspace.ledger(view).read()) if as_of == "scheduled" else None
        now = self.workspace.clock.now()
        return seeing(spine, asks, events_of, timestamp_field=timestamp_field, now=now)

    def preview(
        self,
        view: Feature,
        rows: int = 10,
        *,
        where: str | None = None,
        snapshot_time: datetime | None = None,
    ) -> DataFrame:
        """Show a view's values for a few entities, in seconds: nothing need be deployed, and nothing is written.

        view           a view, deployed or just made, or its name; "view:feature" shows one field
        rows           how many entities: those with the newest rows of the source
        where          SQL over the source's columns: only entities that have such a row
        snapshot_time  default: the newest snapshot that is due
        returns        join keys, then fields, the entity with the newest row first

        UsageError for a request that makes no sense, DefinitionError for a view that is wrong, DataError where the
        source is not what its definition says.
        """
        from skewless.offline.asking import Sources
        from skewless.offline.complete import Moment
        from skewless.offline.failures import explained
        from skewless.offline.preview import preview

        (chosen, *others) = self.workspace.repo.resolve(view)
        if others:
            raise UsageError(f"a preview is of one view, and {view!r} has several; name one of them")
        if rows < 1:
            raise UsageError(f"rows={rows!r}; a preview shows at least one entity")
        found, delay = chosen.view, chosen.view.source.data_delay
        at = self.workspace.snapshot_time(found, snapshot_time)
        self.workspace.demand_past(found, at, at + delay, "previewed")
        with explained(f"previewing {found.name} at {format_instant(at)}"):
            (ask,) = Sources(self.spark, self.settings.warehouse).asks([chosen])
            moment = Moment(to_micros(at), to_micros(at + delay))
            table = preview(ask.bound, moment, entities=rows, where=where)
            return table.select(*found.join_keys, *chosen.fields)

    def training_set(self, name: str, version: int | None = None) -> DataFrame:
        """The rows of a training set: of every interval, the newest revision that passed or was accepted.

        version  names a state for good, as the receipt of `skewless train` tells it: the same rows for ever, whatever
                 is built, and however the definition is changed, later; default: the newest state under the present
                 definition
        returns  the spine's columns, then one per feature, `<view>__<field>`

        UsageError for an unknown set or version, and where there is nothing yet.
        """
        from skewless.ledger.versions import newest_in_force, revisions_in_force
        from skewless.offline.failures import explained
        from skewless.plan.fingerprint import definition_fingerprint, training_definition

        found = self.workspace.repo.training_set(name)
        ledger = self.workspace.training_ledger(found)
        if version is not None and version not in ledger.versions:
            raise UsageError(f"training set {name!r} has no version {version}{_there_are(ledger.versions)}")
        events = ledger.read() if version is None else ledger.read_version(version)
        newest = newest_in_force(events)
        if version is None:
            selections = self.workspace.repo.resolve(found.service)
            asked = definition_fingerprint(training_definition(found, selections))
        else:
            asked = newest.fingerprint if newest and newest.fingerprint else ""
        chosen = revisions_in_force(events, asked)
        if not chosen:
            raise UsageError(_nothing_in_force(name, version, ledger.versions))
        with explained(f"reading training set {name}"):
            columns = self.workspace.manifests(found).columns(chosen.values())
            table = self.workspace.training_table(found, asked)
            return table.read(self.spark, tuple(chosen.values()), columns)

    # -- serving ------------------------------------------------------------------------------------------

    @cached_property
    def _reader(self) -> OnlineReader:
        from skewless.online.reader import OnlineReader

        return OnlineReader(self.settings.redis_url, self.settings.namespace)

    @cached_property
    def _async_reader(self) -> AsyncOnlineReader:
        from skewless.online.reader import AsyncOnlineReader

        return AsyncOnlineReader(self.settings.redis_url, self.settings.namespace)

    def get_online_features(self, features: Features, entity_rows: Given) -> Answer:
        """Look features up, each view's from one generation.

        features     `"view:feature"` names, views, a feature service or its name
        entity_rows  a dict of join keys; a list of them; or a dict of columns: lists, numpy or Arrow arrays
        returns      `.rows`, `.columns` or `.numpy()`; `.views` has each view's snapshot time, generation, age, state

        NotPublishedError, StoreUnavailable, OnlineError; UsageError for an unknown feature or a missing key. It needs
        no definitions for `"view:feature"` names of published views, nor for a service of such views.
        """
        return self._online(features, lambda names, aliases: self._reader.read(names, entity_rows, aliases))

    async def get_online_features_async(self, features: Features, entity_rows: Given) -> Answer:
        """Look features up as `get_online_features` does, without holding up the event loop."""
        missed: NotPublishedError | None = None
        for names, aliases in self._names_of(features):
            try:
                return await self._async_reader.read(names, entity_rows, aliases)
            except NotPublishedError as error:
                missed = error
        assert missed is not None, "there is one way at least"
        raise missed

    def parse_entity(self, features: Features, texts: Mapping[str, str]) -> dict[str, Any]:
        """Join keys given as text, with the types that the published views have: for command lines and URLs.

        UsageError where a text is no integer and the key is one.
        """
        kinds = self._online(features, self._reader.key_kinds)
        return {name: parse_key(name, text, kinds.get(name)) for name, text in texts.items()}

    def _online(self, features: Features, read: Callable[[Sequence[str], Aliases], T]) -> T:
        """Read by the first names that are published."""
        missed: NotPublishedError | None = None
        for names, aliases in self._names_of(features):
            try:
                return read(names, aliases)
            except NotPublishedError as error:
                missed = error
        assert missed is not None, "there is one way at least"
        raise missed

    def _names_of(self, features: Features) -> Iterator[tuple[Sequence[str], Aliases]]:
        """What to ask for; then, if that is not published, what else may be meant.

        The definitions are asked only for what the names alone do not tell: aliases, and services that the server
        does not know.
        """
        names = _names(features)
        plain = all(":" in name for name in names)
        if names and plain and not self._known_aliases.intersection(name.partition(":")[0] for name in names):
            yield names, {}
        if names and not self._has_definitions():
            if not plain:
                yield names, {}  # services, by their records
            return
        try:
            found = self._resolved(features)
        except UsageError:
            if names and not plain:
                yield names, {}  # services that only the server knows
            raise
        yield found

    @property
    def _known_aliases(self) -> set[str]:
        """The aliases of the definitions, once these are loaded: what one means, no view does."""
        return set(self.workspace.repo.aliases) if "workspace" in self.__dict__ else set()

    def _resolved(self, features: Features) -> tuple[list[str], Aliases]:
        """The features' names, and the aliases among them, as the definitions say."""
        from skewless.online.request import Alias

        chosen = self.workspace.repo.resolve(features)
        for view in (selection.view for selection in chosen if not selection.view.online):
            raise UsageError(
                f"feature view {view.name!r} is not online (online=False): only training rows have it"
            )
        aliases = {
            selection.prefix: Alias(
                selection.view.name, dict(zip(selection.view.join_keys, selection.keys, strict=True))
            )
            for selection in chosen
            if selection.prefix != selection.view.name
        }
        return [f"{selection.prefix}:{name}" for selection in chosen for name in selection.fields], aliases

    def _has_definitions(self) -> bool:
        """Whether there are any; an application has none."""
        try:
            return bool(self.workspace.repo.views)
        except SkewlessError:
            return False

    def close(self) -> None:
        """Close the connections to the online store."""
        if "_reader" in self.__dict__:
            self._reader.close()

    async def aclose(self) -> None:
        """Close the connections of the asyncio lookups, too."""
        self.close()
        if "_async_reader" in self.__dict__:
            await self._async_reader.close()


def _names(features: Features) -> list[str]:
    """The features, if all are names; else empty."""
    if isinstance(features, str):
        return [features]
    if isinstance(features, FeatureService | FeatureView | AliasedView):
        return []
    names = [item for item in features if isinstance(item, str)]
    return names if len(names) == len(features) else []


def _there_are(versions: range) -> str:
    return f"; there are 1 to {versions[-1]}" if versions else ""


def _nothing_in_force(name: str, version: int | None, versions: range) -> str:
    if version is not None:
        return f"version {version} of training set {name!r} holds no rows: nothing had passed{_there_are(versions)}"
    earlier = f"; what earlier definitions gave has versions up to {versions[-1]}" if versions else ""
    return (
        f"training set {name!r} has no rows in force under its present definition; build an interval: "
        f"skewless train {name}{earlier}"
    )


def parse_key(name: str, text: str, kind: KeyKind | None) -> str | int:
    """A join key's text as its kind has it."""
    if kind != "integer":
        return text
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"join key {name}={text!r} is no integer, as the source has it") from None
