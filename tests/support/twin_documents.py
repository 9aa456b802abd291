"""Documents of the twin's orders and refunds as the client would read them, without a wire between."""

from typing import Any

from contracts.bigcommerce import OrderDocument
from contracts.bigcommerce_refund import OrderRefund
from contracts.refund import Refund as RefundFacts
from contracts.sale import OrderSnapshot
from mapping.bigcommerce import project
from mapping.bigcommerce_refunds import project_refund
from sandbox.bigcommerce import v2, v3
from sandbox.bigcommerce.documents import Order, Refund

CONNECTION = "bc-us"


def document_of(order: Order, *, lowered: bool = True) -> OrderDocument:
    """The order with everything that belongs to it; `lowered`: refunds were taken off its tax rows."""
    header = v2.render_order(order, include=frozenset({"fees"}))
    parts: dict[str, Any] = {
        "order": header,
        "products": [v2.render_product(order, line) for line in order.lines],
        "coupons": [v2.render_coupon(order, index, coupon) for index, coupon in enumerate(order.draft.coupons)],
        "taxes": v2.render_taxes(order, details=True, lowered=lowered),
        "fees": v2.render_fees(order)["fees"],
        "shipping_addresses": [v2.render_address(order, index) for index, _ in enumerate(order.address_ids)],
        "transactions": [v3.render_transaction(order, one) for one in order.transactions],
    }
    return OrderDocument.model_validate(parts)


def snapshot_of(order: Order, *, lowered: bool = True) -> OrderSnapshot:
    document = document_of(order, lowered=lowered)
    return project(document, connection=CONNECTION, store_timezone=order.profile.timezone, categories={})


def refund_of(order: Order, refund: Refund, *, lowered: bool = True) -> RefundFacts:
    wire = OrderRefund.model_validate(v3.render_refund(order, refund))
    return project_refund(wire, document_of(order, lowered=lowered), connection=CONNECTION)
