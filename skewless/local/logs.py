"""The services' logs: their ends, as they grow, and none of them for ever."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from skewless.errors import UsageError, did_you_mean
from skewless.local.process import Child
from skewless.local.services import known_parts
from skewless.settings import Settings

_LARGEST = 20_000_000  # bytes of one log; the same again in the one before it
_EVERY = 0.5


def log_lines(
    settings: Settings, names: Sequence[str] = (), *, lines: int, follow: bool
) -> Iterator[tuple[str, str]]:
    """Give (service, line) of the named services' logs, all by default: the last ones, then the new ones.

    UsageError for a name that no service has.
    """
    children = _named(settings, names)
    positions = {name: _size(child.log) for name, child in children.items()}
    for name, child in children.items():
        yield from ((name, line) for line in (child.tail(lines).splitlines() if lines else ()))
    while follow:
        time.sleep(_EVERY)
        for name, child in children.items():
            text, positions[name] = _since(child.log, positions[name])
            yield from ((name, line) for line in text.splitlines())


def rotate(child: Child) -> None:
    """Begin a log that has grown large again, and keep what it had as `.log.1`; its process goes on writing."""
    if _size(child.log) > _LARGEST:
        shutil.copyfile(child.log, f"{child.log}.1")
        child.log.open("w").close()  # processes append, so none of them writes behind a gap


def _named(settings: Settings, names: Sequence[str]) -> dict[str, Child]:
    known = {part.name: part.child for part in known_parts(settings)}
    by_lower = {name.lower(): name for name in known}
    for name in names:
        if name.lower() not in by_lower:
            raise UsageError(
                f"no service is called {name!r}{did_you_mean(name, known)}; known are {', '.join(known)}"
            )
    return {by_lower[name.lower()]: known[by_lower[name.lower()]] for name in names or known}


def _size(log: Path) -> int:
    return log.stat().st_size if log.exists() else 0


def _since(log: Path, position: int) -> tuple[str, int]:
    """What a log got after a position, in whole lines; a shorter log is a new one."""
    size = _size(log)
    if size < position:
        position = 0
    if size == position:
        return "", position
    with log.open("rb") as file:
        file.seek(position)
        whole, newline, _ = file.read().rpartition(b"\n")
    return whole.decode("utf-8", "replace"), position + len(whole) + len(newline)
