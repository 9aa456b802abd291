"""The client of one BigCommerce store."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import httpx

from clients.accounts import Account, account
from clients.authentication import HeaderToken
from clients.bigcommerce.catalog import Categories
from clients.bigcommerce.customers import Customers
from clients.bigcommerce.metafields import OrderMetafields
from clients.bigcommerce.orders import Orders
from clients.bigcommerce.products import Products
from clients.bigcommerce.refunds import Refunds
from clients.bigcommerce.variants import Variants
from clients.bigcommerce.wire import Reader, read_allowance, read_error
from clients.http import UNWATCHED, VendorHttp, Watch
from clients.limiter import ALONE, Limiter, Share
from contracts.bigcommerce import (
    Category,
    Customer,
    Hook,
    HookAdministration,
    OrderDocument,
    OrderListing,
    StoreCurrency,
    StoreInformation,
)
from contracts.bigcommerce_catalog import CategoryTree, StoreChannel
from contracts.bigcommerce_refund import OrderRefund
from contracts.configuration import BigCommerceConnection

WINDOW: Final = 30.0
"""BigCommerce: seconds of a rate limit window."""
_STORE_LIFETIME: Final = 3600.0


class BigCommerceClient:
    """Reads orders, refunds, catalog and settings of one store, and registers webhooks. One instance for a process.

    `products`, `variants`, `customers` and `metafields` read and write these. `token` gives the newest access token of
    the API account; it is asked again when the shop refuses the last one. `client_id` is the account's own, by which
    its metafields are told from those of other apps.
    Every method raises `clients.errors.VendorError`. `watch` sees how each call ends, `share` says which part of
    the quota is this process's; `transport` replaces the network in tests.
    """

    def __init__(
        self,
        connection: BigCommerceConnection,
        token: Callable[[], Awaitable[str]],
        *,
        watch: Watch = UNWATCHED,
        share: Share = ALONE,
        client_id: str = "",
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.connection = connection
        self._clock = clock
        self._http = VendorHttp(
            vendor="BigCommerce",
            connection=connection.id,
            base_url=f"{str(connection.base_url).rstrip('/')}/stores/{connection.store_hash}",
            timeout=connection.timeout,
            limiter=Limiter(calls=connection.requests_per_window, window=WINDOW, share=share),
            auth=HeaderToken("X-Auth-Token", token),
            headers={"Accept": "application/json"},
            error_reader=read_error,
            allowance_reader=read_allowance,
            watch=watch,
            transport=transport,
        )
        self._reader = Reader(self._http, connection.page_size)
        self._orders = Orders(self._reader, connection.id)
        self._refunds = Refunds(self._reader, connection.id)
        self._categories = Categories(self._reader, clock)
        self.products = Products(self._http, self._reader)
        self.variants = Variants(self._http, self._reader)
        self.customers = Customers(self._http, self._reader)
        self.metafields = OrderMetafields(self._http, self._reader, client_id)
        self._store: tuple[float, StoreInformation] | None = None

    async def aclose(self) -> None:
        await self._http.aclose()

    @property
    def skew(self) -> float | None:
        """Our clock minus the shop's, in seconds, by the last answer; None before the first."""
        return self._http.skew

    async def order(self, order_id: str | int) -> OrderDocument:
        """One order with everything that belongs to it: three to six calls. Raises `NotFound`."""
        return await self._orders.order(str(order_id))

    def orders_modified(self, since: datetime, until: datetime | None = None) -> AsyncIterator[OrderListing]:
        """Orders modified at or after `since`, oldest change first, each version once. Includes status Incomplete."""
        return self._orders.modified(since, until)

    def orders_by_id(self, min_id: int, placed_since: datetime | None = None) -> AsyncIterator[OrderListing]:
        """Orders with an id of at least `min_id`, ascending; with `placed_since` only those placed then or later."""
        return self._orders.by_id(min_id, placed_since)

    async def refund(self, refund_id: str | int) -> OrderRefund:
        """One refund. Raises `NotFound`, also for a moment after its webhook: refunds are made asynchronously."""
        return await self._refunds.refund(str(refund_id))

    async def order_refunds(self, order_id: str | int) -> tuple[OrderRefund, ...]:
        """All refunds of an order, by ascending id."""
        return await self._refunds.of_order(str(order_id))

    def refunds_since(self, since: datetime, until: datetime | None = None) -> AsyncIterator[OrderRefund]:
        """Refunds of all orders that were created at or after `since`, by ascending id, each once."""
        return self._refunds.since(since, until)

    async def order_count(self) -> int:
        """Number of orders by the shop's own count. Differs from the lists by incomplete and archived orders."""
        body = await self._reader.value("v2/orders/count", subject="the order count")
        count = body.get("count") if isinstance(body, Mapping) else None
        if not isinstance(count, int):
            raise self._http.bad_answer("the order count", "there is no count in it")
        return count

    async def store(self, *, fresh: bool = False) -> StoreInformation:
        """Name, time zone and default currency of the store; kept for an hour."""
        if not fresh and self._store and self._clock() - self._store[0] < _STORE_LIFETIME:
            return self._store[1]
        found = await self._reader.document("v2/store", StoreInformation, subject="the store's settings")
        if found is None:
            raise self._http.bad_answer("the store's settings", "it is empty", status=204)
        self._store = (self._clock(), found)
        return found

    async def account(self) -> Account:
        """Which store the token opens, by the store's own answer. A merchant may change the domain, the id stays.

        The settings come along, so that the first order does not ask for them again.
        """
        found = await self.store(fresh=True)
        named = found.id or found.store_id or found.domain
        return account(
            f"store {named} ({found.domain})" if found.domain else f"store {named}",
            {"store": named, "address": str(self.connection.base_url.host)},
        )

    async def currencies(self) -> tuple[StoreCurrency, ...]:
        """Currencies of the store; those with `is_transactional` can appear on orders."""
        return tuple(await self._reader.rows_v2("v2/currencies", StoreCurrency, subject="the store's currencies"))

    async def product_categories(
        self, product_ids: Collection[str], *, fresh: bool = False
    ) -> dict[str, tuple[str, ...]]:
        """Full category paths ("Apparel > Shirts") by product id, most specific first; kept for five minutes."""
        return await self._categories.of(product_ids, fresh=fresh)

    async def categories(self) -> tuple[Category, ...]:
        """All categories of all trees, by id. A few pages: BigCommerce allows 16,000 to a store."""
        return await self._categories.every()

    async def channels(self) -> tuple[StoreChannel, ...]:
        """All channels of the store, by id. `Forbidden` where the token lacks the scope of channel settings."""
        rows = await self._reader.rows_v3("v3/channels", StoreChannel, subject="the store's channels")
        return tuple(sorted(rows, key=lambda row: row.id))

    async def category_trees(self) -> tuple[CategoryTree, ...]:
        """The trees of categories with the channels that show them, by id. BigCommerce: this list has no pages."""
        subject = "the category trees"
        body = await self._reader.value("v3/catalog/trees", subject=subject)
        found = self._reader.page_of(body, CategoryTree, subject)
        if found.total is not None and found.total > len(found.rows):
            raise self._http.bad_answer(subject, "there are more of them than it shows")
        return tuple(sorted(found.rows, key=lambda row: row.id))

    async def customer_group(self, customer_id: int) -> str:
        """Id of the customer's group; empty for a guest, a deleted customer and one in no group."""
        if not customer_id:
            return ""
        rows = await self._reader.rows_v3(
            "v3/customers", Customer, subject="the customer's group", params={"id:in": str(customer_id)}
        )
        return next((str(row.customer_group_id) for row in rows if row.id == customer_id and row.customer_group_id), "")

    async def time(self) -> datetime:
        """The shop's clock, whole seconds. The cheapest call that needs a valid token."""
        body = await self._reader.value("v2/time", subject="the shop's clock")
        seconds = body.get("time") if isinstance(body, Mapping) else None
        if not isinstance(seconds, int):
            raise self._http.bad_answer("the shop's clock", "there is no time in it")
        return datetime.fromtimestamp(seconds, UTC)

    async def hooks(self) -> tuple[Hook, ...]:
        """Webhooks of this API account. BigCommerce: those of other accounts are not visible."""
        return tuple(await self._reader.rows_v3("v3/hooks", Hook, subject="the webhooks"))

    async def create_hook(self, scope: str, destination: str, headers: Mapping[str, str] | None = None) -> Hook:
        """Register a webhook; `headers` come back with every delivery. Active within a minute.

        BigCommerce: the destination must be https on port 443; one hook per scope and destination.
        """
        subject = f"the webhook {scope}"
        answer = await self._http.send(
            "POST",
            "v3/hooks",
            subject=subject,
            body={"scope": scope, "destination": destination, "is_active": True, "headers": dict(headers or {})},
            write=True,
        )
        body: Any = self._http.document(answer, subject)
        return self._reader.model(Hook, body.get("data") if isinstance(body, Mapping) else body, subject)

    async def activate_hook(
        self, hook_id: int, headers: Mapping[str, str] | None = None, destination: str | None = None
    ) -> Hook:
        """Switch a webhook on again, with other `headers` and at another `destination` where they are given.

        Safe to repeat.

        BigCommerce: after the last failed retry, or 90 quiet days, it is switched off.
        """
        subject = f"the webhook {hook_id}"
        wanted: dict[str, Any] = {"is_active": True}
        if headers is not None:
            wanted["headers"] = dict(headers)
        if destination is not None:
            wanted["destination"] = destination
        answer = await self._http.send("PUT", f"v3/hooks/{hook_id}", subject=subject, body=wanted)
        body: Any = self._http.document(answer, subject)
        return self._reader.model(Hook, body.get("data") if isinstance(body, Mapping) else body, subject)

    async def hook_administration(self) -> HookAdministration:
        """Domains to which the shop delivers nothing at the moment. BigCommerce: three minutes each time."""
        subject = "the webhooks' administration"
        body = await self._reader.value("v3/hooks/admin", subject=subject)
        return self._reader.model(HookAdministration, body.get("data") if isinstance(body, Mapping) else body, subject)
