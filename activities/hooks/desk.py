"""The one interface through which a shop's webhooks are kept, whatever system it runs on."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from contracts.bigcommerce import Hook, HookAdministration


class HookDesk(Protocol):
    """Where a shop keeps our webhooks. Implementations raise `clients.errors.VendorError`."""

    async def time(self) -> datetime:
        """The shop's own clock."""
        ...

    async def hooks(self) -> tuple[Hook, ...]:
        """Everything our API account has registered, whatever it is for."""
        ...

    async def create_hook(self, scope: str, destination: str, headers: Mapping[str, str] | None = None) -> Hook:
        """Each delivery comes with `headers`."""
        ...

    async def activate_hook(
        self, hook_id: int, headers: Mapping[str, str] | None = None, destination: str | None = None
    ) -> Hook:
        """Switched on, from now on with `headers`, and at `destination`, where they are given. Safe to repeat."""
        ...

    async def hook_administration(self) -> HookAdministration:
        """Where the shop delivers nothing at the moment."""
        ...
