"""Buttons on a task in Airflow's UI that lead to the snapshot it worked on.

A task's runner computes them when the task ends, well or badly, and leaves them as XCom `_link_<class>`; the server
reads them there. So an operator that lists them among its `operator_extra_links` needs no registration.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow.configuration import conf
from airflow.sdk.bases.operatorlink import BaseOperatorLink

from skewless.orchestration.pages.addresses import framed, snapshot_page, view_of

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


class _SnapshotLink(BaseOperatorLink):
    """The page of the snapshot that the run's interval ends with; no link for a run that has no interval."""

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """The address, in the frame of Airflow's UI; empty where there is none."""
        running: Any = ti_key  # the runner gives the whole task instance in the key's place
        end, view = running.get_template_context().get("data_interval_end"), view_of(running.dag_id)
        if end is None or view is None:
            return ""
        root = urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/")
        return framed(snapshot_page(view, end), root)


class VerdictLink(_SnapshotLink):
    """To what the checks said: for the task `check`."""

    name = "Verdict"


class GenerationLink(_SnapshotLink):
    """To what became of the snapshot: for the task `publish`."""

    name = "Generation"
