"""The notebook: as it is kept it has run, and run again it says what its prose says."""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import nbformat
import numpy as np
import pytest
from matplotlib.image import imread

from examples.load import load
from skewless.settings import Settings
from tests.documents import ROOT

NOTEBOOK = ROOT / "notebooks" / "train_delays.ipynb"
PLOTS = ("day", "curves")
NOW = datetime(2030, 1, 2, 9, tzinfo=UTC)
TABLES = ("departures", "arrivals", "weather", "flights_spine")

# Run after the notebook's own cells: what came of them.
FINDINGS = """
import json
print(json.dumps({
    "scores": scores.to_dict("index"),
    "flights": len(honest),
    "fitted": int((honest.event_timestamp < split).sum()),
    "in_table": len(rows),
    "compared": list(a.shape),
    "differing": differing,
}))
"""


def images(cells: Sequence[Any]) -> dict[str, bytes]:
    """The pictures of a notebook, by the cell that drew them."""
    return {
        cell.id: base64.b64decode(output.data["image/png"])
        for cell in cells
        for output in cell.get("outputs", ())
        if "image/png" in output.get("data", {})
    }


def inked(picture: bytes) -> int:
    """How many pixels of a picture have a colour: frames, texts and grids are grey."""
    rgb = imread(io.BytesIO(picture))[..., :3]
    return int(np.count_nonzero(np.ptp(rgb, axis=-1) > 0.2))


def test_the_kept_notebook_has_run_from_top_to_bottom() -> None:
    cells = [cell for cell in nbformat.read(NOTEBOOK, as_version=4).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert [cell.id for cell in cells for output in cell.outputs if output.output_type == "error"] == []
    assert tuple(images(cells)) == PLOTS
    text = NOTEBOOK.read_text("utf-8")
    assert len(text) < 300_000
    assert str(ROOT) not in text


@pytest.fixture(scope="module")
def ran(services: Settings, tmp_path_factory: pytest.TempPathFactory) -> Sequence[Any]:
    """The cells of a run in a warehouse of its own, and one more that tells what came of it."""
    folder = tmp_path_factory.mktemp("notebook")
    settings = services.model_copy(update={"warehouse": str(folder / "warehouse"), "now": NOW})
    load(settings.warehouse, now=NOW, names=TABLES)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(FINDINGS, id="findings"))
    path = folder / NOTEBOOK.name
    nbformat.write(notebook, path)
    done = subprocess.run(
        [sys.executable, "-m", "scripts.notebook", str(path)],
        cwd=ROOT,
        env={**os.environ, **settings.variables()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return nbformat.read(path, as_version=4).cells


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_leak_scores_better_in_the_notebook_and_worse_when_served(ran: Sequence[Any]) -> None:
    found = json.loads(ran[-1].outputs[0].text)
    leaky, leaky_served, honest = found["scores"].values()
    assert list(found["scores"]) == [
        "leaky model, joined by date",
        "leaky model, served",
        "honest model, served",
    ]
    assert leaky["auc"] > honest["auc"] + 0.05 > leaky_served["auc"] + 0.05 > 0.6
    assert leaky["brier"] < honest["brier"] < leaky_served["brier"]
    assert found["flights"] > 15_000
    assert 0.5 < found["fitted"] / found["flights"] < 0.8


@pytest.mark.slow
def test_the_training_table_has_the_values_of_the_honest_join(ran: Sequence[Any]) -> None:
    found = json.loads(ran[-1].outputs[0].text)
    assert found["compared"] == [found["in_table"], 7]
    assert found["in_table"] > 700
    assert found["differing"] == 0


@pytest.mark.slow
def test_its_plots_are_drawn(ran: Sequence[Any]) -> None:
    drawn = images(ran)
    assert tuple(drawn) == PLOTS
    assert all(inked(picture) > 1000 for picture in drawn.values())
