"""The one interface through which flows read a shop, whatever system it runs on."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Protocol

from contracts.model import Frozen, Instant
from contracts.sale import OrderSnapshot


class ChangedOrder(Frozen):
    """One row of a poll."""

    order_id: str
    modified_at: Instant
    placed_at: Instant | None = None
    """None where the shop does not say."""


class Shop(Protocol):
    """A source of orders. Implementations raise `clients.errors.VendorError`."""

    async def order(self, order_id: str) -> tuple[OrderSnapshot, str]:
        """The newest version of one order, projected, with the shop's own JSON for the audit trail."""
        ...

    def changed_orders(self, since: datetime) -> AsyncIterator[tuple[ChangedOrder, ...]]:
        """Pages of the orders that changed since `since`, oldest change first."""
        ...

    def orders_from(self, lowest: int) -> AsyncIterator[tuple[ChangedOrder, ...]]:
        """Pages of all orders with an id of at least `lowest`, whenever they changed."""
        ...

    async def register_webhooks(self, destination: str, headers: Mapping[str, str] | None = None) -> tuple[str, ...]:
        """Ask the shop to announce changes of orders at `destination`, each delivery with `headers`.

        Safe to repeat. Gives the scopes that were added, or switched on again.
        """
        ...

    async def now(self) -> datetime:
        """The shop's own clock: watermarks advance by it, never by ours."""
        ...
