"""Feast with its Redis online store, as its documentation sets it up."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.columns import DUE_MICROS, FIELDS, HOUR, START, START_MICROS, Floats, Integers, feature_rows
from benchmarks.online.stage import FEATURES, VIEW, Stage, matrix

if TYPE_CHECKING:
    import pandas as pd
    from feast import FeatureStore

_CONFIG = """project: bench
provider: local
registry: registry.db
offline_store:
  type: dask
online_store:
  type: redis
  connection_string: {address}
  skip_dedup: {skip_dedup}
entity_key_serialization_version: 3
"""


def folder(stage: Stage, *, skip_dedup: bool = False, snapshots: int = 1) -> Path:
    """A folder of definitions that were applied; the source is a Parquet file of the first snapshots."""
    from feast import Entity, FeatureStore, FeatureView, Field, FileSource
    from feast.types import Float32
    from feast.value_type import ValueType

    made = stage.scratch / f"feast{'-fast' * skip_dedup}"
    if made.exists():
        return made
    made.mkdir()
    config = _CONFIG.format(address=urlsplit(stage.url).netloc, skip_dedup=str(skip_dedup).lower())
    (made / "feature_store.yaml").write_text(config, "utf-8")
    rows = [_table(stage, snapshot) for snapshot in range(snapshots)]
    pq.write_table(pa.concat_tables(rows), made / "rows.parquet")
    source = FileSource(name="rows", path=str(made / "rows.parquet"), timestamp_field="event_timestamp")
    user = Entity(name="user", join_keys=["user_id"], value_type=ValueType.INT64)
    view = FeatureView(
        name=VIEW,
        entities=[user],
        source=source,
        schema=[Field(name=name, dtype=Float32) for name in FIELDS],
    )
    FeatureStore(repo_path=str(made)).apply([user, source, view])
    return made


def opened(folder: Path) -> FeatureStore:
    """The store of a folder."""
    from feast import FeatureStore

    return FeatureStore(repo_path=str(folder))


def rows_of(stage: Stage, snapshot: int) -> pd.DataFrame:
    """A snapshot's rows of Feast's entities, as `write_to_online_store` takes them."""
    return _table(stage, snapshot).to_pandas()


def materialize(store: FeatureStore, snapshot: int) -> None:
    """Read the source, and write the rows of a snapshot."""
    at = START + timedelta(hours=snapshot)
    store.materialize(at, at + timedelta(hours=1))


def read(store: FeatureStore, users: Integers) -> Floats:
    """The ten features of some entities: rows x 10; NaN for those that are not there."""
    found = ask(store, users).to_dict()
    assert found["user_id"] == users.tolist(), "the answer is in another order"
    return matrix(found[name] for name in FIELDS)


def ask(store: FeatureStore, users: Integers) -> Any:
    """A lookup, whose answer is still to be turned into something."""
    return store.get_online_features(features=FEATURES, entity_rows={"user_id": users.tolist()})


def _table(stage: Stage, snapshot: int) -> pa.Table:
    times = np.full(len(stage.peer_users), START_MICROS + snapshot * HOUR + DUE_MICROS)
    return feature_rows(stage.peer_users, times, stage.expected(snapshot)[stage.peer_users])
