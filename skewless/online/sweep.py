"""Dropping epochs that nobody can read any more, gently."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from skewless.online.connection import Session
from skewless.online.keys import ViewKeys

_SCANNED = 250  # at a time: the server answers readers between


def sweep(session: Session, keys: ViewKeys, *, below: int, kept: Collection[int]) -> set[int]:
    """Unlink every key of the view's epochs below one, but for those kept; give the epochs that had keys.

    Whoever opened generation N knows that no epoch below N but the live and the previous one will ever be
    read again; so this also finds what a publisher wrote after it had been ended. SCAN is gentle.
    """
    gone: set[int] = set()
    dead: dict[bytes, int] = {}
    cursor = b"0"
    while True:
        looked = ("SCAN", cursor, "MATCH", keys.tag + "*", "COUNT", _SCANNED)
        *_, (cursor, found) = session.pipeline([("UNLINK", *dead), looked] if dead else [looked])
        gone.update(dead.values())
        dead = {
            key: epoch
            for key, epoch in zip(found, _epochs(keys, found), strict=True)
            if epoch is not None and epoch < below and epoch not in kept
        }
        if cursor == b"0":
            break
    if dead:
        session.call("UNLINK", *dead)
    return gone | set(dead.values())


def _epochs(keys: ViewKeys, found: Sequence[bytes]) -> Iterator[int | None]:
    """The epoch of each key; most keys begin alike, so that there is little to read."""
    start, known = len(keys.tag.encode()), dict[bytes, int | None]()
    for key in found:
        head = key[start:].partition(b":")[0]
        if head == b"m":
            yield keys.epoch_of(key.decode())
            continue
        if head not in known:
            known[head] = keys.epoch_of(key.decode())
        yield known[head]
