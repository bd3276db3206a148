"""A TCP proxy before a server: slow, cut, held back, or deaf to a reply."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Self

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends a reset, as from a machine that went away


@dataclass
class Proxy:
    """Passes on what clients of its port and the server say. What is set holds for all connections at once.

    delay          seconds that each piece of bytes waits, either way
    piece          bytes at most of a piece
    cut_after      bytes from clients, counted from `cut()`, after which every connection breaks
    swallow        once a client has said this, the reply is dropped and the connection breaks
    """

    target: int
    delay: float = 0.0
    piece: int = 65536
    cut_after: int | None = None
    swallow: bytes | None = None
    swallowed: threading.Event = field(default_factory=threading.Event)
    passed: int = 0  # bytes from clients

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._pairs: list[_Pair] = []
        self._threads: list[threading.Thread] = []
        self._open = threading.Event()  # closed while what clients say is held back
        self._open.set()
        self._begin(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.set()
        with contextlib.suppress(OSError):  # macOS: a listener is not connected
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.break_all()
        for thread in self._threads:
            thread.join(timeout=30)
            assert not thread.is_alive(), "a thread of the proxy does not end"

    def url(self, **options: object) -> str:
        """The proxy as a server's URL, with options of redis-py, e.g. socket_timeout=0.5."""
        asked = "&".join(f"{name}={value}" for name, value in options.items())
        return f"redis://127.0.0.1:{self.port}/0?{asked}"

    def cut(self, after: int) -> None:
        """Break every connection when clients have said so many bytes more."""
        with self._lock:
            self.passed, self.cut_after = 0, after

    def hold(self) -> None:
        """Keep back what clients say from now on, even when they have gone."""
        self._open.clear()

    def release(self) -> None:
        """Let through what was kept back, and all that follows."""
        self._open.set()

    def break_all(self) -> None:
        with self._lock:
            for pair in self._pairs:
                pair.end()

    def settle(self) -> None:
        """Wait until what clients have said before they went has arrived at the server."""
        for thread in self._threads[1:]:
            thread.join(timeout=30)
            assert not thread.is_alive(), "a connection stays open"

    def _begin(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # closed
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:  # the server is down: so is what stands before it
                client.close()
                continue
            pair = _Pair(client, server)
            with self._lock:
                self._pairs.append(pair)
            self._begin(self._pass_questions, pair)
            self._begin(self._pass_answers, pair)

    def _pass_questions(self, pair: _Pair) -> None:
        said = b""
        for data in self._received(pair.client):
            time.sleep(self.delay)
            self._open.wait()
            said = said[-20_000:] + data
            if self.swallow is not None and self.swallow in said:
                pair.deaf, self.swallow = True, None
            rest = self._left_before_cut(len(data))
            pair.send(pair.server, data[:rest])
            if rest is not None:
                time.sleep(0.005)  # the server has read it
                self.break_all()
        pair.finish(pair.server)

    def _received(self, source: socket.socket) -> Iterator[bytes]:
        """What a side says, until the connection ends or breaks."""
        while True:
            try:
                data = source.recv(self.piece)
            except OSError:
                return
            if not data:
                return
            yield data

    def _left_before_cut(self, count: int) -> int | None:
        """How many of so many bytes still pass; None: all of them, and the connections stay."""
        with self._lock:
            before, self.passed = self.passed, self.passed + count
            if self.cut_after is None or self.passed < self.cut_after:
                return None
            cut, self.cut_after = self.cut_after, None
            return max(0, cut - before)

    def _pass_answers(self, pair: _Pair) -> None:
        for data in self._received(pair.server):
            if pair.deaf:
                self.swallowed.set()
                break
            time.sleep(self.delay)
            pair.send(pair.client, data)
        pair.end()


@dataclass
class _Pair:
    """A client's connection, and the one to the server that is made for it."""

    client: socket.socket
    server: socket.socket
    deaf: bool = False

    def send(self, goal: socket.socket, data: bytes) -> None:
        with contextlib.suppress(OSError):  # the other side has gone
            goal.sendall(data)

    def finish(self, goal: socket.socket) -> None:
        """Say that nothing more comes."""
        with contextlib.suppress(OSError):
            goal.shutdown(socket.SHUT_WR)

    def end(self) -> None:
        """Break both connections."""
        for side in (self.client, self.server):
            with contextlib.suppress(OSError):
                side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                side.shutdown(socket.SHUT_RDWR)
            side.close()
