"""What docs/security.md says, for servers in tests: users, certificates, and the lines of a server's configuration."""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

import redis

from tests.documents import ROOT, blocks
from tests.faults.servers import Server

_CODES = [(block.info, block.code) for block in blocks(ROOT / "docs" / "security.md")]
USERS, IN_A_CLUSTER, OF_REPLICAS, BESIDE_SENTINELS, OF_SENTINELS = [
    code for _, code in _CODES if code.startswith("ACL ")
]
_OPENSSL = next(code for _, code in _CODES if code.startswith("openssl"))
_TLS = next(code for _, code in _CODES if "tls-port" in code)


def users(kind: str, *rules: str) -> dict[str, list[str]]:
    """Each user's rights in these parts of the page; Redis 7.0 lacks one of them."""
    found: dict[str, list[str]] = {}
    for line in "".join(rules).splitlines():
        _, _, name, *rights = shlex.split(line)
        known = [right for right in rights if kind != "redis-7" or right != "+client|setinfo"]
        found.setdefault(name, []).extend(known)
    return found


def let_in(server: Server, *rules: str) -> None:
    """Make a running server's users, and no others."""
    with server.client() as client:
        for name, rights in users(server.kind, *rules).items():
            client.execute_command("ACL", "SETUSER", name, *rights)


def lines(kind: str, *rules: str) -> tuple[str, ...]:
    """The same as lines of a server's configuration."""
    return tuple(f"user {name} {' '.join(rights)}" for name, rights in users(kind, *rules).items())


def as_user(name: str, url: str, *options: str) -> str:
    """A URL with a user of the page, and options behind it."""
    return url.replace("://", f"://{name}:{name}-password@") + ("?" if options else "") + "&".join(options)


def admin_of(server: Server) -> redis.Redis:
    """A client that may do anything."""
    return redis.Redis(port=server.port, username="admin", password="admin-password", protocol=2)


@dataclass(frozen=True)
class Certificates:
    """A CA, and what it signed for this machine."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> Certificates:
        folder.mkdir(exist_ok=True)
        subprocess.run(["sh", "-ec", _OPENSSL], cwd=folder, check=True, capture_output=True)
        return cls(folder)

    @property
    def ca(self) -> Path:
        return self.folder / "ca.pem"

    def lines(self, port: int) -> tuple[str, ...]:
        """The page's lines of a server's configuration, but for the one that closes its other port."""
        pairs = dict(line.split(" ", 1) for line in _TLS.splitlines())
        assert pairs.pop("port") == "0"
        files = {name: str(self.folder / value) for name, value in pairs.items() if name.endswith("-file")}
        return tuple(f"{name} {value}" for name, value in (pairs | files | {"tls-port": str(port)}).items())
