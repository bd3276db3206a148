"""Which intervals the demo wants to see done: the newest ones that are due, of every view and of a training set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from skewless.model import FeatureView, TrainingSet
from skewless.plan.repo import Repo
from skewless.timeline import Interval, Schedule, after

TRAINING_SET = "flight_delays"
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Wanted:
    """One interval of one DAG; `name` is its view's or training set's."""

    dag_id: str
    name: str
    interval: Interval

    @property
    def at(self) -> datetime:
        """The end of the interval: a view's snapshot time."""
        return self.interval.end


def wanted(repo: Repo, now: datetime, newest: int) -> tuple[Wanted, ...]:
    """The `newest` due intervals of every view, oldest first, and the newest one whose labels are known.

    A view whose intervals are a day or longer is wanted once.
    """
    views = (item for name in sorted(repo.views) for item in _of_view(repo.views[name], now, newest))
    training = repo.training_sets.get(TRAINING_SET)
    return (*views, *(_of_training_set(training, now) if training else ()))


def _of_view(view: FeatureView, now: datetime, newest: int) -> Iterator[Wanted]:
    count = newest if after(DAY, view.timetable.longest_interval) else 1
    for interval in _newest_intervals(view.timetable, now - view.publish_delay, count):
        yield Wanted(f"features.{view.name}", view.name, interval)


def _of_training_set(training: TrainingSet, now: datetime) -> Iterator[Wanted]:
    schedule = training.schedule if isinstance(training.schedule, Schedule) else Schedule(training.schedule)
    for interval in _newest_intervals(schedule, now - training.label_delay, 1):
        yield Wanted(f"training.{training.name}", training.name, interval)


def _newest_intervals(schedule: Schedule, t: datetime, count: int) -> list[Interval]:
    """The last intervals that ended by `t`, oldest first."""
    found = [schedule.interval_ending(schedule.newest_at(t))]
    while len(found) < count:
        found.append(schedule.interval_ending(found[-1].start))
    return found[::-1]
