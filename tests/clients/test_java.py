"""The reader in Java: its own tests against real servers of every kind, and its page."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from xml.etree import ElementTree

import pytest
import redis

from skewless.local.port import free_port
from tests.documents import blocks
from tests.faults.servers import Server, programs
from tests.golden_store import NAMESPACE, View, f32

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
JAVA = ROOT / "clients" / "java"
SOURCES = JAVA / "src" / "test" / "java" / "skewless" / "client"
PAGE = ROOT / "docs" / "java.md"
SLOTS = 16384


def maven(*arguments: str, url: str, **variables: str) -> subprocess.Popen[str]:
    """Start Maven on the reader; `url` is the server that the tests use."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SKEWLESS_")}
    return subprocess.Popen(
        ["mvn", "-q", "-B", *arguments],
        cwd=JAVA,
        env=kept | {"SKEWLESS_TEST_REDIS_URL": url} | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(run: subprocess.Popen[str]) -> str:
    """What the run printed, once it ended well."""
    output, _ = run.communicate(timeout=240)
    assert run.returncode == 0, output
    return output


@contextmanager
def reading(url: str, signals: Path) -> Iterator[None]:
    """Have the reader read all the time meanwhile, and each of its answers checked."""
    signals.mkdir()
    run = maven("test", "-Dtest=ReadingIT", url=url, SKEWLESS_TEST_SIGNALS=str(signals))
    try:
        while not (signals / "ready").exists():
            assert run.poll() is None, run.communicate()[0]
            time.sleep(0.05)
        yield
    finally:
        (signals / "stop").touch()
        output, _ = run.communicate(timeout=120)
    assert run.returncode == 0, output


def test_its_tests_pass_on_a_real_server(redis_url: str) -> None:
    finish(maven("test", url=redis_url))
    reports = [ElementTree.parse(file).getroot() for file in (JAVA / "target/surefire-reports").glob("*.xml")]
    count = {report.get("name", "").rpartition(".")[2]: int(report.get("tests", "0")) for report in reports}
    cases = json.loads((ROOT / "tests/golden/online/cases.json").read_text("utf-8"))["cases"]
    assert count["CasesTest"] == len(cases)
    assert {report.get("skipped") for report in reports} == {"0"}


def test_without_a_server_it_says_what_to_set() -> None:
    run = maven("test", "-Dtest=CasesTest", url="")
    output, _ = run.communicate(timeout=120)
    assert run.returncode != 0
    assert "set SKEWLESS_TEST_REDIS_URL" in output


def test_the_benchmark_measures_each_batch(redis_url: str) -> None:
    view = View(
        "java_benchmark", {"user_id": "integer"}, {"f0": "float32", "f1": "float32"}, [None] * 2, [None] * 2
    )
    for key in range(10):
        view.entity(str(key), 5, [f32(0.5), f32(key)], 0, None)
    with redis.Redis.from_url(redis_url) as server:
        server.mset(view.entries)
    arguments = f"-Dexec.args={redis_url} {NAMESPACE} java_benchmark 2 0 9 1,10 50"
    output = finish(maven("test-compile", "exec:java", arguments, url=redis_url))
    measured = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    assert [line["batch"] for line in measured] == [1, 10]
    for line in measured:
        assert all(0 < line[what]["p50"] <= line[what]["p99"] for what in ("read", "rows", "mget"))


# -- its page ---------------------------------------------------------------------------------------------


def test_the_code_of_the_page_is_compiled_and_run() -> None:
    """Each block stands, line by line, in the tests that Maven runs."""
    run = unindented((SOURCES / "PageTest.java").read_text("utf-8"))
    shown = [unindented(block.code) for block in blocks(PAGE) if block.info == "java"]
    assert len(shown) >= 5
    assert [code for code in shown if code not in run] == []


def unindented(code: str) -> str:
    return "\n".join(line.strip() for line in code.strip().splitlines())


def test_the_coordinates_of_the_page_are_right() -> None:
    (written,) = [ElementTree.fromstring(block.code) for block in blocks(PAGE) if block.info == "xml"]
    project = ElementTree.parse(JAVA / "pom.xml").getroot()
    for name in ("groupId", "artifactId", "version"):
        assert written.findtext(name) == project.findtext(f"{{*}}{name}")


def test_every_version_is_pinned() -> None:
    project = ElementTree.parse(JAVA / "pom.xml").getroot()
    for kind in ("dependency", "plugin"):
        versions = [item.findtext("{*}version") or "" for item in project.findall(f".//{{*}}{kind}")]
        found = [
            version for version in versions if not re.fullmatch(r"\d+\.\d+(\.\d+)*(\.RELEASE)?", version)
        ]
        assert (bool(versions), found) == (True, [])


# -- TLS, Cluster, Sentinel -------------------------------------------------------------------------------


def test_it_reads_over_tls(tmp_path: Path) -> None:
    certificates(tmp_path)
    port = free_port()
    files = [f"tls-{what}-file {tmp_path}/{name}" for what, name in TLS_FILES.items()]
    options = (
        f"tls-port {port}",
        *files,
        "tls-auth-clients no",
        "user reader on >p%40ss ~golden:* ~{golden:* +@all",
    )
    with running(Server(server_with_tls(), tmp_path / "server", options)):
        base = f"rediss://reader:p%2540ss@127.0.0.1:{port}/0"
        finish(maven("test", "-Dtest=CasesTest", url=f"{base}?ssl_ca_certs={tmp_path}/ca.crt"))
        refused = maven("test", "-Dtest=CasesTest", url=base)
        output, _ = refused.communicate(timeout=120)
        assert refused.returncode != 0
        assert "unable to find valid certification path" in output


TLS_FILES = {"cert": "server.crt", "key": "server.key", "ca-cert": "ca.crt"}


def certificates(folder: Path) -> None:
    """A certificate authority for this test, and a server's certificate for 127.0.0.1."""
    key = ["-newkey", "rsa:2048", "-nodes", "-days", "2"]
    ca = ["-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=ca"]
    server = [
        "-keyout",
        "server.key",
        "-out",
        "server.crt",
        "-subj",
        "/CN=server",
        "-CA",
        "ca.crt",
        "-CAkey",
        "ca.key",
    ]
    for names in (ca, [*server, "-addext", "subjectAltName=IP:127.0.0.1"]):
        subprocess.run(["openssl", "req", "-x509", *key, *names], cwd=folder, check=True, capture_output=True)


def server_with_tls() -> str:
    found = [kind for kind in programs() if kind.startswith("redis")]
    if not found:
        pytest.skip("no server with TLS is here; Debian's redis-tools brings one")
    return found[0]


def test_it_reads_from_a_cluster_whose_slots_move_and_connections_break(tmp_path: Path) -> None:
    with cluster(tmp_path) as nodes:
        url = "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in nodes[:2])
        finish(maven("test", "-Dtest=CasesTest", url=url))
        with reading(url, tmp_path / "signals"):
            for _ in range(3):
                move_slot("{java:reading}:p", nodes)
                for node in nodes:
                    node.client().execute_command("CLIENT", "KILL", "TYPE", "normal")
                time.sleep(0.5)


def test_it_finds_the_new_master_by_sentinel(tmp_path: Path) -> None:
    kind = "valkey-9"
    with ExitStack() as stack:
        master = stack.enter_context(running(Server(kind, tmp_path / "master")))
        replica = Server(kind, tmp_path / "replica", (f"replicaof 127.0.0.1 {master.port}",))
        stack.enter_context(running(replica))
        options = (
            f"sentinel monitor main 127.0.0.1 {master.port} 2",
            "sentinel down-after-milliseconds main 500",
        )
        sentinels = [
            stack.enter_context(
                running(Server(kind, tmp_path / f"sentinel{number}", options, mode="--sentinel"))
            )
            for number in range(3)
        ]
        url = (
            "redis+sentinel://" + ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in sentinels) + "/main/0"
        )
        finish(maven("test", "-Dtest=CasesTest", url=url))
        until(lambda: replica.client().info("replication")["master_link_status"] == "up")
        with reading(url, tmp_path / "signals"):
            master.client().execute_command("WAIT", 1, 5000)
            master.kill()
            until(lambda: master_port(sentinels) == replica.port)


def master_port(sentinels: Sequence[Server]) -> int:
    """The port that every Sentinel names; 0 where they do not agree."""
    ports = {
        int(s.client().execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main")[1]) for s in sentinels
    }
    return ports.pop() if len(ports) == 1 else 0


@contextmanager
def running(server: Server) -> Iterator[Server]:
    try:
        yield server.start()
    finally:
        server.stop()


@contextmanager
def cluster(folder: Path) -> Iterator[list[Server]]:
    """Three masters, a third of the slots each."""
    with ExitStack() as stack:
        nodes = [
            stack.enter_context(
                running(
                    Server(
                        "valkey-9", folder / str(n), ("cluster-enabled yes", f"cluster-port {free_port()}")
                    )
                )
            )
            for n in range(3)
        ]
        for n, node in enumerate(nodes):
            first, last = SLOTS * n // 3, SLOTS * (n + 1) // 3 - 1
            node.client().execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
            for other in nodes[:n]:
                bus = other.options[1].split()[1]
                node.client().execute_command("CLUSTER", "MEET", "127.0.0.1", other.port, bus)
        until(lambda: all(_knows_all(node) for node in nodes))
        yield nodes


def _knows_all(node: Server) -> bool:
    said: list[bytes] = node.client().execute_command("CLUSTER", "INFO").split()
    return {b"cluster_state:ok", b"cluster_known_nodes:3"} <= set(said)


def move_slot(key: str, nodes: Sequence[Server]) -> None:
    """Move the slot of a key to the next node, key by key, as `CLUSTER SETSLOT` has it."""
    slot = nodes[0].client().execute_command("CLUSTER", "KEYSLOT", key)
    ids = [node.client().execute_command("CLUSTER", "MYID") for node in nodes]
    source = next(
        n for n, node in enumerate(nodes) if node.client().execute_command("CLUSTER", "COUNTKEYSINSLOT", slot)
    )
    target = (source + 1) % len(nodes)
    moved_from, moved_to = nodes[source].client(), nodes[target].client()
    moved_to.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[source])
    moved_from.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[target])
    while keys := moved_from.execute_command("CLUSTER", "GETKEYSINSLOT", slot, 50):
        moved_from.execute_command("MIGRATE", "127.0.0.1", nodes[target].port, "", 0, 5000, "KEYS", *keys)
        time.sleep(0.01)
    for node in (nodes[target], *nodes):
        node.client().execute_command("CLUSTER", "SETSLOT", slot, "NODE", ids[target])


def until(happened: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for something to be so."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)
