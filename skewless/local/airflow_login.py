"""Who enters this machine's Airflow, and where the password is kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from skewless.errors import SetupError
from skewless.settings import Settings


class Login(NamedTuple):
    """Who enters Airflow's pages and API, and where the password is kept."""

    user: str
    file: Path

    @property
    def password(self) -> str:
        """The password; SetupError when Airflow was never started here."""
        try:
            return str(json.loads(self.file.read_text("utf-8"))[self.user])
        except (OSError, ValueError, KeyError) as error:
            raise SetupError(
                f"no password in {self.file}; start Airflow with `skewless up --airflow`"
            ) from error


def login(settings: Settings) -> Login:
    """Give the login of this machine's Airflow."""
    return Login("admin", settings.home / "airflow" / "passwords.json")
