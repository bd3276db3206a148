"""What the triggerer waits for, so that no worker does. Loaded there: definitions and ledgers, and no engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from skewless.plan.repo import check_repo
from skewless.timeline import Interval, SystemClock, due, format_instant, parse_instant

if TYPE_CHECKING:
    from skewless.ledger.settling import Unsettled

POLL = 30.0  # seconds; reading the ledgers of a service takes some milliseconds each


class SettledTrigger(BaseTrigger):
    """Fires when every snapshot that an interval's labels can see is settled, or when the time for that is over.

    start, end, deadline  ISO instants: the labels' interval, and when to go on without what is not settled
    poll                  seconds between two looks
    """

    def __init__(
        self,
        *,
        features: str,
        warehouse: str,
        training_set: str,
        start: str,
        end: str,
        deadline: str,
        poll: float = POLL,
    ) -> None:
        """Keep what `serialize` gives back, in plain JSON."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.asked = {"features": features, "warehouse": warehouse, "training_set": training_set}
        self.times = {"start": start, "end": end, "deadline": deadline}
        self.poll = poll

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """How Airflow makes it again, in another process."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {**self.asked, **self.times, "poll": self.poll},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look at the ledgers now and then, beside the triggerer's loop."""
        while not due(parse_instant(self.times["deadline"]), SystemClock().now()):
            if not await asyncio.to_thread(self._missing):
                break
            await asyncio.sleep(self.poll)
        yield TriggerEvent({"labels_end": self.times["end"]})  # type: ignore[no-untyped-call]

    def _missing(self) -> list[str]:
        """What is not settled, in words; a ledger or a definition that cannot be read now may be read later."""
        interval = Interval(parse_instant(self.times["start"]), parse_instant(self.times["end"]))
        try:
            missing = still_unsettled(**self.asked, labels=interval)
        except Exception as error:  # whatever it is: the deadline ends the wait, and `train` tells
            self.log.warning("cannot see what is settled: %s", error)
            return [str(error)]
        words = [f"{item.view} at {format_instant(item.snapshot_time)}" for item in missing]
        self.log.info("not settled yet: %s", ", ".join(words) or "nothing")
        return words


def still_unsettled(
    *, features: str, warehouse: str, training_set: str, labels: Interval
) -> tuple[Unsettled, ...]:
    """The snapshots that the labels can see and that are not settled, by the definitions as they are now."""
    from skewless.ledger.settling import unsettled  # which loads Delta, that DAG files do without

    repo, _ = check_repo(features)
    return unsettled(warehouse, repo.training_set(training_set), repo, labels)
