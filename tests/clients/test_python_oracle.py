"""The Python reader gives, from a live server, what the oracle says."""

from __future__ import annotations

from skewless.online.reader import OnlineReader
from tests.clients.golden import rows_of
from tests.clients.oracle_rows import Published, tagged_row
from tests.corpus import corpus
from tests.spark.corpus_store import definition

VIEWS = {view.name: definition(view) for view in corpus().views}


def test_python_gives_what_the_oracle_says(published: Published, redis_url: str) -> None:
    reader = OnlineReader(redis_url, published.namespace)
    for case in published.cases:
        view = VIEWS[case["features"][0].partition(":")[0]]
        rows = reader.get(case["features"], case["entities"])
        values = [[row[f"{view.name}__{field}"] for field in view.fields] for row in rows]
        assert rows_of({"rows": [tagged_row(view, tuple(row)) for row in values]}) == rows_of(case)
    reader.close()
