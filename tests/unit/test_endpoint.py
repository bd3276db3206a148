"""The URL of an online store, which is the same in every language, and shows no password."""

from __future__ import annotations

import pytest

from skewless.errors import UsageError
from skewless.online.endpoint import Endpoint, Kind

SENTINELS = (("one", 26379), ("two", 7001))


@pytest.mark.parametrize(
    ("url", "values"),
    [
        ("redis://host:7000/3", {"hosts": (("host", 7000),), "db": 3}),
        ("redis://host", {"hosts": (("host", 6379),)}),
        ("redis://host/?db=2", {"hosts": (("host", 6379),), "db": 2}),
        ("redis://[::1]:7000", {"hosts": (("::1", 7000),)}),
        ("redis://b%2dc+d:2", {"hosts": (("b-c+d", 2),)}),
        ("redis://:p%40%2F%3Fw@host:1", {"hosts": (("host", 1),), "password": "p@/?w"}),
        ("redis://ann:a@b:c@host:1", {"hosts": (("host", 1),), "username": "ann", "password": "a@b:c"}),
        (
            "rediss://host:1?ssl_ca_certs=/etc/a+b%20c.pem",
            {"hosts": (("host", 1),), "tls": True, "ssl_ca_certs": "/etc/a+b c.pem"},
        ),
        (
            "redis://host:1?socket_timeout=1.5&socket_connect_timeout=1&client_name=pages",
            {
                "hosts": (("host", 1),),
                "socket_timeout": 1.5,
                "socket_connect_timeout": 1.0,
                "client_name": "pages",
            },
        ),
        ("unix:///run/redis.sock?db=1", {"path": "/run/redis.sock", "db": 1}),
        ("unix://ann:secret@/run/a%40b", {"path": "/run/a@b", "username": "ann", "password": "secret"}),
        ("redis+sentinel://one,two:7001/main", {"kind": Kind.SENTINEL, "hosts": SENTINELS, "master": "main"}),
        (
            "rediss+sentinel://ann:pw@one,two:7001/main/2?sentinel_username=eve&sentinel_password=sp%26w",
            {
                "kind": Kind.SENTINEL,
                "hosts": SENTINELS,
                "master": "main",
                "db": 2,
                "tls": True,
                "username": "ann",
                "password": "pw",
                "sentinel_username": "eve",
                "sentinel_password": "sp&w",
            },
        ),
        ("redis+cluster://one:1,two:2", {"kind": Kind.CLUSTER, "hosts": (("one", 1), ("two", 2))}),
        ("rediss+cluster://one:1/0", {"kind": Kind.CLUSTER, "hosts": (("one", 1),), "tls": True}),
    ],
)
def test_a_url_is_read(url: str, values: dict[str, object]) -> None:
    assert Endpoint.parse(url) == Endpoint(**({"kind": Kind.SINGLE} | values))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("host:6379", "its scheme is none of"),
        ("http://host:6379", "its scheme is none of"),
        ("redis+ring://host:6379", "its scheme is none of"),
        ("unix+cluster:///run/redis.sock", "a Unix socket has a path and no host"),
        ("unix://host/run/redis.sock", "a Unix socket has a path and no host"),
        ("redis://", "a host in it is not of the form host:port"),
        ("redis://host:port", "a host in it is not of the form host:port"),
        ("redis://host:0", "a host in it is not of the form host:port"),
        ("redis://host:65536", "a host in it is not of the form host:port"),
        ("redis://one:1,two:2", "it has several hosts"),
        ("redis://host:1/first", "its database is no number"),
        ("redis://host:1/-1", "its database is no number"),
        ("redis+sentinel://one:1", "no name of Sentinel's master"),
        ("redis+cluster://one:1/1", "a Cluster has database 0 only"),
        ("redis+cluster://one:1?db=1", "a Cluster has database 0 only"),
        ("redis://ann@host:1", "a user without a password"),
        ("redis://ann:secret%@host:1", "a % in it begins no two hex digits"),
        ("redis://ann:secret%ff@host:1", "not UTF-8"),
        ("redis://ann:secret/secret@host:1", "percent-encode / and"),
        ("redis://ann:secret?secret@host:1", "percent-encode / and"),
        ("redis://host:1?ssl_ca_certs=ca.pem", "ssl_ca_certs is for TLS"),
        ("redis://host:1?socket_timeout=secret", "its socket_timeout is no number of seconds"),
        ("redis://host:1?secret=1", "of its options it may have"),
        ("rediss://host:1?ssl_ca_certs=", "its ssl_ca_certs names no file"),
        ("rediss+cluster://host:1?db=0&ssl_ca_certs", "its ssl_ca_certs names no file"),
        ("unix:///secret?ssl_ca_certs=ca.pem", "ssl_ca_certs is for TLS"),
        ("redis://host:1?socket_timeout=0", "its socket_timeout is 0"),
        ("redis://host:1?socket_connect_timeout=0.0", "its socket_connect_timeout is 0"),
        ("redis://host:1?socket_timeout=-1", "its socket_timeout is no number of seconds"),
        ("redis://one..two:1", "a host in it is not of the form host:port"),
        ("redis+single://host:1", "its scheme is none of redis"),
        ("redis+://host:1", "its scheme is none of redis"),
    ],
)
def test_what_is_no_url_is_explained_and_not_shown(url: str, why: str) -> None:
    with pytest.raises(UsageError, match="the online store's URL is wrong: ") as refused:
        Endpoint.parse(url)
    assert why in str(refused.value)
    assert "secret" not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


def test_no_password_is_shown() -> None:
    found = Endpoint.parse("rediss+sentinel://ann:secret@one:1,two:2/main?sentinel_password=secret")
    assert "secret" not in f"{found!r} {found} {found.address}"
