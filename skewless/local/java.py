"""Java, as Spark needs it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from skewless.errors import SetupError

OLDEST = 17
_ADVICE = f"type: sudo apt-get install -y openjdk-{OLDEST}-jdk-headless   (or set JAVA_HOME to another)"


def find_java() -> Path:
    """Give the `java` that Spark takes, JAVA_HOME's before the PATH's; SetupError when missing or too old."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=f"{home}/bin" if home else None)
    if found is None:
        where = f"JAVA_HOME={home} has no bin/java" if home else "there is no java on the PATH"
        raise SetupError(f"Spark needs Java {OLDEST} or newer, and {where}; {_ADVICE}")
    version = java_version(Path(found))
    if version < OLDEST:
        raise SetupError(f"Spark needs Java {OLDEST} or newer, and {found} is Java {version}; {_ADVICE}")
    return Path(found)


def java_version(java: Path) -> int:
    """Ask a `java` for its major version: 8 for "1.8.0_392", 17 for "17.0.15"."""
    try:
        asked = subprocess.run([java, "-version"], capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        raise SetupError(f"{java} -version failed ({error}); {_ADVICE}") from error
    match = re.search(r'version "(?:1\.)?(\d+)', asked.stderr)
    if match is None:
        raise SetupError(f"{java} -version does not say its version: {asked.stderr.strip()!r}; {_ADVICE}")
    return int(match[1])
