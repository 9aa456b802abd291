"""One order: what the shopper chose, and what the shop knows about it since."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal

from sandbox.bigcommerce.money import ZERO
from sandbox.bigcommerce.pricing import Priced, price
from sandbox.bigcommerce.profiles import NON_TAXABLE, Person, Profile

ItemType = Literal["physical", "digital", "giftcertificate"]
ReturnType = Literal["PRODUCT", "GIFT_WRAPPING", "SHIPPING", "HANDLING", "ORDER", "FEE"]
TransactionEvent = Literal["purchase", "authorization", "capture", "refund", "void", "pending", "settled"]


@dataclass(frozen=True, slots=True)
class LineDiscount:
    """Share of one discount that fell on one line, in the store's price basis."""

    source: Literal["coupon", "manual-discount", "automatic"]
    amount: Decimal
    name: str
    code: str | None = None
    target: Literal["order", "product"] = "order"


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the basket. `unit_price` is in the store's price basis (with or without tax)."""

    name: str
    sku: str
    unit_price: Decimal
    quantity: int = 1
    type: ItemType = "physical"
    tax_class_id: int = 0
    product_id: int = 0
    """0: a custom line or a gift certificate."""
    variant_id: int = 0
    cost: Decimal = ZERO
    wrapping: Decimal = ZERO
    """Price of wrapping the whole line."""
    address: int = 0
    """Index of the delivery this line goes to."""
    part_of: int | None = None
    """Index of the line whose bundle this line belongs to."""
    discounts: tuple[LineDiscount, ...] = ()
    option: tuple[str, str] | None = None
    """A chosen product option: (name, value)."""

    @property
    def amount(self) -> Decimal:
        """Before any discount."""
        return self.unit_price * self.quantity

    @property
    def discount(self) -> Decimal:
        return sum((discount.amount for discount in self.discounts), ZERO)


@dataclass(frozen=True, slots=True)
class Delivery:
    person: Person
    method: str = "Ground"
    shipping: Decimal = ZERO
    handling: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Coupon:
    code: str
    type: Literal[0, 1, 2, 3, 4, 5]
    """0 per item, 1 percentage, 2 per total, 3 shipping, 4 free shipping, 5 promotion."""
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Fee:
    name: str
    cost: Decimal
    tax: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Draft:
    """A basket ready to be ordered."""

    person: Person
    items: tuple[Item, ...]
    deliveries: tuple[Delivery, ...] = ()
    coupons: tuple[Coupon, ...] = ()
    fees: tuple[Fee, ...] = ()
    store_credit: Decimal = ZERO
    """Balance the shopper may redeem; used up to the total."""
    gift_certificate: Decimal = ZERO
    """Balance of the certificate the shopper enters; used up to the total, before store credit."""
    payment_method: str = "Credit Card"
    tax_exempt: bool = False
    test: bool = False
    migrated: bool = False
    """Imported from an older shop system (`external_source` M-MIG)."""
    separate_capture: bool = False
    """The payment is authorized first and captured by a second transaction."""
    currency: str | None = None
    """Transactional currency where it is not the store's own."""
    shape: str = "ordinary"


@dataclass(slots=True)
class Line:
    id: int
    item: Item
    parent_id: int | None = None
    """The line whose bundle this one belongs to."""
    quantity_shipped: int = 0
    quantity_refunded: int = 0


@dataclass(slots=True)
class Transaction:
    id: int
    event: TransactionEvent
    method: str
    gateway: str
    amount: Decimal
    created: datetime
    reference_id: int = 0
    status: Literal["ok", "error"] = "ok"


@dataclass(frozen=True, slots=True)
class Returned:
    """One item of a refund: pieces of something, or an amount in the store's price basis.

    `item_id` is a line (PRODUCT, GIFT_WRAPPING), an address (SHIPPING, HANDLING), the order (ORDER) or a fee (FEE).
    """

    type: ReturnType
    item_id: int
    quantity: int | None = None
    amount: Decimal | None = None
    """None with SHIPPING, HANDLING and FEE: all that is left of it."""
    adjustments: tuple[Decimal, ...] = ()
    """Deductions, negative, in the store's price basis."""
    reason: str | None = None
    """What was typed for this item; None: the refund's own reason."""


@dataclass(slots=True)
class RefundPayment:
    id: int
    provider_id: str
    amount: Decimal
    offline: bool = False
    declined: bool = False
    declined_message: str = "The provider declined the refund."
    """What the provider said; shown only while it is declined."""
    transaction_id: int = 0


@dataclass(slots=True)
class Refund:
    id: int
    created: datetime
    visible_from: datetime
    """Refunds are asynchronous: the object may appear after its event."""
    reason: str
    total: Decimal
    tax: Decimal
    items: tuple[Returned, ...]
    payments: list[RefundPayment]
    override: bool = False
    """The merchant typed total and tax."""

    @property
    def declined(self) -> bool:
        return any(payment.declined for payment in self.payments)


@dataclass(slots=True)
class Shipment:
    id: int
    address_id: int
    created: datetime
    tracking_number: str
    items: tuple[tuple[int, int], ...]
    """(order line id, quantity)."""


@dataclass(slots=True)
class Order:
    id: int
    draft: Draft
    profile: Profile
    status_id: int
    created: datetime
    modified: datetime
    lines: list[Line]
    address_ids: tuple[int, ...]
    cart_id: str
    fees: list[Fee]
    shipped: datetime | None = None
    deleted: bool = False
    staff_notes: str = ""
    payment_status: str = ""
    visible_from: datetime | None = None
    transactions: list[Transaction] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)
    shipments: list[Shipment] = field(default_factory=list)
    priced: Priced = field(init=False)

    def __post_init__(self) -> None:
        self.reprice()

    @property
    def currency(self) -> str:
        return self.draft.currency or self.profile.currency

    def reprice(self) -> None:
        self.priced = price(self)

    def line(self, line_id: int) -> Line:
        """The line with this id, or LookupError."""
        for line in self.lines:
            if line.id == line_id:
                return line
        raise LookupError(f"Order {self.id} has no line {line_id}.")

    def address_id(self, line: Line) -> int:
        return self.address_ids[line.item.address] if self.address_ids and line.item.type == "physical" else 0

    def coupon_discount(self, coupon: Coupon) -> Decimal:
        return sum(
            (
                discount.amount
                for line in self.lines
                for discount in line.item.discounts
                if discount.source == "coupon" and discount.code == coupon.code
            ),
            ZERO,
        )

    def tenders(self) -> Mapping[str, Decimal]:
        """How the total is settled, by tender: gift certificate first, then store credit, then the payment method."""
        total = self.priced.total.inc
        certificate = min(self.draft.gift_certificate, total)
        credit = min(self.draft.store_credit, total - certificate)
        paid = total - certificate - credit
        tenders = {"gift_certificate": certificate, "store_credit": credit, "payment": paid}
        return {kind: amount for kind, amount in tenders.items() if amount}

    def fee_id(self, index: int) -> int:
        return self.id * 10 + index


def gift_certificate(amount: Decimal, name: str = "Gift certificate") -> Item:
    """A sold certificate: no catalog product, no tax, a liability for the seller."""
    return Item(name=name, sku="", unit_price=amount, type="giftcertificate", tax_class_id=NON_TAXABLE)
