"""What a caller is told when there is no answer: problem JSON, as RFC 9457 has it."""

from __future__ import annotations

import logging
import time
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from skewless.errors import NotPublishedError, OnlineError, SkewlessError, StoreUnavailable, UsageError

_LOG = logging.getLogger(__name__)
_LONGEST = 2000  # characters of a detail: it may repeat what the caller sent
_QUIET_SECONDS = 10.0

Header = tuple[bytes, bytes]
CLOSE: Header = (b"connection", b"close")


class Kind(StrEnum):
    """The `type` of a problem, for programs."""

    USAGE = "usage"
    UNAUTHORIZED = "unauthorized"
    NOT_PUBLISHED = "not_published"
    TIMEOUT = "timeout"
    TOO_LARGE = "too_large"
    UNREADABLE = "unreadable"
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal"
    BLANK = "about:blank"


_TITLES = {
    Kind.USAGE: "The request makes no sense",
    Kind.UNAUTHORIZED: "A token is needed",
    Kind.NOT_PUBLISHED: "Nothing of that name is published",
    Kind.TIMEOUT: "It took too long",
    Kind.TOO_LARGE: "The request is too large",
    Kind.UNREADABLE: "What is stored cannot be read",
    Kind.UNAVAILABLE: "Not available at the moment",
    Kind.INTERNAL: "A mistake of the server",
    Kind.BLANK: "Not possible here",
}


class Told(msgspec.Struct, rename={"kind": "type"}):
    """A problem as it is sent."""

    kind: Annotated[Kind, Meta(description="What went wrong, for programs.")]
    title: Annotated[str, Meta(description="The same in words.")]
    status: Annotated[int, Meta(description="The status of the response.")]
    detail: Annotated[str, Meta(description="What, where, and what to do next.")]


class Problem(Exception):
    """There is no answer: `status` and `headers` of the response, and what its body says."""

    def __init__(self, status: int, kind: Kind, detail: str, *headers: Header) -> None:
        """Keep them."""
        super().__init__(detail)
        self.status, self.kind, self.headers = status, kind, headers

    @property
    def body(self) -> bytes:
        """As problem JSON."""
        detail = str(self)
        if len(detail) > _LONGEST:
            detail = detail[:_LONGEST] + "..."
        return msgspec.json.encode(Told(self.kind, _TITLES[self.kind], self.status, detail))


class Complaints:
    """Tells operators, in the log, why the online store is away; not for each request that meets it."""

    def __init__(self) -> None:
        """Nothing has been told."""
        self._told = -_QUIET_SECONDS

    def tell(self, error: StoreUnavailable) -> None:
        """Log it, unless something was a moment ago."""
        now = time.monotonic()
        if now - self._told >= _QUIET_SECONDS:
            self._told = now
            _LOG.error("%s", error)


def problem_of(error: SkewlessError) -> Problem:
    """What a caller is told of an error of a reader.

    Why the online store is away is for its operators: it has addresses, and what the server said.
    """
    match error:
        case UsageError():
            return Problem(400, Kind.USAGE, str(error))
        case NotPublishedError():
            return Problem(404, Kind.NOT_PUBLISHED, str(error))
        case StoreUnavailable():
            return unavailable(
                "the online store does not answer; try again, and see the log of `skewless serve`"
            )
        case OnlineError():
            return Problem(502, Kind.UNREADABLE, str(error))
    raise error


def unavailable(detail: str) -> Problem:
    """Something is not there now, and may be in a moment."""
    return Problem(503, Kind.UNAVAILABLE, detail, (b"retry-after", b"1"))
