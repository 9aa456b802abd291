"""A refund as an accountant sees it, whatever shop it came from, and what it takes back of its sale.

`total` and `tax` are what the shop says of the refund as a whole, and they are the truth: how much of it falls on each
line is only partly told by the source and found by `mapping.refunds`.
"""

import hashlib
from decimal import Decimal
from typing import Literal

from contracts.model import Amount, Frozen, Instant
from contracts.sale import Sale, SaleTax

RefundKind = Literal["product", "wrapping", "shipping", "handling", "order", "fee", "tax", "other"]


class RefundItem(Frozen):
    """One thing that was given back, or money for it."""

    kind: RefundKind
    """`order`: a free amount that lowers no tax. `tax`: tax that was charged too much, and nothing else. `other`:
    a kind that is not known, which nobody can book."""
    key: str
    """The source's own id: of the order's line (product, wrapping), delivery (shipping, handling), fee or order."""
    quantity: Amount = Decimal(0)
    """Pieces, positive; 0 where an amount was asked for."""
    amount: Amount | None = None
    """What was asked for, positive; none where pieces were. Whether tax is in it depends on the shop."""
    adjustment: Amount = Decimal(0)
    """Deductions from what the pieces cost, negative: a restocking fee."""
    taxes: tuple[SaleTax, ...] = ()
    """Titles that this item was taxed by, with their rate; amounts mean nothing here."""


class RefundTender(Frozen):
    """How part of the refund was paid back."""

    kind: Literal["payment", "store_credit", "gift_certificate"]
    provider: str = ""
    """The shop's own name of the provider, e.g. `stripe`."""
    method: str = ""
    """The payment method as the order names it; empty when the shop does not say which one it was."""
    amount: Amount
    declined: bool = False
    """The provider refused: no money has moved."""
    offline: bool = False
    """Paid back by hand, outside the shop."""


class Refund(Frozen):
    """The accounting projection of one refund: amounts are positive, in `currency`, exact to its minor unit."""

    connection: str
    refund_id: str
    order_id: str
    created_at: Instant
    currency: str
    minor_units: int = 2
    total: Amount
    """What the shopper gets, tax included, of all tenders."""
    tax: Amount
    """Tax in `total`; negative when less was given back so that tax was collected."""
    override: bool = False
    """The merchant typed total and tax: they need not follow from the items."""
    items: tuple[RefundItem, ...]
    tenders: tuple[RefundTender, ...]

    @property
    def declined(self) -> tuple[RefundTender, ...]:
        return tuple(one for one in self.tenders if one.declined)

    def fingerprint(self) -> str:
        """SHA-256 of what the refund itself says. Compares versions of one refund; never part of a reference.

        Left out: the rates and the names of payment methods, which are read from its order. That goes on to change: a
        new address, or a transaction that is shown late, makes no other refund.
        """
        dumped = self.model_dump_json(exclude={"items": {"__all__": {"taxes"}}, "tenders": {"__all__": {"method"}}})
        return hashlib.sha256(dumped.encode()).hexdigest()


class RefundSale(Sale):
    """What one refund takes back, as a sale with amounts of the other sign.

    Lines, charges and taxes are those of the order, each with its share; the sale's own promises hold: `lines + charges
    + taxes + rounding == total` and `tenders == total`. `placed_at` is when the refund was made.
    """

    refund_id: str
    unread: bool = False
    """Nobody can tell what of the order it gave back: only its total and tax are known, and it has no parts."""

    @property
    def title(self) -> str:
        return f"Refund {self.refund_id} of order {self.order_id} ({self.connection})"

    @property
    def label(self) -> str:
        return f"order {self.order_id} refund {self.refund_id}"
