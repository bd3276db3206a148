"""From a feature view to the steps of one of its intervals: plain data, which a person can read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from skewless.model import FeatureView
from skewless.plan.fingerprint import fingerprint, short
from skewless.plan.repo import Repo


@dataclass(frozen=True, slots=True)
class Step:
    """One task of an interval; `after` is how long after the snapshot time T a wait ends; None: no wait."""

    task: str
    detail: str
    after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What happens for each interval of a view, in order."""

    view: FeatureView
    steps: tuple[Step, ...]

    @property
    def dag_id(self) -> str:
        """The id of the view's DAG."""
        return f"features.{self.view.name}"

    def __str__(self) -> str:
        """The steps as lines, for `skewless plan` and golden files."""
        width = max(len(step.task) for step in self.steps)
        head = f"plan {self.view.name} every {self.view.schedule}  [{short(fingerprint(self.view))}]"
        lines = (
            f"  {number}. {step.task:<{width}}  {step.detail}" for number, step in enumerate(self.steps, 1)
        )
        return "\n".join([head, *lines])


def compile_view(view: FeatureView) -> Plan:
    """The steps of one interval of a view, whose snapshot time is T."""
    return Plan(view, (*_build_steps(view), *(_publish_steps(view) if view.online else ())))


def compile_repo(repo: Repo) -> tuple[Plan, ...]:
    """One plan per view, in the order of their names."""
    return tuple(compile_view(repo.views[name]) for name in sorted(repo.views))


def _build_steps(view: FeatureView) -> tuple[Step, ...]:
    cutoff, count = view.source.data_delay, len(view.expectations)
    return (
        Step("wait_data", f"until T + {cutoff}", after=cutoff),
        Step("build", f"{view.source.location} -> {view.name}"),
        Step("check", f"{view.name}  ({count} expectation{'' if count == 1 else 's'})"),
    )


def _publish_steps(view: FeatureView) -> tuple[Step, ...]:
    return (
        Step("wait_publish", f"until T + {view.publish_delay}", after=view.publish_delay),
        Step("publish", f"{view.name} -> redis"),
    )
