"""A model of the online protocol: what each script on the server does, as pure functions.

It shares no code with `skewless.online`; `golden/online/transitions.json` is replayed against both, and
`protocol_search.py` explores every interleaving of publishers, operators and readers over it.

A script takes the server's state and gives the next one, or raises `Refused` and changes nothing. Times are
whole seconds on the server's clock; a flip is that clock in finer units, and only has to grow.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import NamedTuple

PAST = "past"  # an expiry that is over: of a view that had expired when its successor flipped


class Guard(Enum):
    """What the protocol checks or keeps; the exploration removes them one at a time."""

    HELD_IN_OPEN = auto()
    FLIP_SEEN_IN_OPEN = auto()
    GENERATION_ABOVE_LEDGER = auto()
    GARBAGE_KEPT = auto()
    DIRTY_IN_OPEN = auto()
    NEW_EPOCH = auto()
    HELD_IN_FLIP = auto()
    WRITING_IN_FLIP = auto()
    DUE_IN_FLIP = auto()
    OLDER_IN_FLIP = auto()
    EVENT_KEPT = auto()
    FLIP_ABOVE_LEDGER = auto()
    FLIP_SEEN_IN_ROLLBACK = auto()
    DIRTY_IN_ROLLBACK = auto()
    DIRTY_AFTER_ROLLBACK = auto()
    ROLLBACK_ENDS_PUBLISH = auto()
    ROLLBACK_HOLDS = auto()
    PREVIOUS_SPENT = auto()
    FLIP_SEEN_IN_EXPIRE = auto()
    NEW_FLIP_IN_EXPIRE = auto()
    EXPIRE_ENDS_PUBLISH = auto()
    EXPIRE_HOLDS = auto()
    HOLD_ENDS_PUBLISH = auto()
    ALIVE_DROPPED = auto()
    # of the publisher, beside the scripts
    RECONCILE = auto()
    LEDGER_READ_FIRST = auto()
    LOST_IS_FULL = auto()
    LIVE_ROW_BESIDE = auto()
    PREVIOUS_KEPT = auto()
    CONNECTED_FIRST = auto()
    ONE_CONNECTION = auto()
    # of readers
    ALIVE_VOUCHES = auto()
    ONE_ALIVE_STATE = auto()
    ONE_FLIP = auto()
    EPOCH_SEEN = auto()
    FIRST_SLOT_NOT_ABOVE = auto()


ALL = frozenset(Guard)


class Pointer(NamedTuple):
    """What readers follow."""

    flip: int
    generation: int
    epoch: int
    snapshot_time: int


class Alive(NamedTuple):
    """The flip that it vouches for; gone at `expires_at` (None: never)."""

    flip: int
    expires_at: int | None


class Previous(NamedTuple):
    """Where a rollback goes."""

    generation: int
    epoch: int
    snapshot_time: int
    expires_at: int | str | None


class Server(NamedTuple):
    """All that the scripts read and write: pointer, alive, and the publisher's own hash."""

    pointer: Pointer | None = None
    alive: Alive | None = None
    writing: int = 0
    dirty: bool = False
    held: bool = False
    top: int = 0
    previous: Previous | None = None
    garbage: frozenset[int] = frozenset()
    event: Pointer | None = None  # the last flip, as the ledger must have it
    order: int = 0  # of the live revision among those of its snapshot


class Now(NamedTuple):
    """The server's clock: `seconds` decide what is due and expired, `micros` become flips."""

    seconds: int
    micros: int


class Refused(Exception):
    """The script changed nothing; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def refuse_if(wrong: bool, code: str) -> None:
    if wrong:
        raise Refused(code)


def flip_of(server: Server) -> int | None:
    return server.pointer.flip if server.pointer else None


def ended(server: Server, guards: frozenset[Guard]) -> frozenset[int]:
    """The garbage once an open publish is ended: its epoch strands (an incremental's number names no key)."""
    strands = server.writing and Guard.GARBAGE_KEPT in guards
    return server.garbage | ({server.writing} if strands else frozenset())


def next_flip(server: Server, now: Now, ledger_flip: int, guards: frozenset[Guard]) -> int:
    """Above the last one, and above the ledger's: the clock may have gone back, and the server too."""
    above = ledger_flip if Guard.FLIP_ABOVE_LEDGER in guards else 0
    return max(now.micros, above + 1, server.pointer.flip + 1 if server.pointer else 0)


def open_(
    server: Server,
    *,
    expected_flip: int | None,
    ledger_top: int,
    full: bool = True,
    rollback: bool = False,
    guards: frozenset[Guard] = ALL,
) -> tuple[Server, int, int]:
    """Begin a publish: the next state, the generation N, and the epoch to write under (N if it is full)."""
    refuse_if(Guard.HELD_IN_OPEN in guards and server.held and not rollback, "held")
    refuse_if(Guard.FLIP_SEEN_IN_OPEN in guards and flip_of(server) != expected_flip, "moved")
    n = max(server.top, ledger_top if Guard.GENERATION_ABOVE_LEDGER in guards else 0) + 1
    full = full or server.pointer is None or (server.dirty and Guard.DIRTY_IN_OPEN in guards)
    stays = server.pointer is not None and not (full and Guard.NEW_EPOCH in guards)
    epoch = server.pointer.epoch if stays and server.pointer else n
    after = server._replace(writing=n, top=n, dirty=server.dirty or not full, garbage=ended(server, guards))
    return after, n, epoch


def flip(
    server: Server,
    now: Now,
    *,
    generation: int,
    epoch: int,
    snapshot_time: int,
    due_at: int,
    expires_at: int | None,
    rollback: bool = False,
    revision_order: int = 0,
    ledger_flip: int = 0,
    guards: frozenset[Guard] = ALL,
) -> Server:
    """Make the generation live. A rollback may go to an older snapshot, and holds the view."""
    refuse_if(Guard.HELD_IN_FLIP in guards and server.held and not rollback, "held")
    refuse_if(Guard.WRITING_IN_FLIP in guards and server.writing != generation, "superseded")
    refuse_if(Guard.DUE_IN_FLIP in guards and now.seconds < due_at, "not_due")
    live = server.pointer
    older = live is not None and (snapshot_time, revision_order) < (live.snapshot_time, server.order)
    refuse_if(Guard.OLDER_IN_FLIP in guards and older and not rollback, "older")
    pointer = Pointer(next_flip(server, now, ledger_flip, guards), generation, epoch, snapshot_time)
    spent = live is None or (rollback and Guard.PREVIOUS_SPENT in guards)
    previous = None if spent or live is None else Previous(*live[1:], expiry(server, now))
    kept = {epoch, previous.epoch if previous else 0}
    dropped = frozenset() if epoch == generation else server.garbage  # a full publish dropped it
    left = {live.epoch if live else 0, server.previous.epoch if server.previous else 0, 0}
    return server._replace(
        pointer=pointer,
        alive=vouch(server, pointer, expires_at, now, guards),
        writing=0,
        dirty=False,
        held=server.held or rollback,
        previous=previous,
        garbage=dropped | (left - kept - {0}),
        event=pointer if Guard.EVENT_KEPT in guards else server.event,
        order=revision_order,
    )


def rollback(
    server: Server,
    now: Now,
    *,
    expected_flip: int | None,
    ledger_flip: int = 0,
    guards: frozenset[Guard] = ALL,
) -> Server:
    """Go back to the previous generation, under a new flip, and hold the view there."""
    refuse_if(Guard.FLIP_SEEN_IN_ROLLBACK in guards and flip_of(server) != expected_flip, "moved")
    live, previous = server.pointer, server.previous
    if live is None:
        raise Refused("not_published")
    if previous is None:
        raise Refused("no_previous")
    same = server.dirty and previous.epoch == live.epoch
    refuse_if(Guard.DIRTY_IN_ROLLBACK in guards and same, "dirty_epoch")
    pointer = Pointer(next_flip(server, now, ledger_flip, guards), *previous[:3])
    ends = Guard.ROLLBACK_ENDS_PUBLISH in guards
    return server._replace(
        pointer=pointer,
        alive=vouch(server, pointer, previous.expires_at, now, guards),
        writing=0 if ends else server.writing,
        dirty=server.dirty or Guard.DIRTY_AFTER_ROLLBACK in guards,
        held=server.held or Guard.ROLLBACK_HOLDS in guards,
        previous=None if Guard.PREVIOUS_SPENT in guards else previous,
        garbage=(ended(server, guards) if ends else server.garbage) | ({live.epoch} - {previous.epoch}),
        event=pointer if Guard.EVENT_KEPT in guards else server.event,
        order=0,
    )


def expire(
    server: Server,
    now: Now,
    *,
    expected_flip: int | None,
    ledger_flip: int = 0,
    guards: frozenset[Guard] = ALL,
) -> Server:
    """Let readers have the expired row at once, under a new flip, and hold the view there."""
    refuse_if(Guard.FLIP_SEEN_IN_EXPIRE in guards and flip_of(server) != expected_flip, "moved")
    if server.pointer is None:
        raise Refused("not_published")
    pointer = server.pointer
    if Guard.NEW_FLIP_IN_EXPIRE in guards:
        pointer = pointer._replace(flip=next_flip(server, now, ledger_flip, guards))
    ends = Guard.EXPIRE_ENDS_PUBLISH in guards
    return server._replace(
        pointer=pointer,
        alive=vouch(server, pointer, PAST, now, guards),
        writing=0 if ends else server.writing,
        held=server.held or Guard.EXPIRE_HOLDS in guards,
        garbage=ended(server, guards) if ends else server.garbage,
        event=pointer if Guard.EVENT_KEPT in guards else server.event,
    )


def swept(server: Server, *, epochs: frozenset[int]) -> Server:
    """Take epochs off the garbage whose keys are gone."""
    return server._replace(garbage=server.garbage - epochs)


def hold(server: Server, *, guards: frozenset[Guard] = ALL) -> Server:
    """Freeze the view: what is open is ended."""
    if Guard.HOLD_ENDS_PUBLISH not in guards:
        return server._replace(held=True)
    return server._replace(held=True, writing=0, garbage=ended(server, guards))


def release(server: Server) -> Server:
    """Thaw it."""
    return server._replace(held=False)


def there(server: Server, now: Now) -> bool:
    """Whether the alive key is there."""
    alive = server.alive
    return alive is not None and (alive.expires_at is None or now.seconds < alive.expires_at)


def vouch(
    server: Server, pointer: Pointer, expires_at: int | str | None, now: Now, guards: frozenset[Guard]
) -> Alive | None:
    """The alive key for a new pointer; none where its expiry is past."""
    if isinstance(expires_at, str) or (expires_at is not None and expires_at <= now.seconds):
        return None if Guard.ALIVE_DROPPED in guards else server.alive
    return Alive(pointer.flip, expires_at)


def expiry(server: Server, now: Now) -> int | str | None:
    """When the live generation expires, as its alive key says; PAST without one."""
    alive = server.alive if there(server, now) else None
    return alive.expires_at if alive and alive.flip == flip_of(server) else PAST
