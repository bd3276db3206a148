"""The path of Spark's Python workers: no archive where the package is unpacked around it, else no change."""

from __future__ import annotations

from pathlib import Path

import pytest

from skewless.offline.worker_daemon import without_archives


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder of packages, as pip leaves it."""
    for package in ("pyspark", "py4j", "pyspark/python/lib", "pyspark/jars"):
        (tmp_path / "site" / package).mkdir(parents=True)
        (tmp_path / "site" / package / "__init__.py").touch()
    return tmp_path / "site"


def paths(spark: Path, *others: Path) -> list[str]:
    """As Spark makes it."""
    archives = [
        "python/lib/pyspark.zip",
        "python/lib/py4j-0.10.9.9-src.zip",
        "jars/spark-core_2.13-4.1.4.jar",
    ]
    return [*(str(spark / archive) for archive in archives), *map(str, others)]


def test_archives_that_lie_in_their_package_are_left_out(site: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.zip"
    assert without_archives(paths(site / "pyspark", own, site)) == [str(own), str(site)]


def test_they_are_left_out_where_a_link_leads_to_the_package(site: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(site)
    link = tmp_path / "link"
    assert without_archives(paths(site / "pyspark", link)) == [str(link)]


def test_another_spark_than_that_of_the_packages_keeps_its_archives(site: Path, tmp_path: Path) -> None:
    path = paths(tmp_path / "spark", site)
    assert without_archives(path) == path


def test_without_py4j_beside_it_nothing_changes(site: Path) -> None:
    (site / "py4j" / "__init__.py").unlink()
    (site / "py4j").rmdir()
    path = paths(site / "pyspark", site)
    assert without_archives(path) == path


def test_without_the_package_nothing_changes(tmp_path: Path) -> None:
    path = paths(tmp_path / "spark")
    assert without_archives(path) == path
