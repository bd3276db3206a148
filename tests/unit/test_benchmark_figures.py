"""How `make bench` counts what readers see, loads servers, and judges figures."""

from __future__ import annotations

import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread

import numpy as np
import pytest

from benchmarks.answers import WrongAnswer
from benchmarks.columns import Floats, Integers
from benchmarks.online.drift import Tally
from benchmarks.online.figures import Bound, Figure, Key, Ratio, gathered
from benchmarks.online.load import connected, request, steady
from benchmarks.online.stage import demand_exact
from benchmarks.online.turnover import SHARES, Turnover

# -- what readers see ---------------------------------------------------------------------------------------

EXPECTED = np.random.default_rng(1).standard_normal((3, 4, 10), np.float32)  # snapshots x rows x fields


def counted(found: Floats) -> tuple[int, int, int]:
    tally = Tally()
    tally.count(found, EXPECTED)
    assert (tally.lookups, tally.rows) == (1, len(found))
    return tally.mixed, tally.gaps, tally.wrong


@pytest.mark.parametrize("snapshot", range(3))
def test_rows_of_one_snapshot_are_in_order(snapshot: int) -> None:
    assert counted(EXPECTED[snapshot]) == (0, 0, 0)


def test_rows_of_two_snapshots_are_mixed() -> None:
    assert counted(np.concatenate([EXPECTED[0, :1], EXPECTED[1, 1:]])) == (1, 0, 0)


def test_a_row_that_is_not_there_is_a_gap() -> None:
    found = EXPECTED[1].copy()
    found[2] = np.nan
    assert counted(found) == (0, 1, 0)
    found[0] = EXPECTED[2, 0]
    assert counted(found) == (1, 1, 0)


def test_a_row_with_fields_of_two_snapshots_is_wrong() -> None:
    found = EXPECTED[1].copy()
    found[3, 5:] = EXPECTED[2, 3, 5:]
    assert counted(found) == (0, 0, 1)


def test_one_bit_is_a_wrong_answer() -> None:
    wrong = EXPECTED[0].copy()
    wrong[2, 7] = np.nextafter(wrong[2, 7], np.float32(9))

    def read(users: Integers) -> Floats:
        return EXPECTED[0][users]

    demand_exact(read, np.arange(4), EXPECTED[0])
    with pytest.raises(WrongAnswer, match="user 2 has"):
        demand_exact(read, np.arange(4), wrong)


def test_snapshots_differ_in_the_rows_of_those_who_changed() -> None:
    data = Turnover(users=1000)
    values = [data.values(0, snapshot) for snapshot in range(data.snapshots)]
    for snapshot in range(1, data.snapshots):
        differ = np.flatnonzero((values[snapshot] != values[snapshot - 1]).any(axis=1))
        assert differ.tolist() == sorted(data.changed(snapshot).tolist())
        assert len(differ) == SHARES[snapshot] * 1000


# -- loads --------------------------------------------------------------------------------------------------

SECONDS, TURN = 0.02, Lock()  # that the server takes for a request, one at a time


class Echo(BaseHTTPRequestHandler):
    """Answers a request by its body; an empty one is an error."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with TURN:
            time.sleep(SECONDS)
        self.send_response(200 if body else 500)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_a_request_waits_since_it_was_due(url: str) -> None:
    """At ten times what the server can take the last one has waited for all before it."""
    found = steady(url, [b"a", b"bc"], 10 / SECONDS, 20 * SECONDS / 10)
    assert len(found.latencies) == 20
    assert max(found.latencies) >= 17 * SECONDS
    assert found.rate <= 1 / SECONDS


def test_answers_come_whole_over_one_connection(url: str) -> None:
    large = bytes(range(256)) * 5000
    with connected(url) as connection:
        assert [connection.ask(request(url, body)) for body in (b"1", large, b"2")] == [b"1", large, b"2"]


def test_a_request_that_fails_ends_the_load(url: str) -> None:
    with pytest.raises(RuntimeError, match="500"):
        steady(url, [b""], 100, 0.05)


# -- verdicts -----------------------------------------------------------------------------------------------

OURS, THEIRS = Key("ours", "work"), Key("theirs", "work", "warm")


def figures(ours: list[float], theirs: list[float]) -> list[dict[str, object]]:
    return gathered(
        [
            *(Figure("ours", "work", {"wall": value}) for value in ours),
            *(Figure("theirs", "work", {"wall": value}, "warm") for value in theirs),
        ]
    )


@pytest.mark.parametrize(("ours", "reached", "met"), [([1, 9, 2], 0.5, True), ([3, 3, 1], 0.75, False)])
def test_a_ratio_is_of_medians(ours: list[float], reached: float, met: bool) -> None:
    verdict = Ratio("wall", OURS, THEIRS, "wall", 0.5).judged(figures(ours, [4, 4, 40]))
    assert (verdict["reached"], verdict["met"]) == (reached, met)


def test_a_bound_is_of_the_worst_run() -> None:
    verdict = Bound("mixed", OURS, "wall", 0, "").judged(figures([0, 0, 1], []))
    assert (verdict["reached"], verdict["met"]) == (1, False)


def test_what_was_not_measured_is_neither_reached_nor_missed() -> None:
    for target in (Ratio("wall", OURS, THEIRS, "wall", 0.5), Bound("mixed", OURS, "wall", 0, "")):
        verdict = target.judged(figures([], [1.0]))
        assert (verdict["reached"], verdict["met"]) == (None, None)
