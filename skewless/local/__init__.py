"""The services that Skewless runs on this machine: an embedded Valkey and a warm Spark Connect server."""

from __future__ import annotations

from skewless.local.services import Service, down, status, up
from skewless.local.session import session_url

__all__ = ["Service", "down", "session_url", "status", "up"]
