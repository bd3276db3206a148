"""Who may import whom, and what importing costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ENGINES = {"airflow", "deltalake", "great_expectations", "pandas", "pyspark", "redis", "sklearn"}


def modules_loaded_by(imports: str) -> set[str]:
    code = f"import sys, {imports}; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(ran.stdout.split())


@pytest.mark.parametrize(
    "imports", ["skewless", "features, features.flights, features.transactions", "skewless.settings"]
)
def test_definitions_and_settings_load_no_engine(imports: str) -> None:
    assert not ENGINES & modules_loaded_by(imports)


def test_import_contracts_hold() -> None:
    tool = Path(sys.executable).with_name("lint-imports")
    ran = subprocess.run([tool, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout
