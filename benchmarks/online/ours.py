"""The platform of this repository: publishing by its job, from its own tables, and its reader."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from benchmarks.columns import START, Floats, Integers
from benchmarks.inputs import DEFINITIONS
from benchmarks.online.server import connected, emptied
from benchmarks.online.stage import FEATURES, NAMES, NAMESPACE, VIEW, Stage, matrix
from benchmarks.storage import linked_copy

if TYPE_CHECKING:
    from skewless.jobs.receipts import Published
    from skewless.online.reader import OnlineReader
    from skewless.workspace import Workspace


class Publisher:
    """Publishes snapshots of a data set as `skewless publish` does: ledger, Delta, rows, flip, ledger."""

    def __init__(self, stage: Stage) -> None:
        """Take a copy of the ledgers; the server must be empty."""
        self._stage = stage
        self._copy()

    def start_anew(self) -> None:
        """Empty the server, and forget what was published."""
        emptied(self._stage.url)
        self._copy()

    def publish(self, snapshot: int, *, full: bool = False) -> Published:
        """Make a snapshot live."""
        from skewless import jobs

        return jobs.publish(self.workspace, VIEW, START + timedelta(hours=snapshot), full=full)

    @property
    def workspace(self) -> Workspace:
        """What the job needs at hand, opened anew as each run of it does."""
        from skewless.settings import load_settings
        from skewless.workspace import Workspace

        return Workspace.open(
            load_settings(
                home=self._stage.scratch,
                warehouse=str(self._stage.scratch / "warehouse"),
                features=DEFINITIONS,
                redis_url=self._stage.url,
                namespace=NAMESPACE,
            )
        )

    def _copy(self) -> None:
        warehouse = self._stage.scratch / "warehouse"
        shutil.rmtree(warehouse, ignore_errors=True)
        for part in ("features", "ledger"):
            linked_copy(self._stage.folder / part, warehouse / part)


@contextmanager
def reading(stage: Stage) -> Iterator[OnlineReader]:
    """A reader that is connected."""
    from skewless.online.reader import OnlineReader

    reader = OnlineReader(stage.url, NAMESPACE)
    reader.connect()
    try:
        yield reader
    finally:
        reader.close()


def read(reader: OnlineReader, users: Integers) -> Floats:
    """The ten features of some entities: rows x 10; NaN for those that are not there."""
    found = reader.read(FEATURES, {"user_id": users}).numpy()
    return matrix(found[name] for name in NAMES)


def key_prefix(stage: Stage) -> str:
    """What stands before an entity's id in its key, as readers find it now."""
    from skewless.online.keys import ViewKeys
    from skewless.online.records import Pointer

    keys = ViewKeys(NAMESPACE, VIEW)
    with connected(stage.url) as server:
        raw = server.get(keys.pointer)
    assert isinstance(raw, bytes), "nothing is published"
    return keys.entity(Pointer.decode(raw).epoch, "")
