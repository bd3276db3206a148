"""Airflow's user and permissions, as the pages ask for them."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from fastapi import Depends, Request

from skewless.orchestration.pages.addresses import dag_id
from skewless.orchestration.pages.app import Access


def airflow_access() -> Access:
    """Who may see what: whoever may see Airflow's website, and of that the DAGs that he may read.

    Airflow's server is imported here: it is heavy, and reads Airflow's configuration.
    """
    from airflow.api_fastapi.app import API_ROOT_PATH, get_auth_manager
    from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
    from airflow.api_fastapi.core_api.security import get_user, requires_access_dag, requires_access_view

    logged_in = Depends(get_user)

    def readable(user: Any = logged_in) -> set[str]:
        # Airflow's own dependency for this looks for the manager in the state of Airflow's application, not of ours.
        return get_auth_manager().get_authorized_dag_ids(user=user, method="GET")

    def demand(view: str, request: Request, user: Any = logged_in) -> None:
        requires_access_dag("GET", param_dag_id=dag_id(view))(request, user)

    def login(address: str) -> str:
        return f"{API_ROOT_PATH}api/v2/auth/login?next={quote(address, safe='')}"

    return Access(
        user=requires_access_view(AccessView.WEBSITE), readable=readable, demand=demand, login=login
    )
