"""What a process tells others about a connection, and what it learns from them: rows of the store, never per call."""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from clients.accounts import Account
from contracts.configuration import BigCommerceConnection, FusionConnection
from contracts.secret_names import SIGN_IN_SECRET
from store import Store, StoreUnavailable
from store.rows import ConnectionHealth, ConnectionSigns, ConnectionState

MARK_AGAIN: Final = 60.0
"""Seconds after which a mark is renewed, so that others see that whoever made it lives."""
STORE_PAUSE: Final = 5.0
"""Seconds until a mark that the store did not take is tried again."""

Health = tuple[ConnectionHealth, str]
"""How a connection is, and why in one sentence with what to do."""


class Marks(Protocol):
    """Where the processes of one connection leave word. Everything raises `store.StoreUnavailable`."""

    async def mark(self, health: ConnectionHealth, sentence: str) -> None:
        """How the connection is from now on."""
        ...

    async def confirm(self) -> None:
        """It still works from here."""
        ...

    async def signs(self) -> ConnectionSigns:
        """Whether a person did something about it."""
        ...

    async def remember(self, account: Account) -> ConnectionState:
        """Who signed in; gives whom the store knows: him, or who was first."""
        ...


class StoreMarks:
    """`Marks` of one connection in the store."""

    def __init__(self, store: Store, connection: FusionConnection | BigCommerceConnection) -> None:
        self._store = store
        self._connection = connection

    async def mark(self, health: ConnectionHealth, sentence: str) -> None:
        await self._store.connections.mark(self._connection.id, health, sentence)

    async def confirm(self) -> None:
        await self._store.connections.confirm(self._connection.id)

    async def signs(self) -> ConnectionSigns:
        name = SIGN_IN_SECRET[self._connection.system]
        return await self._store.connections.signs(self._connection.tenant, self._connection.id, name)

    async def remember(self, account: Account) -> ConnectionState:
        return await self._store.connections.remember(self._connection.id, account.identity, account.sentence)


class Notice:
    """Keeps the mark of one connection true: written when its health changes, and renewed from time to time."""

    def __init__(self, marks: Marks | None, health: Callable[[], Health], clock: Callable[[], float]) -> None:
        self._marks = marks
        self._health = health
        self._clock = clock
        self._said: ConnectionHealth | None = None
        self._again_at = 0.0
        self._writing = asyncio.Lock()

    @property
    def said(self) -> ConnectionHealth | None:
        """What this process wrote last."""
        return self._said

    def doubt(self) -> None:
        """Somebody may have written otherwise: say it again."""
        self._said = None

    async def publish(self) -> None:
        """Costs nothing while there is no news. A store that does not answer is tried again later."""
        if self._marks is None or not self._is_news():
            return
        async with self._writing:
            if not self._is_news():
                return
            health, sentence = self._health()
            try:
                if health is self._said is ConnectionHealth.WORKING:
                    await self._marks.confirm()
                else:
                    await self._marks.mark(health, sentence)
            except StoreUnavailable:
                self._again_at = self._clock() + STORE_PAUSE
                return
            self._said, self._again_at = health, self._clock() + MARK_AGAIN

    def _is_news(self) -> bool:
        now = self._clock()
        if self._said is None:
            return True
        return self._health()[0] is not self._said or now >= self._again_at
