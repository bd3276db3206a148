"""The readers of every language give, from one live server, what the oracle says."""

from __future__ import annotations

import pytest

from skewless.online.reader import OnlineReader
from tests.clients.golden import rows_of
from tests.clients.oracle_rows import Published, publish_corpus, tagged_row
from tests.corpus import corpus
from tests.spark.corpus_store import definition

VIEWS = {view.name: definition(view) for view in corpus().views}


@pytest.fixture(scope="module")
def published(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Published:
    made = publish_corpus(redis_url, tmp_path_factory.mktemp("corpus"))
    assert sum(len(case["rows"]) for case in made.cases) > 300
    return made


def test_python(published: Published, redis_url: str) -> None:
    reader = OnlineReader(redis_url, published.namespace)
    for case in published.cases:
        view = VIEWS[case["features"][0].partition(":")[0]]
        rows = reader.get(case["features"], case["entities"])
        values = [[row[f"{view.name}__{field}"] for field in view.fields] for row in rows]
        assert rows_of({"rows": [tagged_row(view, tuple(row)) for row in values]}) == rows_of(case)
    reader.close()
