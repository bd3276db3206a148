"""Online lookups: one round trip, one generation of each view, no logic beyond a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any, TypeVar

from skewless.online.answer import Answer
from skewless.online.asking import async_connections, connections
from skewless.online.entities import Entities, Given
from skewless.online.keys import KeyKind, ViewKeys, service_key
from skewless.online.lookup import CHUNK
from skewless.online.records import Meta, Row
from skewless.online.request import Aliases, Conversation, Memory, Request
from skewless.online.slots import rows_of
from skewless.timeline import Clock, SystemClock

_NO_ALIASES: Aliases = MappingProxyType({})

T = TypeVar("T")


class OnlineReader:
    """Reads features by key. Safe for threads; remembers each view's pointer and meta, and what services are.

    Raises NotPublishedError, StoreUnavailable, OnlineError for what does not parse or is of a later format, and
    UsageError for a feature or join key that is not there.
    """

    def __init__(self, redis_url: str, namespace: str, clock: Clock | None = None) -> None:
        """Nothing is connected before the first lookup."""
        self._connections = connections(redis_url)
        self._memory = Memory(namespace)
        self._clock = clock or SystemClock()

    def connect(self) -> None:
        """Connect now, rather than at the first lookup."""
        self._connections.connect()

    def close(self) -> None:
        """Close the connections."""
        self._connections.close()

    def get(self, features: Sequence[str], entities: Given) -> list[dict[str, Any]]:
        """Give each entity's row with `<view>__<field>` per "view:field": one row out per row in.

        An entity without rows, or with a null key: the view's absent row. An expired view: its expired row.
        """
        return self.read(features, entities).rows

    def read(self, features: Sequence[str], entities: Given, aliases: Aliases = _NO_ALIASES) -> Answer:
        """Give features, and each view's snapshot time, generation, age and state.

        features  "view:field", "alias:field", or the name of a feature service, as the server has it
        entities  one dict of join keys, a list of them, or a dict of columns: lists, numpy or Arrow arrays
        aliases   by name, those among the features: "alias:field" gives `<alias>__<field>`. A view and its aliases
                  are answered from one generation
        """
        return self._talk(Request(self._memory, features, Entities.of(entities), aliases).answer(self._clock))

    def key_kinds(self, features: Sequence[str], aliases: Aliases = _NO_ALIASES) -> dict[str, KeyKind]:
        """The keys that an entity must have for those features, and whether each is a string or an integer."""
        return self._talk(Request(self._memory, features, Entities.of([]), aliases).key_kinds())

    def read_generation(
        self, view: str, epoch: int, generation: int, entity_keys: Sequence[str]
    ) -> tuple[Meta | None, list[Row | None]]:
        """Read rows of a generation that need not be live, by their encoded keys: for the publisher's check.

        What is not there is None.
        """
        keys = ViewKeys(self._memory.namespace, view)
        names = [keys.entity(epoch, key) for key in entity_keys]
        chunks = [names[start : start + CHUNK] for start in range(0, len(names), CHUNK)]
        raw_meta, *replies = self._connections.ask(
            [("GET", keys.meta(epoch)), *(("MGET", *chunk) for chunk in chunks)]
        )
        if raw_meta is None:
            return None, [None] * len(entity_keys)
        meta = Meta.decode(raw_meta)
        raws = [raw for reply in replies for raw in reply]
        rows = rows_of(meta, generation, names, raws)
        return meta, [None if raw is None else row for raw, row in zip(raws, rows, strict=True)]

    def _talk(self, conversation: Conversation[T]) -> T:
        try:
            commands = next(conversation)
            while True:
                commands = conversation.send(self._connections.ask(commands))
        except StopIteration as done:
            found: T = done.value
            return found


class AsyncOnlineReader:
    """The same for asyncio."""

    def __init__(self, redis_url: str, namespace: str, clock: Clock | None = None) -> None:
        """Nothing is connected before the first lookup."""
        self._connections = async_connections(redis_url)
        self._memory = Memory(namespace)
        self._clock = clock or SystemClock()

    async def close(self) -> None:
        """Close the connections."""
        await self._connections.close()

    async def ping(self) -> None:
        """Ask for a record that need not be there: StoreUnavailable where the server does not answer."""
        await self._connections.ask([("GET", service_key(self._memory.namespace, "ping"))])

    async def read(self, features: Sequence[str], entities: Given, aliases: Aliases = _NO_ALIASES) -> Answer:
        """Give features, as `OnlineReader.read` does."""
        conversation = Request(self._memory, features, Entities.of(entities), aliases).answer(self._clock)
        try:
            commands = next(conversation)
            while True:
                commands = conversation.send(await self._connections.ask(commands))
        except StopIteration as done:
            answer: Answer = done.value
            return answer
