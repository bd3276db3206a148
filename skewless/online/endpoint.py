"""The URL of an online store, as a value. URLs are the same in every language; no message shows a part of one.

redis://[user:password@]host:port[/db]                            rediss:// for TLS
unix://[user:password@]/path[?db=0]
redis+sentinel://[user:password@]host:port,host:port/master[/db]  rediss+sentinel://: to servers and Sentinels
redis+cluster://[user:password@]host:port,host:port               rediss+cluster://
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self
from urllib.parse import unquote

from skewless.errors import UsageError

Host = tuple[str, int]

_FORMS = (
    "write it as redis://host:6379/0, redis+sentinel://host:26379,host:26379/master/0 or "
    "redis+cluster://host:6379,host:6379, with rediss for TLS and user:password@, percent-encoded, before the hosts"
)
_TOPOLOGIES = ("sentinel", "cluster")
_SECONDS = ("socket_timeout", "socket_connect_timeout")
_TEXTS = ("ssl_ca_certs", "sentinel_username", "sentinel_password", "client_name")


class Kind(StrEnum):
    """Who tells where a key is: the URL, Sentinels, or the nodes of a Cluster."""

    SINGLE = "single"
    SENTINEL = "sentinel"
    CLUSTER = "cluster"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where an online store is, and how to get in.

    hosts    host and port of the server, of each Sentinel, or of some nodes of a Cluster; empty with a path
    path     of a Unix socket
    master   the name under which Sentinels have the server
    socket_timeout, socket_connect_timeout   seconds, where the URL has them; they win over the caller's
    sentinel_username, sentinel_password     of the Sentinels, which have users of their own
    client_name                              as CLIENT LIST shows it
    """

    kind: Kind
    hosts: tuple[Host, ...] = ()
    path: str | None = None
    master: str = ""
    db: int = 0
    tls: bool = False
    ssl_ca_certs: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    sentinel_username: str | None = None
    sentinel_password: str | None = field(default=None, repr=False)
    client_name: str | None = None
    socket_timeout: float | None = None
    socket_connect_timeout: float | None = None

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read a URL; UsageError where it is not one of an online store.

        >>> Endpoint.parse("redis+cluster://reader:secret@one:7000,two:7000").address
        'one:7000,two:7000'
        """
        try:
            return cls(**_parsed(url))
        except ValueError as error:
            raise UsageError(f"the online store's URL is wrong: {error}; {_FORMS}") from None

    @property
    def address(self) -> str:
        """Where it is, for messages.

        >>> Endpoint.parse("redis+sentinel://one:26379,two:26379/main/2").address
        "one:26379,two:26379 (Sentinel's main)"
        """
        if self.path is not None:
            return self.path
        hosts = ",".join(address_of(*host) for host in self.hosts)
        return f"{hosts} (Sentinel's {self.master})" if self.master else hosts


def address_of(host: str, port: int) -> str:
    """Join host and port.

    >>> address_of("::1", 6379)
    '[::1]:6379'
    """
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def redacted(url: str) -> str:
    """A URL that can be read, without what need not be seen.

    >>> redacted("redis+sentinel://ann:se@cret@one:1,two:2/main?sentinel_password=secret")
    'redis+sentinel://***@one:1,two:2/main'
    """
    scheme, _, rest = url.partition("://")
    _, at, where = rest.rpartition("@")  # first: a password may have what else begins the options
    return f"{scheme}://{'***' if at else ''}{at}{where.partition('?')[0]}"


def _parsed(url: str) -> dict[str, Any]:
    """The values of an Endpoint; ValueError, with nothing of the URL in its message."""
    scheme, _, rest = url.partition("://")
    rest, _, query = rest.partition("?")
    authority, _, path = rest.partition("/")
    login, _, hosts = authority.rpartition("@")
    if "@" in path + query:
        raise ValueError(
            "an @ stands behind the hosts; percent-encode / and ? in the password, and @ in a path"
        )
    protocol, _, topology = scheme.partition("+")
    if (
        protocol not in ("redis", "rediss", "unix")
        or scheme.endswith("+")
        or topology not in ("", *_TOPOLOGIES)
    ):
        raise ValueError("its scheme is none of redis, rediss, unix, redis+sentinel, redis+cluster")
    kind = Kind(topology or "single")
    values = {"kind": kind, "tls": protocol == "rediss", **_login(login), **_options(query)}
    if "ssl_ca_certs" in values and protocol != "rediss":
        raise ValueError("ssl_ca_certs is for TLS, so the URL begins with rediss")
    if values.get("ssl_ca_certs") == "":
        raise ValueError("its ssl_ca_certs names no file")
    if protocol == "unix":
        return values | _socket(kind, hosts, path)
    return values | {"hosts": _hosts(kind, hosts), **_place(kind, path, values)}


def _login(text: str) -> dict[str, Any]:
    if not text:
        return {}
    username, colon, password = text.partition(":")
    if not colon:
        raise ValueError("it has a user without a password; write user:password@, or :password@")
    return {"username": _decoded(username) or None, "password": _decoded(password)}


def _options(query: str) -> dict[str, Any]:
    given = dict(item.partition("=")[::2] for item in query.split("&") if item)
    unknown = given.keys() - {*_SECONDS, *_TEXTS, "db"}
    if unknown:
        raise ValueError(f"of its options it may have {', '.join((*_TEXTS, *_SECONDS, 'db'))}, and no others")
    options: dict[str, Any] = {name: _decoded(given[name]) for name in _TEXTS if name in given}
    for name in _SECONDS:
        if name in given:
            if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", given[name]):
                raise ValueError(f"its {name} is no number of seconds")
            options[name] = float(given[name])
            if not options[name]:
                raise ValueError(f"its {name} is 0; leave it out for the usual one")
    return options | ({"db": _database(given["db"])} if "db" in given else {})


def _socket(kind: Kind, hosts: str, path: str) -> dict[str, Any]:
    if kind is not Kind.SINGLE or hosts or not path:
        raise ValueError("a Unix socket has a path and no host: unix:///path")
    return {"path": "/" + _decoded(path)}


def _hosts(kind: Kind, text: str) -> tuple[Host, ...]:
    hosts = tuple(_host(part, 26379 if kind is Kind.SENTINEL else 6379) for part in text.split(","))
    if kind is Kind.SINGLE and len(hosts) > 1:
        raise ValueError("it has several hosts, and says neither redis+sentinel nor redis+cluster")
    return hosts


def _host(text: str, usual: int) -> Host:
    found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]\s]+))(?::([0-9]{1,5}))?", text)
    port = int(found[3] or usual) if found else 0
    name = (found[1] or _decoded(found[2])) if found else ""
    if not 1 <= port <= 65535 or not all(0 < len(label) < 64 for label in name.rstrip(".").split(".")):
        raise ValueError("a host in it is not of the form host:port")
    return name, port


def _place(kind: Kind, path: str, values: dict[str, Any]) -> dict[str, Any]:
    """Sentinel's master, and the database."""
    master, _, db = path.partition("/") if kind is Kind.SENTINEL else ("", "", path)
    if kind is Kind.SENTINEL and not master:
        raise ValueError("behind its hosts stands no name of Sentinel's master")
    place = {"master": _decoded(master), "db": _database(db) if db else values.get("db", 0)}
    if kind is Kind.CLUSTER and place["db"]:
        raise ValueError("a Cluster has database 0 only")
    return place


def _database(text: str) -> int:
    if not re.fullmatch("[0-9]{1,6}", text):
        raise ValueError("its database is no number")
    return int(text)


def _decoded(text: str) -> str:
    if re.search("%(?![0-9A-Fa-f]{2})", text):
        raise ValueError("a % in it begins no two hex digits")
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise ValueError("what it percent-encodes is not UTF-8") from None
