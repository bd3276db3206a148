"""What readers notice while an epoch is dropped: `python -m benchmarks.dropping`.

A process looks a hundred entities up at a time, without a pause, while another one publishes in full and drops the
epoch that nobody reads any more. Told are times of lookups while nothing is done, while rows are written, and while
keys are dropped; and the longest that the server was busy with one command of those by which they are.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from benchmarks.columns import FIELDS
from benchmarks.publishing import VIEW, make, publish_revision, server
from benchmarks.storage import ROOT
from skewless.online.connection import Session
from skewless.online.publication import Step
from skewless.online.reader import OnlineReader

LOOKUP = 100
IDLE = 3.0  # seconds
HEAD = "| while | lookups | p50 ms | p99 ms | most ms |\n|---|--:|--:|--:|--:|"


@dataclass(frozen=True)
class Times:
    """Lookups: when each began, and what it took, in seconds."""

    began: np.ndarray
    took: np.ndarray

    def row(self, name: str, start: float, end: float) -> str:
        """Those that overlap a span of time, as a line of a Markdown table."""
        took = self.took[(self.began + self.took > start) & (self.began < end)] * 1000
        p50, p99 = np.percentile(took, [50, 99])
        return f"| {name} | {len(took):,} | {p50:.1f} | {p99:.1f} | {took.max():.1f} |"


def main() -> None:
    """Publish three times, the third beside a reader: it drops the epoch of the first."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dropping", description=__doc__)
    parser.add_argument("--entities", type=int, default=1_000_000)
    parser.add_argument("--read", metavar="URL", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.read:
        _read(asked.read, asked.entities)
        return
    make(asked.entities)
    with server() as settings:
        url, steps = settings.redis_url, dict[str, float]()
        for revision in ("first", "second"):
            publish_revision(url, asked.entities, revision, full=True)
        command = [sys.executable, "-m", __spec__.name, "--read", url, "--entities", str(asked.entities)]
        with subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as reader:
            time.sleep(2 * IDLE)

            def progress(step: Step, rows: int) -> None:
                steps[step.value] = time.time()
                if step is Step.TOLD:
                    _forget_slow(url)

            publish_revision(url, asked.entities, "second", full=True, progress=progress)
            slow = _slowest(url)
            printed, _ = reader.communicate("")
        times = Times(*map(np.array, json.loads(printed)))
    opened = steps["opened"]
    print(HEAD)
    print(times.row("nothing is done", opened - IDLE, opened))
    print(times.row("rows are written", opened, steps["flipped"]))
    print(times.row("keys are dropped", steps["told"], steps["swept"]))
    print(f"dropped in {steps['swept'] - steps['told']:.2f} s; longest command: {slow}")


def _read(url: str, entities: int) -> None:
    """Look up until standard input ends."""
    import select

    chance, began, took = np.random.default_rng(1), list[float](), list[float]()
    features = [f"{VIEW.name}:{name}" for name in FIELDS]
    with closing(OnlineReader(url, "benchmark")) as reader:
        while not select.select([sys.stdin], [], [], 0)[0]:
            asked = [{"user_id": user} for user in chance.integers(0, entities, LOOKUP).tolist()]
            began.append(time.time())
            start = time.perf_counter()
            reader.read(features, asked)
            took.append(time.perf_counter() - start)
    print(json.dumps([began, took]))


def _forget_slow(url: str) -> None:
    with Session(url, "any") as session:
        session.call("CONFIG", "SET", "slowlog-log-slower-than", 100)
        session.call("SLOWLOG", "RESET")


def _slowest(url: str) -> str:
    """The command of a publisher on which the server was busy longest, in milliseconds."""
    with Session(url, "any") as session:
        entries = session.call("SLOWLOG", "GET", 10_000)
    told = [(micros, words[0].decode()) for _, _, micros, words, *_ in entries]
    longest = max((each for each in told if each[1] in ("SCAN", "UNLINK")), default=None)
    return f"{longest[1]} {longest[0] / 1000:.1f} ms" if longest else "none"


if __name__ == "__main__":
    main()
