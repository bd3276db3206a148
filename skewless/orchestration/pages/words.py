"""Values as a page shows them."""

from __future__ import annotations

from datetime import datetime, timedelta

from skewless.ledger.events import Event, Kind
from skewless.timeline import utc

_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def instant(t: datetime) -> str:
    """An instant in UTC, seconds where they are not zero.

    >>> from skewless.timeline import parse_instant
    >>> instant(parse_instant("2026-07-01T10:00Z")), instant(parse_instant("2026-07-01T10:00:07.5Z"))
    ('2026-07-01 10:00', '2026-07-01 10:00:07')
    """
    t = utc(t)
    return t.strftime("%Y-%m-%d %H:%M:%S" if t.second else "%Y-%m-%d %H:%M")


def span(duration: timedelta) -> str:
    """A duration in its two largest units.

    >>> span(timedelta(hours=26, minutes=4)), span(timedelta(seconds=61.2)), span(timedelta(0))
    ('1 d 2 h', '1 min 1 s', '0 s')
    """
    left, parts = abs(int(duration.total_seconds())), list[str]()
    for unit, seconds in _UNITS:
        count, left = divmod(left, seconds)
        if count:
            parts.append(f"{count} {unit}")
        elif parts:
            break
    text = " ".join(parts[:2]) or "0 s"
    return f"-{text}" if duration < timedelta(0) and parts else text


def count(number: int | None) -> str:
    """A count with its thousands apart.

    >>> count(10412), count(None)
    ('10,412', '-')
    """
    return "-" if number is None else f"{number:,}"


def told(event: Event) -> str:
    """What an event says, as a line of the snapshot's story."""
    generation = f"generation {event.generation}"
    return {
        Kind.BUILT: f"built, {count(event.rows)} rows",
        Kind.PASSED: "passed its checks",
        Kind.BLOCKED: "blocked by its checks: readers keep what they have",
        Kind.ACCEPTED: "accepted as it is",
        Kind.WITHDRAWN: "withdrawn by a rollback",
        Kind.REMOVED: "removed by maintenance: it can be built again",
        Kind.PUBLISHED: f"published as {generation}",
        Kind.OFFLINE_ONLY: "for training only: a newer snapshot was live, or the view is not online",
        Kind.HELD: "not published: the view was held",
        Kind.HOLD: f"the view was held, with {generation} live",
        Kind.RELEASE: "the view was released",
        Kind.ROLLED_BACK: f"live again as {generation}, by a rollback",
        Kind.EXPIRED: f"{generation} was expired by hand: readers get the expired row",
        Kind.LOST: "the online store was found behind the ledger",
    }[event.kind]
