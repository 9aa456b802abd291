"""A BigCommerce order as a sale: the accounting projection, and whether it is posted at all.

The header's totals are the truth. Lines, charges and taxes are read so that they agree with it
(`mapping.bigcommerce_amounts`); what is left is the sale's rounding. Refunded amounts on order and lines are
documented as always 0 and are ignored: a refund is a document of its own.
"""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Final

from contracts.bigcommerce import OrderDocument
from contracts.configuration import PostingPolicy
from contracts.sale import ListedOrder, OrderSnapshot, Sale, SaleCharge, SaleLine
from mapping.bigcommerce_amounts import ZERO, Breakdown, NetLine, break_down, is_certificate
from mapping.bigcommerce_settlement import paid_at, tax_rows_disagree, taxes_by_title, tenders
from mapping.dates import local_day
from mapping.money import is_exact, minor_units, quantize

MIGRATED: Final = "M-MIG"
"""BigCommerce: `external_source` of orders imported from an older shop system."""


def project(
    document: OrderDocument,
    *,
    connection: str,
    store_timezone: str,
    categories: Mapping[str, tuple[str, ...]],
    customer_group: str = "",
) -> OrderSnapshot:
    """The order as accounting sees it. Pure: the same document gives the same snapshot.

    `store_timezone` is the IANA name of the shop's zone; `categories` has full category paths by product id. In the
    result `lines + charges + taxes + rounding == total` and `tenders == total`, exact to the currency's minor unit.
    """
    order = document.order
    units = minor_units(order.default_currency_code)
    total, total_tax = quantize(order.total_inc_tax, units), quantize(order.total_tax, units)
    parts = break_down(document, units)
    lines = tuple(_sale_line(line, categories) for line in parts.lines)
    charges = tuple(
        SaleCharge(kind=one.charge.kind, key=one.charge.key, name=one.charge.name, net=one.net)
        for one in parts.charges
        if one.net
    )
    taxes = taxes_by_title(document, parts, units)
    country, state, one_destination = _destination(document)
    sale = Sale(
        connection=connection,
        order_id=str(order.id),
        channel=str(order.channel_id),
        currency=order.default_currency_code,
        minor_units=units,
        tax_inclusive=order.is_tax_inclusive_pricing,
        placed_at=order.date_created,
        paid_at=paid_at(document, total, units),
        shipped_at=order.date_shipped,
        store_timezone=store_timezone,
        customer_group=customer_group,
        ship_to_country=country,
        ship_to_state=state,
        lines=lines,
        charges=charges,
        taxes=taxes,
        tenders=tenders(document, total, units),
        total=total,
        total_tax=total_tax,
        rounding=total
        - sum((line.net for line in lines), start=ZERO)
        - sum((charge.net for charge in charges), start=ZERO)
        - sum((tax.amount for tax in taxes), start=ZERO),
    )
    return OrderSnapshot(
        sale=sale,
        modified_at=order.date_modified,
        status_id=str(order.status_id),
        status=order.status,
        payment_status=order.payment_status,
        deleted=order.is_deleted,
        test=any(transaction.test for transaction in document.transactions),
        migrated=is_migrated(order.external_source),
        warnings=_warnings(document, parts, units, one_destination=one_destination),
    )


def postability(snapshot: OrderSnapshot, policy: PostingPolicy, cut_over: date, *, posted: bool = False) -> str | None:
    """Why the order is not posted, as a clause with a name ("status Incomplete is not postable"); None when it is.

    `cut_over` is compared with the store-local day on which the order was placed. `posted`: it is in the ERP, where
    being archived since changes nothing.
    """
    if snapshot.deleted and not posted:
        return "archived in the shop"
    if snapshot.test:
        return "test order: one of its transactions is marked as a test"
    if snapshot.migrated:
        return f"migrated history ({MIGRATED})"
    placed = local_day(snapshot.sale.placed_at, snapshot.sale.store_timezone)
    # An unknown zone is not decided here: mapping reports it as the problem it is.
    if placed and placed < cut_over:
        return f"placed {placed}, before the cut-over {cut_over}"
    if int(snapshot.status_id) not in policy.postable_statuses:
        return f"status {snapshot.status or snapshot.status_id} is not postable"
    return None


def is_reversed(snapshot: OrderSnapshot, policy: PostingPolicy) -> bool:
    """Whether the order's status takes back what was posted of it. To be archived says nothing about that: what was
    sold stays sold, and what was cancelled stays cancelled."""
    return int(snapshot.status_id) in policy.reversing_statuses


def version_of(fingerprint: str, snapshot: OrderSnapshot) -> str:
    """What the shop shows of an order: its accounting projection, and what decides whether that is posted at all."""
    return f"{fingerprint}:{snapshot.status_id}:{snapshot.deleted}:{snapshot.test}"


def shows_reversed(version: str, policy: PostingPolicy) -> bool:
    """`is_reversed` of the order as it was when this was its `version_of`."""
    _, _, facts = version.partition(":")
    status_id = facts.partition(":")[0]
    return status_id.isdecimal() and int(status_id) in policy.reversing_statuses


def listed_as_postable(order: ListedOrder, policy: PostingPolicy, cut_over: date) -> bool:
    """Whether `postability` can say that the order is posted, as far as a list of orders tells: no list shows tests."""
    placed = local_day(order.placed_at, order.store_timezone) if order.placed_at else None
    return not (
        order.deleted
        or order.migrated
        or (placed is not None and placed < cut_over)
        or (order.status_id is not None and order.status_id not in policy.postable_statuses)
    )


def is_migrated(external_source: str) -> bool:
    return external_source.strip().upper() == MIGRATED


def _sale_line(line: NetLine, categories: Mapping[str, tuple[str, ...]]) -> SaleLine:
    product = line.product
    product_id = str(product.product_id) if product.product_id else ""
    return SaleLine(
        key=str(product.id),
        kind="gift_certificate" if is_certificate(product) else "product" if product_id else "custom",
        sku=product.sku,
        product_id=product_id,
        product_type=product.type,
        name=product.name,
        categories=tuple(categories.get(product_id, ())) if product_id else (),
        quantity=Decimal(f"{product.quantity.normalize():f}"),
        list_net=line.list_net,
        discount=line.discount,
        net=line.net,
    )


def _destination(document: OrderDocument) -> tuple[str, str, bool]:
    """Country and state of all shipping addresses as far as they agree; empty for a digital order."""
    countries = {one.country_iso2.upper() for one in document.shipping_addresses}
    states = {(one.country_iso2.upper(), one.state) for one in document.shipping_addresses}
    one_destination = len(states) <= 1
    country = countries.pop() if len(countries) == 1 else ""
    state = states.pop()[1] if len(states) == 1 else ""
    return country, state, one_destination


def _warnings(document: OrderDocument, parts: Breakdown, units: int, *, one_destination: bool) -> tuple[str, ...]:
    order = document.order
    found = []
    if parts.fees_outside:
        found.append("Its custom fees are not part of the order's total and are not posted.")
    if parts.way == "discounted":
        found.append("Its lines agree with its total only by the discounted line totals; those are posted.")
    elif (parts.way == "inclusive") != order.is_tax_inclusive_pricing:
        found.append(f"Its amounts agree with its total only when read as tax-{parts.way} prices.")
    if document.taxes and order.total_tax and tax_rows_disagree(document, units):
        found.append("Its tax rows do not add up to its total tax; the total is posted.")
    if order.total_tax and not document.taxes:
        found.append("The shop gives no tax rows for its tax; it is posted without a title.")
    if not is_exact(order.total_inc_tax, units):
        found.append(f"Its total has more decimals than {order.default_currency_code}; it is rounded.")
    if order.store_credit_amount + order.gift_certificate_amount > order.total_inc_tax:
        found.append("Store credit and gift certificates exceed its total.")
    if not one_destination:
        found.append("It ships to several countries or states; rules on the destination see only what they share.")
    return tuple(found)
