"""Spark starts from the archive of Java's classes; one that does not fit is passed over."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from skewless.errors import SetupError
from skewless.local import class_archive, spark_connect
from skewless.local.java import find_java
from skewless.offline.spark_conf import CLASS_ARCHIVE
from skewless.settings import Settings


def test_the_server_maps_the_archive_that_setup_made(services: Settings) -> None:
    maps = Path(f"/proc/{spark_connect.child(services).pid()}/maps").read_text("utf-8")
    assert str(CLASS_ARCHIVE) in maps


def test_java_starts_without_a_word_from_an_archive_that_does_not_fit(tmp_path: Path) -> None:
    archive = tmp_path / "spark.jsa"
    for content in (None, b"", b"no archive" * 1000):
        if content is not None:
            archive.write_bytes(content)
        started = subprocess.run(
            [find_java(), f"-XX:SharedArchiveFile={archive}", "-XX:+UseSerialGC", "--version"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert "build" in started.stdout
        assert started.stderr == ""


def test_an_archive_stays_when_no_other_can_be_made(settings: Settings, tmp_path: Path) -> None:
    archive = tmp_path / "share" / "spark.jsa"
    archive.parent.mkdir()
    archive.write_text("the one before")
    with pytest.raises(SetupError, match="no Delta jars"):
        class_archive.make(settings.model_copy(update={"jars": tmp_path}), archive)
    assert archive.read_text() == "the one before"
    assert [archive] == list(archive.parent.iterdir())
