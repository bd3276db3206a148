"""Every flight feature, computed a second time: plain pandas and Python, without the product.

Nothing here reads a definition or the engine. The rules of docs/semantics.md are worked out by hand for
the views of features/flights.py, each with its own numbers, so that a mistake in either shows as a
difference. It answers `as_of="scheduled"`:

- the snapshot seen at `t` is the newest tick `T` with `T + due <= t` that is not among those skipped;
- it knows rows with `created_timestamp < T + wait` and `event_timestamp < T`;
- a window of `w` begins with `T - w`, that instant included;
- from `T + stale` on there is nothing but defaults.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR

Row = Mapping[str, Any]
Rows = list[Row]


@dataclass(frozen=True)
class View:
    """One view by hand; durations in microseconds.

    every, due, wait, stale   interval, publish delay, data delay, maximal staleness
    reach     how far back its longest window or ttl goes
    columns   what its fields read: they break ties
    compute   from an entity's rows in a snapshot, oldest first, and the snapshot time, to the features
    absent    the features of an entity without rows; expired: those of an expired view
    """

    source: str
    keys: tuple[str, ...]
    every: int
    due: int
    wait: int
    stale: int
    reach: int
    columns: tuple[str, ...]
    compute: Callable[[Rows, int], dict[str, Any]]
    absent: dict[str, Any]
    expired: dict[str, Any]


def flight_features(
    sources: Mapping[str, pd.DataFrame],
    spine: pd.DataFrame,
    skipped: Mapping[str, Collection[pd.Timestamp]] | None = None,
) -> pd.DataFrame:
    """Give, for each spine row, every feature as `<view>__<field>` and each `<view>__snapshot_time`.

    sources  "departures", "arrivals", "weather": the raw tables, all rows
    spine    event_timestamp and the keys carrier, origin, tailnum; any order, repeats allowed
    skipped  by view, the snapshot times that readers could not have
    returns  the spine's index; columns of Python objects: numpy.float32 for a float32, else int, float, str,
             bool or Timestamp, and None for null
    """
    columns: dict[str, list[Any]] = {}
    for name, view in VIEWS.items():
        not_these = {_micros(tick) for tick in (skipped or {}).get(name, ())}
        answers = _answers(view, sources[view.source], spine, not_these)
        for column in ("snapshot_time", *view.absent):
            columns[f"{name}__{column}"] = [answer[column] for answer in answers]
    return pd.DataFrame({name: pd.Series(values, spine.index, object) for name, values in columns.items()})


def newest_snapshot(view: View, t: int, not_these: Collection[int] = ()) -> int:
    """Give the snapshot time seen at `t`; ticks are whole multiples of the interval since 1970."""
    tick = (t - view.due) // view.every * view.every
    while tick in not_these:
        tick -= view.every
    return tick


def entity_features(view: View, rows: Rows, tick: int) -> dict[str, Any]:
    """Give the features of one entity in one snapshot, from all rows of the entity, oldest first."""
    seen = [
        row for row in rows if row["known"] < tick + view.wait and tick - view.reach <= row["event"] < tick
    ]
    return view.compute(seen, tick) if seen else view.absent


def rows_by_entity(view: View, source: pd.DataFrame) -> dict[tuple[Any, ...], Rows]:
    """Give each entity's rows, oldest first; ties by known time, then by the columns read, nulls first."""
    rows = source.dropna(subset=[*view.keys, "event_timestamp"])
    event, known = _micros_of(rows.event_timestamp), _micros_of(rows.created_timestamp)
    rows = rows[list(dict.fromkeys([*view.keys, *view.columns]))].assign(event=event, known=known)
    rows = rows.sort_values(["event", "known", *sorted(view.columns)], na_position="first", kind="stable")
    plain = rows.astype(object).where(rows.notna(), None)
    groups: dict[tuple[Any, ...], Rows] = {}
    for row in plain.to_dict("records"):
        groups.setdefault(tuple(row[key] for key in view.keys), []).append(row)
    return groups


def _answers(
    view: View, source: pd.DataFrame, spine: pd.DataFrame, not_these: set[int]
) -> list[dict[str, Any]]:
    groups = rows_by_entity(view, source)
    starts = {entity: np.array([row["event"] for row in rows]) for entity, rows in groups.items()}
    done: dict[tuple[Any, ...], dict[str, Any]] = {}
    answers = []
    asked = zip(_micros_of(spine.event_timestamp), *(spine[key] for key in view.keys), strict=True)
    for t, *entity_keys in asked:
        entity, tick = tuple(entity_keys), newest_snapshot(view, int(t), not_these)
        if (entity, tick) not in done:
            near = _near(groups.get(entity, []), starts.get(entity), tick, view.reach)
            done[entity, tick] = entity_features(view, near, tick)
        features = view.expired if t >= tick + view.stale else done[entity, tick]
        answers.append({"snapshot_time": pd.Timestamp(tick * 1000, tz="UTC"), **features})
    return answers


def _near(rows: Rows, starts: np.ndarray[Any, Any] | None, tick: int, reach: int) -> Rows:
    """A shortcut for speed only: the stretch of rows that may lie in reach."""
    if starts is None:
        return []
    return rows[
        int(np.searchsorted(starts, tick - reach, "left")) : int(np.searchsorted(starts, tick, "left"))
    ]


# -- the views, by hand ---------------------------------------------------------------------------------


def _carrier_delays(rows: Rows, tick: int) -> dict[str, Any]:
    day, week = _since(rows, tick - DAY), _since(rows, tick - 7 * DAY)
    return {
        "avg_delay_1d": _f32(_mean(_present(day, "dep_delay"))),
        "avg_delay_7d": _f32(_mean(_filled([row["dep_delay"] for row in week]))),
        "late_share_7d": _f32(_mean([int(delay > 15) for delay in _present(week, "dep_delay")])),
        "cancelled_share_7d": _mean(_present(week, "cancelled")),
        "departures_1d": sum(row["cancelled"] == 0 for row in day),
        "flights_7d": len(week),
    }


def _airport_carrier_delays(rows: Rows, tick: int) -> dict[str, Any]:
    recent, day = _since(rows, tick - 3 * HOUR), _since(rows, tick - DAY)
    delays = _present(day, "dep_delay")
    cancelled = _mean(_present(day, "cancelled"))
    return {
        "avg_delay_3h": _f32(_mean(_present(recent, "dep_delay"))),
        "worst_delay_1d": int(max(delays)) if delays else None,
        "last_delay_1d": int(delays[-1]) if delays else None,
        "delay_minutes_1d": int(sum(delays)) if day else None,
        "long_delays_7d": sum(delay > 60 for delay in _present(_since(rows, tick - 7 * DAY), "dep_delay")),
        "cancelled_share_1d": _f32(0.0 if cancelled is None else cancelled),
    }


def _aircraft_last_arrival(rows: Rows, tick: int) -> dict[str, Any]:
    newest = rows[-1]
    return {
        "arr_delay": _f32(newest["arr_delay"]),
        "dest": newest["dest"],
        "landed_at": pd.Timestamp(newest["event"] * 1000, tz="UTC"),
        "diverted": newest["arr_delay"] is None,
    }


def _aircraft_month(rows: Rows, tick: int) -> dict[str, Any]:
    hours = [minutes / 60 for minutes in _present(rows, "air_time")]
    delays = _present(rows, "arr_delay")
    return {
        "arrivals_30d": len(rows),
        "airborne_hours_30d": math.fsum(hours) if hours else None,
        "avg_arr_delay_7d": _f32(_mean(_present(_since(rows, tick - 7 * DAY), "arr_delay"))),
        "best_arr_delay_30d": int(min(delays)) if delays else None,
    }


MEASURES = ("temp", "humid", "wind_speed", "wind_gust", "precip", "pressure", "visib")


def _airport_weather(rows: Rows, tick: int) -> dict[str, Any]:
    return {measure: _f32(rows[-1][measure]) for measure in MEASURES}


def _nothing(*names: str, **known: Any) -> dict[str, Any]:
    return {**dict.fromkeys(names), **known}


_CARRIER = (
    "avg_delay_1d",
    "avg_delay_7d",
    "late_share_7d",
    "cancelled_share_7d",
    "departures_1d",
    "flights_7d",
)
_AIRPORT_CARRIER = (
    "avg_delay_3h",
    "worst_delay_1d",
    "last_delay_1d",
    "delay_minutes_1d",
    "long_delays_7d",
    "cancelled_share_1d",
)
_LAST = ("arr_delay", "dest", "landed_at", "diverted")
_MONTH = ("arrivals_30d", "airborne_hours_30d", "avg_arr_delay_7d", "best_arr_delay_30d")

VIEWS: dict[str, View] = {
    "carrier_delays": View(
        source="departures",
        keys=("carrier",),
        every=HOUR,
        due=20 * MINUTE,
        wait=10 * MINUTE,
        stale=6 * HOUR,
        reach=7 * DAY,
        columns=("cancelled", "dep_delay"),
        compute=_carrier_delays,
        absent=_nothing(*_CARRIER, departures_1d=0, flights_7d=0),
        expired=_nothing(*_CARRIER),
    ),
    "airport_carrier_delays": View(
        source="departures",
        keys=("origin", "carrier"),
        every=HOUR,
        due=20 * MINUTE,
        wait=10 * MINUTE,
        stale=6 * HOUR,
        reach=7 * DAY,
        columns=("cancelled", "dep_delay"),
        compute=_airport_carrier_delays,
        absent=_nothing(*_AIRPORT_CARRIER, long_delays_7d=0, cancelled_share_1d=np.float32(0)),
        expired=_nothing(*_AIRPORT_CARRIER, cancelled_share_1d=np.float32(0)),
    ),
    "aircraft_last_arrival": View(
        source="arrivals",
        keys=("tailnum",),
        every=30 * MINUTE,
        due=20 * MINUTE,
        wait=10 * MINUTE,
        stale=6 * HOUR,
        reach=7 * DAY,
        columns=("arr_delay", "dest"),
        compute=_aircraft_last_arrival,
        absent=_nothing(*_LAST),
        expired=_nothing(*_LAST),
    ),
    "aircraft_month": View(
        source="arrivals",
        keys=("tailnum",),
        every=DAY,
        due=HOUR,
        wait=10 * MINUTE,
        stale=36 * HOUR,
        reach=30 * DAY,
        columns=("air_time", "arr_delay"),
        compute=_aircraft_month,
        absent=_nothing(*_MONTH, arrivals_30d=0),
        expired=_nothing(*_MONTH),
    ),
    "airport_weather": View(
        source="weather",
        keys=("origin",),
        every=HOUR,
        due=30 * MINUTE,
        wait=20 * MINUTE,
        stale=6 * HOUR,
        reach=3 * HOUR,
        columns=MEASURES,
        compute=_airport_weather,
        absent=_nothing(*MEASURES),
        expired=_nothing(*MEASURES),
    ),
}


# -- arithmetic -----------------------------------------------------------------------------------------


def _since(rows: Rows, start: int) -> Rows:
    return [row for row in rows if row["event"] >= start]


def _present(rows: Rows, column: str) -> list[Any]:
    return [row[column] for row in rows if row[column] is not None]


def _filled(values: Sequence[float | None]) -> list[float]:
    """Each null takes the last value before it; what has none before it stays out."""
    filled: list[float] = []
    for value in values:
        if value is not None:
            filled.append(value)
        elif filled:
            filled.append(filled[-1])
    return filled


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def _f32(value: float | None) -> np.float32 | None:
    return None if value is None else np.float32(value)


def _micros(t: pd.Timestamp) -> int:
    return int(pd.Timestamp(t).as_unit("us").value) // 1000


def _micros_of(times: pd.Series) -> np.ndarray[Any, Any]:
    return times.dt.as_unit("us").astype("int64").to_numpy()
