"""Orders and their surroundings as BigCommerce sends them: V2 orders with sub-resources, V3 transactions and catalog.

Only what accounting needs is modelled. Names, street addresses, e-mail and IP addresses are left behind when a document
is read, so they never reach a workflow history, the store or a log. Field names are the vendor's.

Money arrives as text with four, two or no decimals, or as a number (BigCommerce: V2 orders, coupons, fees): all become
`Decimal`. Dates arrive as RFC 2822 (V2) or ISO 8601 (V3): all become UTC; `""` means none.
"""

import datetime as dt
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from contracts.model import Amount, Instant, Wire


def parse_amount(value: object) -> Decimal:
    """An amount in any of the vendor's spellings; nothing at all is zero. Raises `ValueError` when it is no number."""
    if value is None or value == "":
        return Decimal(0)
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise ValueError("not an amount")
    try:
        amount = Decimal(str(value).strip())
    except InvalidOperation:
        raise ValueError("not an amount") from None
    if not amount.is_finite():
        raise ValueError("not an amount")
    return amount


def parse_moment(value: object) -> dt.datetime | None:
    """A date in either of the vendor's formats; nothing at all is none. Without an offset it is UTC, as V2 promises."""
    if value is None or value == "":
        return None
    if isinstance(value, dt.datetime):
        return value
    if not isinstance(value, str):
        raise ValueError("not a date")
    text = value.strip()
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        try:
            moment = parsedate_to_datetime(text)
        except (ValueError, IndexError):
            raise ValueError("a date that is neither ISO 8601 nor RFC 2822") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def _as_text(value: object) -> str:
    """Ids and codes come as text in one resource and as numbers in the next; objects in a text's place say nothing."""
    return str(value) if isinstance(value, str | int | Decimal) and not isinstance(value, bool) else ""


def _as_flag(value: object) -> bool:
    return value is True or value in (1, "1", "true", "True")


Money = Annotated[Amount, BeforeValidator(parse_amount)]
Moment = Annotated[Instant, BeforeValidator(parse_moment)]
OptionalMoment = Annotated[Instant | None, BeforeValidator(parse_moment)]
Text = Annotated[str, BeforeValidator(_as_text)]
Flag = Annotated[bool, BeforeValidator(_as_flag)]
Id = Annotated[int, Field(ge=0)]
OptionalId = Annotated[Id, BeforeValidator(lambda value: value or 0)]
"""An id that is 0, null or absent when there is none."""

ZERO = Decimal(0)


class AppliedDiscount(Wire):
    """A discount on one product line."""

    id: Text = ""
    """`coupon`, `manual-discount` or the id of a promotion."""
    amount: Money = ZERO
    code: Text = ""
    target: Text = ""
    """`order` or `product`."""


class OrderProduct(Wire):
    """A line of an order. `total_*` are before order-level discounts, `discounted_total_inc_tax` is after all."""

    id: Id
    product_id: OptionalId = 0
    """0 for a custom line."""
    name: Text = ""
    sku: Text = ""
    type: Text = ""
    """physical, digital, giftcertificate."""
    quantity: Money = ZERO
    total_ex_tax: Money = ZERO
    total_inc_tax: Money = ZERO
    total_tax: Money = ZERO
    discounted_total_inc_tax: Annotated[
        Amount | None, BeforeValidator(lambda value: None if value in (None, "") else parse_amount(value))
    ] = None
    wrapping_cost_ex_tax: Money = ZERO
    parent_order_product_id: OptionalId = 0
    """The line of the bundle this one belongs to; 0 or null for a line of its own."""
    gift_certificate_id: OptionalId = 0
    applied_discounts: Annotated[tuple[AppliedDiscount, ...], BeforeValidator(lambda value: value or ())] = ()


class OrderCoupon(Wire):
    """A coupon redeemed. Amounts are numbers here."""

    id: Id
    code: Text = ""
    type: Annotated[int, BeforeValidator(lambda value: value if value not in (None, "") else -1)] = -1
    """0 per item, 1 percentage, 2 per total, 3 shipping, 4 free shipping, 5 promotion."""
    discount: Money = ZERO


class OrderTax(Wire):
    """Tax of one title on one line, charge or address (`?details=true`). Refunds lower the amounts, not the rate."""

    id: OptionalId = 0
    name: Text = ""
    tax_class: Text = Field(default="", alias="class")
    rate: Money = ZERO
    """Percent."""
    line_amount: Money = ZERO
    priority_amount: Money = ZERO
    order_product_id: Text = ""
    order_address_id: OptionalId = 0
    line_item_type: Text = ""
    """item, shipping, handling, gift-wrapping."""


class OrderFee(Wire):
    """A custom fee of the order."""

    id: OptionalId = 0
    type: Text = ""
    display_name_customer: Text = ""
    display_name_merchant: Text = ""
    cost_ex_tax: Money = ZERO
    cost_inc_tax: Money = ZERO
    cost_tax: Money = ZERO

    @model_validator(mode="before")
    @classmethod
    def _one_spelling(cls, fee: Any) -> Any:
        """BigCommerce: one sample spells the net cost `cost_exc_tax`."""
        if isinstance(fee, dict) and "cost_ex_tax" not in fee and "cost_exc_tax" in fee:
            return {**fee, "cost_ex_tax": fee["cost_exc_tax"]}
        return fee


class ShippingAddress(Wire):
    """Where an order, or a part of it, is shipped to. Only what tax and accounts depend on."""

    id: OptionalId = 0
    country_iso2: Text = ""
    state: Text = ""
    cost_ex_tax: Money = ZERO
    """Of shipping there."""
    handling_cost_ex_tax: Money = ZERO


class _OfflineMethod(Wire):
    display_name: Text = ""


class _CustomMethod(Wire):
    payment_method: Text = ""


class Transaction(Wire):
    """A V3 payment transaction. `order_id` is text in the vendor's answer, and nothing here needs it."""

    id: OptionalId = 0
    event: Text = ""
    """purchase, authorization, capture, refund, void, pending, settled."""
    method: Text = ""
    """credit_card, electronic_wallet, gift_certificate, store_credit, custom, offsite, offline, ..."""
    amount: Money = ZERO
    currency: Text = ""
    gateway: Text = ""
    status: Text = ""
    """ok or error."""
    test: Flag = False
    reference_transaction_id: OptionalId = 0
    date_created: OptionalMoment = None
    offline: _OfflineMethod | None = None
    custom: _CustomMethod | None = None

    @property
    def label(self) -> str:
        """The method as the shop shows it, where the transaction says; else its gateway, else its kind."""
        named = self.custom.payment_method if self.custom else self.offline.display_name if self.offline else ""
        return named or self.gateway or self.method


def _listed(key: str) -> BeforeValidator:
    """A sub-resource is a list, an object holding the list under `key`, or a link when it was not asked for."""

    def unwrap(value: object) -> object:
        if isinstance(value, dict):
            value = value.get(key)
        return value if isinstance(value, list | tuple) else None

    return BeforeValidator(unwrap)


class Order(Wire):
    """A V2 order without its sub-resources, except fees and shipping consignments when they were asked for.

    `refunded_amount` is documented as always 0 and therefore not read.
    """

    id: Id
    status_id: int
    status: Text = ""
    payment_status: Text = ""
    payment_method: Text = ""
    channel_id: Annotated[int, BeforeValidator(lambda value: 1 if value is None else value)] = 1
    customer_id: OptionalId = 0
    """0 for a guest."""
    date_created: Moment
    date_modified: Moment
    date_shipped: OptionalMoment = None
    is_tax_inclusive_pricing: Flag = False
    is_deleted: Flag = False
    external_source: Text = ""
    default_currency_code: str = Field(pattern=r"^[A-Z]{3}$")
    """The transactional currency: all money of the order is in it. `currency_code` is for display only."""
    subtotal_ex_tax: Money = ZERO
    subtotal_inc_tax: Money = ZERO
    shipping_cost_ex_tax: Money = ZERO
    shipping_cost_inc_tax: Money = ZERO
    shipping_cost_tax: Money = ZERO
    handling_cost_ex_tax: Money = ZERO
    handling_cost_inc_tax: Money = ZERO
    handling_cost_tax: Money = ZERO
    wrapping_cost_ex_tax: Money = ZERO
    wrapping_cost_inc_tax: Money = ZERO
    wrapping_cost_tax: Money = ZERO
    total_inc_tax: Money
    total_tax: Money
    discount_amount: Money = ZERO
    coupon_discount: Money = ZERO
    store_credit_amount: Money = ZERO
    gift_certificate_amount: Money = ZERO
    items_total: Money = ZERO
    shipping_address_count: Annotated[int | None, BeforeValidator(lambda value: None if value == "" else value)] = None
    fees: Annotated[tuple[OrderFee, ...] | None, _listed("fees")] = None
    """None when the answer does not carry them."""
    consignments: Annotated[tuple[ShippingAddress, ...] | None, _listed("shipping")] = None
    """Shipping consignments; None when the answer does not carry them."""


class OrderListing(Wire):
    """A row of an order list, enough to know the order and its version. Lenient: one odd order must not hide others."""

    id: Id
    date_modified: Moment
    date_created: OptionalMoment = None
    status_id: int | None = None
    channel_id: int | None = None
    default_currency_code: Text = ""
    total_inc_tax: Money = ZERO
    total_tax: Money = ZERO
    is_deleted: Flag = False
    external_source: Text = ""


class OrderDocument(Wire):
    """An order with everything that belongs to it, complete."""

    order: Order
    products: tuple[OrderProduct, ...] = ()
    coupons: tuple[OrderCoupon, ...] = ()
    taxes: tuple[OrderTax, ...] = ()
    fees: tuple[OrderFee, ...] = ()
    shipping_addresses: tuple[ShippingAddress, ...] = ()
    transactions: tuple[Transaction, ...] = ()


class StoreTimezone(Wire):
    name: str
    """IANA name, e.g. America/Chicago."""


class StoreInformation(Wire):
    id: Text = ""
    """The store's hash."""
    store_id: Text = ""
    name: Text = ""
    domain: Text = ""
    status: Text = ""
    timezone: StoreTimezone
    currency: Text = ""
    """The store's default currency."""
    decimal_places: int = 2
    is_price_entered_with_tax: Flag = False
    default_channel_id: OptionalId = 0


class Customer(Wire):
    """A customer, for rules on customer groups only: names and addresses are left behind."""

    id: Id
    customer_group_id: OptionalId = 0
    """0: in no group."""


class StoreCurrency(Wire):
    id: OptionalId = 0
    currency_code: str
    is_default: Flag = False
    is_transactional: Flag = False
    enabled: Flag = False
    decimal_places: int = 2


class Category(Wire):
    """A node of a catalog tree. `parent_id` is 0 at the top."""

    category_id: Id
    parent_id: OptionalId = 0
    tree_id: OptionalId = 0
    name: str


class CatalogProduct(Wire):
    id: Id
    categories: Annotated[tuple[int, ...], BeforeValidator(lambda value: value or ())] = ()


class Hook(Wire):
    """A webhook registration. Its `headers` may hold a secret: they are compared and never shown."""

    id: Id
    scope: str
    destination: str
    is_active: Flag = False
    headers: Annotated[dict[str, str], BeforeValidator(lambda value: value or {})] = Field(
        default_factory=dict, repr=False
    )
    created_at: int = 0
    updated_at: int = 0


class BlockedDomain(Wire):
    """A domain to which the shop sends nothing at the moment."""

    destination: str
    time_left: int = 0
    """Seconds."""


class HookAdministration(Wire):
    """What the shop says of the deliveries of this API account."""

    blocked_domains: Annotated[tuple[BlockedDomain, ...], BeforeValidator(lambda value: value or ())] = ()
