"""Feature views: fields over one source, for one entity or several, on a schedule."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, cast

from skewless.model.alias import AliasedView
from skewless.model.checks import (
    as_instant,
    as_schedule,
    as_tuple,
    duration_problems,
    name_problems,
    schedule_problems,
    start_problems,
)
from skewless.model.code import clock_calls, code_of
from skewless.model.entity import Entity
from skewless.model.expectation import Expectation
from skewless.model.field import Field
from skewless.model.origin import Origin, freeze, settle
from skewless.model.source import DeltaSource
from skewless.timeline import Schedule

SETTLING_TIME = timedelta(minutes=10)


@dataclass(frozen=True, kw_only=True)
class FeatureView:
    """Fields over one source, for one entity or several, on a schedule.

    schedule       a UTC cron expression or preset: the data intervals, whose ends are the snapshot times
    publish_delay  when a snapshot is due; default: the source's data_delay and 10 minutes
    max_staleness  after this, counted from the snapshot time, the view is expired for readers; default: never
    ttl            how old the newest row may be for fields without an aggregate
    min_rows       the share of the previous snapshot's entities below which a snapshot is blocked
    start          the first interval that is scheduled; without it, the one in which the view is first seen
    transform      a function from the source's DataFrame to the one that fields read, for logic on single rows
    """

    name: str
    entities: Sequence[Entity]
    source: DeltaSource
    schema: Sequence[Field]
    schedule: Schedule | str = "@hourly"
    publish_delay: timedelta = None  # type: ignore[assignment]  # filled from the source
    max_staleness: timedelta | None = None
    ttl: timedelta | None = None
    online: bool = True
    expectations: Sequence[Expectation] = ()
    min_rows: float = 0.5
    start: datetime | None = None
    transform: Callable[[Any], Any] | None = field(default=None, compare=False)
    owner: str = ""
    tags: Sequence[str] = ()
    description: str = ""
    origin: Origin = field(init=False, repr=False, compare=False)
    transform_code: str | None = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        """Freeze, fill the defaults and check."""
        freeze(
            self,
            origin=Origin.of_caller(),
            entities=as_tuple(self.entities),
            schema=as_tuple(self.schema),
            schedule=as_schedule(self.schedule),
            expectations=as_tuple(self.expectations),
            start=as_instant(self.start),
            tags=as_tuple(self.tags),
        )
        data_delay = getattr(self.source, "data_delay", None)
        if self.publish_delay is None and isinstance(data_delay, timedelta):
            freeze(self, publish_delay=data_delay + SETTLING_TIME)
        if self.transform is not None:
            with suppress(ValueError):  # `problems` tells it
                freeze(self, transform_code=code_of(self.transform))
        settle(self)

    @property
    def timetable(self) -> Schedule:
        """The schedule, which may have been written as a string."""
        return cast(Schedule, self.schedule)

    @cached_property
    def join_keys(self) -> tuple[str, ...]:
        """The key columns, in the order of the entities."""
        return tuple(key for entity in self.entities for key in entity.join_keys)

    @cached_property
    def fields(self) -> dict[str, Field]:
        """The fields by name."""
        return {item.name: item for item in self.schema if isinstance(item, Field)}

    @property
    def columns(self) -> tuple[str, ...]:
        """Join keys, then fields: the columns of a snapshot."""
        return (*self.join_keys, *self.fields)

    @property
    def reach(self) -> timedelta | None:
        """How far back a snapshot can see: the largest window or ttl; None where it is unbounded."""
        spans = [item.aggregate.window if item.aggregate else self.ttl for item in self.schema]
        bounded = [span for span in spans if span is not None]
        return max(bounded) if len(bounded) == len(spans) else None

    @property
    def absent_row(self) -> tuple[Any, ...]:
        """The row of an entity without visible rows, in the order of the schema."""
        return tuple(item.of_no_rows for item in self.schema)

    @property
    def expired_row(self) -> tuple[Any, ...]:
        """The row of any entity when the view is expired, in the order of the schema."""
        return tuple(item.of_nothing_known for item in self.schema)

    def aliased(self, name: str, *, keys: Mapping[str, str]) -> AliasedView:
        """The same view by other keys, to stand beside it: `weather.aliased("dest_weather", keys={"origin": "dest"})`.

        keys  by join key, the column of the spine or of the entity row that stands for it
        """
        return AliasedView(name=name, view=self, keys=keys)

    def expires_at(self, snapshot_time: datetime) -> datetime | None:
        """When a reader of that snapshot begins to see the view as expired; None: never."""
        return None if self.max_staleness is None else snapshot_time + self.max_staleness

    def problems(self) -> Iterator[str]:
        """Every mistake that can be seen without the source."""
        yield from name_problems("feature view", self.name)
        if not self.entities:
            yield f"feature view {self.name!r} has no entity; give it at least one, e.g. entities=[user]"
        misfits = list(self._misfits())
        yield from misfits
        if misfits:
            return
        yield from self._transform_problems()
        yield from self._schema_problems()
        yield from self._time_problems()
        for expectation in self.expectations:
            yield from expectation.problems(self.columns)
        if type(self.min_rows) not in (float, int) or not 0 <= self.min_rows <= 1:
            yield f"min_rows is {self.min_rows!r}; give a share of the previous snapshot's rows, from 0 to 1"

    def _misfits(self) -> Iterator[str]:
        for argument, kind in (("entities", Entity), ("schema", Field), ("expectations", Expectation)):
            items = getattr(self, argument)
            if not all(isinstance(item, kind) for item in items):
                yield f"{argument}={list(items)!r} holds something that is no {kind.__name__}"
        if not isinstance(self.source, DeltaSource):
            yield f"source={self.source!r} is no DeltaSource"

    def _transform_problems(self) -> Iterator[str]:
        if self.transform is None:
            return
        try:
            code = code_of(self.transform)
        except ValueError as error:
            yield f"transform {error}"
        else:
            yield from (
                f"transform calls {call}, which reads the clock; use the source's timestamps"
                for call in clock_calls(code)
            )

    def _schema_problems(self) -> Iterator[str]:
        if not self.schema:
            yield "the schema has no field; give it at least one, e.g. Field(name='amount', dtype=Float32)"
        seen: dict[str, str] = {}
        for name in map(str, (*self.join_keys, *(item.name for item in self.schema))):
            if name.lower() in seen:
                yield f"{name!r} and {seen[name.lower()]!r} collide; names must differ by more than case"
            seen[name.lower()] = name
        for item in self.schema:
            yield from item.problems()
        if self.schema and self.ttl is not None and all(item.aggregate for item in self.schema):
            yield "ttl limits nothing: every field is an aggregate with its own window; use max_staleness"

    def _time_problems(self) -> Iterator[str]:
        yield from start_problems(self)
        yield from schedule_problems(self.schedule)
        spans = [
            *duration_problems(self, "publish_delay", least=timedelta(0)),
            *duration_problems(self, "ttl", "max_staleness"),
        ]
        yield from spans
        if not spans and isinstance(self.source.data_delay, timedelta):
            yield from self._delay_problems(self.source.data_delay)

    def _delay_problems(self, data_delay: timedelta) -> Iterator[str]:
        if self.publish_delay < data_delay:
            yield (
                f"publish_delay {self.publish_delay} is shorter than the source's data_delay "
                f"{data_delay}; a snapshot cannot be due before its rows have arrived"
            )
        if self.max_staleness is None or not isinstance(self.schedule, Schedule):
            return
        healthy = self.timetable.longest_interval + self.publish_delay
        if self.max_staleness < healthy:
            yield (
                f"max_staleness {self.max_staleness} is shorter than the longest interval of {self.schedule} "
                f"plus publish_delay ({healthy}); readers would see a healthy view expire"
            )
