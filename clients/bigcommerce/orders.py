"""Orders: one with everything that belongs to it, and lists that lose nothing while the shop goes on selling."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from clients.bigcommerce.wire import Reader, together
from clients.errors import BadAnswer, NotFound
from contracts.bigcommerce import (
    Order,
    OrderCoupon,
    OrderDocument,
    OrderFee,
    OrderListing,
    OrderProduct,
    OrderTax,
    ShippingAddress,
    Transaction,
)
from contracts.id_set import IdSet

_READS: Final = 3
"""How often an order that changes while it is read is read."""
_SECOND: Final = timedelta(seconds=1)
_DAY: Final = timedelta(days=1)


class Orders:
    """Reads orders of one store. `connection` names it in errors."""

    def __init__(self, reader: Reader, connection: str) -> None:
        self._reader = reader
        self._connection = connection

    async def order(self, order_id: str) -> OrderDocument:
        """The order with all its sub-resources, every list complete. Raises `NotFound`.

        Resources are separate calls, so an edit can fall between them. When lines or taxes do not fit the header, the
        header is read again, and everything with it if it has changed.
        """
        subject = f"order {order_id}"
        path = f"v2/orders/{_digits(order_id)}"
        order = await self._header(path, subject)
        for _ in range(_READS):
            document = await self._complete(order, path, subject)
            if _fits(document):
                break
            again = await self._header(path, subject)
            if again.date_modified == order.date_modified:
                break
            order = again
        return document

    async def _header(self, path: str, subject: str) -> Order:
        order = await self._reader.document(
            path,
            Order,
            subject=subject,
            params={"include": "consignments,fees", "consignment_structure": "object"},
        )
        if order is None:
            raise NotFound(self._connection, f"BigCommerce ({self._connection}) has no {subject}.", status=204)
        return order

    async def _complete(self, order: Order, path: str, subject: str) -> OrderDocument:
        """What the header does not carry, side by side; a list is left out only where the header proves it empty."""
        read = self._reader
        calls: dict[str, Any] = {
            "products": read.rows_v2(f"{path}/products", OrderProduct, subject=f"the products of {subject}"),
            "transactions": read.rows_v3(
                f"v3/orders/{order.id}/transactions",
                Transaction,
                subject=f"the transactions of {subject}",
                paged=False,
            ),
        }
        if order.total_tax:
            calls["taxes"] = read.rows_v2(
                f"{path}/taxes", OrderTax, subject=f"the taxes of {subject}", params={"details": "true"}
            )
        if order.coupon_discount:
            calls["coupons"] = read.rows_v2(f"{path}/coupons", OrderCoupon, subject=f"the coupons of {subject}")
        if order.consignments is None and order.shipping_address_count != 0:
            calls["shipping_addresses"] = read.rows_v2(
                f"{path}/shipping_addresses", ShippingAddress, subject=f"the shipping addresses of {subject}"
            )
        if order.fees is None:
            calls["fees"] = self._fees(path, subject)
        found: dict[str, Any] = dict(zip(calls, await together(*calls.values()), strict=True))
        return OrderDocument(
            order=order,
            products=tuple(found["products"]),
            transactions=tuple(found["transactions"]),
            taxes=tuple(found.get("taxes", ())),
            coupons=tuple(found.get("coupons", ())),
            shipping_addresses=tuple(found.get("shipping_addresses", order.consignments or ())),
            fees=tuple(found.get("fees", order.fees or ())),
        )

    async def _fees(self, path: str, subject: str) -> list[OrderFee]:
        """BigCommerce: `/fees` is an object with a list in it."""
        body = await self._reader.value(f"{path}/fees", subject=f"the fees of {subject}")
        rows = body.get("fees") if isinstance(body, dict) else body
        return [self._reader.model(OrderFee, row, f"the fees of {subject}") for row in rows or ()]

    async def modified(self, since: datetime, until: datetime | None = None) -> AsyncIterator[OrderListing]:
        """Orders modified at or after `since` (and at or before `until`), oldest change first, each version once.

        An order that changes while the list is read moves to its end and would push another over a page border. So the
        next request starts from the last change seen and not from the next page; only where more orders share a second
        than fit a page are pages turned. Remembers a bit for each order of the second or two it is at, however many
        share them. Raises `BadAnswer` when the shop ignores the filter, the sort or the page.
        """
        subject = "the list of changed orders"
        params: dict[str, str | int | bool] = {"sort": "date_modified:asc"}
        if until is not None:
            params["max_date_modified"] = _iso(until)
        cursor, page = since.replace(microsecond=0), 1
        seen: dict[datetime, IdSet] = {}
        previous: list[Any] = []
        while True:
            asked = {**params, "min_date_modified": _iso(cursor), "page": page}
            body = await self._reader.page_v2("v2/orders", subject=subject, params=asked)
            if page > 1 and body and body == previous:
                raise self._ignored(subject, "the page")
            previous = body
            rows = [self._reader.model(OrderListing, row, subject) for row in body]
            last = cursor
            for row in rows:
                if row.date_modified < last:
                    kind = "filter" if row.date_modified < cursor else "sort"
                    raise self._ignored(subject, f"the {kind} by date_modified")
                last = row.date_modified
                told = seen.setdefault(row.date_modified, IdSet())
                if row.id not in told:
                    told.add(row.id)
                    yield row
            if not rows or self._reader.is_last(body):
                return
            # A second back: the shop may understand the filter as "after".
            if last - _SECOND > cursor:
                cursor, page = last - _SECOND, 1
                seen = {moment: told for moment, told in seen.items() if moment >= cursor}
            else:
                page += 1

    async def by_id(self, min_id: int, placed_since: datetime | None = None) -> AsyncIterator[OrderListing]:
        """Orders with an id of at least `min_id`, ascending: finds what became visible late, whatever its dates.

        With `placed_since` only those placed then or later. Raises `BadAnswer` when the shop ignores a filter.
        """
        subject = "the list of orders by id"
        placed = {} if placed_since is None else {"min_date_created": _iso(placed_since)}
        while True:
            params: dict[str, str | int | bool] = {"sort": "id:asc", "min_id": min_id, "page": 1, **placed}
            body = await self._reader.page_v2("v2/orders", subject=subject, params=params)
            for row in (self._reader.model(OrderListing, row, subject) for row in body):
                if row.id < min_id:
                    raise self._ignored(subject, "the filter or sort by id")
                # Not to the second: that the shop may read the moment in its own zone costs some rows and no more.
                if placed_since and row.date_created and row.date_created < placed_since - _DAY:
                    raise self._ignored(subject, "the filter by date_created")
                min_id = row.id + 1
                yield row
            if not body or self._reader.is_last(body):
                return

    def _ignored(self, subject: str, what: str) -> BadAnswer:
        """BigCommerce: a filter that is not understood is ignored in silence, and everything comes back."""
        return BadAnswer(
            self._connection, f"BigCommerce ({self._connection}) answered for {subject}, but ignored {what}."
        )


def _fits(document: OrderDocument) -> bool:
    """Whether lines and taxes can belong to this version of the header; false also for the shop's own oddities.

    BigCommerce: a refund lowers the tax rows and not the header's tax, so then they may come to less.
    """
    order, products = document.order, document.products
    alone = [one for one in products if not one.parent_order_product_id]
    slack = Decimal("0.01") * (1 + len(products))

    def near(amounts: list[Decimal], stated: Decimal) -> bool:
        return abs(sum(amounts, start=Decimal(0)) - stated) <= slack

    lines_fit = near([one.total_inc_tax for one in alone], order.subtotal_inc_tax) or near(
        [one.total_ex_tax for one in alone], order.subtotal_ex_tax
    )
    slack = Decimal("0.01") * (1 + len(document.taxes))
    least = Decimal(0) if "refunded" in order.payment_status else order.total_tax
    tax_fits = not document.taxes or any(
        least - slack <= sum(amounts, start=Decimal(0)) <= order.total_tax + slack
        for amounts in ([row.line_amount for row in document.taxes], [row.priority_amount for row in document.taxes])
    )
    return lines_fit and tax_fits


def _digits(order_id: str) -> str:
    """Order ids come from webhooks and people: anything but a number must not reach an address."""
    if not (order_id.isascii() and order_id.isdigit()):
        raise ValueError(f"{order_id!r} is not an order id of BigCommerce")
    return order_id


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
