"""A sale as an accountant sees it, whatever shop it came from.

`Sale` is the *accounting projection* of a source order: two orders with equal projections must lead to the same
journal, and only a change here is an edit (design section 6). Status, tracking numbers, addresses and names are not
part of it. Amounts are in `currency`, exact to its minor unit after projection, tax excluded unless a name says so.
"""

import hashlib
from typing import Literal

from contracts.model import Amount, Frozen, Instant


class SaleLine(Frozen):
    """One sold line, after all discounts."""

    key: str
    """The source's own line id."""
    kind: Literal["product", "custom", "gift_certificate"]
    """`custom`: a line without catalog product. `gift_certificate`: a sold certificate, a liability and not revenue."""
    sku: str = ""
    product_id: str = ""
    product_type: str = ""
    """The shop's own word: physical, digital, giftcertificate, ..."""
    name: str = ""
    categories: tuple[str, ...] = ()
    """Names of all catalog categories of the product, full path joined by " > ", most specific first."""
    quantity: Amount
    list_net: Amount
    """Net before order-level discounts and coupons."""
    discount: Amount
    """Share of order-level discounts and coupons, net, positive."""
    net: Amount
    """What is posted: `list_net - discount`, tax excluded."""


class SaleCharge(Frozen):
    """A charge that is not a product: shipping, handling, gift wrapping or a fee."""

    kind: Literal["shipping", "handling", "wrapping", "fee"]
    key: str
    name: str = ""
    net: Amount


class SaleTax(Frozen):
    """Tax of one title, summed over the lines it was charged on."""

    title: str
    tax_class: str = ""
    rate: Amount | None = None
    amount: Amount
    stated: bool = False
    """Its part of the tax is what the shop shows of it, which a refund lowers, and not what its rate comes to."""


class SaleTender(Frozen):
    """How part of the total was settled. `store_credit` and `gift_certificate` are liabilities redeemed."""

    kind: Literal["payment", "store_credit", "gift_certificate"]
    method: str = ""
    """The payment method as the shop names it, e.g. "Credit Card"."""
    amount: Amount


class Sale(Frozen):
    """The accounting projection of one order. `sum(tenders) == total` always."""

    connection: str
    order_id: str
    channel: str
    """The shop's channel id, as text."""
    currency: str
    """ISO 4217 code of the transactional currency."""
    minor_units: int = 2
    tax_inclusive: bool
    placed_at: Instant
    paid_at: Instant | None = None
    shipped_at: Instant | None = None
    store_timezone: str
    """IANA name; the accounting date is taken in this zone."""
    customer_group: str = ""
    ship_to_country: str = ""
    """ISO 3166 alpha-2."""
    ship_to_state: str = ""
    lines: tuple[SaleLine, ...]
    charges: tuple[SaleCharge, ...] = ()
    taxes: tuple[SaleTax, ...] = ()
    tenders: tuple[SaleTender, ...]
    total: Amount
    """What the shopper owes, tax included, before any tender."""
    total_tax: Amount
    rounding: Amount
    """`total - (lines + charges + taxes)`: what the shop's own rounding left over."""

    @property
    def title(self) -> str:
        """Which document it is, to begin a sentence with."""
        return f"Order {self.order_id} ({self.connection})"

    @property
    def label(self) -> str:
        """Which document it is, at the end of a line's description."""
        return f"order {self.order_id}"

    def fingerprint(self) -> str:
        """SHA-256 of what was sold. Compares versions of one order; never part of a reference.

        Left out: `paid_at` and `shipped_at`, which are set once, after a journal by order date is long posted; product
        categories and the customer's group, which belong to the catalog and the customer and change without the order.
        """
        dumped = self.model_dump_json(
            exclude={
                "paid_at": True,
                "shipped_at": True,
                "customer_group": True,
                "lines": {"__all__": {"categories"}},
            }
        )
        return hashlib.sha256(dumped.encode()).hexdigest()


class OrderSnapshot(Frozen):
    """What `fetch` read: the projection, and the facts that decide whether it is posted at all."""

    sale: Sale
    modified_at: Instant
    status_id: str
    status: str
    payment_status: str = ""
    deleted: bool = False
    test: bool = False
    """A transaction carries the shop's test marker."""
    migrated: bool = False
    """Imported history from an older shop system."""
    warnings: tuple[str, ...] = ()
    """Oddities of the source that did not stop the projection, each one sentence."""


class ListedOrder(Frozen):
    """A row of a shop's list of orders: enough to say in which store it was sold and whether it is to be posted."""

    order_id: str
    channel: str
    placed_at: Instant | None = None
    """None where the shop does not say."""
    modified_at: Instant
    status_id: int | None = None
    """None where the shop does not say; the order is then taken for one that is to be posted."""
    store_timezone: str
    deleted: bool = False
    migrated: bool = False
