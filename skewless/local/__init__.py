"""The services that Skewless runs on this machine: Valkey, a warm Spark Connect server, and Airflow."""

from __future__ import annotations

from skewless.local.airflow_login import Login, login
from skewless.local.services import Service, down, status, up
from skewless.local.session import session_url

__all__ = ["Login", "Service", "down", "login", "session_url", "status", "up"]
