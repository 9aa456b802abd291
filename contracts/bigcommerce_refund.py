"""Refunds as BigCommerce sends them (V3, payment actions).

The reasons that people typed are left behind when a refund is read: they may name the shopper. Field names are the
vendor's.
"""

from typing import Annotated

from pydantic import BeforeValidator

from contracts.bigcommerce import ZERO, Flag, Id, Moment, Money, OptionalId, Text, parse_amount
from contracts.model import Amount, Wire


def _listed(value: object) -> object:
    return value or ()


class RefundAdjustment(Wire):
    """A deduction from what an item costs: a restocking fee. Negative."""

    amount: Money = ZERO


class RefundedItem(Wire):
    """One item of a refund."""

    item_type: Text
    """PRODUCT, GIFT_WRAPPING, SHIPPING, HANDLING, ORDER, FEE."""
    item_id: OptionalId = 0
    """Order product (PRODUCT, GIFT_WRAPPING), order address (SHIPPING, HANDLING), order (ORDER) or fee (FEE)."""
    quantity: Money = ZERO
    """Pieces of a PRODUCT; 0 for anything else."""
    requested_amount: Annotated[
        Amount | None, BeforeValidator(lambda value: None if value in (None, "") else parse_amount(value))
    ] = None
    """None where pieces were refunded."""
    adjustments: Annotated[tuple[RefundAdjustment, ...], BeforeValidator(_listed)] = ()


class RefundPayment(Wire):
    """How part of a refund is paid back."""

    id: OptionalId = 0
    provider_id: Text = ""
    """The gateway; `storecredit` for store credit, `custom` for a way outside the shop."""
    amount: Money = ZERO
    offline: Flag = False
    is_declined: Flag = False
    """No cash has moved."""
    transaction_id: Text = ""


class OrderRefund(Wire):
    """A refund. `total_amount` and `total_tax` are the truth; items of pieces carry no amount."""

    id: Id
    order_id: Id
    created: Moment
    total_amount: Money
    total_tax: Money = ZERO
    """Negative when tax was collected by giving back less."""
    uses_merchant_override_values: Flag = False
    items: Annotated[tuple[RefundedItem, ...], BeforeValidator(_listed)] = ()
    """Empty when nothing but tax is refunded."""
    payments: Annotated[tuple[RefundPayment, ...], BeforeValidator(_listed)] = ()
