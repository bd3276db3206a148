"""The measured process: runs one contender, once for each line that it reads, and answers each with a line."""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path

from benchmarks.contenders import find
from benchmarks.inputs import Inputs


def main() -> None:
    """Arguments as JSON: contender (module:function), folder, views. Lines in: an output folder each."""
    asked = json.loads(sys.argv[1])
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print goes to the log
    run = find(asked["contender"])
    inputs = Inputs(Path(asked["folder"]), tuple(asked["views"]))
    for line in sys.stdin:
        try:
            run(inputs, Path(line.strip()))
        except Exception:
            traceback.print_exc()
            answers.write("failed\n")
        else:
            answers.write("done\n")


if __name__ == "__main__":
    main()
