"""The page on the format is enough to write a reader: the one that it shows reads what we publish."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from skewless.online.operations import expire
from skewless.online.scripts import REFUSALS
from tests.redis.stage import Stage, ago

PAGE = (Path(__file__).parents[2] / "docs" / "online-format.md").read_text("utf-8")


def shown_reader(stage: Stage) -> Any:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(code, "docs/online-format.md", "exec"), names)
    return names["Reader"](stage.server, stage.namespace, "stats")


def test_the_reader_of_the_page_reads_what_is_published(stage: Stage) -> None:
    reader = shown_reader(stage)
    with pytest.raises(LookupError, match="not published"):
        reader.read([[1]])
    for mark in (1, 2):
        stage.publish_mark(mark, ago(hours=5 - mark))
        rows = reader.read([[user] for user in range(1200)])
        assert {row["mark"] for row in rows} == {mark}
        assert rows == [
            {name.removeprefix("stats__"): value for name, value in row.items() if name != "user_id"}
            for row in stage.reader.get(
                ["stats:mark", "stats:share", "stats:word"], [{"user_id": user} for user in range(1200)]
            )
        ]
        assert reader.read([[5000]])[0]["mark"] is None
    expire(stage.place)
    assert {row["mark"] for row in reader.read([[user] for user in range(1200)])} == {None}


def test_every_refusal_is_on_the_page() -> None:
    assert [code for code in REFUSALS if f"`{code}`" not in PAGE] == []
