"""What `skewless serve` counts is what it did, to the last entity."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from skewless.online.operations import expire
from skewless.online.services import put_service
from tests.clients.golden import NAMESPACE, load_store
from tests.clients.serving import Service, serving
from tests.redis.stage import Stage, ago, marked

Numbers = dict[str, float]
Start = Callable[[str, str, Path], AbstractContextManager[Service]]


def numbers(service: Service) -> Numbers:
    """By name and label, what has been counted."""
    families = text_string_to_metric_families(service.get("/metrics").text)
    return {
        " ".join([sample.name, *sample.labels.values()]): sample.value
        for family in families
        for sample in family.samples
    }


@pytest.fixture(params=["1", pytest.param("2", marks=pytest.mark.slow)], ids="processes: {}".format)
def start(request: pytest.FixtureRequest) -> Start:
    return lambda url, namespace, folder: serving(url, namespace, folder, "--workers", request.param)


def test_requests_and_entities_are_counted(redis_url: str, tmp_path: Path, start: Start) -> None:
    load_store(redis_url)
    with start(redis_url, NAMESPACE, tmp_path) as service:
        users = [
            {"user_id": user} for user in (1, None, 11, 13, 14, 15, 18)
        ]  # three of them are absent, and the null
        for asked in range(5):
            with service.alone(asked % 2):
                answer = service.ask({"features": ["all:small", "all:word"], "entities": users})
            assert [row["all__small"] for row in answer.json["rows"]] == [7, 0, 7, 0, 0, 7, 0]
        service.ask({"features": ["expired:score", "all:word"], "entities": users[:3], "layout": "columns"})
        service.ask({"features": ["trip"], "entities": {"origin": "JFK", "dest": "nowhere", "day": 0}})
        for wrong in ({"features": ["plain:scor"], "entities": users}, {}):
            assert service.ask(wrong).status == 400
        assert service.ask({"features": ["nothing:score"], "entities": users}).status == 404
        assert service.get("/v1/features").status == 405
        found = numbers(service)
    expected = {
        "skewless_requests_total 200": 7,
        "skewless_requests_total 400": 2,
        "skewless_requests_total 404": 1,
        "skewless_requests_total 405": 1,
        "skewless_request_seconds_count": 11,
        "skewless_request_seconds_bucket +Inf": 11,
        "skewless_entities_total all": 5 * 7 + 3,
        "skewless_absent_total all": 5 * 4 + 1,
        "skewless_expired_total all": 0,
        "skewless_entities_total expired": 3,
        "skewless_absent_total expired": 0,
        "skewless_expired_total expired": 3,
        "skewless_entities_total pairs": 1,
        "skewless_entities_total from": 1,
        "skewless_entities_total to": 1,
        "skewless_absent_total pairs": 0,
        "skewless_absent_total to": 1,
        "skewless_generation all": 5,
        "skewless_snapshot_time_seconds all": 1_700_000_000,
    }
    assert {name: found.get(name) for name in expected} == expected
    assert not [name for name in found if name.endswith((" plain", " nothing"))]
    age = found["skewless_snapshot_age_seconds all"]
    assert 0 <= time.time() - 1_700_000_000 - age < 60
    assert 0 < found["skewless_request_seconds_sum"] < 60


def test_a_new_generation_and_an_expiry_show(redis_url: str, tmp_path: Path, start: Start) -> None:
    stage = Stage(redis_url, tmp_path)
    like_absent = (3, None, np.float32(0.1), None)
    stage.publish_rows([*marked(1, users=3), like_absent], ago(hours=30))
    put_service(redis_url, stage.namespace, "marks", ["stats:mark"])
    with start(redis_url, stage.namespace, tmp_path) as service:

        def asked_six_times(process: int) -> Numbers:
            with service.alone(process):
                for _ in range(6):
                    entities = {"user_id": [0, 1, 2, 3, 4]}
                    assert service.ask({"features": ["marks"], "entities": entities}).status == 200
            return numbers(service)

        before = asked_six_times(process=0)
        stage.publish_rows([*marked(2, users=3), like_absent], ago(hours=2))
        middle = asked_six_times(process=1)
        expire(stage.place)
        after = asked_six_times(process=0)
    stage.close()
    names = ("generation", "entities_total", "absent_total", "expired_total")
    told = [[found[f"skewless_{name} stats"] for name in names] for found in (before, middle, after)]
    assert told == [[1, 30, 6, 0], [2, 60, 12, 0], [2, 90, 12, 30]]
    ages = [found["skewless_snapshot_age_seconds stats"] for found in (before, middle, after)]
    assert 30 <= ages[0] / 3600 < 30.1
    assert 2 <= ages[1] / 3600 < 2.1
    assert ages[1] < ages[2]


@pytest.mark.slow
def test_several_processes_leave_no_files(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with serving(redis_url, NAMESPACE, tmp_path, "--workers", "2") as service:
        service.get("/metrics")
        assert list(tmp_path.glob("skewless-metrics-*"))
        assert service.end() == 143
    assert not list(tmp_path.glob("skewless-metrics-*"))
