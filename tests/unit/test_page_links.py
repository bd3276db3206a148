"""The buttons on tasks that lead to the pages, and where the plugin puts the pages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from skewless.orchestration.pages.links import GenerationLink, VerdictLink
from skewless.orchestration.pages.mounted import external_views

END = datetime(2026, 11, 24, 13, tzinfo=UTC)


@dataclass
class Running:
    """A task instance as its runner has it."""

    dag_id: str
    end: datetime | None

    def get_template_context(self) -> dict[str, Any]:
        return {"data_interval_end": self.end}


def link(dag_id: str, end: datetime | None = END) -> str:
    return VerdictLink().get_link(None, ti_key=Running(dag_id, end))  # type: ignore[arg-type]


def test_a_task_links_to_the_snapshot_of_its_interval_inside_airflows_frame(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "http://127.0.0.1:8080")
    assert link("features.shop") == "/plugin/skewless/skewless/views/shop/2026-11-24T13:00:00Z"


def test_links_stay_below_the_path_that_airflow_lives_under(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://data.example/airflow/")
    assert link("features.shop").startswith("/airflow/plugin/skewless/airflow/skewless/views/shop/")
    assert [view["href"] for view in external_views("https://data.example/airflow/")] == [
        "/airflow/skewless/views",
        "/airflow/skewless/dags/{DAG_ID}",
    ]


def test_a_run_without_an_interval_and_a_dag_of_no_view_have_no_link():
    assert link("features.shop", None) == ""
    assert link("training.fraud") == ""


def test_each_link_keeps_its_address_under_a_key_of_its_own():
    assert VerdictLink().xcom_key != GenerationLink().xcom_key
    assert (VerdictLink().name, GenerationLink().name) == ("Verdict", "Generation")
