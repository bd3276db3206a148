"""`skewless build` as a script for spark-submit: the same arguments, the same receipts, as JSON."""

import sys

from skewless.cli import main

if __name__ == "__main__":
    main(["build", *sys.argv[1:], "--json"])
