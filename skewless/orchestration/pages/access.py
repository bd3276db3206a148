"""Airflow's user and permissions, as the pages ask for them."""

from __future__ import annotations

from urllib.parse import quote

from airflow.api_fastapi.app import API_ROOT_PATH, get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag, requires_access_view
from fastapi import Request

from skewless.orchestration.pages.addresses import dag_id
from skewless.orchestration.pages.app import Access


def _readable(user: GetUserDep) -> set[str]:
    """The DAGs that the user may read. Airflow's own dependency asks its own application's state for the manager."""
    return get_auth_manager().get_authorized_dag_ids(user=user, method="GET")


def _demand(view: str, request: Request, user: GetUserDep) -> None:
    """403 unless the user may read the view's DAG."""
    requires_access_dag("GET", param_dag_id=dag_id(view))(request, user)


def _login(address: str) -> str:
    """Airflow's login, which comes back to the address."""
    return f"{API_ROOT_PATH}api/v2/auth/login?next={quote(address, safe='')}"


def airflow_access() -> Access:
    """Who may see what: whoever may see Airflow's website, and of that the DAGs that he may read."""
    return Access(
        user=requires_access_view(AccessView.WEBSITE), readable=_readable, demand=_demand, login=_login
    )
