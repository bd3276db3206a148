"""Who may ask: bearers of one of the tokens in a file."""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import time
from pathlib import Path

from skewless.errors import UsageError

_LOG = logging.getLogger(__name__)
_SHAPE = re.compile(rb"[A-Za-z0-9._~+/-]{16,}=*")  # RFC 6750's, and long enough that nobody guesses it
_SECONDS = 1.0  # how long a change of the file may go unseen


class Tokens:
    """The tokens of a file, one a line; blank lines and those that begin with # are not.

    The file is read again when it has changed. One that cannot be read then changes nothing, and is logged.
    """

    def __init__(self, file: Path) -> None:
        """Read the file; UsageError where it has no token, or a line that is none."""
        self._file = file
        self._seen, self._digests = _stamp(file), _digests(file)
        self._looked = time.monotonic()

    def accept(self, authorization: bytes) -> bool:
        """Whether the header is "Bearer" and one of the tokens; it takes as long for each that is none."""
        if time.monotonic() - self._looked > _SECONDS:
            self._look()
        scheme, _, token = authorization.partition(b" ")
        digest = hashlib.sha256(token.strip()).digest()
        matches = [hmac.compare_digest(digest, known) for known in self._digests]
        return scheme.lower() == b"bearer" and any(matches)

    def _look(self) -> None:
        self._looked = time.monotonic()
        try:
            stamp = _stamp(self._file)
            if stamp != self._seen:
                self._digests, self._seen = _digests(self._file), stamp
                _LOG.warning("read the tokens of %s again: %d", self._file, len(self._digests))
        except UsageError as error:
            _LOG.error("the tokens stay what they were: %s", error)


def _stamp(file: Path) -> tuple[int, int, int]:
    try:
        found = file.stat()
    except OSError as error:
        raise _unreadable(file, error) from error
    return found.st_mtime_ns, found.st_size, found.st_ino


def _digests(file: Path) -> list[bytes]:
    """What is kept of the tokens: no token can be read from it, and all are of one length."""
    try:
        lines = [line.strip() for line in file.read_bytes().splitlines()]
    except OSError as error:
        raise _unreadable(file, error) from error
    numbered = [(at, line) for at, line in enumerate(lines, 1) if line and not line.startswith(b"#")]
    for at, line in numbered:
        if not _SHAPE.fullmatch(line):
            raise UsageError(
                f"{file}:{at} is no token: it needs 16 characters or more of A-Z a-z 0-9 . _ ~ + / -; make one by "
                "`openssl rand -hex 32`"
            )
    if not numbered:
        raise UsageError(f"{file} has no token; make one by `openssl rand -hex 32`")
    return [hashlib.sha256(line).digest() for _, line in numbered]


def _unreadable(file: Path, error: OSError) -> UsageError:
    return UsageError(
        f"the tokens in {file} cannot be read ({error.strerror}); SKEWLESS_SERVE_TOKENS names the file"
    )
