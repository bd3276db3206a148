"""What the readers of all languages are held to, published once for the whole run."""

from __future__ import annotations

import pytest

from tests.clients.oracle_rows import Published, publish_corpus


@pytest.fixture(scope="session")
def published(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Published:
    """Every view of the corpus, published twice, and what the oracle says of each entity."""
    made = publish_corpus(redis_url, tmp_path_factory.mktemp("corpus"))
    assert sum(len(case["rows"]) for case in made.cases) > 300
    return made
