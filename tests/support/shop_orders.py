"""Orders as BigCommerce's V2 writes them, and the sales they become."""

from typing import Any

from contracts.bigcommerce import OrderDocument
from contracts.sale import OrderSnapshot, Sale
from mapping.bigcommerce import project


def order(**fields: Any) -> dict[str, Any]:
    """A placed order as V2 writes it; money defaults to zero."""
    return {
        "id": 1024,
        "status_id": 11,
        "status": "Awaiting Fulfillment",
        "date_created": "Tue, 03 Mar 2026 05:30:00 +0000",
        "date_modified": "Tue, 03 Mar 2026 05:31:00 +0000",
        "date_shipped": "",
        "channel_id": 1,
        "payment_method": "Credit Card",
        "payment_status": "captured",
        "default_currency_code": "USD",
        "currency_code": "EUR",
        "is_tax_inclusive_pricing": False,
        "total_inc_tax": "0.0000",
        "total_tax": "0.0000",
    } | fields


def line(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "id": number,
        "product_id": 70 + number,
        "name": f"Product {number}",
        "sku": f"SKU-{number}",
        "type": "physical",
        "quantity": 1,
        "parent_order_product_id": None,
        "applied_discounts": [],
        "gift_certificate_id": None,
    } | fields


def snapshot(order: dict[str, Any], products: list[dict[str, Any]], **parts: Any) -> OrderSnapshot:
    document = OrderDocument.model_validate({"order": order, "products": products} | parts)
    made = project(
        document, connection="bc-us", store_timezone="America/Chicago", categories={"71": ("Apparel > Shirts",)}
    )
    holds(made.sale)
    return made


def sale(order: dict[str, Any], products: list[dict[str, Any]], **parts: Any) -> Sale:
    return snapshot(order, products, **parts).sale


def holds(sale: Sale) -> None:
    """What is true of every sale."""
    booked = (
        sum(line.net for line in sale.lines)
        + sum(charge.net for charge in sale.charges)
        + sum(tax.amount for tax in sale.taxes)
    )
    assert booked + sale.rounding == sale.total
    assert sum(tender.amount for tender in sale.tenders) == sale.total
    assert sum(tax.amount for tax in sale.taxes) == sale.total_tax
    for one in sale.lines:
        assert one.list_net - one.discount == one.net
        assert one.discount >= 0
