"""Which interval a run is for, and why some runs are refused: pure, in words that a person can act on."""

from __future__ import annotations

from datetime import datetime, timedelta

from skewless.model import FeatureView
from skewless.plan.compile import Plan
from skewless.timeline import after, due, format_instant

# A run by hand has the last interval that ended before its logical date. At the end itself a logical date is taken:
# the next interval's scheduled run has it, since Airflow names that one by its start.
_JUST_AFTER = timedelta(seconds=1)


def refusal(plan: Plan, end: datetime | None, now: datetime) -> str | None:
    """Why a run for the interval that ends then makes no sense; None where it does."""
    if end is None:
        return _without_interval(plan, now)
    try:
        interval = plan.schedule.interval_ending(end)
    except ValueError as error:
        return f"{plan.dag_id}: {error}. Nothing was done; trigger it with a logical date just after one of these."
    if after(end, now):
        return (
            f"{plan.dag_id}: the interval {interval} has not ended; it is {format_instant(now)}. "
            f"Its scheduled run begins by itself when it has."
        )
    start = plan.definition.start
    if start is not None and after(start, interval.start):
        return (
            f"{plan.dag_id}: the interval {interval} lies before the definition's start {format_instant(start)}. "
            f"Nothing was done. Set start= to an earlier instant, or make this one by hand: {by_hand(plan, end)}"
        )
    return None


def by_hand(plan: Plan, end: datetime) -> str:
    """The command that makes an interval's table without Airflow."""
    job = "build" if isinstance(plan.definition, FeatureView) else "train"
    return " ".join(["skewless", *plan.command(job, format_instant(end))])


def started_late(plan: Plan, end: datetime, started: datetime | None) -> bool:
    """Whether a run of a view began when the next snapshot was due already: it catches up, or fills the past.

    A cleared run begins anew. One that is merely slow began in time.
    """
    view = plan.definition
    if started is None or not isinstance(view, FeatureView):
        return False
    return bool(due(plan.schedule.next_after(end) + view.publish_delay, started))


def _without_interval(plan: Plan, now: datetime) -> str:
    newest = plan.schedule.newest_at(now)
    return (
        f"{plan.dag_id}: this run has no data interval, since it was triggered without a logical date. "
        f"Nothing was done. Trigger it with one: {format_instant(newest + _JUST_AFTER)} stands for the interval "
        f"{plan.schedule.interval_ending(newest)}. "
        f"Or backfill that interval, or make it by hand: {by_hand(plan, newest)}"
    )
