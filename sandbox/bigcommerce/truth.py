"""What a correct ledger must say about an order: what the connector's books are held against."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sandbox.bigcommerce.documents import Order
from sandbox.bigcommerce.money import ZERO

_TENDERS = {"storecredit": "store_credit", "giftcertificate": "gift_certificate"}


@dataclass(frozen=True, slots=True)
class Truth:
    """What a correct ledger must say about one order. Amounts are in `currency`."""

    store_hash: str
    order_id: int
    channel_id: int
    currency: str
    shape: str
    status_id: int
    deleted: bool
    test: bool
    migrated: bool
    created: datetime
    modified: datetime
    total: Decimal
    tax: Decimal
    tenders: dict[str, Decimal]
    """`payment`, `store_credit`, `gift_certificate`; they sum to `total`."""
    net: dict[str, Decimal]
    """Revenue and charges without tax: product, custom, gift_certificate, shipping, handling, wrapping, fee. Exact
    where the store rounds each tax row; where it rounds once per order, within a minor unit of `total - tax`."""
    categories: tuple[str, ...]
    """Names of every category its catalog products are in."""
    refunded: Decimal
    """Total of its refunds that were paid, tax included."""
    refunded_tax: Decimal
    refunded_by: dict[str, Decimal]
    """By tender, as `tenders`; they sum to `refunded`."""


def truth_of(order: Order) -> Truth:
    """The order as it is now, with what was paid back of it."""
    priced = order.priced
    net: dict[str, Decimal] = {}
    for line in order.lines:
        kind = "product" if line.item.product_id else "custom"
        kind = "gift_certificate" if line.item.type == "giftcertificate" else kind
        net[kind] = net.get(kind, ZERO) + priced.lines[line.id].discounted.ex
    charges = {"shipping": priced.shipping, "handling": priced.handling, "wrapping": priced.wrapping}
    if order.profile.fees_in_total:
        charges["fee"] = priced.fees
    net |= {kind: charge.ex for kind, charge in charges.items() if charge.ex}
    names = {name for line in order.lines for name in order.profile.category_names(line.item.product_id)}
    paid = [refund for refund in order.refunds if not refund.declined]
    refunded_by: dict[str, Decimal] = {}
    for payment in (one for refund in paid for one in refund.payments):
        tender = _TENDERS.get(payment.provider_id, "payment")
        refunded_by[tender] = refunded_by.get(tender, ZERO) + payment.amount
    return Truth(
        store_hash=order.profile.store_hash,
        order_id=order.id,
        channel_id=order.profile.channel_id,
        currency=order.currency,
        shape=order.draft.shape,
        status_id=order.status_id,
        deleted=order.deleted,
        test=order.draft.test,
        migrated=order.draft.migrated,
        created=order.created,
        modified=order.modified,
        total=priced.total.inc,
        tax=priced.total.tax,
        tenders=dict(order.tenders()),
        net=net,
        categories=tuple(sorted(names)),
        refunded=sum((refund.total for refund in paid), ZERO),
        refunded_tax=sum((refund.tax for refund in paid), ZERO),
        refunded_by=refunded_by,
    )
