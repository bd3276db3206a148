"""Servers that watch one another: a master, its replica and three Sentinels; a Cluster of three masters."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from redis.crc import key_slot

from skewless.local.port import free_port
from tests.faults.servers import Server
from tests.redis.security import Certificates

SLOTS = 16384
PATIENCE = 30.0
MASTER = "main"


def until(done: Callable[[], bool], what: str) -> None:
    """Wait for something to be so."""
    deadline = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.05)


def port_of(server: Server) -> int:
    """Where others reach a server: its port for TLS, if it has one."""
    secured = [int(line.split()[1]) for line in server.options if line.startswith("tls-port ")]
    return secured[0] if secured else server.port


def url_of(kind: str, servers: Sequence[Server], certificates: Certificates | None) -> str:
    hosts = ",".join(f"127.0.0.1:{port_of(server)}" for server in servers)
    return f"redis{'s' if certificates else ''}+{kind}://{hosts}"


@dataclass
class Sentinels:
    """A master with one replica, and three Sentinels that take a second and a half to name another master.

    options and sentinel_options are lines of their configurations. With certificates they talk TLS.
    """

    kind: str
    folder: Path
    options: Sequence[str] = ()
    sentinel_options: Sequence[str] = ()
    certificates: Certificates | None = None
    servers: list[Server] = field(default_factory=list)
    sentinels: list[Server] = field(default_factory=list)

    def start(self) -> Sentinels:
        options = ("repl-diskless-sync-delay 0", *self.options)
        self.servers = [self.server(f"server-{number}", options) for number in range(2)]
        master, replica = self.servers
        master.start()
        replica.start(f"replicaof 127.0.0.1 {port_of(master)}")
        watched = (
            f"sentinel monitor {MASTER} 127.0.0.1 {port_of(master)} 2",
            f"sentinel down-after-milliseconds {MASTER} 1000",
            f"sentinel failover-timeout {MASTER} 3000",
            *self.sentinel_options,
        )
        self.sentinels = [self.server(f"sentinel-{number}", watched, "--sentinel") for number in range(3)]
        for sentinel in self.sentinels:
            sentinel.start()
        return self

    def server(self, name: str, options: Sequence[str], mode: str | None = None) -> Server:
        secured = self.certificates.lines(free_port()) if self.certificates else ()
        return Server(self.kind, self.folder / name, (*secured, *options), mode=mode)

    @property
    def url(self) -> str:
        return url_of("sentinel", self.sentinels, self.certificates) + f"/{MASTER}"

    def stop(self) -> None:
        for server in (*self.sentinels, *self.servers):
            server.kill()


@dataclass
class Cluster:
    """Three masters, each with a third of the slots. With certificates they talk TLS."""

    kind: str
    folder: Path
    certificates: Certificates | None = None
    servers: list[Server] = field(default_factory=list)
    replicas: list[Server] = field(default_factory=list)

    def start(self) -> Cluster:
        buses = [free_port() for _ in range(3)]
        self.servers = [self.node(f"node-{number}", bus) for number, bus in enumerate(buses)]
        for number, server in enumerate(self.servers):
            first, last = number * SLOTS // 3, (number + 1) * SLOTS // 3 - 1
            asked(server, "ADDSLOTSRANGE", first, last)
            asked(server, "SET-CONFIG-EPOCH", number + 1)
            if number:
                asked(server, "MEET", "127.0.0.1", self.servers[0].port, buses[0])
        until(lambda: all(map(_sees_all, self.servers)), "the nodes know each other")
        return self

    def node(self, name: str, bus: int, *options: str) -> Server:
        options += ("cluster-enabled yes", f"cluster-port {bus}", "cluster-node-timeout 2000")
        if self.certificates:
            options += ("tls-cluster yes", *self.certificates.lines(free_port()))
        return Server(self.kind, self.folder / name, options).start()

    def follow(self, primary: Server, *options: str) -> Server:
        """A replica of a node, with these options; it ends with the others."""
        bus, name = free_port(), asked(primary, "MYID")
        replica = self.node(f"replica-{len(self.replicas)}", bus, "repl-diskless-sync-delay 0", *options)
        self.replicas.append(replica)
        asked(primary, "MEET", "127.0.0.1", replica.port, bus)
        until(lambda: name in asked(replica, "NODES"), "the replica knows its primary")
        asked(replica, "REPLICATE", name.decode())
        return replica

    @property
    def url(self) -> str:
        return url_of("cluster", self.servers, self.certificates)

    def owner(self, key: str) -> Server:
        """The node that has a key."""
        return self.servers[min(key_slot(key.encode()) * 3 // SLOTS, 2)]

    def move(self, key: str, source: Server, target: Server, meanwhile: Callable[[str], None]) -> None:
        """Move a key's slot as redis-cli does; call meanwhile with `begun`, `half`, `emptied` and `moved`."""
        slot = key_slot(key.encode())
        asked(target, "SETSLOT", slot, "IMPORTING", asked(source, "MYID").decode())
        asked(source, "SETSLOT", slot, "MIGRATING", asked(target, "MYID").decode())
        meanwhile("begun")
        names = asked(source, "GETKEYSINSLOT", slot, 1_000_000)
        _migrate(source, target, names[::2])
        meanwhile("half")
        while names := asked(source, "GETKEYSINSLOT", slot, 1000):
            _migrate(source, target, names)
        meanwhile("emptied")  # who asks the source is sent to the target, for this once
        for server in (target, source):
            asked(server, "SETSLOT", slot, "NODE", asked(target, "MYID").decode())
        meanwhile("moved")

    def move_at_once(self, key: str, source: Server, target: Server) -> None:
        """Move a key's slot as Valkey 9 does by itself."""
        slot = key_slot(key.encode())
        asked(source, "MIGRATESLOTS", "SLOTSRANGE", slot, slot, "NODE", asked(target, "MYID").decode())
        until(lambda: all(_port_of(slot, node) == target.port for node in self.servers), "the slot has moved")

    def stop(self) -> None:
        for server in (*self.servers, *self.replicas):
            server.kill()


def asked(server: Server, *command: object) -> object:
    """What a node answers to a command of CLUSTER's; nothing is read into it."""
    with server.client() as client:
        client.response_callbacks.clear()
        return client.execute_command("CLUSTER", *command)


def _migrate(source: Server, target: Server, names: Sequence[bytes]) -> None:
    with source.client() as client:
        for start in range(0, len(names), 100):
            client.execute_command(
                "MIGRATE", "127.0.0.1", port_of(target), "", 0, 5000, "KEYS", *names[start : start + 100]
            )


def _port_of(slot: int, server: Server) -> int | None:
    """Who has a slot, as one of the nodes sees it."""
    for first, last, (_, port, *_), *_ in asked(server, "SLOTS"):
        if first <= slot <= last:
            return int(port)
    return None


def _sees_all(server: Server) -> bool:
    said = asked(server, "INFO").decode()
    return "cluster_state:ok" in said and "cluster_known_nodes:3" in said
