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
    """Connections that nobody uses at the moment, the last used first. Safe for threads.

    Each belongs to an owner, a process or an event loop, and is only given to that one.
    """

    def __init__(self) -> None:
        self._idle: dict[object, deque[Any]] = {}

    def of(self, owner: object) -> deque[Any]:
        """Those of an owner, to take from and to give back to."""
        idle = self._idle.get(owner)
        if idle is None:
            self._idle = {one: kept for one, kept in self._idle.items() if not _is_over(one)}
            idle = self._idle.setdefault(owner, deque())
        return idle


def _taken(idle: deque[Any]) -> Any:
    """The connection that was used last; None where there is none."""
    try:
        return idle.pop()
    except IndexError:
        return None


def _is_over(owner: object) -> bool:
    return isinstance(owner, asyncio.AbstractEventLoop) and owner.is_closed()


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
        idle = self._kept.of(os.getpid())
        connection = _taken(idle) or connect(self._endpoint)
        try:
            connection.send_packed_command(_packed(connection, commands), check_health=False)
            replies = [connection.read_response() for _ in commands]
        except BaseException:
            connection.disconnect()  # what is still on its way must not be taken for the reply to something else
            raise
        idle.append(connection)
        return replies

    def close(self) -> None:
        """Close the connections."""
        idle = self._kept.of(os.getpid())
        while connection := _taken(idle):
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
        idle = self._kept.of(asyncio.get_running_loop())
        connection = _taken(idle) or await async_connect(self._endpoint)
        try:
            await connection.send_packed_command(_packed(connection, commands), check_health=False)
            replies = [await connection.read_response() for _ in commands]
        except BaseException:
            await connection.disconnect(nowait=True)  # as above; a cancelled request comes here, too
            raise
        idle.append(connection)
        return replies

    async def close(self) -> None:
        """Close the connections."""
        idle = self._kept.of(asyncio.get_running_loop())
        while connection := _taken(idle):
            await connection.disconnect(nowait=True)  # a peer that says nothing any more is not waited for


def _packed(connection: Any, commands: Sequence[Command]) -> Any:
    return connection.pack_command(*commands[0]) if len(commands) == 1 else connection.pack_commands(commands)
