"""Feast's offline stores: Spark and DuckDB."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

from deltalake import DeltaTable

from benchmarks.columns import FIELDS
from benchmarks.inputs import Inputs


def spark(inputs: Inputs, output: Path) -> None:
    """The Spark store, a view without a ttl."""
    _spark(inputs, output, None)


def spark_with_ttl(inputs: Inputs, output: Path) -> None:
    """The Spark store, told that no value is older than two hours: its join then keeps fewer rows."""
    _spark(inputs, output, timedelta(hours=2))


def _spark(inputs: Inputs, output: Path, ttl: timedelta | None) -> None:
    from feast.infra.offline_stores.contrib.spark_offline_store.spark_source import SparkSource

    inputs.spark  # noqa: B018 -- the store takes the session that is open
    sources = {
        name: SparkSource(
            name=name,
            query=f"SELECT * FROM delta.`{inputs.path(f'sources/{name}')}`",
            timestamp_field="event_timestamp",
        )
        for name in inputs.views
    }
    labels = f"SELECT * FROM delta.`{inputs.path('labels')}`"
    job = _historical(sources, {"type": "spark"}, labels, ttl)
    job.to_spark_df().write.parquet(str(output))


def duckdb(inputs: Inputs, output: Path) -> None:
    """The DuckDB store over the Delta tables' files; for Delta itself it would download an extension."""
    from feast import FileSource
    from feast.data_format import ParquetFormat
    from feast.infra.offline_stores.file_source import SavedDatasetFileStorage

    sources = {
        name: FileSource(
            name=name,
            path=inputs.path(f"sources/{name}/*.parquet"),
            file_format=ParquetFormat(),
            timestamp_field="event_timestamp",
        )
        for name in inputs.views
    }
    labels = DeltaTable(inputs.path("labels")).to_pyarrow_table().to_pandas()
    job = _historical(sources, {"type": "duckdb"}, labels, None)
    output.mkdir()
    job.persist(SavedDatasetFileStorage(path=str(output / "answer.parquet"), file_format=ParquetFormat()))


def _historical(sources: dict[str, Any], offline: dict[str, str], labels: Any, ttl: timedelta | None) -> Any:
    """Apply the definitions to a registry of their own, and ask."""
    from feast import Entity, FeatureStore, FeatureView, Field, RepoConfig
    from feast.types import Float32
    from feast.value_type import ValueType

    folder = tempfile.mkdtemp(prefix="feast-")
    user = Entity(name="user", join_keys=["user_id"], value_type=ValueType.INT64)
    views = [
        FeatureView(
            name=name,
            entities=[user],
            source=source,
            ttl=ttl,
            schema=[Field(name=column, dtype=Float32) for column in FIELDS],
        )
        for name, source in sources.items()
    ]
    store = FeatureStore(
        config=RepoConfig(
            project="bench",
            provider="local",
            registry=f"{folder}/registry.db",
            online_store=None,
            offline_store=offline,
            entity_key_serialization_version=3,
        )
    )
    store.apply([user, *sources.values(), *views])
    return store.get_historical_features(
        entity_df=labels,
        features=[f"{view.name}:{column}" for view in views for column in FIELDS],
        full_feature_names=True,
    )
