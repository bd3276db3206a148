"""Make the archive of Java's classes that each Spark starts from: `python -m skewless.local.class_archive JARS`.

A third of what a Spark needs until its first query is done goes into reading, parsing and verifying some 20,000
classes, the same each time. Java keeps them, ready to use, in a file of 190 MB, by *dynamic AppCDS* (JEP 350).
A Java or a pyspark that the archive was not made with does not use it, and says nothing.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from skewless.errors import SetupError
from skewless.local import spark_connect
from skewless.local.port import free_port
from skewless.offline.spark_conf import CLASS_ARCHIVE
from skewless.settings import Settings, load_settings

_ENDING = 300.0  # seconds: a Java that ends writes the archive first


def make(settings: Settings, archive: Path = CLASS_ARCHIVE) -> None:
    """Start a server of its own, run a first job, end it, and put the archive that it leaves in its place.

    SetupError when Spark does not start, or leaves no archive; the archive that was there stays then.
    """
    archive.parent.mkdir(parents=True, exist_ok=True)
    part = archive.with_name(f"{archive.name}.{os.getpid()}")
    with tempfile.TemporaryDirectory(prefix="skewless-") as home:
        number = free_port()
        trial = settings.model_copy(
            update={"home": Path(home), "spark": f"sc://127.0.0.1:{number}", "spark_memory": "1g"}
        )
        spark_connect.start(trial, number, f"-XX:ArchiveClassesAtExit={part}")
        spark_connect.wait(trial, number)
        server = spark_connect.child(trial)
        server.stop(patience=_ENDING)
        if not part.exists():
            raise SetupError(f"Java left no archive of its classes:\n{server.tail()}")
    part.replace(archive)


def main() -> None:
    """The command: make it anew for the Java and the pyspark of this interpreter."""
    parser = argparse.ArgumentParser(prog="python -m skewless.local.class_archive", description=main.__doc__)
    parser.add_argument("jars", type=Path, help="folder of the Delta jars")
    make(load_settings(jars=parser.parse_args().jars.absolute()))


if __name__ == "__main__":
    main()
