"""`skewless train` as a script for spark-submit: the same arguments, the same receipt, as JSON."""

import sys

from skewless.cli import main

if __name__ == "__main__":
    main(["train", *sys.argv[1:], "--json"])
