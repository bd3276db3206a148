"""Run a notebook in place, in the project's folder: `python -m scripts.notebook notebooks/train_delays.ipynb`.

Its settings are those of every command. What fails stays in the notebook, with its message.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
CELL_SECONDS = 600


def main(path: Path) -> None:
    """Run all cells in a new kernel, and write the notebook with what they gave."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        record_timing=False,  # or each run would change every cell
        resources={"metadata": {"path": str(ROOT)}},
    )
    client.create_kernel_manager().transport = "ipc"  # no port that others could speak to
    try:
        client.execute()
    finally:
        nbformat.write(notebook, path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
