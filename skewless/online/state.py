"""What the server says of a view: pointer, alive and the publisher's state, as one instant."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from skewless.errors import OnlineError
from skewless.online.codec import pack_int
from skewless.online.connection import Session
from skewless.online.keys import ViewKeys
from skewless.online.records import Pointer
from skewless.online.telling import Told
from skewless.timeline import from_micros


@dataclass(frozen=True, slots=True)
class Previous:
    """Where a rollback goes: `expires_at` is an instant, None for never, or "past"."""

    generation: int
    epoch: int
    snapshot_time: datetime
    expires_at: datetime | str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlineState:
    """A view in the online store.

    pointer     None: nothing is live
    alive       whether readers get rows; else they get the expired row
    expires_at  when that ends by itself; None: never, or it has ended
    now         the server's clock
    """

    pointer: Pointer | None
    alive: bool
    expires_at: datetime | None
    writing: int
    dirty: bool
    held: bool
    top: int
    previous: Previous | None
    garbage: tuple[int, ...]
    order: int
    told: Told | None
    now: datetime

    @property
    def flip(self) -> int | None:
        """The pointer's flip."""
        return self.pointer.flip if self.pointer else None

    @property
    def age(self) -> timedelta | None:
        """How far the live snapshot lies back, by the server's clock."""
        return self.now - self.pointer.snapshot_time if self.pointer else None


def look(redis_url: str, namespace: str, view: str) -> OnlineState:
    """Read a view's state over a connection of its own; StoreUnavailable when the server is away."""
    keys = ViewKeys(namespace, view)
    with Session(redis_url, keys.pointer) as session:
        return read_state(session, keys)


def read_state(session: Session, keys: ViewKeys) -> OnlineState:
    """Read a view's state in one instant; OnlineError when something else wrote its keys."""
    raw_pointer, raw_alive, last_ms, stored, (seconds, micros) = session.atomically(
        ("GET", keys.pointer),
        ("GET", keys.alive),
        ("PEXPIRETIME", keys.alive),
        ("HGETALL", keys.state),
        ("TIME",),
    )
    pointer = None if raw_pointer is None else Pointer.decode(raw_pointer)
    alive = pointer is not None and raw_alive == pack_int(pointer.flip)
    try:
        fields = {name.decode(): text.decode() for name, text in zip(stored[::2], stored[1::2], strict=True)}
        return OnlineState(
            pointer=pointer,
            alive=alive,
            expires_at=from_micros((last_ms + 1) * 1000) if alive and last_ms >= 0 else None,
            writing=int(fields.get("writing", 0)),
            dirty=fields.get("dirty") == "1",
            held=fields.get("held") == "1",
            top=int(fields.get("top", 0)),
            previous=_previous(fields.get("previous", "")),
            garbage=tuple(map(int, fields.get("garbage", "").split())),
            order=int(fields.get("order", 0)),
            told=Told.decode(fields["event"]) if fields.get("event") else None,
            now=from_micros(int(seconds) * 1_000_000 + int(micros)),
        )
    except ValueError as error:
        raise OnlineError(
            f"{keys.state} is not a publisher's state ({error}); did something else write it?"
        ) from error


def _previous(text: str) -> Previous | None:
    if not text:
        return None
    generation, epoch, snapshot_time, expires_at = text.split()
    return Previous(int(generation), int(epoch), from_micros(int(snapshot_time)), _expiry(expires_at))


def _expiry(text: str) -> datetime | str | None:
    if text == "never":
        return None
    return text if text == "past" else from_micros(int(text))
