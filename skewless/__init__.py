"""Skewless: features defined once, computed by one engine, trained and served without skew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from skewless import agg
from skewless.model import DeltaSource, Entity, Expectation, FeatureService, FeatureView, Field, TrainingSet

if TYPE_CHECKING:
    from skewless.store import FeatureStore

__version__ = "0.1.0"
__all__ = [
    "DeltaSource",
    "Entity",
    "Expectation",
    "FeatureService",
    "FeatureStore",
    "FeatureView",
    "Field",
    "TrainingSet",
    "agg",
]


def __getattr__(name: str) -> Any:
    """Load the store, and with it the engine's clients, only when somebody asks for it."""
    if name == "FeatureStore":
        from skewless.store import FeatureStore

        return FeatureStore
    raise AttributeError(f"module 'skewless' has no attribute {name!r}")
