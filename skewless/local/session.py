"""The Spark Connect sessions of this machine's commands.

A session that runs a Python function leaves a process of 54 MB in the server for as long as the server lives.
So commands share few sessions: each takes the first one that no other command has, and the next command finds
its Python workers warm (measured: 1.0 s instead of 2.8 s for a small job). Such a session must never be
stopped by its client, or the server refuses its name from then on.
"""

from __future__ import annotations

import fcntl
import itertools
import os

from skewless.local import spark_connect
from skewless.settings import Settings

_held: dict[str, int] = {}  # this process' locks; the system frees them when it ends


def session_url(settings: Settings) -> str:
    """Give the address of a session for this process: `spark` with a session id where the server is our own.

    >>> from skewless.settings import load_settings
    >>> session_url(load_settings(spark="sc://cluster.example:15002"))
    'sc://cluster.example:15002'
    """
    if spark_connect.port(settings) is None or spark_connect.child(settings).pid() is None:
        return settings.spark
    return spark_connect.session_address(settings, _take_slot(settings))


def _take_slot(settings: Settings) -> int:
    folder = settings.home / "run" / "sessions"
    folder.mkdir(parents=True, exist_ok=True)
    for slot in itertools.count():
        path = folder / str(slot)
        if str(path) in _held:
            return slot
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        _held[str(path)] = lock
        return slot
    raise AssertionError("unreachable: there is always a next slot")
