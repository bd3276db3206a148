"""What `make bench` measures on a server: at a small size all answers are right, and every target is measured."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from benchmarks.online.cases import ONLINE
from tests.documents import ROOT

CASES = ("publish_full", "publish_5pct", "memory", "lookup_python", "drift")
READ = ("mixed lookups", "rows missing", "rows of no snapshot")


@pytest.mark.long
def test_every_answer_is_right_and_every_target_is_measured(tmp_path: Path) -> None:
    subprocess.run([ROOT / "benchmarks" / "setup.sh"], check=True)
    command = [".venv-bench/bin/python", "-m", "benchmarks", "--scale=small", "--runs=1"]
    command += [f"--json={tmp_path / 'found.json'}", *(f"--case={name}" for name in CASES)]
    subprocess.run(command, cwd=ROOT, check=True)
    found = json.loads((tmp_path / "found.json").read_text("utf-8"))["cases"]
    assert {name: case["failures"] for name, case in found.items()} == {name: {} for name in CASES}
    for name in CASES:
        assert len(found[name]["targets"]) == len(ONLINE[name].targets)
        assert [target["words"] for target in found[name]["targets"] if target["reached"] is None] == []
    assert {target["words"]: target["reached"] for target in found["drift"]["targets"]} == dict.fromkeys(
        READ, 0
    )
