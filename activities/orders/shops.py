"""The one interface through which flows read a shop, whatever system it runs on."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Protocol

from activities.converging.catalog import Catalog
from activities.converging.clientele import Clientele
from activities.hooks.desk import HookDesk
from contracts.alignment import CategoryNode, Storefront
from contracts.model import Frozen, Instant
from contracts.sale import ListedOrder, OrderSnapshot
from contracts.steps.refunds import RefundSnapshot


class ChangedOrder(Frozen):
    """One row of a poll."""

    order_id: str
    modified_at: Instant
    placed_at: Instant | None = None
    """None where the shop does not say."""


class NewRefund(Frozen):
    """One row of a poll of refunds."""

    refund_id: str
    order_id: str
    created_at: Instant
    declined: bool = False
    """A payment of it was refused, at first or since it was looked at."""


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

    async def refund(self, refund_id: str, order_id: str = "") -> tuple[RefundSnapshot, str]:
        """One refund with its order and all refunds of that, with the shop's own JSON of the refund.

        `order_id`: the order that it is said to be of, which saves asking the shop. It need not be right.
        """
        ...

    async def refunds_of(self, order: OrderSnapshot) -> int:
        """How many refunds the shop has of the order."""
        ...

    async def note(self, order_id: str, namespace: str, key: str, text: str) -> None:
        """See to it that the order says `text` under this name, once; nothing is changed where it does."""
        ...

    def refunds_since(self, since: datetime) -> AsyncIterator[tuple[NewRefund, ...]]:
        """Pages of the refunds that were made since `since`."""
        ...

    def placed_orders(self, since: datetime, lowest: int) -> AsyncIterator[tuple[ListedOrder, ...]]:
        """Pages of the orders placed at or after `since`, by ascending id, from `lowest` on; whenever they changed."""
        ...

    async def storefronts(self) -> tuple[Storefront, ...]:
        """Every channel, also one that is closed."""
        ...

    async def categories(self) -> tuple[CategoryNode, ...]:
        """Every category, with the channels that show it where the shop says so."""
        ...

    @property
    def hooks(self) -> HookDesk:
        """Where its webhooks are kept."""
        ...

    @property
    def catalog(self) -> Catalog:
        """Its products and variants."""
        ...

    @property
    def clientele(self) -> Clientele:
        """Its registered customers."""
        ...

    async def now(self) -> datetime:
        """The shop's own clock: watermarks advance by it, never by ours."""
        ...
