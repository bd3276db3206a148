"""Ways to wherever an endpoint is: to a server, to what Sentinels call the master, to the nodes of a Cluster.

Nothing here tries anything again: whoever asks decides that. But a Cluster's client follows MOVED and ASK, and waits
half a second for TRYAGAIN to end.
"""

from __future__ import annotations

import ssl
from types import ModuleType
from typing import Any

import redis
import redis.asyncio
import redis.asyncio.sentinel
import redis.sentinel
from redis.asyncio.cluster import ClusterNode as AsyncClusterNode
from redis.asyncio.cluster import RedisCluster as AsyncRedisCluster
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.retry import Retry

from skewless.errors import UsageError
from skewless.online.endpoint import Endpoint, Host, Kind

CONNECT_SECONDS = 5.0
READ_SECONDS = 5.0
SENTINEL_SECONDS = 1.0  # it looks nothing up; when it does not answer the next one is asked

_ONCE = Retry(NoBackoff(), 0)
_ONCE_ASYNC = AsyncRetry(NoBackoff(), 0)


def connect(endpoint: Endpoint, seconds: float = READ_SECONDS, key: str = "") -> Any:
    """Open a connection to the server, which may take so long for each reply.

    Sentinels are asked for the master; the nodes of a Cluster for the one that takes the key's writes.
    """
    connection: Any = _connection(endpoint, redis, _owner(endpoint, key), seconds, _ONCE)
    connection.connect()
    return connection


async def async_connect(endpoint: Endpoint) -> Any:
    """The same for a reader in asyncio; a Cluster has `async_cluster` instead."""
    host = None
    if endpoint.kind is Kind.SENTINEL:
        async with redis.asyncio.sentinel.Sentinel(
            endpoint.hosts, sentinel_kwargs=_of_sentinels(endpoint, _ONCE_ASYNC)
        ) as sentinels:
            host = await sentinels.discover_master(endpoint.master)
    connection: Any = _connection(endpoint, redis.asyncio, host, READ_SECONDS, _ONCE_ASYNC)
    await connection.connect()
    return connection


def cluster(endpoint: Endpoint) -> RedisCluster:
    """A client of a Cluster. It connects at once."""
    nodes = [ClusterNode(*host) for host in endpoint.hosts]
    return RedisCluster(startup_nodes=nodes, retry=_ONCE, ssl=endpoint.tls, **_given(endpoint, READ_SECONDS))


def async_cluster(endpoint: Endpoint) -> AsyncRedisCluster:
    """The same for asyncio. It connects when it is asked something."""
    nodes = [AsyncClusterNode(*host) for host in endpoint.hosts]
    given = _given(endpoint, READ_SECONDS)
    return AsyncRedisCluster(startup_nodes=nodes, retry=_ONCE_ASYNC, ssl=endpoint.tls, **given)


def _owner(endpoint: Endpoint, key: str) -> Host | None:
    """Whom Sentinels, or the nodes of a Cluster, name."""
    if endpoint.kind is Kind.SENTINEL:
        with redis.sentinel.Sentinel(
            endpoint.hosts, sentinel_kwargs=_of_sentinels(endpoint, _ONCE)
        ) as sentinels:
            found: Host = sentinels.discover_master(endpoint.master)
            return found
    if endpoint.kind is Kind.CLUSTER:
        with cluster(endpoint) as nodes:
            node = nodes.get_node_from_key(key)
            return node.host, node.port
    return None


def _connection(
    endpoint: Endpoint, library: ModuleType, host: Host | None, seconds: float, retry: Any
) -> Any:
    """A connection of the library's, or of its asyncio part; it is not open yet."""
    given = _given(endpoint, seconds) | {"db": endpoint.db, "retry": retry}
    if endpoint.path is not None:
        return library.UnixDomainSocketConnection(path=endpoint.path, **given)
    name, port = host or endpoint.hosts[0]
    return (library.SSLConnection if endpoint.tls else library.Connection)(host=name, port=port, **given)


def _given(endpoint: Endpoint, seconds: float) -> dict[str, Any]:
    return {
        "protocol": 2,
        "username": endpoint.username,
        "password": endpoint.password,
        "client_name": endpoint.client_name,
        "socket_timeout": endpoint.socket_timeout or seconds,
        "socket_connect_timeout": endpoint.socket_connect_timeout or CONNECT_SECONDS,
        "health_check_interval": 0,
        **_trust(endpoint),
    }


def _of_sentinels(endpoint: Endpoint, retry: Any) -> dict[str, Any]:
    return {
        "protocol": 2,
        "username": endpoint.sentinel_username,
        "password": endpoint.sentinel_password,
        "socket_timeout": SENTINEL_SECONDS,
        "socket_connect_timeout": SENTINEL_SECONDS,
        "retry": retry,
        "ssl": endpoint.tls,
        **_trust(endpoint),
    }


def _trust(endpoint: Endpoint) -> dict[str, str]:
    """Whose certificates are good; UsageError where that file has none."""
    if endpoint.ssl_ca_certs is None:
        return {}
    try:
        ssl.create_default_context(cafile=endpoint.ssl_ca_certs)
    except OSError as error:  # of which ssl's own are
        raise UsageError(
            f"{endpoint.ssl_ca_certs}, which the online store's URL names as ssl_ca_certs, has no certificates to read "
            f"({error.strerror or error}); name a PEM file of CAs"
        ) from error
    return {"ssl_ca_certs": endpoint.ssl_ca_certs}
