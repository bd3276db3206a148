"""A publisher's connection to the server.

A `Session` is one connection, opened once: a write that is sent again after a lost connection could land in a server
that was restored meanwhile, so nothing here retries or reconnects.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import redis
from redis.exceptions import ResponseError

from skewless.errors import StoreUnavailable
from skewless.online.endpoint import Endpoint, address_of
from skewless.online.failures import translated
from skewless.online.routes import connect

TIMEOUT_SECONDS = 30.0

Command = Sequence[Any]


class Session:
    """One connection to the server of a view, or of a service; it is over at its first failure.

    Raises StoreUnavailable when the server cannot be reached, is full, read-only, denies access or hands the view to
    another one; UsageError for a URL that is none.
    """

    def __init__(self, url: str, key: str) -> None:
        """Connect to the master, as Sentinels know it; in a Cluster to the node that has the key."""
        endpoint = Endpoint.parse(url)
        self.address = endpoint.address
        with translated(self.address):
            self._connection = connect(endpoint, TIMEOUT_SECONDS, key)
        if endpoint.path is None:
            self.address = address_of(self._connection.host, self._connection.port)

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
        """Run the commands as one instant of the server; the first error among their replies is raised."""
        replies: list[Any] = self.pipeline([("MULTI",), *commands, ("EXEC",)])[-1]
        with translated(self.address):
            for reply in replies:
                if isinstance(reply, ResponseError):
                    raise reply
        return replies

    def _reply(self) -> Any:
        try:
            return self._connection.read_response()
        except ResponseError as error:  # this command's; the replies to the others follow
            return error


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


def _info(reply: bytes) -> dict[str, str]:
    return dict(line.split(":", 1) for line in reply.decode().splitlines() if ":" in line)
