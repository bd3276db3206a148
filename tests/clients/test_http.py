"""`skewless serve` answers the golden cases, and describes itself as it is."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from skewless import types
from skewless.model import FeatureView, Field
from skewless.online.services import put_service
from skewless.timeline import to_micros
from tests.clients.golden import CASES, NAMESPACE, entities_of, load_store, rows_of
from tests.clients.oracle_rows import Published
from tests.clients.serving import Service, serving, told
from tests.clients.test_python import DTYPES
from tests.corpus import corpus
from tests.documents import ROOT, blocks
from tests.redis.stage import SOURCE, USER, Stage, ago
from tests.redis.topologies import until
from tests.spark.corpus_store import definition

RIGHT = [case for case in CASES if "rows" in case]
WRONG = [case for case in CASES if "error" in case]
STATUS = {"usage": 400, "not_published": 404, "unreadable": 502}
USERS = 700  # more than one command has
TRANSACTIONS = FeatureView(
    name="transaction_stats",
    entities=[USER],
    source=SOURCE,
    schema=[
        Field(name="avg_transactions_1h", dtype=types.Float32),
        Field(name="last_at", dtype=types.Timestamp),
    ],
)


@pytest.fixture(scope="module")
def golden(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    load_store(redis_url)
    with serving(redis_url, NAMESPACE, tmp_path_factory.mktemp("golden"), "--timeout", "60") as service:
        yield service


@pytest.fixture
def stage(redis_url: str, tmp_path: Path) -> Iterator[Stage]:
    made = Stage(redis_url, tmp_path)
    yield made
    made.close()


# -- the golden cases -------------------------------------------------------------------------------------


def value_of(name: str, value: Any) -> Any:
    return told(DTYPES[name.partition("__")[2]], value)


@pytest.mark.parametrize("case", RIGHT, ids=lambda case: case["name"])
def test_rows_are_as_told(case: dict[str, Any], golden: Service) -> None:
    asked = {"features": case["features"], "entities": entities_of(case), "explain": True}
    answer = golden.ask(asked)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    expected = rows_of(case)
    got = [{name: value_of(name, row[name]) for name in row if "__" in name} for row in answer.json["rows"]]
    assert got == expected
    assert [list(row) for row in got] == [list(row) for row in expected]
    own = [{name: row[name] for name in row if "__" not in name} for row in answer.json["rows"]]
    assert own == asked["entities"]
    for view, served in case.get("views", {}).items():
        found = answer.json["views"][view]
        instant = told(types.Timestamp, found["snapshot_time"])[1]
        assert (found["generation"], instant, found["state"]) == (*served.values(),)


@pytest.mark.parametrize("case", RIGHT, ids=lambda case: case["name"])
def test_columns_are_the_rows_turned(case: dict[str, Any], golden: Service) -> None:
    answer = golden.ask({"features": case["features"], "entities": entities_of(case), "layout": "columns"})
    assert list(answer.json) == ["columns"]
    columns = {
        name: [value_of(name, value) for value in column] for name, column in answer.json["columns"].items()
    }
    rows = rows_of(case)
    assert [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)] == rows
    assert not rows or list(columns) == list(rows[0])


@pytest.mark.parametrize("case", WRONG, ids=lambda case: case["name"])
def test_what_is_wrong_is_told(case: dict[str, Any], golden: Service) -> None:
    answer = golden.ask({"features": case["features"], "entities": entities_of(case)})
    assert (answer.status, answer.headers["content-type"]) == (
        STATUS[case["error"]],
        "application/problem+json",
    )
    problem = answer.json
    assert (problem["type"], problem["status"]) == (case["error"], answer.status)
    assert all(text in problem["detail"] for text in case["mentions"])


def test_it_gives_what_the_oracle_says(published: Published, redis_url: str, tmp_path: Path) -> None:
    views = {view.name: definition(view) for view in corpus().views}
    with serving(redis_url, published.namespace, tmp_path) as service:
        for case in published.cases:
            view = views[case["features"][0].partition(":")[0]]
            rows = service.ask({"features": case["features"], "entities": case["entities"]}).json["rows"]
            got = [
                {
                    f"{view.name}__{field.name}": told(field.dtype, row[f"{view.name}__{field.name}"])
                    for field in view.schema
                }
                for row in rows
            ]
            assert got == rows_of(case)


# -- ways to ask ------------------------------------------------------------------------------------------


def test_entities_may_be_columns_or_one(golden: Service) -> None:
    features = ["all:small", "plain:score"]
    rows = golden.ask({"features": features, "entities": [{"user_id": 1}, {"user_id": 18}]})
    columns = golden.ask({"features": features, "entities": {"user_id": [1, 18]}})
    assert rows.json == columns.json
    assert len(rows.json["rows"]) == 2
    one = golden.ask({"features": features, "entities": {"user_id": 1}})
    assert one.json["rows"] == rows.json["rows"][:1]


def test_what_came_with_an_entity_goes_back_with_it(golden: Service) -> None:
    entity = {"user_id": 1, "note": [{"deep": None}, "null", 1e300, 10**30, -0.0], "é": True}
    answer = golden.ask({"features": ["plain:score"], "entities": [entity]})
    assert answer.json["rows"] == [entity | {"plain__score": 0.5}]
    twice = golden.ask({"features": ["plain:score"], "entities": [entity | {"plain__score": 1}]})
    assert twice.status == 400
    assert "has a column 'plain__score' already" in twice.json["detail"]


def test_no_number_is_a_null_beside_nulls(golden: Service) -> None:
    """The encoder writes NaN as null: a null elsewhere must not hide it, nor it a null."""
    asked = {"features": ["all:ratio", "all:exacts"], "entities": [{"user_id": -4}, {"user_id": 2}]}
    first, second = golden.ask(asked).json["rows"]
    assert (first["all__ratio"], first["all__exacts"][:2]) == ("NaN", ["NaN", None])
    assert (second["all__ratio"], second["all__exacts"]) == (None, None)


def test_explained_is_what_the_reader_says(stage: Stage, tmp_path: Path) -> None:
    stage.publish_mark(1, ago(hours=3), users=3)
    with serving(stage.redis_url, stage.namespace, tmp_path) as service:
        asked = {"features": ["stats:mark"], "entities": {"user_id": 1}, "explain": True}
        found = service.ask(asked).json["views"]["stats"]
    served = stage.reader.read(["stats:mark"], {"user_id": 1}).views["stats"]
    assert (found["generation"], found["flip"], found["state"]) == (1, served.flip, "live")
    assert told(types.Timestamp, found["snapshot_time"]) == ("timestamp", to_micros(served.snapshot_time))
    assert 3 * 3600 < found["age_seconds"] <= served.age.total_seconds()


# -- many at a time ---------------------------------------------------------------------------------------


def test_a_hundred_at_a_time_see_one_generation_each(stage: Stage, tmp_path: Path) -> None:
    stage.publish_mark(1, ago(hours=30), users=USERS)
    asked = {"features": ["stats:mark"], "entities": {"user_id": list(range(USERS))}, "explain": True}
    over, seen = threading.Event(), set[int]()

    def ask(service: Service) -> None:
        while not over.is_set():
            answer = service.ask(asked)
            assert answer.status == 200, answer.text
            generation = answer.json["views"]["stats"]["generation"]
            assert {row["stats__mark"] for row in answer.json["rows"]} == {generation}
            seen.add(generation)

    with (
        serving(stage.redis_url, stage.namespace, tmp_path, "--timeout", "60") as service,
        ThreadPoolExecutor(100) as pool,
    ):
        asking = [pool.submit(ask, service) for _ in range(100)]
        for mark in range(1, 5):
            until(lambda mark=mark: mark in seen or any(each.done() for each in asking), f"{mark} is seen")
            stage.publish_mark(mark + 1, ago(hours=29 - mark), users=USERS)
        over.set()
        for each in asking:
            each.result()
    assert seen >= {1, 2, 3, 4}


def test_it_starts_in_little_time(redis_url: str, tmp_path: Path) -> None:
    """As the processor counts it, so that others on the machine do not."""
    with serving(redis_url, NAMESPACE, tmp_path) as service:
        assert service.get("/health").text == "ok\n"
        stat = Path(f"/proc/{service.process.pid}/stat").read_text().rpartition(")")[2].split()
        loaded = Path(f"/proc/{service.process.pid}/maps").read_text()
    assert sum(map(int, stat[11:13])) / os.sysconf("SC_CLK_TCK") < 2
    assert not [name for name in ("deltalake", "pyarrow", "pyspark", "sqlglot") if f"/{name}/" in loaded]


# -- what it says of itself -------------------------------------------------------------------------------


@pytest.fixture
def transactions(redis_url: str, tmp_path: Path) -> Iterator[Service]:
    stage = Stage(redis_url, tmp_path, TRANSACTIONS)
    stage.publish_rows([(7, 2.5, ago(hours=5)), (8, 0.1, None)], ago(hours=1))
    put_service(redis_url, stage.namespace, "fraud_v1", ["transaction_stats:avg_transactions_1h"])
    stage.close()
    with serving(redis_url, stage.namespace, tmp_path) as service:
        yield service


def test_its_description_is_openapi_and_its_examples_work(transactions: Service) -> None:
    described = transactions.get("/openapi.json").json
    OpenAPIV31SpecValidator(described).validate()
    assert set(described["paths"]) == {"/v1/features", "/health", "/ready", "/metrics"}
    post = described["paths"]["/v1/features"]["post"]
    examples = post["requestBody"]["content"]["application/json"]["examples"]
    assert len(examples) == 3
    for example in examples.values():
        answer = transactions.ask(example["value"])
        assert answer.status == 200, answer.text
        keys = {"columns" if "layout" in example["value"] else "rows"}
        assert set(answer.json) == keys | ({"views"} if "explain" in example["value"] else set())
    told_codes = set(post["responses"])
    assert told_codes == {"200", "400", "401", "404", "405", "408", "413", "500", "502", "503", "504"}


def test_the_page_about_it_is_right(transactions: Service, tmp_path: Path) -> None:
    found = list(blocks(ROOT / "docs" / "http.md"))
    pairs = [(asked, answered) for asked, answered in pairwise(found) if "curl" in asked.code]
    assert len(pairs) >= 4
    for asked, answered in pairs:
        script = asked.code.replace("http://127.0.0.1:8090", transactions.url)
        ran = subprocess.run(["sh", "-euc", script], cwd=tmp_path, capture_output=True, text=True, check=True)
        assert masked(json.loads(ran.stdout)) == masked(json.loads(answered.code)), asked.code


def masked(value: Any) -> Any:
    """Without what is another thing at each publish."""
    if isinstance(value, dict):
        changing = ("flip", "snapshot_time", "age_seconds")
        return {name: "" if name in changing else masked(item) for name, item in value.items()}
    return [masked(item) for item in value] if isinstance(value, list) else value
