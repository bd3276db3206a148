"""From a definition to the steps of one of its intervals: plain data, which a person can read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import cast

from skewless.model import FeatureView, TrainingSet
from skewless.plan.fingerprint import fingerprint, short
from skewless.plan.repo import Repo
from skewless.timeline import Schedule


@dataclass(frozen=True, slots=True)
class Step:
    """One task of an interval; `after` is how long after the interval's end a wait ends; None: no wait."""

    task: str
    detail: str
    after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What happens for each interval of a feature view or a training set, in order."""

    definition: FeatureView | TrainingSet
    steps: tuple[Step, ...]

    @property
    def dag_id(self) -> str:
        """The id of the definition's DAG."""
        kind = "features" if isinstance(self.definition, FeatureView) else "training"
        return f"{kind}.{self.definition.name}"

    @property
    def schedule(self) -> Schedule:
        """The schedule whose intervals are planned."""
        return cast(Schedule, self.definition.schedule)

    def command(self, job: str, interval_end: str) -> tuple[str, ...]:
        """The words of a job's command for the interval that ends then."""
        option = "--snapshot-time" if isinstance(self.definition, FeatureView) else "--interval-end"
        return (job, self.definition.name, option, interval_end)

    def __str__(self) -> str:
        """The steps as lines, for `skewless plan` and golden files."""
        width = max(len(step.task) for step in self.steps)
        lines = (
            f"  {number}. {step.task:<{width}}  {step.detail}" for number, step in enumerate(self.steps, 1)
        )
        return "\n".join([f"plan {self.definition.name} every {self.schedule}{self._version()}", *lines])

    def _version(self) -> str:
        view = self.definition
        return f"  [{short(fingerprint(view))}]" if isinstance(view, FeatureView) else ""


def compile_view(view: FeatureView) -> Plan:
    """The steps of one interval of a view, whose snapshot time is T."""
    return Plan(view, (*_build_steps(view), *(_publish_steps(view) if view.online else ())))


def compile_training_set(training_set: TrainingSet) -> Plan:
    """The steps of one interval of a training set: its labels end at E."""
    known, limit = training_set.label_delay, training_set.settle_timeout
    made = f"{training_set.spine.location} with {training_set.service.name} -> {training_set.name}"
    return Plan(
        training_set,
        (
            Step("wait_labels", f"until E + {known}", after=known),
            Step(
                "wait_settled",
                f"until every snapshot that the labels see is settled, at most {limit} longer",
                after=known + limit,
            ),
            Step("train", f"{made}  ({_counted(training_set.expectations)})"),
        ),
    )


def compile_repo(repo: Repo) -> tuple[Plan, ...]:
    """One plan per view, then one per training set, in the order of their names."""
    views = (compile_view(repo.views[name]) for name in sorted(repo.views))
    sets = (compile_training_set(repo.training_sets[name]) for name in sorted(repo.training_sets))
    return (*views, *sets)


def _build_steps(view: FeatureView) -> tuple[Step, ...]:
    cutoff = view.source.data_delay
    return (
        Step("wait_data", f"until T + {cutoff}", after=cutoff),
        Step("build", f"{view.source.location} -> {view.name}"),
        Step("check", f"{view.name}  ({_counted(view.expectations)})"),
    )


def _publish_steps(view: FeatureView) -> tuple[Step, ...]:
    return (
        Step("wait_publish", f"until T + {view.publish_delay}", after=view.publish_delay),
        Step("publish", f"{view.name} -> redis"),
    )


def _counted(expectations: Sequence[object]) -> str:
    return f"{len(expectations)} expectation{'' if len(expectations) == 1 else 's'}"
