"""Sending a reader's commands to the nodes of a Cluster. Each command's keys have one hash tag, and so one node.

The library's client knows who has which slot, follows MOVED and ASK, and asks a lost connection's commands once more.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

from redis.asyncio.cluster import RedisCluster as AsyncRedisCluster
from redis.cluster import RedisCluster
from redis.exceptions import ConnectionError, TimeoutError

from skewless.online.endpoint import Endpoint
from skewless.online.failures import translated
from skewless.online.lookup import Command
from skewless.online.routes import async_cluster, cluster


class NodeConnections:
    """Connections of threads. Nothing is connected before the first question."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Keep the endpoint."""
        self._endpoint, self._lock = endpoint, threading.Lock()
        self._client: RedisCluster | None = None

    def connect(self) -> None:
        """Learn who has which slot."""
        self._connected()

    def ask(self, commands: Sequence[Command]) -> list[Any]:
        """Give the replies to commands that are sent at once; StoreUnavailable, OnlineError where one is an error."""
        client = self._connected()
        with translated(self._endpoint.address):
            pipeline = client.pipeline()
            for command in commands:
                pipeline.execute_command(*command)
            return _without_errors(pipeline.execute(raise_on_error=False))

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _connected(self) -> RedisCluster:
        with self._lock, translated(self._endpoint.address):
            if self._client is None:
                self._client = cluster(self._endpoint)
            return self._client


class AsyncNodeConnections:
    """The same for asyncio."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Keep the endpoint."""
        self._endpoint = endpoint
        self._client: AsyncRedisCluster | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def ask(self, commands: Sequence[Command]) -> list[Any]:
        """Give the replies to commands that are sent at once; StoreUnavailable, OnlineError where one is an error."""
        with translated(self._endpoint.address):
            try:
                return await self._ask(commands)
            except (ConnectionError, TimeoutError, OSError):  # its pipeline asks nothing again
                return await self._ask(commands)

    async def _ask(self, commands: Sequence[Command]) -> list[Any]:
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:  # what another loop connected is left to it
            self._client, self._loop = async_cluster(self._endpoint), loop
        pipeline = self._client.pipeline()
        for command in commands:
            pipeline.execute_command(*command)
        return _without_errors(await pipeline.execute(raise_on_error=False))

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()


def _without_errors(replies: list[Any]) -> list[Any]:
    """Raise the first error among them; the library would put the command, and so keys, into its message."""
    for reply in replies:
        if isinstance(reply, Exception):
            raise reply
    return replies
