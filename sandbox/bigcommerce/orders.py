"""Baskets shaped like those in the vendor's samples, repeatable by seed.

`draft` makes one basket of a wanted shape; `morning` makes a mixed series in which every everyday shape occurs.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from dataclasses import replace
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal

from sandbox.bigcommerce.documents import Coupon, Delivery, Draft, Fee, Item, LineDiscount, gift_certificate
from sandbox.bigcommerce.money import ZERO, allocate, minor_units, quantize
from sandbox.bigcommerce.profiles import Person, Product, Profile


class Shape(StrEnum):
    """What is special about an order."""

    ORDINARY = "ordinary"
    MANY_LINES = "many_lines"
    OVER_FIFTY = "over_fifty"
    """55 lines: more than one page of the sub-list with the vendor's default limit of 50."""
    COUPON_PERCENT = "coupon_percent"
    COUPON_TOTAL = "coupon_total"
    COUPON_ITEM = "coupon_item"
    PROMOTION = "promotion"
    FREE_SHIPPING = "free_shipping"
    MANUAL_DISCOUNT = "manual_discount"
    DISCOUNT_AND_COUPON = "discount_and_coupon"
    HANDLING = "handling"
    WRAPPING = "wrapping"
    CERTIFICATE_TENDER = "certificate_tender"
    CREDIT_TENDER = "credit_tender"
    SPLIT_TENDER = "split_tender"
    GUEST = "guest"
    NO_TAX = "no_tax"
    CUSTOM_LINE = "custom_line"
    SOLD_CERTIFICATE = "sold_certificate"
    FEE = "fee"
    BUNDLE = "bundle"
    DIGITAL = "digital"
    TWO_ADDRESSES = "two_addresses"
    SEPARATE_CAPTURE = "separate_capture"
    OFFLINE_PAYMENT = "offline_payment"
    FREE = "free"
    """A coupon over the whole amount: total zero."""
    TEST = "test"
    """Paid through the test gateway."""
    MIGRATED = "migrated"
    """Imported history of an older shop system."""


NOT_EVERYDAY = frozenset({Shape.FREE, Shape.TEST, Shape.MIGRATED})
"""Shapes that lead to no journal; `morning` leaves them out."""
NOT_ON_SALE = frozenset({"Antiques", "Clearance"})
"""Categories whose products come into a basket only when asked for."""


def draft(
    shape: Shape | str,
    profile: Profile,
    *,
    seed: int = 0,
    categories: Collection[str] | None = None,
    currency: str | None = None,
) -> Draft:
    """One basket of this shape; the same arguments always give the same basket.

    `categories` names the categories to choose catalog products from; `currency` is a transactional currency other
    than the store's, for which the profile has a rate.
    """
    wanted = Shape(shape)
    chooser = _Chooser(profile, random.Random(f"{profile.store_hash}/{wanted}/{seed}"), categories, currency)  # noqa: S311
    basket = _RECIPES.get(wanted, _plain)(chooser)
    return replace(basket, shape=str(wanted), currency=currency)


def morning(profile: Profile, count: int, *, seed: int = 0) -> list[Draft]:
    """A mixed series of `count` baskets: every everyday shape once (as far as `count` reaches), then ordinary ones."""
    chance = random.Random(f"{profile.store_hash}/morning/{seed}")  # noqa: S311
    shapes = [shape for shape in Shape if shape not in NOT_EVERYDAY][:count]
    usual = (Shape.ORDINARY, Shape.GUEST, Shape.MANY_LINES, Shape.COUPON_PERCENT, Shape.SEPARATE_CAPTURE)
    shapes += chance.choices(usual, k=count - len(shapes))
    chance.shuffle(shapes)
    return [draft(shape, profile, seed=seed * 1000 + position) for position, shape in enumerate(shapes)]


class _Chooser:
    """Seeded choices from one store's catalog and customers."""

    def __init__(
        self, profile: Profile, chance: random.Random, categories: Collection[str] | None, currency: str | None
    ) -> None:
        self.profile = profile
        self.chance = chance
        self.places = minor_units(currency or profile.currency)
        self.rate = dict(profile.exchange_rates)[currency] if currency else Decimal(1)
        self.products = [
            product
            for product in profile.products
            if (names := set(profile.category_names(product.id)))
            and (names & set(categories) if categories else not names & NOT_ON_SALE and product.type == "physical")
        ]
        if not self.products:
            raise ValueError(f"{profile.name} sells nothing in {', '.join(sorted(categories or ()))}.")

    def money(self, amount: str | Decimal) -> Decimal:
        """An amount in dollars or euros as this store would charge it: yen have no cents."""
        scale = 100 if self.places == 0 else 1
        return quantize(Decimal(amount) * self.rate * scale, self.places)

    def price(self, product: Product) -> Decimal:
        return quantize(product.price * self.rate, self.places)

    def item(self, product: Product | None = None, quantity: int | None = None, **more: Any) -> Item:
        chosen = product or self.chance.choice(self.products)
        basic = Item(
            name=chosen.name,
            sku=chosen.sku,
            unit_price=self.price(chosen),
            quantity=quantity or self.chance.choice((1, 1, 1, 2, 3)),
            type=chosen.type,
            tax_class_id=chosen.tax_class_id,
            product_id=chosen.id,
            variant_id=chosen.variant_id,
            cost=chosen.cost,
            option=("Size", self.chance.choice("SML")) if "APP" in chosen.sku else None,
        )
        return replace(basic, **more)

    def items(self, count: int) -> tuple[Item, ...]:
        return tuple(self.item() for _ in range(count))

    def person(self, *, guest: bool = False) -> Person:
        person = self.chance.choice([known for known in self.profile.people if known.customer_id])
        return replace(person, customer_id=0, customer_group_id=0) if guest else person

    def shipping(self) -> Decimal:
        return self.money(self.chance.choice(("4.90", "6.95", "12.00")))


def _basket(chooser: _Chooser, items: tuple[Item, ...], *, guest: bool = False) -> Draft:
    person = chooser.person(guest=guest)
    ships = any(item.type == "physical" for item in items)
    deliveries = (Delivery(person, shipping=chooser.shipping()),) if ships else ()
    method = chooser.chance.choice(("Credit Card", "Credit Card", "PayPal"))
    return Draft(person, items, deliveries, payment_method=method)


def _plain(chooser: _Chooser) -> Draft:
    return _basket(chooser, chooser.items(chooser.chance.randint(1, 3)))


def discount(
    basket: Draft,
    amount: Decimal,
    *,
    places: int,
    source: Literal["coupon", "manual-discount", "automatic"],
    name: str,
    code: str | None = None,
) -> Draft:
    """The basket with a discount on the whole order, shared out to its lines by what they cost.

    Sold certificates and parts of bundles get none. More than the lines are worth is cut to their worth.
    """
    worth = [
        ZERO if item.type == "giftcertificate" or item.part_of is not None else item.amount - item.discount
        for item in basket.items
    ]
    shares = allocate(min(amount, sum(worth, ZERO)), worth, places)
    items = tuple(
        replace(item, discounts=(*item.discounts, LineDiscount(source, share, name, code, "order"))) if share else item
        for item, share in zip(basket.items, shares, strict=True)
    )
    return replace(basket, items=items)


def _couponed(chooser: _Chooser, basket: Draft, kind: Literal[1, 2, 5], amount: Decimal) -> Draft:
    coupon = Coupon(f"SAVE{chooser.chance.randint(1000, 9999)}", kind, amount)
    worth = sum((item.amount - item.discount for item in basket.items), ZERO)
    value = quantize(worth * amount / 100, chooser.places) if kind == 1 else amount
    name = "Promotion" if kind == 5 else f"Coupon {coupon.code}"
    lowered = discount(basket, value, places=chooser.places, source="coupon", name=name, code=coupon.code)
    return replace(lowered, coupons=(*basket.coupons, coupon))


def _coupon_item(chooser: _Chooser) -> Draft:
    """Type 0: an amount off every piece of one product."""
    basket = _basket(chooser, (chooser.item(quantity=3), *chooser.items(1)))
    coupon = Coupon("EACH1", 0, chooser.money("1.00"))
    first = basket.items[0]
    share = LineDiscount("coupon", coupon.amount * first.quantity, "One off each", coupon.code, "product")
    return replace(basket, items=(replace(first, discounts=(share,)), *basket.items[1:]), coupons=(coupon,))


def _free_shipping(chooser: _Chooser) -> Draft:
    """Type 4: the shipping price is already zero and the coupon row shows no discount."""
    basket = _plain(chooser)
    free = tuple(replace(delivery, shipping=ZERO, method="Free Shipping") for delivery in basket.deliveries)
    return replace(basket, deliveries=free, coupons=(Coupon("SHIPFREE", 4, ZERO),))


def _manual(chooser: _Chooser, basket: Draft) -> Draft:
    return discount(
        basket, chooser.money("5.00"), places=chooser.places, source="manual-discount", name="Manual Discount"
    )


def _handling(chooser: _Chooser) -> Draft:
    basket = _plain(chooser)
    charged = tuple(replace(delivery, handling=chooser.money("2.50")) for delivery in basket.deliveries)
    return replace(basket, deliveries=charged)


def _wrapping(chooser: _Chooser) -> Draft:
    return _basket(chooser, (chooser.item(quantity=1, wrapping=chooser.money("4.95")), *chooser.items(2)))


def _no_tax(chooser: _Chooser) -> Draft:
    return replace(_plain(chooser), tax_exempt=True)


def _custom_line(chooser: _Chooser) -> Draft:
    custom = Item(name="Engraving", sku="", unit_price=chooser.money("15.50"), quantity=2)
    return _basket(chooser, (*chooser.items(1), custom))


def _bundle(chooser: _Chooser) -> Draft:
    whole = chooser.item(quantity=1, option=("Set", "With jar"))
    part = chooser.item(quantity=1, unit_price=ZERO, part_of=0)
    return _basket(chooser, (whole, part, *chooser.items(1)))


def _digital(chooser: _Chooser) -> Draft:
    downloads = [product for product in chooser.profile.products if product.type == "digital"]
    return _basket(chooser, tuple(chooser.item(product, 1) for product in downloads))


def _two_addresses(chooser: _Chooser) -> Draft:
    basket = _basket(chooser, (*chooser.items(2), chooser.item(address=1)))
    other = chooser.chance.choice(chooser.profile.people)
    return replace(basket, deliveries=(*basket.deliveries, Delivery(other, "Express", chooser.money("9.90"))))


def _tenders(chooser: _Chooser, *, certificate: str = "0", credit: str = "0") -> Draft:
    basket = _basket(chooser, chooser.items(3))
    return replace(basket, gift_certificate=chooser.money(certificate), store_credit=chooser.money(credit))


_RECIPES: dict[Shape, Callable[[_Chooser], Draft]] = {
    Shape.MANY_LINES: lambda chooser: _basket(chooser, chooser.items(chooser.chance.randint(8, 15))),
    Shape.OVER_FIFTY: lambda chooser: _basket(chooser, chooser.items(55)),
    Shape.COUPON_PERCENT: lambda chooser: _couponed(chooser, _plain(chooser), 1, Decimal(15)),
    Shape.COUPON_TOTAL: lambda chooser: _couponed(
        chooser, _basket(chooser, chooser.items(4)), 2, chooser.money("5.00")
    ),
    Shape.COUPON_ITEM: _coupon_item,
    Shape.PROMOTION: lambda chooser: _couponed(chooser, _basket(chooser, chooser.items(3)), 5, chooser.money("3.33")),
    Shape.FREE_SHIPPING: _free_shipping,
    Shape.MANUAL_DISCOUNT: lambda chooser: _manual(chooser, _basket(chooser, chooser.items(3))),
    Shape.DISCOUNT_AND_COUPON: lambda chooser: _couponed(
        chooser, _manual(chooser, _basket(chooser, chooser.items(4))), 2, chooser.money("5.00")
    ),
    Shape.HANDLING: _handling,
    Shape.WRAPPING: _wrapping,
    Shape.CERTIFICATE_TENDER: lambda chooser: _tenders(chooser, certificate="20.00"),
    Shape.CREDIT_TENDER: lambda chooser: _tenders(chooser, credit="7.35"),
    Shape.SPLIT_TENDER: lambda chooser: _tenders(chooser, certificate="10.00", credit="5.00"),
    Shape.GUEST: lambda chooser: _basket(chooser, chooser.items(2), guest=True),
    Shape.NO_TAX: _no_tax,
    Shape.CUSTOM_LINE: _custom_line,
    Shape.SOLD_CERTIFICATE: lambda chooser: _basket(
        chooser, (*chooser.items(1), gift_certificate(chooser.money("50.00")))
    ),
    Shape.FEE: lambda chooser: replace(_plain(chooser), fees=(Fee("Package protection", chooser.money("2.95")),)),
    Shape.BUNDLE: _bundle,
    Shape.DIGITAL: _digital,
    Shape.TWO_ADDRESSES: _two_addresses,
    Shape.SEPARATE_CAPTURE: lambda chooser: replace(
        _plain(chooser), payment_method="Credit Card", separate_capture=True
    ),
    Shape.OFFLINE_PAYMENT: lambda chooser: replace(_plain(chooser), payment_method="Bank Deposit"),
    Shape.FREE: lambda chooser: _couponed(chooser, replace(_plain(chooser), deliveries=()), 1, Decimal(100)),
    Shape.TEST: lambda chooser: replace(_plain(chooser), test=True),
    Shape.MIGRATED: lambda chooser: replace(_plain(chooser), migrated=True),
}
