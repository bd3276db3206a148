"""A small client of Airflow's REST API, with the login of this machine's Airflow."""

from __future__ import annotations

from typing import Any, Self

import httpx

from skewless.errors import SetupError, UsageError
from skewless.local.airflow_login import login
from skewless.settings import Settings


class AirflowApi:
    """Airflow's REST API v2: paths as `dags/features.shop/dagRuns`, answers as Python values.

    SetupError   Airflow does not answer, or fails
    UsageError   it refuses what was asked; the message has Airflow's own reason
    """

    def __init__(self, settings: Settings) -> None:
        """Connect at the first call."""
        self._address = settings.airflow_url.rstrip("/")
        self._login = login(settings)
        self._client = httpx.Client(base_url=self._address, timeout=60, trust_env=False)

    def __enter__(self) -> Self:
        """Give the client itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections, for good."""
        self._client.close()

    def get(self, path: str, **query: Any) -> Any:
        """Read a resource."""
        return self._ask("GET", path, params=query)

    def post(self, path: str, body: Any) -> Any:
        """Make a resource."""
        return self._ask("POST", path, json=body)

    def patch(self, path: str, body: Any, **query: Any) -> Any:
        """Change a resource."""
        return self._ask("PATCH", path, json=body, params=query)

    def delete(self, path: str) -> None:
        """Remove a resource."""
        self._ask("DELETE", path)

    def health(self) -> dict[str, Any] | None:
        """Give what Airflow says of its own parts, which needs no login; None when it does not answer."""
        try:
            answer = self._client.get("/api/v2/monitor/health", timeout=10)
            health: dict[str, Any] = answer.raise_for_status().json()
        except (httpx.HTTPError, ValueError):
            return None
        return health

    def _ask(self, method: str, path: str, **given: Any) -> Any:
        answer = self._send(method, f"/api/v2/{path}", **given)
        if answer.status_code == httpx.codes.UNAUTHORIZED:  # no token yet, or one of earlier secrets
            self._log_in()
            answer = self._send(method, f"/api/v2/{path}", **given)
        self._demand_success(answer, f"{method} {path}")
        return answer.json() if answer.content else None

    def _log_in(self) -> None:
        self._client.headers.pop("Authorization", None)
        who = {"username": self._login.user, "password": self._login.password}
        answer = self._send("POST", "/auth/token", json=who)
        self._demand_success(answer, "login")
        self._client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def _send(self, method: str, path: str, **given: Any) -> httpx.Response:
        try:
            return self._client.request(method, path, **given)
        except httpx.HTTPError as error:
            raise SetupError(
                f"Airflow does not answer at {self._address} ({error}); start it with `skewless up --airflow`, "
                "or correct the setting airflow_url"
            ) from error

    def _demand_success(self, answer: httpx.Response, asked: str) -> None:
        if answer.is_success:
            return
        told = f"Airflow refused {asked}: {_detail(answer)} (status {answer.status_code})"
        raise SetupError(told) if answer.is_server_error else UsageError(told)


def _detail(answer: httpx.Response) -> str:
    """Airflow's reason in words; a list of wrong fields becomes a line of them."""
    try:
        detail = answer.json()["detail"]
    except (ValueError, KeyError, TypeError):
        return answer.text[:500]
    if isinstance(detail, list):
        return "; ".join(f"{'.'.join(map(str, part['loc']))}: {part['msg']}" for part in detail)
    return str(detail["reason"] if isinstance(detail, dict) and "reason" in detail else detail)
