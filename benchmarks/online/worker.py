"""The measured process: runs one program of a case, and prints each of its figures as a line of JSON."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import cast

from benchmarks.cases import Scale
from benchmarks.online.cases import ONLINE
from benchmarks.online.stage import Program, Stage


def main() -> None:
    """Arguments: case, scale, module:function, the server's URL, the data's folder, scratch, when it was started."""
    case, scale, program, url, folder, scratch, begun = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print goes to the log
    data, sizes = ONLINE[case].data[cast(Scale, scale)], ONLINE[case].sizes[cast(Scale, scale)]
    stage = Stage(url, Path(folder), data, sizes, Path(scratch), float(begun))
    module, _, function = program.partition(":")
    run = cast(Program, getattr(import_module(f"benchmarks.online.{module}"), function))
    for figure in run(stage):
        answers.write(f"{figure.as_json()}\n")


if __name__ == "__main__":
    main()
