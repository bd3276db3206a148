"""The definitions under which a view was built: kept by fingerprint, so that a change can be told in words."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from typing import Any

import pyarrow as pa

from skewless.errors import DataError
from skewless.ledger.delta import append_rows, failing_as, open_table
from skewless.model import FeatureView
from skewless.plan.fingerprint import canonical, definition_fingerprint, view_definition
from skewless.timeline import Clock, utc

SCHEMA = pa.schema(
    [
        pa.field("fingerprint", pa.string(), nullable=False),
        pa.field("recorded_at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("definition", pa.string(), nullable=False),
    ]
)
_ADVICE = "Repair access to that folder, or move it away and build again: a build writes its definition anew"


class Definitions:
    """What decided one view's values, by fingerprint, in a Delta table at `uri`; the first build makes it."""

    def __init__(self, uri: str, clock: Clock) -> None:
        """Nothing is opened or made yet."""
        self.uri = str(uri)
        self._clock = clock

    def read(self) -> dict[str, dict[str, Any]]:
        """Every definition that is kept, by its fingerprint; DataError where the table cannot be read."""
        with self._failing("read"):
            table = open_table(self.uri)
            rows = [] if table is None else table.to_pyarrow_table().to_pylist()
            return {row["fingerprint"]: json.loads(row["definition"]) for row in rows}

    def keep(self, view: FeatureView) -> None:
        """Keep the view's present definition, unless it is there; DataError where it cannot be written."""
        definition = view_definition(view)
        named = definition_fingerprint(definition)
        if named in self.read():
            return
        row = {
            "fingerprint": named,
            "recorded_at": utc(self._clock.now()),
            "definition": canonical(definition),
        }
        with self._failing("written"):
            append_rows(self.uri, pa.Table.from_pylist([row], schema=SCHEMA))

    def _failing(self, verb: str) -> AbstractContextManager[None]:
        return failing_as(DataError, f"the definitions at {self.uri} cannot be {verb}", _ADVICE)
