"""The workspace of one request: the good definitions as they are now, and what is wrong with the others."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from skewless.errors import Problem, SetupError, UsageError
from skewless.settings import Settings, load_settings
from skewless.workspace import Workspace

# A page says "unreachable" rather than make a person wait; these win over others, for the last of a name counts.
_QUICK = "socket_connect_timeout=1&socket_timeout=2"


@dataclass(frozen=True, slots=True)
class Opened:
    """The good definitions, and the mistakes in the rest."""

    workspace: Workspace
    problems: tuple[Problem, ...] = ()


def opener(folder: Path) -> Callable[[], Opened]:
    """Give what opens a project's definitions as they are now, with the settings that a command in its folder has.

    Settings are read once, definitions every time: that takes milliseconds, for they import nothing but skewless.
    SetupError, from what is given, where it is impossible.
    """

    @cache
    def settings() -> Settings:
        with contextlib.chdir(folder):
            return impatient(load_settings())

    def opened() -> Opened:
        problems: list[Problem] = []
        try:
            workspace = Workspace.open_what_is_good(settings(), problems.append)
        except UsageError as error:  # of whoever set the server up, not of whoever asks for the page
            raise SetupError(str(error)) from error
        return Opened(workspace, tuple(problems))

    return opened


def impatient(settings: Settings) -> Settings:
    """The settings, with an online store that is given up after a second or two.

    >>> impatient(load_settings(redis_url="redis://127.0.0.1:6380/0")).redis_url
    'redis://127.0.0.1:6380/0?socket_connect_timeout=1&socket_timeout=2'
    """
    url = settings.redis_url
    return settings.model_copy(update={"redis_url": f"{url}{'&' if '?' in url else '?'}{_QUICK}"})
