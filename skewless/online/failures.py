"""What the errors of a server, and of its client library, mean to a person."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import (
    AskError,
    AuthenticationError,
    AuthorizationError,
    ClusterCrossSlotError,
    ClusterDownError,
    ClusterError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    RedisError,
    ResponseError,
    SlotNotCoveredError,
    TryAgainError,
)

from skewless.errors import OnlineError, StoreUnavailable

_RIGHTS = "give its user the rights of docs/security.md, or set another user in SKEWLESS_REDIS_URL"

# The first that fits; {error} is what the server said.
_MEANINGS: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    (
        (OutOfMemoryError,),
        "is full; give it memory (maxmemory), then publish again. Readers keep what they have; rollback, "
        "expire and hold still work",
    ),
    (
        (ReadOnlyError,),
        "refuses: {error}; it is a replica, perhaps since a moment ago. Run the command again: Sentinels and a "
        "Cluster then name the new primary; otherwise set SKEWLESS_REDIS_URL to the primary",
    ),
    ((NoPermissionError, AuthorizationError), f"refuses: {{error}}; {_RIGHTS}"),
    (
        (AuthenticationError,),
        f"refuses: {{error}}; check user and password in SKEWLESS_REDIS_URL, or {_RIGHTS}",
    ),
    (
        (ClusterDownError, ClusterCrossSlotError, SlotNotCoveredError),
        "is a Cluster that does not answer as a whole ({error}); look at CLUSTER INFO there, and run the command again",
    ),
    (
        (AskError, TryAgainError, ClusterError),  # the last is what the library says after many TRYAGAIN
        "is a Cluster that moves the keys to another node, or has moved them ({error}); run the command again when "
        "they have moved, with SKEWLESS_REDIS_URL as redis+cluster://",
    ),
)


@contextmanager
def translated(address: str) -> Iterator[None]:
    """Turn the client's errors into ours: StoreUnavailable, or OnlineError for an answer that nobody expects."""
    try:
        yield
    except (RedisError, OSError, RedisClusterException) as error:
        raise meaning(address, error) from error


def meaning(address: str, error: Exception) -> OnlineError:
    """Say what happened, where, and what to do next."""
    cause = _cause(error)
    for kinds, message in _MEANINGS:
        if isinstance(cause, kinds):
            return StoreUnavailable(f"the online store at {address} {message.format(error=cause)}")
    if isinstance(cause, ResponseError):
        return OnlineError(f"the online store at {address} answered: {cause}")
    return StoreUnavailable(
        f"the online store at {address} cannot be reached ({_plain(cause)}); {_next_step(cause)}, and run the "
        "command again"
    )


def _cause(error: Exception) -> Exception:
    """Below what the library says of a Cluster as a whole, the error of the node that it asked last."""
    below = error.__cause__ or error.__context__
    return (
        _cause(below) if isinstance(error, RedisClusterException) and isinstance(below, Exception) else error
    )


def _next_step(error: Exception) -> str:
    text = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return "no CA that is trusted here signed its certificate: its file is ?ssl_ca_certs= in SKEWLESS_REDIS_URL"
    if isinstance(error, ssl.SSLError) or "[SSL" in text:
        return "does it speak TLS at this port? If not, SKEWLESS_REDIS_URL begins with redis, not rediss"
    if "closed by server" in text:
        return "if it speaks TLS at this port, SKEWLESS_REDIS_URL begins with rediss; else look at its log"
    return "start it (the local one: `skewless up`), or set SKEWLESS_REDIS_URL to where it is"


def _plain(error: Exception) -> str:
    """The message without what the library's objects look like."""
    return re.sub(r"<redis\.[^,]*?> - |<redis\..*?\)>\)> - ", "", str(error)).rstrip(".")
