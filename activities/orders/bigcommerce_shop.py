"""BigCommerce as a `Shop`: its client read, its documents projected."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Final

from activities.orders.shops import ChangedOrder
from clients.bigcommerce import BigCommerceClient
from contracts.bigcommerce import OrderListing
from contracts.sale import OrderSnapshot
from mapping.bigcommerce import project

ORDER_SCOPES: Final = (
    "store/order/created",
    "store/order/updated",
    "store/order/statusUpdated",
    "store/order/archived",
)
"""BigCommerce: the scopes that say an order may have changed."""
PAGE: Final = 250
"""Rows handed on at a time: as many as the shop sends in one page."""


class BigCommerceShop:
    """`customer_groups`: some rule asks for the customer's group, so it is worth a call for every known customer."""

    def __init__(self, client: BigCommerceClient, *, customer_groups: bool = False) -> None:
        self._client = client
        self._customer_groups = customer_groups

    async def order(self, order_id: str) -> tuple[OrderSnapshot, str]:
        document = await self._client.order(order_id)
        settings = await self._client.store()
        products = {str(line.product_id) for line in document.products if line.product_id}
        categories = await self._client.product_categories(products) if products else {}
        group = await self._client.customer_group(document.order.customer_id) if self._customer_groups else ""
        snapshot = project(
            document,
            connection=self._client.connection.id,
            store_timezone=settings.timezone.name,
            categories=categories,
            customer_group=group,
        )
        return snapshot, document.model_dump_json(exclude_defaults=True)

    def changed_orders(self, since: datetime) -> AsyncIterator[tuple[ChangedOrder, ...]]:
        return _pages(self._client.orders_modified(since))

    def orders_from(self, lowest: int) -> AsyncIterator[tuple[ChangedOrder, ...]]:
        return _pages(self._client.orders_by_id(lowest))

    async def register_webhooks(self, destination: str, headers: Mapping[str, str] | None = None) -> tuple[str, ...]:
        ours = [hook for hook in await self._client.hooks() if hook.destination == destination]
        changed = []
        for scope in ORDER_SCOPES:
            covering = [hook for hook in ours if _covers(hook.scope, scope)]
            if any(hook.is_active for hook in covering):
                continue
            asleep = next((hook for hook in covering if hook.scope == scope), None)
            if asleep:
                # One hook per scope and destination: a second one would be refused.
                await self._client.activate_hook(asleep.id)
            else:
                await self._client.create_hook(scope, destination, headers)
            changed.append(scope)
        return tuple(changed)

    async def now(self) -> datetime:
        return await self._client.time()


def _covers(registered: str, scope: str) -> bool:
    """`store/order/*` announces everything below it."""
    return registered == scope or (registered.endswith("/*") and scope.startswith(registered[:-1]))


async def _pages(rows: AsyncIterator[OrderListing]) -> AsyncIterator[tuple[ChangedOrder, ...]]:
    page: list[ChangedOrder] = []
    async for row in rows:
        page.append(ChangedOrder(order_id=str(row.id), modified_at=row.date_modified, placed_at=row.date_created))
        if len(page) == PAGE:
            yield tuple(page)
            page.clear()
    if page:
        yield tuple(page)
