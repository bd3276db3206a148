"""The scripts on the server: each is atomic, and changes nothing when it refuses."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

from skewless.errors import PublishRefused
from skewless.online.connection import Session
from skewless.online.keys import ViewKeys

ALLOW_OOM = ("rollback", "expire", "hold")

REFUSALS = {
    "held": "the view is held; `skewless release {view}` lets publishes through again",
    "moved": "somebody changed what is live meanwhile; look at `skewless status` and run it again",
    "superseded": "a later publish, rollback, expire or hold ended this one; readers see what that one left",
    "not_due": "the snapshot is not due yet by the server's clock; run it again from {due}",
    "older": "a newer snapshot, or a newer revision of this one, is live; the online store never goes "
    "backwards by itself (`skewless rollback {view}` does)",
    "not_published": "nothing is live; publish the view first",
    "no_previous": "there is no previous generation to go back to; publish the right revision as a rollback",
    "dirty_epoch": "a publish touched the previous generation's rows; publish that revision as a rollback",
    "format": "its pointer is of another format, or not ours; use the skewless that published it, or another "
    "namespace",
}


def run(session: Session, script: str, keys: ViewKeys, *args: object, due: str = "it is due") -> list[str]:
    """Run a script and give its answer; PublishRefused, with the script's code, when it refused."""
    reply = session.call(
        "EVAL", text(script), len(keys.scripted), *keys.scripted, *(_argument(arg) for arg in args)
    )
    code, *answer = [part.decode() for part in reply]
    if code != "ok":
        raise refusal(code, script, keys.view, due)
    return answer


def refusal(code: str, script: str, view: str, due: str = "it is due") -> PublishRefused:
    """Say what was refused, why, and what to do."""
    return PublishRefused(
        code, f"{script} of {view!r} was refused: {REFUSALS[code].format(view=view, due=due)}"
    )


@cache
def text(script: str) -> str:
    """The whole text of a script, as the server runs it."""
    folder = resources.files("skewless.online") / "lua"
    shebang = "#!lua flags=allow-oom" if script in ALLOW_OOM else "#!lua"
    return "\n".join([shebang, *((folder / f"{part}.lua").read_text("utf-8") for part in ("common", script))])


def _argument(value: Any) -> Any:
    """As the scripts read it: None is '', true and false are 1 and 0."""
    return "" if value is None else int(value) if isinstance(value, bool) else value
