"""Connections to the server, and what its errors mean to a person.

A publisher's `Session` is one connection, opened once: a write that is sent again after a lost connection
could land in a server that was restored meanwhile, so nothing here retries or reconnects.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self
from urllib.parse import urlsplit

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.retry import Retry

from skewless.errors import OnlineError, StoreUnavailable, UsageError

TIMEOUT_SECONDS = 30.0
_READING: dict[str, Any] = {"protocol": 2, "socket_timeout": 5.0, "socket_connect_timeout": 5.0}

Command = Sequence[Any]


class Session:
    """One connection to the server; it is over at its first failure.

    Raises StoreUnavailable when the server cannot be reached, is full, read-only or denies access.
    """

    def __init__(self, url: str) -> None:
        """Connect."""
        self.address = address_of(url)
        with translated(self.address):
            pool = redis.ConnectionPool.from_url(
                url,
                protocol=2,
                retry=Retry(NoBackoff(), 0),
                socket_timeout=TIMEOUT_SECONDS,
                socket_connect_timeout=5.0,
                health_check_interval=0,
            )
            connection: Any = pool.make_connection()
            connection.connect()
            self._connection = connection

    def __enter__(self) -> Self:
        """Use it in a with statement: it is closed at the end."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Close the connection; closing twice is fine."""
        self._connection.disconnect()

    def call(self, *command: Any) -> Any:
        """Send one command and give its reply."""
        return self.pipeline([command])[0]

    def pipeline(self, commands: Sequence[Command]) -> list[Any]:
        """Send the commands at once and give their replies; the first error among them is raised."""
        self.send(self.packed(*commands))
        return self.replies(len(commands))

    def packed(self, *commands: Command) -> bytes:
        """Give commands in Redis' protocol."""
        return b"".join(self._connection.pack_commands(commands))

    def send(self, packed: bytes) -> None:
        """Send commands that are in Redis' protocol already; `replies` takes what comes of them, in their order."""
        with translated(self.address):
            if not self._connection.is_connected:
                raise redis.ConnectionError("the connection was lost before; a publish is never continued")
            self._connection.send_packed_command([packed], check_health=False)

    def replies(self, count: int) -> list[Any]:
        """Give the next replies; the first error among them is raised."""
        with translated(self.address):
            replies = [self._reply() for _ in range(count)]
            for reply in replies:
                if isinstance(reply, ResponseError):
                    raise reply
        return replies

    def atomically(self, *commands: Command) -> list[Any]:
        """Run the commands as one instant of the server."""
        replies: list[Any] = self.pipeline([("MULTI",), *commands, ("EXEC",)])[-1]
        return replies

    def _reply(self) -> Any:
        try:
            return self._connection.read_response()
        except ResponseError as error:  # this command's; the replies to the others follow
            return error


def pool(url: str) -> redis.ConnectionPool:
    """Connections for readers, made when they are needed; who takes one retries."""
    address_of(url)
    return redis.ConnectionPool.from_url(url, retry=Retry(NoBackoff(), 0), **_READING)


def async_pool(url: str) -> redis.asyncio.ConnectionPool:
    """The same for asyncio."""
    address_of(url)
    return redis.asyncio.ConnectionPool.from_url(url, retry=AsyncRetry(NoBackoff(), 0), **_READING)


def demand_safe(session: Session) -> None:
    """Raise StoreUnavailable unless the server takes writes and never evicts a key."""
    memory, replication = session.pipeline([("INFO", "memory"), ("INFO", "replication")])
    policy = _info(memory).get("maxmemory_policy", "unknown")
    if policy != "noeviction":
        raise StoreUnavailable(
            f"the online store at {session.address} has maxmemory-policy {policy}, so it may "
            "drop single keys, which readers would take for entities without rows; run `CONFIG SET "
            "maxmemory-policy noeviction` there, and set it in the server's configuration"
        )
    role = _info(replication).get("role", "unknown")
    if role != "master":
        raise StoreUnavailable(
            f"the online store at {session.address} is a {role}; set SKEWLESS_REDIS_URL to the primary"
        )


def address_of(url: str) -> str:
    """Host and port, without the password; UsageError when the URL is not one of a Redis server."""
    try:
        redis.ConnectionPool.from_url(url)  # which connects to nothing
        parts = urlsplit(url)
        return (
            parts.path if parts.scheme == "unix" else f"{parts.hostname or 'localhost'}:{parts.port or 6379}"
        )
    except ValueError as error:
        raise UsageError(
            f"the online store's URL is wrong: {error}; write it as redis://host:6379/0"
        ) from error


@contextmanager
def translated(address: str) -> Iterator[None]:
    """Turn the client's errors into ours."""
    try:
        yield
    except OutOfMemoryError as error:
        raise StoreUnavailable(
            f"the online store at {address} is full; give it memory (maxmemory), then publish again. Readers "
            "keep what they have; rollback, expire and hold still work"
        ) from error
    except (ReadOnlyError, AuthenticationError, AuthorizationError, NoPermissionError) as error:
        raise StoreUnavailable(
            f"the online store at {address} refuses: {error}; check SKEWLESS_REDIS_URL"
        ) from error
    except ResponseError as error:
        raise OnlineError(f"the online store at {address} answered: {error}") from error
    except (RedisError, OSError) as error:
        raise StoreUnavailable(
            f"the online store at {address} cannot be reached ({error}); start it (the local one: "
            "`skewless up`), or set SKEWLESS_REDIS_URL to where it is, and run the command again"
        ) from error


def _info(reply: bytes) -> dict[str, str]:
    return dict(line.split(":", 1) for line in reply.decode().splitlines() if ":" in line)
