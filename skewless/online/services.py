"""The feature lists of services, for readers without definitions.

A feature is `"view:field"`; of an aliased view it is a list: `"alias:field"`, `"view:field"`, then by pairs a join key
and the key under which the caller's entity has it.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from skewless.errors import NotPublishedError, OnlineError
from skewless.model.checks import NAME
from skewless.online.codec import pack_array, pack_str
from skewless.online.connection import Session
from skewless.online.keys import service_key
from skewless.plan.repo import Selection

Feature = str | Sequence[str]

_FEATURES = msgspec.msgpack.Decoder(list[str | list[str]])


def put_service(redis_url: str, namespace: str, service: str, features: Sequence[Feature]) -> None:
    """Write a service's features; StoreUnavailable when the server does not take it."""
    key = service_key(namespace, service)
    with Session(redis_url, key) as session:
        session.call("SET", key, pack_features(features))


def recorded(references: Sequence[str], selections: Sequence[Selection]) -> list[Feature]:
    """A service's features as its record has them, from its references and what they mean."""
    by_prefix = {selection.prefix: selection for selection in selections}
    return [_recorded(reference, by_prefix[reference.partition(":")[0]]) for reference in references]


def _recorded(reference: str, found: Selection) -> Feature:
    if found.prefix == found.view.name:
        return reference
    pairs = zip(found.view.join_keys, found.keys, strict=True)
    return [
        reference,
        f"{found.view.name}:{reference.partition(':')[2]}",
        *(name for pair in pairs for name in pair),
    ]


def pack_features(features: Sequence[Feature]) -> bytes:
    """Write a service's features as an array."""
    return pack_array([_packed(feature) for feature in features])


def _packed(feature: Feature) -> bytes:
    return pack_str(feature) if isinstance(feature, str) else pack_array([*map(pack_str, feature)])


def unpack_features(service: str, raw: bytes) -> Sequence[Feature]:
    """Read a service's features; OnlineError where they are no array of ours."""
    try:
        features: Sequence[Feature] = _FEATURES.decode(raw)
    except ValueError as error:  # of which msgspec's are
        raise _unreadable(service, str(error)) from error
    for feature in features:
        if not _is_feature(feature):
            raise _unreadable(service, f"{feature!r} is no feature")
    return features


def _is_feature(feature: Feature) -> bool:
    """Whether it is "view:field"; or such a one of an alias, one of the view, of the same field, and pairs of keys."""
    names, keys = ([feature], []) if isinstance(feature, str) else (feature[:2], feature[2::2])
    parts = [name.partition(":") for name in names]
    whole = all(NAME.fullmatch(view) and field for view, _, field in parts)
    same = len({field for _, _, field in parts}) == 1 and len(set(keys)) == len(keys)
    return whole and same and (isinstance(feature, str) or (len(names) == 2 and len(feature) % 2 == 0))


def _unreadable(service: str, what: str) -> OnlineError:
    return OnlineError(
        f"the online record of service {service!r} is not readable ({what}); did something else write it? "
        "Publish one of its views again"
    )


def no_service(namespace: str, service: str) -> NotPublishedError:
    """There is no record of a service."""
    return NotPublishedError(
        f"no service {service!r} in namespace {namespace!r}; publish its views first, or write a feature as view:field"
    )
