"""What the ledger must say of a story, by natural account.

It is worked out from the shop's twin alone, with account numbers that stand here: nothing of mapping is asked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from sandbox.bigcommerce import Returned
from sandbox.bigcommerce.documents import Order, Refund
from sandbox.bigcommerce.money import ZERO
from sandbox.bigcommerce.pricing import Taxed

if TYPE_CHECKING:
    from support.any_history import Happening

ENTITIES: Final = {"bc-us": "101", "bc-eu": "201"}

CLEARING: Final = {"Credit Card": "11200", "PayPal": "11210", "Bank Deposit": "11220"}
STORE_CREDIT, CERTIFICATES, ROUNDING = "23100", "23200", "68900"
TAX: Final = {"bc-us": "22100", "bc-eu": "22200"}
BY_CATEGORY: Final = (
    ({"Apparel", "Shirts", "Outerwear"}, "41100"),
    ({"Home", "Garden", "Kitchen"}, "41200"),
    ({"Books", "Downloads"}, "41300"),
)
"""The first that fits wins."""
CUSTOM, SHIPPING, HANDLING, WRAPPING, FEES = "41900", "42100", "42200", "42300", "42400"
ROUNDING_LIMIT: Final = Decimal("0.25")
"""Of one document, in its currency: a shop that rounds once for an order loses a cent or so with each of its lines."""


@dataclass(frozen=True)
class Expected:
    """What an order and its refunds leave in the ledger, debits less credits by natural account."""

    exact: dict[str, Decimal]
    """Tax and tenders."""
    near: dict[str, Decimal] | None
    """What was sold and charged, by account; None where an amount for the whole order was given back, which says of no
    account that it is its own."""
    slack: Decimal
    """By which `near` may differ, and the rounding account from nothing: what the shop itself rounded away."""


def granted(one: Happening, refunds: Iterable[Refund]) -> dict[str, Decimal]:
    """By account, what these refunds gave back in another way than it was paid: it is the shopper's, whatever becomes
    of the order."""
    return {account: -left for account, left in _left_of_tenders(one, refunds).items() if left < 0}


def asks(one: Happening, refund: Refund) -> bool:
    """Whether the refund went to where more went back than had come from there: once the order is taken back, nobody
    but a person can tell what that stands against."""
    accounts = {_tender_of(one, payment.provider_id) for payment in refund.payments}
    return bool(accounts & set(granted(one, one.paid_back)))


def _left_of_tenders(one: Happening, refunds: Iterable[Refund]) -> dict[str, Decimal]:
    """By account, what was paid less what went back."""
    left: dict[str, Decimal] = defaultdict(Decimal)
    for tender, amount in one.order.tenders().items():
        left[_account_of(one, tender)] += amount
    for payment in (payment for refund in refunds for payment in refund.payments):
        left[_tender_of(one, payment.provider_id)] -= payment.amount
    return left


def _tender_of(one: Happening, provider: str) -> str:
    names = {"storecredit": "store_credit", "giftcertificate": "gift_certificate"}
    return _account_of(one, names.get(provider, "payment"))


def _account_of(one: Happening, tender: str) -> str:
    shop = {"store_credit": STORE_CREDIT, "gift_certificate": CERTIFICATES}
    return shop.get(tender) or CLEARING[one.order.draft.payment_method]


def expected_of_reversed(one: Happening, booked: Sequence[Refund]) -> dict[str, Decimal]:
    """What an order that was taken back leaves in the ledger, debits less credits by natural account: what the refunds
    that are booked granted, against the one tender that it was paid with."""
    stays = granted(one, booked)
    if not stays:
        return {}
    ((account, _),) = [(account, left) for account, left in _left_of_tenders(one, booked).items() if left > 0]
    return {account: sum(stays.values(), ZERO)} | {account: -amount for account, amount in stays.items()}


def expected(one: Happening) -> Expected:
    """By the shop alone; of an order that stands."""
    order, connection = one.order, one.story.connection
    exact: dict[str, Decimal] = defaultdict(Decimal)
    near: dict[str, Decimal] = defaultdict(Decimal)
    paid = one.paid_back
    slack = one.unit * (len(order.lines) + 4) * (1 + len(paid))
    total = order.priced.total
    # Certificates that are sold are on the account of those that are redeemed.
    liability = near if any(line.item.type == "giftcertificate" for line in order.lines) else exact
    for account, amount in _left_of_tenders(one, paid).items():
        (liability if account == CERTIFICATES else exact)[account] += amount
    exact[TAX[connection]] -= total.tax - sum((refund.tax for refund in paid), ZERO)
    for line in order.lines:
        near[_account(order, line)] -= order.priced.lines[line.id].discounted.ex
    for account, charge in ((SHIPPING, order.priced.shipping), (HANDLING, order.priced.handling)):
        near[account] -= charge.ex
    near[WRAPPING] -= order.priced.wrapping.ex
    near[FEES] -= order.priced.fees.ex
    for refund in paid:
        for account, net in one.given[refund.id]:
            near[account] += net
    free = any(item.type == "ORDER" for refund in paid for item in refund.items)
    return Expected(dict(exact), None if free else dict(near), slack)


def _account(order: Order, line: Any) -> str:
    if line.item.type == "giftcertificate":
        return CERTIFICATES
    categories = set(order.profile.category_names(line.item.product_id))
    return next((account for names, account in BY_CATEGORY if names & categories), CUSTOM)


def given_back(order: Order, item: Returned) -> tuple[str, Decimal]:
    """Account of an item and what is given back of it without tax, as the order is priced now."""
    if item.type in ("PRODUCT", "GIFT_WRAPPING"):
        line = order.line(item.item_id)
        priced = order.priced.lines[line.id]
        whole = priced.discounted if item.type == "PRODUCT" else priced.wrapping
        account = _account(order, line) if item.type == "PRODUCT" else WRAPPING
        return account, whole.ex * (item.quantity or 0) / line.item.quantity
    amount = item.amount or ZERO
    if item.type == "ORDER":
        return "", amount
    if item.type == "FEE":
        return FEES, amount
    address = order.priced.addresses[order.address_ids.index(item.item_id)]
    charge: Taxed = address.shipping if item.type == "SHIPPING" else address.handling
    net = amount * charge.ex / charge.inc if order.profile.tax_inclusive and charge.inc else amount
    return SHIPPING if item.type == "SHIPPING" else HANDLING, net
