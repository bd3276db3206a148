"""TLS with Redis 7, the certificates made as docs/security.md says; alone, with Sentinels, and in a Cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from skewless.errors import StoreUnavailable, UsageError
from skewless.local.port import free_port
from skewless.online.reader import AsyncOnlineReader
from tests.faults.servers import Server
from tests.redis.security import Certificates
from tests.redis.stage import Stage, ago
from tests.redis.topologies import port_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates.make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def server(certificates: Certificates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    options = ("bind 127.0.0.1 127.0.0.2", *certificates.lines(free_port()))
    made = Server("redis-7", tmp_path_factory.mktemp("server"), options)
    try:
        yield made.start()
    finally:
        made.kill()


def read_by_asyncio(stage: Stage) -> object:
    async def read() -> object:
        reader = AsyncOnlineReader(stage.redis_url, stage.namespace)
        try:
            return (await reader.read(["stats:mark"], {"user_id": 1})).rows[0]["stats__mark"]
        finally:
            await reader.close()

    return asyncio.run(read())


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_all_goes_over_tls(server: Server, certificates: Certificates, tmp_path: Path, host: str) -> None:
    stage = Stage(f"rediss://{host}:{port_of(server)}/0?ssl_ca_certs={certificates.ca}", tmp_path)
    stage.publish_mark(1, ago(hours=1), users=700)
    assert stage.marks(700) == {1}
    assert read_by_asyncio(stage) == 1
    assert stage.state().alive
    stage.close()


def test_what_does_not_fit_is_explained(
    server: Server, certificates: Certificates, tmp_path: Path, redis_url: str
) -> None:
    other = Certificates.make(tmp_path / "other")
    mine, plain = f"rediss://127.0.0.1:{port_of(server)}", redis_url.replace("redis:", "rediss:")
    wrong_host = f"rediss://127.0.0.2:{port_of(server)}?ssl_ca_certs={certificates.ca}"
    for url, message in (
        (
            f"{mine}?ssl_ca_certs={other.ca}",
            "of no CA that is trusted here; name the CA's file by .ssl_ca_certs=",
        ),
        (mine, "of no CA that is trusted here; name the CA's file by .ssl_ca_certs="),
        (wrong_host, "its certificate is not for this host"),
        (
            f"redis://127.0.0.1:{port_of(server)}",
            "If it speaks TLS at this port, SKEWLESS_REDIS_URL begins with rediss",
        ),
        (
            f"{plain}?socket_connect_timeout=1&socket_timeout=1",
            "does it speak TLS at this port|rediss only where it speaks TLS",
        ),
    ):
        demand(StoreUnavailable, message, Stage(url, tmp_path))
    for file in (tmp_path / "none.pem", certificates.folder / "server.key"):
        demand(
            UsageError,
            f"{file}, which .* names as ssl_ca_certs",
            Stage(f"{mine}?ssl_ca_certs={file}", tmp_path),
        )


def demand(kind: type[Exception], message: str, stage: Stage) -> None:
    """All who connect are told so."""
    for attempt in (stage.marks, stage.state, lambda: read_by_asyncio(stage)):
        with pytest.raises(kind, match=message):
            attempt()
    stage.close()
