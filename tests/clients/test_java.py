"""The reader in Java: its own tests against real servers of every kind, and its page."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar
from xml.etree import ElementTree

import pytest
import redis

from skewless.local.port import free_port
from tests.clients.oracle_rows import Published
from tests.documents import blocks
from tests.faults.servers import Server, programs
from tests.golden_store import NAMESPACE, View, f32
from tests.redis.security import Certificates
from tests.redis.topologies import MASTER, Cluster, Sentinels, until

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
JAVA = ROOT / "clients" / "java"
SOURCES = JAVA / "src" / "test" / "java" / "skewless" / "client"
PAGE = ROOT / "docs" / "java.md"
T = TypeVar("T", Server, Cluster, Sentinels)


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


def test_it_gives_what_the_oracle_says(published: Published, redis_url: str) -> None:
    variables = {
        "SKEWLESS_TEST_STORE": "",
        "SKEWLESS_TEST_NAMESPACE": published.namespace,
        "SKEWLESS_TEST_CASES": str(published.file),
    }
    finish(maven("test", "-Dtest=CasesTest", url=redis_url, **variables))


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
    certificates, port = Certificates.make(tmp_path / "certificates"), free_port()
    user = "user reader on >p%40ss ~golden:* ~{golden:* +@all"
    with running(Server(server_with_tls(), tmp_path / "server", (*certificates.lines(port), user))):
        base = f"rediss://reader:p%2540ss@127.0.0.1:{port}/0"
        finish(maven("test", "-Dtest=CasesTest", url=f"{base}?ssl_ca_certs={certificates.ca}"))
        refused = maven("test", "-Dtest=CasesTest", url=base)
        output, _ = refused.communicate(timeout=120)
        assert refused.returncode != 0
        assert "unable to find valid certification path" in output


def server_with_tls() -> str:
    found = [kind for kind in programs() if kind.startswith("redis")]
    if not found:
        pytest.skip("no server with TLS is here; Debian's redis-tools brings one")
    return found[0]


def test_it_reads_from_a_cluster_whose_slots_move_and_connections_break(tmp_path: Path) -> None:
    with running(Cluster("valkey-9", tmp_path / "cluster")) as cluster:
        finish(maven("test", "-Dtest=CasesTest", url=cluster.url))
        with reading(cluster.url, tmp_path / "signals"):
            key = "{java:reading}:p"
            nodes = [
                cluster.owner(key),
                *(node for node in cluster.servers if node is not cluster.owner(key)),
            ]
            for source, target in zip(nodes, [*nodes[1:], nodes[0]], strict=True):
                cluster.move(key, source, target, lambda _: time.sleep(0.05))
                for node in nodes:
                    node.client().execute_command("CLIENT", "KILL", "TYPE", "normal")
                time.sleep(0.5)


def test_it_finds_the_new_master_by_sentinels_with_a_user_of_their_own(tmp_path: Path) -> None:
    user = "user watcher on >its-own +@all allchannels"
    with running(Sentinels("valkey-9", tmp_path / "sentinels", sentinel_options=[user])) as watched:
        url = f"{watched.url}?sentinel_username=watcher&sentinel_password=its-own"
        finish(maven("test", "-Dtest=CasesTest", url=url))
        master, replica = watched.servers
        with reading(url, tmp_path / "signals"):
            master.client().execute_command("WAIT", 1, 5000)
            master.kill()
            until(lambda: master_port(watched) == replica.port, "Sentinels name the replica")


def master_port(watched: Sentinels) -> int:
    """The port that every Sentinel names; 0 where they do not agree."""
    asked = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER)
    ports = {int(sentinel.client().execute_command(*asked)[1]) for sentinel in watched.sentinels}
    return ports.pop() if len(ports) == 1 else 0


@contextmanager
def running(servers: T) -> Iterator[T]:
    try:
        yield servers.start()
    finally:
        servers.stop()
