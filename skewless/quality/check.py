"""Checking a revision: the author's expectations and the built-in ones, one verdict."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from skewless.model.view import FeatureView
from skewless.quality.builtin import Facts, builtin_results
from skewless.quality.gx import gx_results
from skewless.quality.verdict import Verdict

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def check(
    df: DataFrame, view: FeatureView, *, snapshot_time: datetime, revision: str, facts: Facts
) -> Verdict:
    """Judge a revision.

    df      its rows: the view's join keys and fields; other columns are not looked at
    facts   what was counted of it
    Raises DefinitionError when an expectation is unknown or its arguments are wrong.
    """
    results = [*builtin_results(view, snapshot_time, facts), *gx_results(df.select(*view.columns), view)]
    return Verdict(view=view.name, snapshot_time=snapshot_time, revision=revision, results=tuple(results))
