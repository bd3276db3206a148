"""The Go reader: its own tests against real servers of every kind, the oracle's rows, and its page's code."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import textwrap
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa
import pytest
import redis

from skewless.local.port import free_port
from skewless.model import FeatureView, Field
from skewless.online.keys import service_key
from skewless.online.services import pack_features
from skewless.types import Array, Float32
from tests.clients.oracle_rows import Published
from tests.documents import ROOT, blocks
from tests.faults.servers import Server
from tests.golden_store import NAMESPACE, View, f32
from tests.redis.security import Certificates
from tests.redis.stage import SOURCE, USER, Stage, ago
from tests.redis.topologies import MASTER, Cluster, Sentinels, until

pytestmark = pytest.mark.slow

MODULE = ROOT / "clients" / "go"
PAGE = ROOT / "docs" / "go.md"
EXAMPLE = MODULE / "example" / "main.go"
CASES = "TestCases|TestAnswers"
Start = Callable[..., Server]


def go(*arguments: str, folder: Path = MODULE, **variables: str) -> str:
    """Run the go command, and give what it says; an assertion with all of it where it fails."""
    assert shutil.which("go"), "the Go reader's tests need Go 1.25 or later; install it and put it on PATH"
    known = {name: value for name, value in os.environ.items() if not name.startswith("SKEWLESS_")}
    done = subprocess.run(
        ["go", *arguments],
        cwd=folder,
        env=known | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, f"go {' '.join(arguments)}\n{done.stdout}"
    return done.stdout


def go_test(url: str, names: str, **variables: str) -> None:
    """Run tests of the library by their names; each must have been there and passed."""
    said = go("test", "-count=1", "-v", "-run", names, ".", SKEWLESS_TEST_REDIS_URL=url, **variables)
    passed = re.findall(r"^--- PASS: (\w+)", said, re.MULTILINE)
    assert [name for name in names.split("|") if not any(map(re.compile(name).match, passed))] == [], said


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start servers that the test's end stops."""
    with ExitStack() as running:

        def started(kind: str, *options: str) -> Server:
            server = Server(kind, tmp_path / "server", options)
            running.callback(server.stop)
            return server.start()

        yield started


def test_it_is_formatted_and_vetted() -> None:
    assert subprocess.run(["gofmt", "-l", MODULE], capture_output=True, text=True, check=True).stdout == ""
    go("vet", "./...")
    go("mod", "verify")


def test_it_passes_its_own_tests(redis_url: str) -> None:
    said = go("test", "-count=1", "./...", SKEWLESS_TEST_REDIS_URL=redis_url)
    assert said.count("ok  \tskewless") == 2


def test_without_a_server_it_says_what_to_set() -> None:
    with pytest.raises(AssertionError, match="set SKEWLESS_TEST_REDIS_URL"):
        go("test", "-count=1", "-run", "TestCases", ".")


def test_it_gives_what_the_oracle_says(published: Published, redis_url: str) -> None:
    go_test(
        redis_url,
        "TestCases",
        SKEWLESS_TEST_STORE="",
        SKEWLESS_TEST_NAMESPACE=published.namespace,
        SKEWLESS_TEST_CASES=str(published.file),
    )


# -- other kinds of servers -------------------------------------------------------------------------------


def test_it_reads_from_an_older_server_and_by_a_socket(start: Start, tmp_path: Path) -> None:
    socket = tmp_path / "socket"
    url = start("redis-7", f"unixsocket {socket}").url
    go_test(url, CASES)
    go_test(f"unix://{socket}?db=1", CASES)


def test_it_reads_through_tls(start: Start, tmp_path: Path) -> None:
    certificates, port = Certificates.make(tmp_path / "certificates"), free_port()
    start("redis-7", *certificates.lines(port))
    url = f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={certificates.ca}"
    go_test(url, f"{CASES}|TestTLSNeedsTheServersCA")


def test_it_follows_sentinel_to_the_new_master(tmp_path: Path) -> None:
    """Servers and Sentinels have passwords of their own."""
    of_servers = ("requirepass of-servers", "masterauth of-servers")
    of_sentinels = (f"sentinel auth-pass {MASTER} of-servers", "requirepass of-sentinels")
    servers = Sentinels("valkey-9", tmp_path, of_servers, of_sentinels)
    try:
        servers.start()
        until(lambda: all(map(knows_all, servers.sentinels)), "the Sentinels know each other and the replica")
        url = servers.url.replace("://", "://:of-servers@") + "?sentinel_password=of-sentinels"
        go_test(url, f"{CASES}|TestSentinelFailover")
    finally:
        servers.stop()


def knows_all(sentinel: Server) -> bool:
    """Whether a Sentinel knows the replica and the two others."""
    with redis.Redis(port=sentinel.port, password="of-sentinels", protocol=2) as client:
        client.response_callbacks.clear()
        told = client.execute_command("INFO", "sentinel")
    return b"status=ok" in told and b"slaves=1,sentinels=3" in told


def test_it_reads_from_a_cluster_whose_slots_move(tmp_path: Path) -> None:
    servers = Cluster("valkey-9", tmp_path)
    try:
        go_test(servers.start().url, f"{CASES}|TestAClustersSlotMoves|TestViewsOfOneRequest")
    finally:
        servers.stop()


# -- speed ------------------------------------------------------------------------------------------------


def test_the_benchmark_measures_each_batch(redis_url: str) -> None:
    fields = {"f0": "float32", "f1": "float32"}
    view = View("go_benchmark", {"user_id": "integer"}, fields, [None] * 2, [None] * 2)
    for key in range(10):
        view.entity(str(key), 5, [f32(0.5), f32(key)], 0, None)
    with redis.Redis.from_url(redis_url) as server:
        server.mset(view.entries)
    said = go("run", "./bench", redis_url, NAMESPACE, "go_benchmark", "2", "0", "9", "1,10", "50")
    measured = [json.loads(line) for line in said.splitlines()]
    assert [line["batch"] for line in measured] == [1, 10]
    for line in measured:
        assert all(0 < line[what]["p50"] <= line[what]["p99"] for what in ("read", "rows", "mget"))


# -- the page ---------------------------------------------------------------------------------------------

VIEW = FeatureView(
    name="transaction_stats",
    entities=[USER],
    source=SOURCE,
    schema=[
        Field(name="avg_transactions_1h", dtype=Float32, default=0.0),
        Field(name="amounts", dtype=Array(Float32)),
    ],
)
PRINTED = """\
2.5
2.5
<nil>
0
live true
[2.5 0] true
[1 1.5]
[2.5]
mend the call: "transaction_stats": join key user_id is of kind integer, which "7" (string) is not; \
pass it as the source has it
"""


def test_the_code_of_the_page_is_the_example() -> None:
    example = EXAMPLE.read_text("utf-8")
    code = [block.code for block in blocks(PAGE) if block.info == "go"]
    assert len(code) == 6
    assert [
        part for part in code if textwrap.indent(part, "\t", lambda line: line != "\n") not in example
    ] == []


def test_the_example_runs_in_a_module_of_its_own(redis_url: str, tmp_path: Path) -> None:
    """As the page says, with the module in a checkout."""
    stage = Stage(redis_url, tmp_path, VIEW, (pa.int64(),))
    stage.publish_rows([(7, 2.5, [1.0, 1.5]), (8, None, None)], ago(hours=1))
    stage.server.set(
        service_key(stage.namespace, "fraud_v1"), pack_features([f"{VIEW.name}:avg_transactions_1h"])
    )
    stage.close()
    application = tmp_path / "application"
    application.mkdir()
    shutil.copy(EXAMPLE, application)
    shutil.copy(MODULE / "go.sum", application)
    go("mod", "init", "application", folder=application)
    go("mod", "edit", "-require=skewless@v0.0.0", f"-replace=skewless={MODULE}", folder=application)
    variables = {"SKEWLESS_REDIS_URL": redis_url, "SKEWLESS_NAMESPACE": stage.namespace}
    assert go("run", "-mod=mod", ".", folder=application, **variables) == PRINTED
