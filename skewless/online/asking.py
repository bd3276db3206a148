"""Sending a reader's commands, over kept connections. Reading twice does no harm: what is lost is asked once more.

The connections are redis-py's; its pools' own bookkeeping would cost a third of a lookup of one entity. Those to a
Cluster are in `nodes`.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Sequence
from typing import Any

from redis.exceptions import ConnectionError, TimeoutError

from skewless.online.endpoint import Endpoint, Kind
from skewless.online.failures import translated
from skewless.online.lookup import Command
from skewless.online.nodes import AsyncNodeConnections, NodeConnections
from skewless.online.routes import async_connect, connect

_LOST = (ConnectionError, TimeoutError, OSError)


class _Kept:
    """Connections that nobody uses at the moment, the last used first. Safe for threads."""

    def __init__(self) -> None:
        self._idle, self._owner = deque[Any](), object()

    def take(self, owner: object) -> Any:
        """Give a connection to one user; None where there is none.

        owner  what the connections belong to: a process, or an event loop; those of another one are left to it
        """
        if self._owner != owner:
            self._idle, self._owner = deque(), owner
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def give_back(self, connection: Any) -> None:
        """Take it back; all that was asked over it has been answered."""
        self._idle.append(connection)

    def emptied(self) -> list[Any]:
        """All of them, which are to be closed."""
        idle, self._idle = self._idle, deque()
        return list(idle)


def connections(url: str) -> Connections | NodeConnections:
    """Connections of threads to the online store at a URL; UsageError where it is none."""
    endpoint = Endpoint.parse(url)
    return NodeConnections(endpoint) if endpoint.kind is Kind.CLUSTER else Connections(endpoint)


def async_connections(url: str) -> AsyncConnections | AsyncNodeConnections:
    """The same for asyncio."""
    endpoint = Endpoint.parse(url)
    return AsyncNodeConnections(endpoint) if endpoint.kind is Kind.CLUSTER else AsyncConnections(endpoint)


class Connections:
    """Connections of threads. Nothing is connected before the first question."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Keep the endpoint."""
        self._endpoint, self._kept = endpoint, _Kept()

    def connect(self) -> None:
        """Connect now."""
        self.ask([("PING",)])

    def ask(self, commands: Sequence[Command]) -> list[Any]:
        """Give the replies to commands that are sent at once; StoreUnavailable, OnlineError where one is an error."""
        with translated(self._endpoint.address):
            try:
                return self._ask(commands)
            except _LOST:
                self.close()  # who lost one has lost them all
                return self._ask(commands)

    def _ask(self, commands: Sequence[Command]) -> list[Any]:
        connection = self._kept.take(os.getpid()) or connect(self._endpoint)
        try:
            connection.send_packed_command(_packed(connection, commands), check_health=False)
            replies = [connection.read_response() for _ in commands]
        except BaseException:
            connection.disconnect()  # what is still on its way must not be taken for the reply to something else
            raise
        self._kept.give_back(connection)
        return replies

    def close(self) -> None:
        """Close the connections."""
        for connection in self._kept.emptied():
            connection.disconnect()


class AsyncConnections:
    """The same for asyncio."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Keep the endpoint."""
        self._endpoint, self._kept = endpoint, _Kept()

    async def ask(self, commands: Sequence[Command]) -> list[Any]:
        """Give the replies to commands that are sent at once; StoreUnavailable, OnlineError where one is an error."""
        with translated(self._endpoint.address):
            try:
                return await self._ask(commands)
            except _LOST:
                await self.close()
                return await self._ask(commands)

    async def _ask(self, commands: Sequence[Command]) -> list[Any]:
        connection = self._kept.take(asyncio.get_running_loop()) or await async_connect(self._endpoint)
        try:
            await connection.send_packed_command(_packed(connection, commands), check_health=False)
            replies = [await connection.read_response() for _ in commands]
        except BaseException:
            await connection.disconnect(nowait=True)  # as above; a cancelled request comes here, too
            raise
        self._kept.give_back(connection)
        return replies

    async def close(self) -> None:
        """Close the connections."""
        for connection in self._kept.emptied():
            await connection.disconnect()


def _packed(connection: Any, commands: Sequence[Command]) -> Any:
    return connection.pack_command(*commands[0]) if len(commands) == 1 else connection.pack_commands(commands)
