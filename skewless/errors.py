"""What can go wrong, as one tree.

SkewlessError                  exit code 1
├── DefinitionError            2   a definition is wrong; has a list of problems with file and line
├── UsageError                 2   an unknown view, a wrong argument, a spine without the keys
├── BlockedError               3   a check blocked a publish
├── DataError                  1   a source, spine or table is not what it must be
├── LedgerError                1   the ledger cannot be read, written or believed
├── OnlineError                1   the online store
│   ├── NotPublishedError          the view has no live generation
│   ├── PublishRefused             its code says why: held, superseded, not_due, older, moved, ...
│   └── StoreUnavailable           the server is away, read-only, full, moving keys, or evicts some
└── SetupError                 1   this machine lacks something: Java, jars, a free port
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


class SkewlessError(Exception):
    """Base of every error that a user can cause or meet; the message says what, where and what next."""

    exit_code = 1


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake in a definition, and where it stands."""

    file: str
    line: int
    name: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.name}: {self.message}"


class DefinitionError(SkewlessError):
    """One or more definitions are wrong; nothing was loaded."""

    exit_code = 2

    def __init__(self, problems: Sequence[Problem]) -> None:
        """Keep the problems, in the order of file and line."""
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class UsageError(SkewlessError):
    """The request makes no sense: an unknown name, a missing key column, a time that nobody knows yet."""

    exit_code = 2


class BlockedError(SkewlessError):
    """A check failed; readers keep the generation that they have."""

    exit_code = 3


class DataError(SkewlessError):
    """A source, spine or table is not what the definition says it is."""


class LedgerError(SkewlessError):
    """The ledger cannot be read or written."""


class OnlineError(SkewlessError):
    """The online store cannot do what was asked."""


class NotPublishedError(OnlineError):
    """The view has no live generation in this namespace."""


class PublishRefused(OnlineError):
    """The server's state forbids the operation; `code`, the machine-readable reason, is one of `scripts.REFUSALS`."""

    def __init__(self, code: str, message: str) -> None:
        """Keep the refusal's code beside the message."""
        self.code = code
        super().__init__(message)


class StoreUnavailable(OnlineError):
    """The online store is away, read-only, full, or configured so that it may lose keys."""


class SetupError(SkewlessError):
    """This machine lacks something that Skewless needs."""


def first_line(error: BaseException) -> str:
    r"""The first line of another library's message; its class' name where it has none.

    >>> first_line(ValueError("no such key\n    at Native.java:77"))
    'no such key'
    """
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """Suggest the nearest candidate: `" (did you mean 'x'?)"`, or nothing when none is near.

    >>> did_you_mean("transaction_stat", ["transaction_stats", "weather"])
    " (did you mean 'transaction_stats'?)"
    >>> did_you_mean("zzz", ["weather"])
    ''
    """
    near = difflib.get_close_matches(name, list(candidates), n=1, cutoff=0.6)
    return f" (did you mean {near[0]!r}?)" if near else ""
