"""Waits of one module that end when the test says so, and not by the clock."""

import asyncio
from types import ModuleType
from typing import Any

import pytest


class HeldSleeps:
    """Takes the place of `asyncio` in a module that says `asyncio.sleep`; everything else of it is as it was."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        """How long each wait would have been, in the order in which they began."""
        self._over = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self.seconds.append(seconds)
        await self._over.wait()

    def end(self) -> None:
        """All waits are over, also those that begin later."""
        self._over.set()

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)


def held_sleeps(monkeypatch: pytest.MonkeyPatch, module: ModuleType) -> HeldSleeps:
    """For the rest of the test."""
    held = HeldSleeps()
    monkeypatch.setattr(module, "asyncio", held)
    return held
