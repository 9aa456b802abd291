"""Any order the vendor's schema allows becomes a sale that adds up; an honest shop's order adds up without rounding."""

from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from contracts.bigcommerce import OrderDocument
from contracts.sale import OrderSnapshot, Sale
from mapping.bigcommerce import project

UNITS = {"USD": 2, "EUR": 2, "JPY": 0, "BHD": 3}
STATUSES = (
    "authorized",
    "captured",
    "capture pending",
    "declined",
    "paid",
    "partially refunded",
    "refunded",
    "void",
    "",
)
EVENTS = ("purchase", "authorization", "capture", "refund", "void", "pending", "settled")
METHODS = ("credit_card", "electronic_wallet", "gift_certificate", "store_credit", "custom", "offsite", "offline")

Documents = st.SearchStrategy[dict[str, Any]]

amounts = st.one_of(
    st.just(Decimal(0)),
    st.decimals(min_value=0, max_value=2_000, places=4),
    st.decimals(min_value=0, max_value=2_000_000, places=2),
)
wire = amounts.map(lambda amount: f"{amount:f}") | st.integers(0, 500).map(str) | st.integers(0, 500)
"""Text of four, two or no decimals, or a number: the spec's "Float, Float-As-String, Integer"."""
maybe = st.one_of(st.none(), st.just(""), wire)
short = st.text(max_size=12)
dates = st.sampled_from(
    ("Tue, 05 Mar 2019 21:40:11 +0000", "2026-03-05T10:00:00+00:00", "2026-03-05T10:00:00.000-04:00")
)
optional_dates = dates | st.just("") | st.none()


def money(*names: str) -> dict[str, st.SearchStrategy[Any]]:
    return dict.fromkeys(names, wire)


discounts: Documents = st.fixed_dictionaries(
    {
        "id": st.sampled_from(("coupon", "manual-discount", 7)),
        "amount": wire,
        "target": st.sampled_from(("order", "product")),
    }
)
products: Documents = st.fixed_dictionaries(
    {
        "id": st.integers(1, 99),
        "product_id": st.integers(0, 9) | st.none(),
        "name": short,
        "sku": short,
        "type": st.sampled_from(("physical", "digital", "giftcertificate")),
        "quantity": st.integers(0, 50),
        **money("total_ex_tax", "total_inc_tax", "total_tax"),
    },
    optional={
        "discounted_total_inc_tax": maybe,
        "parent_order_product_id": st.none() | st.integers(0, 99),
        "gift_certificate_id": st.none() | st.integers(0, 9),
        "applied_discounts": st.lists(discounts, max_size=3) | st.none(),
        "is_refunded": st.booleans(),
        "refund_amount": wire,
    },
)
taxes: Documents = st.fixed_dictionaries(
    {
        "id": st.integers(1, 99),
        "name": st.sampled_from(("State", "City", "API Tax Override", "")),
        **money("line_amount"),
    },
    optional={
        "class": short,
        "rate": maybe,
        "priority_amount": maybe,
        "order_product_id": st.none() | st.integers(1, 99) | st.integers(1, 99).map(str),
        "line_item_type": st.sampled_from(("item", "shipping", "handling", "gift-wrapping")),
    },
)
fees: Documents = st.fixed_dictionaries(
    {"id": st.integers(1, 9), **money("cost_inc_tax", "cost_tax")},
    optional={"cost_ex_tax": wire, "cost_exc_tax": wire, "display_name_customer": short},
)
transactions: Documents = st.fixed_dictionaries(
    {
        "id": st.integers(1, 20),
        "order_id": st.just("1024"),
        "event": st.sampled_from(EVENTS),
        "method": st.sampled_from(METHODS),
        "amount": wire,
        "status": st.sampled_from(("ok", "error")),
    },
    optional={
        "test": st.booleans(),
        "gateway": st.sampled_from(("stripe", "braintree", None)),
        "reference_transaction_id": st.none() | st.integers(1, 20),
        "date_created": optional_dates,
        "offline": st.none() | st.fixed_dictionaries({"display_name": short}),
        "custom": st.none() | st.fixed_dictionaries({"payment_method": short}),
    },
)
coupons: Documents = st.fixed_dictionaries(
    {"id": st.integers(1, 9), "type": st.integers(0, 5), "discount": wire, "amount": wire}
)
addresses: Documents = st.fixed_dictionaries(
    {"id": st.integers(1, 9), "country_iso2": st.sampled_from(("US", "DE", "")), "state": short}
)
orders: Documents = st.fixed_dictionaries(
    {
        "id": st.integers(1, 10**9),
        "status_id": st.integers(0, 14),
        "status": short,
        "payment_status": st.sampled_from(STATUSES),
        "payment_method": short,
        "channel_id": st.integers(1, 9),
        "date_created": dates,
        "date_modified": dates,
        "date_shipped": optional_dates,
        "default_currency_code": st.sampled_from(sorted(UNITS)),
        "is_tax_inclusive_pricing": st.booleans(),
        "is_deleted": st.booleans(),
        **money("total_inc_tax", "total_tax"),
    },
    optional=money(
        "subtotal_ex_tax",
        "subtotal_inc_tax",
        *(
            f"{kind}_cost_{side}"
            for kind in ("shipping", "handling", "wrapping")
            for side in ("ex_tax", "inc_tax", "tax")
        ),
        *("discount_amount", "coupon_discount", "store_credit_amount", "gift_certificate_amount", "refunded_amount"),
    ),
)
documents: Documents = st.fixed_dictionaries(
    {
        "order": orders,
        "products": st.lists(products, max_size=8, unique_by=lambda one: one["id"]),
        "coupons": st.lists(coupons, max_size=2),
        "taxes": st.lists(taxes, max_size=6),
        "fees": st.lists(fees, max_size=2, unique_by=lambda one: one["id"]),
        "shipping_addresses": st.lists(addresses, max_size=2),
        "transactions": st.lists(transactions, max_size=4),
    }
)


def projected(document: dict[str, Any]) -> OrderSnapshot:
    return project(
        OrderDocument.model_validate(document),
        connection="bc-us",
        store_timezone="Europe/Berlin",
        categories={"1": ("Apparel > Shirts", "Sale")},
    )


def adds_up(sale: Sale) -> None:
    lines, charges = sum(one.net for one in sale.lines), sum(one.net for one in sale.charges)
    assert lines + charges + sum(one.amount for one in sale.taxes) + sale.rounding == sale.total
    assert sum(one.amount for one in sale.tenders) == sale.total
    assert sum(one.amount for one in sale.taxes) == sale.total_tax
    unit = Decimal(1).scaleb(-sale.minor_units)
    for line in sale.lines:
        assert line.list_net - line.discount == line.net
        assert line.discount >= 0
        for amount in (line.list_net, line.discount, line.net):
            assert amount == amount.quantize(unit)
    for amount in (sale.total, sale.total_tax, sale.rounding, *(one.amount for one in sale.tenders)):
        assert amount == amount.quantize(unit)


@given(documents)
def test_any_order_the_schema_allows_becomes_a_sale_that_adds_up(document: dict[str, Any]) -> None:
    snapshot = projected(document)

    adds_up(snapshot.sale)
    again = OrderSnapshot.model_validate_json(snapshot.model_dump_json())
    assert again == snapshot
    assert again.sale.fingerprint() == snapshot.sale.fingerprint()


@given(documents, st.randoms())
def test_the_order_in_which_the_shop_lists_things_changes_nothing(document: dict[str, Any], random: Any) -> None:
    shuffled = {
        key: random.sample(value, len(value)) if isinstance(value, list) else value for key, value in document.items()
    }

    assert projected(document).sale == projected(shuffled).sale


@dataclass
class Goods:
    """One line of an honest shop: list price in the shop's own pricing side, tax rate, share of the discount."""

    price: Decimal
    rate: Decimal
    discount: Decimal = field(default=Decimal(0))


def rounded(amount: Decimal, places: int = 4) -> Decimal:
    return amount.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)


def honest_order(
    goods: list[Goods], shipping: Decimal, *, inclusive: bool, units: int, currency: str
) -> dict[str, Any]:
    """An order of a shop with exact arithmetic: tax after discounts, rounded to the minor unit per line."""
    lines, rows, gross_total, tax_total = [], [], Decimal(0), Decimal(0)
    subtotal_ex = subtotal_inc = Decimal(0)
    for number, one in enumerate(goods, start=1):
        paid = one.price - one.discount
        factor = one.rate / (100 + one.rate) if inclusive else one.rate / 100
        tax, list_tax = rounded(paid * factor, units), rounded(one.price * factor)
        ex, inc = (one.price - list_tax, one.price) if inclusive else (one.price, one.price + list_tax)
        gross_total += paid if inclusive else paid + tax
        tax_total += tax
        subtotal_ex, subtotal_inc = subtotal_ex + ex, subtotal_inc + inc
        lines.append(
            {
                "id": number,
                "product_id": number,
                "type": "physical",
                "quantity": 1,
                "total_ex_tax": f"{ex:f}",
                "total_inc_tax": f"{inc:f}",
                "total_tax": f"{list_tax:f}",
            }
        )
        rows.append(
            {
                "id": number,
                "name": "VAT",
                "rate": f"{one.rate:f}",
                "line_amount": f"{tax:f}",
                "order_product_id": str(number),
                "line_item_type": "item",
            }
        )
    return {
        "order": {
            "id": 1,
            "status_id": 11,
            "date_created": "2026-03-05T10:00:00+00:00",
            "date_modified": "2026-03-05T10:00:00+00:00",
            "default_currency_code": currency,
            "is_tax_inclusive_pricing": inclusive,
            "payment_method": "Card",
            "subtotal_ex_tax": f"{subtotal_ex:f}",
            "subtotal_inc_tax": f"{subtotal_inc:f}",
            "shipping_cost_ex_tax": f"{shipping:f}",
            "shipping_cost_inc_tax": f"{shipping:f}",
            "discount_amount": f"{sum(one.discount for one in goods):f}",
            "total_inc_tax": f"{gross_total + shipping:f}",
            "total_tax": f"{tax_total:f}",
        },
        "products": lines,
        "taxes": rows,
    }


@st.composite
def honest_orders(draw: st.DrawFn) -> tuple[dict[str, Any], Decimal]:
    currency = draw(st.sampled_from(sorted(UNITS)))
    units = UNITS[currency]
    cents = st.integers(1, 500_00).map(lambda amount: Decimal(amount).scaleb(-units))
    rates = st.sampled_from([Decimal(rate) for rate in ("0", "7", "8.25", "19", "20")])
    goods = [Goods(draw(cents), draw(rates)) for _ in range(draw(st.integers(1, 60)))]
    for one in goods:
        one.discount = rounded(one.price * draw(st.integers(0, 100)) / 100, units)
    shipping = draw(st.just(Decimal(0)) | cents)
    made = honest_order(goods, shipping, inclusive=draw(st.booleans()), units=units, currency=currency)
    return made, Decimal(made["order"]["total_inc_tax"]) - Decimal(made["order"]["total_tax"])


@given(honest_orders())
def test_an_honest_shops_order_adds_up_without_rounding(case: tuple[dict[str, Any], Decimal]) -> None:
    document, net_total = case
    sale = projected(document).sale

    adds_up(sale)
    assert sale.rounding == 0
    assert sum(one.net for one in sale.lines) + sum(one.net for one in sale.charges) == net_total
    assert all(one.net >= 0 for one in sale.lines)


def test_no_line_is_left_below_nothing_by_tax_that_another_line_can_bear() -> None:
    """The header's discount is divided by price, although the shop took all of it off one line."""
    goods = [Goods(Decimal("0.09"), Decimal(20)), Goods(Decimal("0.52"), Decimal(20), discount=Decimal("0.52"))]
    document = honest_order(goods, Decimal(0), inclusive=True, units=2, currency="USD")
    sale = projected(document).sale

    adds_up(sale)
    assert sale.rounding == 0
    assert all(one.net >= 0 for one in sale.lines)
