"""The operations page: Airflow's own commands parse, as Airflow reads them; pictures of all pages are small."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from tests.documents import ROOT, blocks

PAGE = ROOT / "docs" / "operations.md"
PARSE = """
import json, sys
from airflow.cli.cli_parser import get_parser
parser = get_parser()
for words in json.load(sys.stdin):
    parser.parse_args(words)
"""


def airflow_commands() -> list[list[str]]:
    """The arguments of every `airflow ...` and `skewless airflow ...` of the page."""
    lines = [line for block in blocks(PAGE) if block.info == "sh" for line in block.code.splitlines()]
    found = [re.match(r"(?:skewless )?airflow (.*)", line) for line in lines]
    return [shlex.split(match[1]) for match in found if match]


def test_airflows_own_commands_parse(tmp_path: Path) -> None:
    commands = airflow_commands()
    assert len(commands) >= 3
    environment = os.environ | {"AIRFLOW_HOME": str(tmp_path), "AIRFLOW__CORE__UNIT_TEST_MODE": "False"}
    ran = subprocess.run(
        [sys.executable, "-c", PARSE],
        input=json.dumps(commands),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr


def test_every_picture_is_shown_and_small() -> None:
    pictures = sorted((ROOT / "docs" / "images").glob("*.png"))
    pages = [page.read_text("utf-8") for page in (ROOT / "docs").glob("*.md")]
    shown = {name for page in pages for name in re.findall(r"\]\(images/([^)]+)\)", page)}
    assert {picture.name for picture in pictures} == shown
    assert [picture.name for picture in pictures if picture.stat().st_size > 400_000] == []
