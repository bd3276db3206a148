"""Dropping epochs that nobody can read any more, gently."""

from __future__ import annotations

from collections.abc import Collection

from skewless.online.connection import Session
from skewless.online.keys import ViewKeys

_SCANNED = 250  # at a time: the server answers readers between


def sweep(session: Session, keys: ViewKeys, *, below: int, kept: Collection[int]) -> set[int]:
    """Unlink every key of the view's epochs below one, but for those kept; give the epochs that had keys.

    Whoever opened generation N knows that no epoch below N but the live and the previous one will ever be
    read again; so this also finds what a publisher wrote after it had been ended. SCAN is gentle.
    """
    gone: set[int] = set()
    cursor = b"0"
    while True:
        cursor, found = session.call("SCAN", cursor, "MATCH", keys.tag + "*", "COUNT", _SCANNED)
        epochs = {key: keys.epoch_of(key.decode()) for key in found}
        dead = {
            key: epoch
            for key, epoch in epochs.items()
            if epoch is not None and epoch < below and epoch not in kept
        }
        if dead:
            session.call("UNLINK", *dead)
            gone.update(dead.values())
        if cursor == b"0":
            return gone
