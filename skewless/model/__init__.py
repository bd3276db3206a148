"""Definitions: plain, frozen values that load no engine."""

from skewless.model.alias import AliasedView
from skewless.model.entity import Entity
from skewless.model.expectation import Expectation
from skewless.model.field import Field
from skewless.model.service import FeatureService, TrainingSet
from skewless.model.source import DeltaSource
from skewless.model.view import FeatureView

Definition = Entity | DeltaSource | FeatureView | AliasedView | FeatureService | TrainingSet

__all__ = [
    "AliasedView",
    "Definition",
    "DeltaSource",
    "Entity",
    "Expectation",
    "FeatureService",
    "FeatureView",
    "Field",
    "TrainingSet",
]
