"""What `make bench` compares: peers, whose packages are not ours, give the right answers at a small size."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from benchmarks.cases import CASES
from tests.documents import ROOT

PEERS = ("Feast", "DuckDB", "Polars")
JOINS = ("join_10m_1m", "join_10m_5m_3views", "hot_key")


@pytest.mark.slow
def test_every_peer_gives_the_right_answer(tmp_path: Path) -> None:
    subprocess.run([ROOT / "benchmarks" / "setup.sh"], check=True)
    command = [".venv-bench/bin/python", "-m", "benchmarks", "--scale=small", "--runs=1"]
    command += [
        f"--json={tmp_path / 'found.json'}",
        "--case=windows_10m",
        *(f"--case={name}" for name in JOINS),
    ]
    subprocess.run([*command, *(f"--only={peer}" for peer in PEERS)], cwd=ROOT, check=True)
    found = {
        (case, name): entry["failure"] or entry["answer"]
        for case, measured in json.loads((tmp_path / "found.json").read_text("utf-8"))["cases"].items()
        for name, entry in measured["entries"].items()
    }
    asked = {(case, name) for case in JOINS for name in CASES[case].entries if name.startswith(PEERS)}
    nearly = found.pop(("windows_10m", "Polars prefix sums (floats)"))
    assert "sums are not the exact ones" in nearly
    assert found == dict.fromkeys(asked, "every bit")
