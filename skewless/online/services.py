"""The feature lists of services, for readers that are not Python."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from skewless.errors import NotPublishedError
from skewless.online.codec import pack_array, pack_str
from skewless.online.connection import Session
from skewless.online.keys import service_key


def put_service(redis_url: str, namespace: str, service: str, features: Sequence[str]) -> None:
    """Write a service's features, each as "view:field"; StoreUnavailable when the server does not take it."""
    with Session(redis_url) as session:
        session.call("SET", service_key(namespace, service), pack_features(features))


def pack_features(features: Sequence[str]) -> bytes:
    """Write a service's features as an array of strings."""
    return pack_array([pack_str(feature) for feature in features])


def get_service(redis_url: str, namespace: str, service: str) -> list[str]:
    """Read a service's features; NotPublishedError when there is none of that name."""
    with Session(redis_url) as session:
        raw = session.call("GET", service_key(namespace, service))
    if raw is None:
        raise NotPublishedError(f"no service {service!r} in namespace {namespace!r}; publish its views first")
    features: list[str] = msgspec.msgpack.decode(raw)
    return features
