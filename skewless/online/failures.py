"""What the errors of a server, and of its client library, mean to a person."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import (
    AskError,
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
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

_RIGHTS = "give its user the rights in docs/security.md, or name another user in SKEWLESS_REDIS_URL"

# The first of its kinds counts; {error} is what the server said.
_KINDS: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
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
    ((BusyLoadingError,), "is reading its file ({error}); run the command again when it has"),
    ((NoPermissionError, AuthorizationError), f"refuses: {{error}}; {_RIGHTS}"),
    ((AuthenticationError,), "refuses: {error}; check user and password in SKEWLESS_REDIS_URL"),
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

# The first that is found in what was said counts.
_TEXTS = (
    (
        "ACL failure in script|user executing the script can't|because of: NOPERM",
        f"refuses: {{error}}; {_RIGHTS}",
    ),
    (
        "No master found",
        "cannot be reached ({error}): no Sentinel of those in SKEWLESS_REDIS_URL answers and knows a master of that "
        "name that is up. Look at SENTINEL MASTERS there (a user of its own goes into the URL as ?sentinel_username= "
        "and &sentinel_password=), and run the command again",
    ),
    (
        "cluster support disabled",
        "is no Cluster ({error}); write SKEWLESS_REDIS_URL as redis://, and run the command again",
    ),
    (
        "unknown command 'SENTINEL'",
        "is no Sentinel ({error}); write SKEWLESS_REDIS_URL as redis://, and run the command again",
    ),
    (
        "CERTIFICATE_VERIFY_FAILED",
        "cannot be reached ({error}): its certificate is not for this host, or of no CA that is trusted here; name the "
        "CA's file by ?ssl_ca_certs= in SKEWLESS_REDIS_URL, and run the command again",
    ),
    (
        r"\[SSL",
        "cannot be reached ({error}); does it speak TLS at this port? If not, let SKEWLESS_REDIS_URL begin with redis, "
        "not rediss, and run the command again",
    ),
    (
        "closed by server|reset by peer|Connection lost|Broken pipe",
        "cannot be reached ({error}); look at its log, and run the command again. If it speaks TLS at this port, "
        "SKEWLESS_REDIS_URL begins with rediss",
    ),
)

_AWAY = (
    "cannot be reached ({error}); start it (the local one: `skewless up`), or set SKEWLESS_REDIS_URL to where it is "
    "(rediss only where it speaks TLS), and run the command again"
)


@contextmanager
def translated(address: str) -> Iterator[None]:
    """Turn the client's errors into ours: StoreUnavailable, or OnlineError for an answer that nobody expects."""
    try:
        yield
    except (RedisError, RedisClusterException, OSError) as error:
        raise meaning(address, error) from error


def meaning(address: str, error: Exception) -> OnlineError:
    """Say what happened, where, and what to do next."""
    cause = _cause(error)
    said = _plain(cause)
    found = [message for kinds, message in _KINDS if isinstance(cause, kinds)]
    found += [message for text, message in _TEXTS if re.search(text, said)]
    if not found and isinstance(cause, ResponseError):
        return OnlineError(f"the online store at {address} answered: {said}")
    message = [*found, _AWAY][0].format(error=said)
    return StoreUnavailable(f"the online store at {address} {message}")


def _cause(error: Exception) -> Exception:
    """The error of the node that the library asked last, below what it says of a Cluster as a whole."""
    below = error.__cause__ or error.__context__
    return (
        _cause(below) if isinstance(error, RedisClusterException) and isinstance(below, Exception) else error
    )


def _plain(error: Exception) -> str:
    """The message, without what the library's objects look like."""
    return re.sub(r"<redis\..*?\)>\)> - ", "", str(error)).rstrip(".")
