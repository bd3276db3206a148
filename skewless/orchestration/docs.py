"""What a DAG's page in Airflow says of its definition, and what to do when a run is late, blocked or wrong."""

from __future__ import annotations

from collections.abc import Iterator

from skewless.model import Expectation, FeatureView, Field, TrainingSet
from skewless.plan.compile import Plan
from skewless.timeline import format_instant


def doc_of(plan: Plan) -> str:
    """The DAG's documentation, in Markdown."""
    definition = plan.definition
    lines = _of_view(definition) if isinstance(definition, FeatureView) else _of_set(definition)
    return "\n".join([*_head(plan), *lines])


def _head(plan: Plan) -> Iterator[str]:
    definition = plan.definition
    yield f"# {definition.name}\n"
    if definition.description:
        yield f"{definition.description}\n"
    yield f"```\n{plan}\n```\n"
    if definition.start is not None:
        yield f"Intervals from {format_instant(definition.start)} on are scheduled, missed ones too.\n"
    else:
        yield "Without `start=`, only the newest closed interval is scheduled; backfill older ones.\n"


def _of_view(view: FeatureView) -> Iterator[str]:
    yield "| key or field | type | value |\n|---|---|---|"
    yield from (f"| {key} | join key | |" for key in view.join_keys)
    yield from (f"| {item.name} | {item.dtype.name} | {_value(item)} |" for item in view.schema)
    yield f"\nSource `{view.source.location}`; rows count that were known before T + {view.source.data_delay}. "
    yield f"Due at T + {view.publish_delay}. " + (
        f"Readers see it as expired from T + {view.max_staleness} on.\n" if view.max_staleness else ""
    )
    yield from (f"- {_told(item)}" for item in view.expectations)
    yield _VIEW_HELP.format(name=view.name)


def _of_set(training_set: TrainingSet) -> Iterator[str]:
    yield f"Labels from `{training_set.spine.location}`, known {training_set.label_delay} after their interval's end; "
    yield "features:\n"
    yield from (f"- {reference}" for reference in training_set.service.references)
    yield _SET_HELP.format(name=training_set.name, limit=training_set.settle_timeout)


def _value(item: Field) -> str:
    """What a field holds, in a table's cell."""
    aggregate = item.aggregate
    if aggregate is None:
        return _code(item.value or item.name)
    what = f" of {_code(aggregate.column)}" if aggregate.column else ""
    rule = "" if aggregate.nulls == "skip" else f", nulls: {aggregate.nulls}"
    where = f", where {_code(aggregate.where)}" if aggregate.where else ""
    how = f"({aggregate.n or aggregate.q})" if aggregate.n or aggregate.q is not None else ""
    return f"{aggregate.function}{how}{what} over {aggregate.window}{rule}{where}"


def _told(expectation: Expectation) -> str:
    arguments = ", ".join(f"{name}={value!r}" for name, value in expectation.kwargs.items())
    return f"{_code(expectation.type)} ({arguments}): {expectation.severity}"


def _code(text: object) -> str:
    return f"`{text}`".replace("|", "\\|")


_VIEW_HELP = """
## When something is not as it should be

- **Late**: a run that began in time publishes when it is done. Readers keep the snapshot before, and see it as expired
  after `max_staleness`.
- **check is red, blocked**: readers keep what they have, and the task's log says which rows failed. Do nothing if the
  source corrects itself; clear the run from `build` after the source was repaired; use a late correction:
  `skewless build {name} --snapshot-time T --known-until now`, then clear from `check`; or accept it as it is:
  `skewless accept {name} --snapshot-time T --reason "..."`, then clear from `check`.
- **Another failure** is tried again by itself. Clear the failed task when its cause is gone.
- **Backfill**: Airflow's dialog, or clear runs; hundreds at once: the DAG `skewless.backfill`. Older intervals correct
  training and never move readers backwards.
- **Wrong values online**: `skewless rollback {name}`, `skewless expire {name}`, `skewless hold {name}`, then
  `skewless release {name}`. `skewless status {name}` shows what readers have.
"""

_SET_HELP = """
## When something is not as it should be

- **wait_settled waits**: the run of some snapshot that the labels see has not come to an end. It goes on without it
  after {limit}; what is missing is computed from the source, and named in the manifest.
- **train is red, blocked**: an expectation failed; no version was added. Clear the run when the labels are repaired.
- **By hand**: `skewless train {name} --interval-end E`.
"""
