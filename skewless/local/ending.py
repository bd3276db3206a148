"""The end of a command by a signal: what it started in Spark ends with it."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator
from types import FrameType

_ENDINGS = (signal.SIGTERM, signal.SIGINT)


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGINT end the block in good order, with exit code 143 or 130; a second one ends it at once.

    Queries that this process runs on a Spark server are interrupted, or they would go on without it.
    """
    before = {number: signal.signal(number, _end) for number in _ENDINGS}
    try:
        yield
    except _Ended as ended:
        _interrupt_spark()
        if ended.number == signal.SIGTERM:
            print("ended by SIGTERM", file=sys.stderr, flush=True)
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Ended(SystemExit):
    """Passes through whatever the command is doing, as an exit does, and closes what it holds."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.number = number


def _end(number: int, frame: FrameType | None) -> None:
    for each in _ENDINGS:
        signal.signal(each, signal.SIG_DFL)
    raise _Ended(number)


def _interrupt_spark() -> None:
    """Only where a session may be open: importing Spark for its end would take longer than ending."""
    if "skewless.offline.session" in sys.modules:
        from skewless.offline.session import interrupt

        interrupt()
