"""BigCommerce as a `Shop`: its client read, its documents projected."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final

from activities.converging.catalog import Catalog
from activities.converging.clientele import Clientele
from activities.hooks.desk import HookDesk
from activities.orders.shops import ChangedOrder, NewRefund
from clients.bigcommerce import BigCommerceClient
from clients.errors import NotFound
from contracts.alignment import CategoryNode, Storefront
from contracts.bigcommerce import OrderDocument, OrderListing
from contracts.bigcommerce_metafield import MetafieldDraft
from contracts.bigcommerce_refund import OrderRefund
from contracts.sale import ListedOrder, OrderSnapshot
from contracts.steps.refunds import RefundSnapshot
from mapping.bigcommerce import is_migrated, project
from mapping.bigcommerce_refunds import project_refund

DEFAULT_CHANNEL: Final = 1
"""BigCommerce: the storefront that every store has."""
DESCRIPTION: Final = "What became of this order in Oracle Fusion"
"""Of the metafield that says it."""
PAGE: Final = 250
"""Rows handed on at a time: as many as the shop sends in one page."""


class BigCommerceShop:
    """`customer_groups`: some rule asks for the customer's group, so it is worth a call for every known customer."""

    def __init__(self, client: BigCommerceClient, *, customer_groups: bool = False) -> None:
        self._client = client
        self._customer_groups = customer_groups

    async def order(self, order_id: str) -> tuple[OrderSnapshot, str]:
        document = await self._client.order(order_id)
        return await self._project(document), document.model_dump_json(exclude_defaults=True)

    async def refund(self, refund_id: str, order_id: str = "") -> tuple[RefundSnapshot, str]:
        read = await self._as_listed(refund_id, order_id) if order_id else None
        if read is None:
            alone = await self._client.refund(refund_id)
            order = await self._client.order(alone.order_id)
            read = alone, order, await self._client.order_refunds(alone.order_id)
        found, document, every = read
        connection = self._client.connection.id
        snapshot = RefundSnapshot(
            refund=project_refund(found, document, connection=connection),
            order=await self._project(document),
            known=tuple(project_refund(one, document, connection=connection) for one in every),
        )
        return snapshot, found.model_dump_json(exclude_defaults=True)

    async def _as_listed(
        self, refund_id: str, order_id: str
    ) -> tuple[OrderRefund, OrderDocument, tuple[OrderRefund, ...]] | None:
        """The refund as its order's list of refunds has it. None: it is not there, or not yet."""
        try:
            document = await self._client.order(order_id)
            every = await self._client.order_refunds(order_id)
        except NotFound:
            return None
        found = next((one for one in every if str(one.id) == refund_id), None)
        return (found, document, every) if found else None

    async def refunds_of(self, order: OrderSnapshot) -> int:
        return len(await self._client.order_refunds(order.sale.order_id))

    async def note(self, order_id: str, namespace: str, key: str, text: str) -> None:
        draft = MetafieldDraft(namespace=namespace, key=key, value=text, description=DESCRIPTION)
        await self._client.metafields.put(order_id, draft)

    async def _project(self, document: OrderDocument) -> OrderSnapshot:
        settings = await self._client.store()
        products = {str(line.product_id) for line in document.products if line.product_id}
        categories = await self._client.product_categories(products) if products else {}
        group = await self._client.customer_group(document.order.customer_id) if self._customer_groups else ""
        return project(
            document,
            connection=self._client.connection.id,
            store_timezone=settings.timezone.name,
            categories=categories,
            customer_group=group,
        )

    def changed_orders(self, since: datetime) -> AsyncIterator[tuple[ChangedOrder, ...]]:
        return _pages(self._client.orders_modified(since))

    def orders_from(self, lowest: int) -> AsyncIterator[tuple[ChangedOrder, ...]]:
        return _pages(self._client.orders_by_id(lowest))

    async def refunds_since(self, since: datetime) -> AsyncIterator[tuple[NewRefund, ...]]:
        page: list[NewRefund] = []
        async for row in self._client.refunds_since(since):
            declined = any(one.is_declined for one in row.payments)
            page.append(
                NewRefund(refund_id=str(row.id), order_id=str(row.order_id), created_at=row.created, declined=declined)
            )
            if len(page) == PAGE:
                yield tuple(page)
                page = []
        if page:
            yield tuple(page)

    async def placed_orders(self, since: datetime, lowest: int) -> AsyncIterator[tuple[ListedOrder, ...]]:
        zone = (await self._client.store()).timezone.name
        page: list[ListedOrder] = []
        async for row in self._client.orders_by_id(lowest, since):
            page.append(_listed(row, zone))
            if len(page) == PAGE:
                yield tuple(page)
                page.clear()
        if page:
            yield tuple(page)

    async def storefronts(self) -> tuple[Storefront, ...]:
        return await storefronts_of(self._client)

    async def categories(self) -> tuple[CategoryNode, ...]:
        return await categories_of(self._client)

    @property
    def hooks(self) -> HookDesk:
        return self._client

    @property
    def catalog(self) -> Catalog:
        return self._client

    @property
    def clientele(self) -> Clientele:
        return self._client

    async def now(self) -> datetime:
        return await self._client.time()


async def storefronts_of(client: BigCommerceClient) -> tuple[Storefront, ...]:
    return tuple(
        Storefront(id=str(one.id), name=one.name, open=one.is_open, status=one.status)
        for one in await client.channels()
    )


async def categories_of(client: BigCommerceClient) -> tuple[CategoryNode, ...]:
    channels = {tree.id: tuple(map(str, tree.channels)) for tree in await client.category_trees()}
    return tuple(
        CategoryNode(id=one.category_id, parent_id=one.parent_id, name=one.name, channels=channels.get(one.tree_id, ()))
        for one in await client.categories()
    )


async def _pages(rows: AsyncIterator[OrderListing]) -> AsyncIterator[tuple[ChangedOrder, ...]]:
    page: list[ChangedOrder] = []
    async for row in rows:
        page.append(ChangedOrder(order_id=str(row.id), modified_at=row.date_modified, placed_at=row.date_created))
        if len(page) == PAGE:
            yield tuple(page)
            page.clear()
    if page:
        yield tuple(page)


def _listed(row: OrderListing, zone: str) -> ListedOrder:
    return ListedOrder(
        order_id=str(row.id),
        channel=str(DEFAULT_CHANNEL if row.channel_id is None else row.channel_id),
        placed_at=row.date_created,
        modified_at=row.date_modified,
        status_id=row.status_id,
        store_timezone=zone,
        deleted=row.is_deleted,
        migrated=is_migrated(row.external_source),
    )
