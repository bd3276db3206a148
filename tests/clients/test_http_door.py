"""Who may ask `skewless serve`, how much and how long, and what is told when there is no answer."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from skewless.local.port import free_port
from tests.clients.golden import NAMESPACE, load_store
from tests.clients.serving import FEATURES, Response, Service, command, environment, read, serving
from tests.faults.servers import Server
from tests.redis.stage import Stage, ago
from tests.redis.topologies import Cluster, until

GOOD = {"features": ["plain:score"], "entities": [{"user_id": 1}]}
ROWS = {"rows": [{"user_id": 1, "plain__score": 0.5}]}
FIRST, SECOND = "first-token-of-a-test", "second-token-of-a-test"
SMALL = ("--max-bytes", "2000", "--max-entities", "3", "--max-features", "2")


@pytest.fixture(scope="module")
def small(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """With small limits."""
    load_store(redis_url)
    with serving(redis_url, NAMESPACE, tmp_path_factory.mktemp("small"), *SMALL) as service:
        yield service


@pytest.fixture(scope="module")
def plain(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """As it is when nothing is set."""
    load_store(redis_url)
    with serving(redis_url, NAMESPACE, tmp_path_factory.mktemp("plain")) as service:
        yield service


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Server]:
    """An online store of its own, to stop and start."""
    server = Server("valkey-9", tmp_path / "store").start()
    load_store(server.url)
    yield server
    server.stop()


def refused(answer: Response, status: int, kind: str, *mentions: str) -> None:
    """It is a problem as RFC 9457 has it, and says those texts."""
    problem = answer.json
    assert (answer.status, problem["type"]) == (status, kind), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(problem) == {"type", "title", "status", "detail"}
    assert problem["status"] == status
    assert [text for text in mentions if text not in problem["detail"]] == []


# -- questions that are none ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "mention"),
    [
        (b"", "truncated"),
        (b'{"features": ["plain:score"]', "truncated"),
        (b"\xff", "malformed"),
        (b'{"features": ["\xff"], "entities": []}', "utf-8"),
        (b'{"features": ["\\ud800"], "entities": []}', "surrogate"),
        (b"[]", "Expected `object`"),
        (b"{}", "features"),
        (b'{"features": ["plain:score"]}', "entities"),
        (b'{"features": "plain:score", "entities": []}', "$.features"),
        (b'{"features": [7], "entities": []}', "$.features[0]"),
        (b'{"features": [""], "entities": []}', "$.features[0]"),
        (b'{"features": ["plain:score"], "entities": 7}', "$.entities"),
        (b'{"features": ["plain:score"], "entities": [7]}', "$.entities[0]"),
        (b'{"features": ["plain:score"], "entities": [{"user_id": NaN}]}', "malformed"),
        (b'{"features": ["plain:score"], "entities": [], "layot": "rows"}', "layot"),
        (b'{"features": ["plain:score"], "entities": [], "layout": "row"}', "$.layout"),
        (b'{"features": ["plain:score"], "entities": [], "explain": 1}', "$.explain"),
        (
            b'{"features": ["plain:score"], "entities": {"user_id": [1], "day": [1, 2]}}',
            "user_id has 1, day has 2",
        ),
        (b'{"features": ["plain:score"], "entities": {}}', "user_id"),
        (b'{"features": ["' + b"x" * 513 + b':y"], "entities": []}', "512"),
        (b'{"features": ["plain:score"], "entities": [{"user_id": ' + b"[" * 1900 + b"]}]}", ""),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_body_that_is_no_question(body: bytes, mention: str, small: Service) -> None:
    refused(small.ask(body), 400, "usage", mention)


def test_a_body_nested_beyond_measure(plain: Service) -> None:
    deep = b'{"features": ["plain:score"], "entities": [{"user_id": ' + b"[" * 10**6 + b"]}]}"
    refused(plain.ask(deep), 400, "usage", "recursion")
    for depth in (900, 965):  # read, and then too deep to be told, or to be sent back
        nested = "[" * depth + "]" * depth
        for name in ("user_id", "note"):
            body = f'{{"features": ["plain:score"], "entities": [{{"user_id": 1, "{name}": {nested}}}]}}'
            assert plain.ask(body).status in ((400,) if name == "user_id" else (200, 400))
    assert plain.ask(GOOD).json == ROWS
    assert plain.log.read_text() == ""


def test_other_methods_and_places(small: Service) -> None:
    answer = small.get(FEATURES)
    refused(answer, 405, "about:blank", "POST")
    assert answer.headers["allow"] == "POST"
    refused(small.get("/v1/feature"), 404, "about:blank")
    refused(small.send("POST", "/health"), 405, "about:blank")
    refused(small.get("/docs"), 404, "about:blank")


def test_a_long_message_is_cut(plain: Service) -> None:
    answer = plain.ask({"features": ["plain:score"], "entities": [{"user_id": "x" * 10**6}]})
    refused(answer, 400, "usage", "xxx...")
    assert len(answer.text) < 3000


# -- limits -----------------------------------------------------------------------------------------------


def test_no_more_features_and_entities_than_may_be(small: Service) -> None:
    users = [{"user_id": user} for user in range(4)]
    assert small.ask({"features": ["plain:score", "all:word"], "entities": users[:3]}).status == 200
    names = ["plain:score", "all:word", "all:flag"]
    refused(small.ask({"features": names, "entities": users[:1]}), 413, "too_large", "3 features", "2 may")
    refused(small.ask(GOOD | {"entities": users}), 413, "too_large", "4 entities", "3 may")
    columns = {"user_id": [1, 2, 3, 4]}
    refused(small.ask(GOOD | {"entities": columns}), 413, "too_large", "4 entities", "3 may")


def padded(size: int) -> str:
    """A good question of so many bytes."""
    text = json.dumps(GOOD)
    return text + " " * (size - len(text))


def test_no_larger_body_than_may_be(small: Service) -> None:
    assert small.ask(padded(2000)).json == ROWS
    refused(small.ask(padded(2001)), 413, "too_large", "2,000 bytes")


def test_no_larger_body_without_a_length(small: Service) -> None:
    """In chunks, of which the server cannot know how many come."""
    chunks = [padded(2000)[start : start + 100].encode() for start in range(0, 2000, 100)]
    assert small.send("POST", FEATURES, iter(chunks), encode_chunked=True).json == ROWS
    refused(small.send("POST", FEATURES, iter([*chunks, b" "]), encode_chunked=True), 413, "too_large")


def test_a_larger_body_is_refused_before_it_comes(small: Service) -> None:
    connection = small.connect()
    connection.putrequest("POST", FEATURES)
    connection.putheader("content-length", "2001")
    connection.endheaders()
    refused(read(connection), 413, "too_large")
    connection.close()


def test_a_body_without_end_is_not_read_to_its_end(small: Service) -> None:
    with socket.create_connection(("127.0.0.1", small.connect().port), timeout=30) as connection:
        head = f"POST {FEATURES} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
        connection.sendall(head.encode() + b"1000\r\n" + b" " * 4096 + b"\r\n")
        answer = b""
        while part := connection.recv(65536):  # and it closes the connection
            answer += part
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert small.ask(GOOD).json == ROWS


def test_a_body_that_does_not_come(redis_url: str, tmp_path: Path) -> None:
    with serving(redis_url, NAMESPACE, tmp_path, "--timeout", "0.3") as service:
        connection = service.connect()
        connection.putrequest("POST", FEATURES)
        connection.putheader("content-length", "100")
        connection.endheaders(b"{")
        refused(read(connection), 408, "timeout", "0.3 s")
        connection.close()
        assert service.ask(GOOD).json == ROWS


def test_a_caller_that_goes_away_leaves_nothing_behind(redis_url: str, tmp_path: Path) -> None:
    with serving(redis_url, NAMESPACE, tmp_path, "--max-requests", "1") as service:
        for _ in range(3):
            connection = service.connect()
            connection.putrequest("POST", FEATURES)
            connection.putheader("content-length", "100")
            connection.endheaders(b"{")
            connection.close()
            until(lambda: service.ask(GOOD).status == 200, "the caller before it is forgotten")


# -- the store is away ------------------------------------------------------------------------------------


def in_the_background(ask: Callable[[], Response]) -> Future[Response]:
    pool = ThreadPoolExecutor(1)
    future = pool.submit(ask)
    pool.shutdown(wait=False)
    return future


def test_a_store_that_stands_still(store: Server, tmp_path: Path) -> None:
    with serving(store.url, NAMESPACE, tmp_path, "--timeout", "0.5") as service:
        assert service.ask(GOOD).json == ROWS
        store.pause()
        refused(service.ask(GOOD), 504, "timeout", "0.5 s")
        started = time.monotonic()
        refused(service.get("/ready"), 503, "unavailable")
        assert 0.9 < time.monotonic() - started < 5
        assert service.get("/health").status == 200
        store.resume()
        until(lambda: service.ask(GOOD).status == 200, "the store's answers come again")
        assert service.ask(GOOD).json == ROWS
        assert service.get("/ready").text == "ready\n"


def test_a_store_that_is_away_and_comes_back(store: Server, tmp_path: Path) -> None:
    with serving(store.url, NAMESPACE, tmp_path) as service:
        assert service.ask(GOOD).json == ROWS
        store.kill()
        answer = service.ask(GOOD)
        refused(answer, 503, "unavailable", "try again")
        assert answer.headers["retry-after"] == "1"
        assert str(store.port) not in answer.text, "where the store is, is not for callers"
        refused(service.get("/ready"), 503, "unavailable")
        assert service.get("/health").status == 200
        for _ in range(5):
            assert service.ask(GOOD).status == 503
        told = service.log.read_text()
        assert told.count(f"127.0.0.1:{store.port} cannot be reached") == 1, "once, and not for each request"
        store.start()
        load_store(store.url)
        assert service.ask(GOOD).json == ROWS
        assert service.get("/ready").status == 200


def test_why_it_is_not_ready_is_for_its_log(tmp_path: Path) -> None:
    store = Server("valkey-9", tmp_path / "store", ("requirepass secret",)).start()
    try:
        with serving(store.url, NAMESPACE, tmp_path) as service:
            answer = service.get("/ready")
            refused(answer, 503, "unavailable")
            assert "uthentication" not in answer.text
            assert (
                f"the online store at 127.0.0.1:{store.port} refuses: Authentication"
                in service.log.read_text()
            )
    finally:
        store.stop()


@pytest.mark.slow
def test_a_cluster_answers(tmp_path: Path) -> None:
    cluster = Cluster("valkey-9", tmp_path / "cluster")
    try:
        stage = Stage(cluster.start().url, tmp_path / "stage")
        stage.publish_mark(7, ago(hours=2), users=3)
        stage.close()
        with serving(cluster.url, stage.namespace, tmp_path) as service:
            assert service.get("/ready").status == 200
            answer = service.ask({"features": ["stats:mark"], "entities": {"user_id": 2}})
            assert answer.json == {"rows": [{"user_id": 2, "stats__mark": 7}]}
            cluster.stop()
            refused(service.get("/ready"), 503, "unavailable")
            assert service.get("/health").status == 200
    finally:
        cluster.stop()


def test_no_more_requests_under_way_than_may_be(store: Server, tmp_path: Path) -> None:
    with serving(store.url, NAMESPACE, tmp_path, "--max-requests", "2", "--timeout", "30") as service:
        assert service.ask(GOOD).json == ROWS
        store.pause()
        waiting = [in_the_background(lambda: service.ask(GOOD)) for _ in range(3)]
        until(lambda: any(each.done() for each in waiting), "one was refused")
        (one,) = [each.result() for each in waiting if each.done()]
        refused(one, 503, "unavailable", "2 requests are under way")
        assert one.headers["retry-after"] == "1"
        assert service.get("/health").status == 200
        store.resume()
        assert sorted(each.result().status for each in waiting) == [200, 200, 503]
        assert service.ask(GOOD).json == ROWS


# -- tokens -----------------------------------------------------------------------------------------------


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    file = tmp_path / "tokens"
    file.write_text(f"# of the shop\n{FIRST}\n\n")
    return file


def test_no_answer_without_a_token(redis_url: str, tmp_path: Path, tokens: Path) -> None:
    load_store(redis_url)
    with serving(redis_url, NAMESPACE, tmp_path, "--tokens", str(tokens)) as service:
        assert service.ask(GOOD, FIRST).json == ROWS
        for wrong in (None, "", FIRST[:-1], FIRST + "x", FIRST.upper(), "# of the shop"):
            answer = service.ask(GOOD, wrong)
            refused(answer, 401, "unauthorized")
            assert answer.headers["www-authenticate"] == "Bearer"
        refused(service.get(FEATURES), 401, "unauthorized")
        for path in ("/metrics", "/openapi.json", "/nothing"):
            refused(service.get(path), 401, "unauthorized")
            assert service.get(path, FIRST).status in (200, 404)
        assert service.get("/health").status == service.get("/ready").status == 200
        connection = service.connect()
        for scheme, status in (("bearer", 200), ("Basic", 401), ("", 401)):
            connection.request("POST", FEATURES, json.dumps(GOOD), {"authorization": f"{scheme} {FIRST}"})
            assert read(connection).status == status
        connection.close()
    assert FIRST not in service.log.read_text()


def test_tokens_are_exchanged_while_it_runs(redis_url: str, tmp_path: Path, tokens: Path) -> None:
    with serving(redis_url, NAMESPACE, tmp_path, "--tokens", str(tokens)) as service:
        tokens.write_text(f"{FIRST}\n{SECOND}\n")
        until(lambda: service.ask(GOOD, SECOND).status == 200, "the second token is taken")
        assert service.ask(GOOD, FIRST).status == 200
        tokens.write_text(f"{SECOND}\n")
        until(lambda: service.ask(GOOD, FIRST).status == 401, "the first token is refused")
        assert service.ask(GOOD, SECOND).status == 200
        tokens.write_text("short\n")
        until(lambda: asked_and_logged(service, "tokens:1 is no token"), "a bad line is logged")
        tokens.unlink()
        until(lambda: asked_and_logged(service, "cannot be read"), "a missing file is logged")
        assert service.ask(GOOD, SECOND).status == 200
        assert service.ask(GOOD, FIRST).status == 401
    assert not re.search(f"{FIRST}|{SECOND}|short", service.log.read_text())


def asked_and_logged(service: Service, text: str) -> bool:
    assert service.ask(GOOD, SECOND).status == 200
    return text in service.log.read_text()


# -- starting and ending ----------------------------------------------------------------------------------


def ran(tmp_path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """A start that fails, or is ended after a moment."""
    variables = environment("redis://127.0.0.1:1/0", NAMESPACE)
    return subprocess.run(
        command(*options),
        cwd=tmp_path,
        env=variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_strangers_are_let_in_only_when_that_is_said(redis_url: str, tmp_path: Path, tokens: Path) -> None:
    failed = ran(tmp_path, "--host", "0.0.0.0", "--port", "0")
    assert failed.returncode == 2
    assert "0.0.0.0 can be reached from other machines" in failed.stderr
    assert "--tokens" in failed.stderr
    assert "--no-token" in failed.stderr
    failed = ran(tmp_path, "--tokens", str(tokens), "--no-token")
    assert (failed.returncode, "contradicts" in failed.stderr) == (2, True)
    for options in (("--no-token",), ("--tokens", str(tokens))):
        with serving(redis_url, NAMESPACE, tmp_path, "--host", "0.0.0.0", *options) as service:
            assert service.get("/health").status == 200


@pytest.mark.parametrize(
    ("content", "mention"),
    [
        ("", "has no token"),
        ("# none\n", "has no token"),
        ("fifteen-letters\n", ":1 is no token"),
        (None, "No such"),
    ],
)
def test_a_file_without_good_tokens_is_told(content: str | None, mention: str, tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    if content is not None:
        file.write_text(content)
    failed = ran(tmp_path, "--tokens", str(file), "--port", "0")
    assert failed.returncode == 2
    assert mention in failed.stderr
    assert "fifteen" not in failed.stderr


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        failed = ran(tmp_path, "--port", port)
    assert failed.returncode == 1
    assert f"cannot listen at 127.0.0.1:{port} (Address already in use" in failed.stderr


def test_it_says_where_it_is_and_who_may_ask(redis_url: str, tmp_path: Path) -> None:
    port = free_port()
    with (tmp_path / "said").open("w") as said:
        process = subprocess.Popen(
            command("--port", str(port)),
            cwd=tmp_path,
            env=environment(redis_url, NAMESPACE),
            stderr=said,
            text=True,
        )
    service = Service(f"http://127.0.0.1:{port}", process, tmp_path / "said")
    until(lambda: accepts(service), "it accepts connections")
    assert service.get("/health").status == 200
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 143
    store = redis_url.removeprefix("redis://").removesuffix("/0")
    first, last = (tmp_path / "said").read_text().splitlines()
    assert first == f"serving namespace 'golden' of {store} at http://127.0.0.1:{port}, WITHOUT a token"
    assert last == "ended by SIGTERM"


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_requests_under_way_are_answered_before_it_ends(workers: int, store: Server, tmp_path: Path) -> None:
    options = ("--timeout", "20", "--workers", str(workers))
    with serving(store.url, NAMESPACE, tmp_path, *options) as service:
        until(lambda: service.ask(GOOD).json == ROWS, "it answers")
        store.pause()
        waiting = [in_the_background(lambda: service.ask(GOOD)) for _ in range(4)]
        until(lambda: established(store) >= len(waiting), "all questions are at the store")
        ended = threading.Thread(target=service.end)
        ended.start()
        until(lambda: not accepts(service), "it accepts no connections")
        time.sleep(0.5)  # longer than the server needs to end when nothing is under way
        assert not any(each.done() for each in waiting)
        store.resume()
        assert [each.result().json for each in waiting] == [ROWS] * 4
        ended.join(30)
        assert service.process.returncode == 143


def established(store: Server) -> int:
    """Connections to the store that have something to say."""
    port = f"{store.port:04X}"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(
        line[1].endswith(f":{port}") and line[3] == "01" and int(line[4].partition(":")[2], 16) > 0
        for line in lines
    )


def accepts(service: Service) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", service.connect().port), timeout=5):
            return True
    except OSError:
        return False


@pytest.mark.slow
def test_several_processes_answer_and_end_together(redis_url: str, tmp_path: Path) -> None:
    load_store(redis_url)
    with serving(redis_url, NAMESPACE, tmp_path, "--workers", "2") as service:
        answers = [service.ask(GOOD) for _ in range(20)]
        assert [answer.json for answer in answers] == [ROWS] * 20
        processes = service.workers
        assert len(processes) == 2
        assert service.end() == 143
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in processes), "its processes are gone")
