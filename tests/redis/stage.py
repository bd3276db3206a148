"""A view on a real server, in a namespace of its own, with a real ledger: what the tests here play on."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import redis

from skewless import types
from skewless.errors import DataError
from skewless.ledger.events import Event, Kind
from skewless.ledger.table import Ledger
from skewless.model import DeltaSource, Entity, FeatureView, Field
from skewless.online.publication import Publication, Receipt, Step
from skewless.online.publisher import Rows, publish
from skewless.online.reader import OnlineReader
from skewless.online.reconcile import OnlineView
from skewless.online.state import OnlineState, look
from skewless.timeline import SystemClock

SOURCE = DeltaSource(name="events", path="sources/events", timestamp_field="event_timestamp")
USER = Entity(name="user", join_keys=["user_id"])
STATS = FeatureView(
    name="stats",
    entities=[USER],
    source=SOURCE,
    publish_delay=timedelta(minutes=15),
    max_staleness=timedelta(hours=48),
    schema=[
        Field(name="mark", dtype=types.Int64),
        Field(name="share", dtype=types.Float32, default=0.1),
        Field(name="word", dtype=types.String),
    ],
)
FEATURES = ["stats:mark", "stats:share", "stats:word"]


def ago(**span: float) -> datetime:
    """A snapshot time before now."""
    return datetime.now(UTC) - timedelta(**span)


def schema_of(view: FeatureView, keys: Iterable[pa.DataType]) -> pa.Schema:
    """The columns of the view's snapshot table."""
    named = [
        *zip(view.join_keys, keys, strict=True),
        *((item.name, item.dtype.arrow()) for item in view.schema),
    ]
    return pa.schema([*named, ("_revision", pa.string())])


@dataclass
class Stage:
    """One view, its place and its ledger. A mark is a number that all rows of one revision carry."""

    redis_url: str
    folder: Path
    view: FeatureView = STATS
    keys: tuple[pa.DataType, ...] = (pa.int64(),)
    namespace: str = field(default_factory=lambda: f"n-{uuid.uuid4().hex[:12]}")
    keeps: bool = False  # the rows of earlier revisions, so that a publish can be of what changed

    def __post_init__(self) -> None:
        self.ledger = Ledger(str(self.folder / "ledger"), SystemClock())
        self.place = OnlineView(
            redis_url=self.redis_url, namespace=self.namespace, view=self.view.name, ledger=self.ledger
        )
        self.reader = OnlineReader(self.redis_url, self.namespace)

    @cached_property
    def server(self) -> redis.Redis:
        """A client of the server, which the URL names itself."""
        return redis.Redis.from_url(self.redis_url, protocol=2)

    def built(self, snapshot_time: datetime, rows: int, revision: str | None = None) -> Publication:
        """Enter a revision as built and passed."""
        revision = revision or str(uuid.uuid4())
        about = {"snapshot_time": snapshot_time, "revision": revision, "fingerprint": "f"}
        self.ledger.append(Event(kind=Kind.BUILT, rows=rows, **about), Event(kind=Kind.PASSED, **about))
        return Publication(
            view=self.view, fingerprint="f", snapshot_time=snapshot_time, revision=revision, rows=rows
        )

    def table(self, rows: list[tuple[Any, ...]], batch: int = 400) -> pa.RecordBatchReader:
        """The rows, keys first, as a snapshot table gives them."""
        schema = schema_of(self.view, self.keys)
        columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in schema.names[:-1]]
        table = pa.table([*columns, ["r"] * len(rows)], schema=schema)
        return table.to_reader(max_chunksize=batch)

    def rows_of(self, rows: list[tuple[Any, ...]], revision: str) -> Rows:
        """What gives the rows of this revision, and of those before if they are kept."""
        folder = self.folder / "rows"
        folder.mkdir(exist_ok=True)
        table = self.table(rows).read_all()
        if self.keeps:
            pq.write_table(table, folder / revision)

        def read(asked: str, columns: Sequence[str] | None = None) -> pa.RecordBatchReader:
            if asked == revision:
                return table.to_reader(max_chunksize=400)
            try:
                return pq.read_table(folder / asked, columns=columns).to_reader()
            except OSError as error:
                raise DataError(f"there is no {asked}") from error

        return read

    def close(self) -> None:
        """Close its connections."""
        self.reader.close()
        if "server" in vars(self):
            self.server.close()

    def publish_rows(self, rows: list[tuple[Any, ...]], snapshot_time: datetime, **how: Any) -> Receipt:
        """Build and publish these rows."""
        publication = self.built(snapshot_time, len(rows))
        return publish(self.place, publication, self.rows_of(rows, publication.revision), **how)

    def publish_mark(
        self,
        mark: int,
        snapshot_time: datetime,
        users: int = 1200,
        again: Publication | None = None,
        **how: Any,
    ) -> Receipt:
        """Build (unless it is built) and publish a revision whose rows all carry the mark."""
        publication = again or self.built(snapshot_time, users)
        rows = self.rows_of(marked(mark, users), publication.revision)
        return publish(self.place, publication, rows, **how)

    def marks(self, users: int = 1200) -> set[Any]:
        """The marks that one lookup of all users gives: one, whatever else goes on."""
        rows = self.reader.get(["stats:mark"], [{"user_id": user} for user in range(users)])
        return {row["stats__mark"] for row in rows}

    def state(self) -> OnlineState:
        """What the server says of the view."""
        return look(self.redis_url, self.namespace, self.view.name)

    def told(self, *kinds: Kind) -> list[Event]:
        """The ledger's events of those kinds."""
        return [event for event in self.ledger.read() if event.kind in kinds]

    def raw_keys(self) -> set[str]:
        """Every key of the view on the server, without the tag."""
        tag = self.place.keys.tag
        found = self.server.scan_iter(match=tag + "*", count=1000)
        return {key.decode().removeprefix(tag) for key in found}

    def epochs(self) -> set[int]:
        """The epochs that have keys."""
        numbers = (self.place.keys.epoch_of(self.place.keys.tag + key) for key in self.raw_keys())
        return {number for number in numbers if number is not None}

    def snapshot_of_server(self) -> dict[str, bytes]:
        """The view's keys as a file of the server would have them."""
        tag = self.place.keys.tag
        return {key: self.server.dump(tag + key) for key in self.raw_keys()}

    def restore_server(self, keys: dict[str, bytes]) -> None:
        """Bring the view's keys back as they were, and nothing else; alive comes back without its expiry."""
        tag, server = self.place.keys.tag, self.server
        for key in self.raw_keys():
            server.delete(tag + key)
        for key, value in keys.items():
            server.restore(tag + key, 0, value)


def marked(mark: int, users: int) -> list[tuple[Any, ...]]:
    """Rows that all carry one mark."""
    return [(user, mark, mark / 3, f"w{mark}") for user in range(users)]


class Killed(Exception):
    """The publisher dies here."""


def dying_after(step: Step) -> Callable[[Step, int], None]:
    """A progress callback that ends the publisher right after that step."""

    def progress(done: Step, rows: int) -> None:
        if done is step:
            raise Killed(step)

    return progress
