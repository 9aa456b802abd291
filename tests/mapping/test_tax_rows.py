"""Tax rows, which refunds lower: what they come to by title is what they came to when the order was placed."""

from decimal import Decimal
from typing import Any

import pytest
from support.twin_documents import document_of, snapshot_of

from contracts.bigcommerce import OrderDocument
from contracts.configuration import PostingPolicy
from contracts.sale import Sale
from mapping.bigcommerce import project
from mapping.edits import sale_fingerprint
from sandbox.bigcommerce import EU_SHOP, JP_SHOP, US_SHOP, Profile, Returned, Shape, Shop, draft
from sandbox.bigcommerce.orders import NOT_EVERYDAY

D = Decimal
PLACED = PostingPolicy()


def order(**fields: Any) -> dict[str, Any]:
    return {
        "id": 1024,
        "status_id": 11,
        "date_created": "Tue, 03 Mar 2026 05:30:00 +0000",
        "date_modified": "Tue, 03 Mar 2026 05:31:00 +0000",
        "default_currency_code": "USD",
        "is_tax_inclusive_pricing": False,
    } | fields


def line(number: int, **fields: Any) -> dict[str, Any]:
    return {"id": number, "product_id": 70 + number, "type": "physical", "quantity": 1} | fields


def row(title: str, rate: str, amount: str, product: int = 0, **fields: Any) -> dict[str, Any]:
    about = {"order_product_id": str(product), "line_item_type": "item"} if product else {}
    return {"name": title, "class": "Default", "rate": rate, "line_amount": amount, "priority_amount": amount} | (
        about | fields
    )


def sale(**parts: Any) -> Sale:
    document = OrderDocument.model_validate(parts)
    return project(document, connection="bc-us", store_timezone="America/Chicago", categories={}).sale


def titles(sold: Sale) -> dict[str, Decimal]:
    """All classes together."""
    found: dict[str, Decimal] = {}
    for one in sold.taxes:
        found[one.title] = found.get(one.title, D(0)) + one.amount
    return found


def two_titles(*rows: dict[str, Any]) -> Sale:
    """Two pieces for 100.00, taxed by state and city, and 100.00 that only the state taxes."""
    return sale(
        order=order(subtotal_ex_tax="200", subtotal_inc_tax="214", total_inc_tax="214", total_tax="14"),
        products=[
            line(1, quantity=2, total_ex_tax="100", total_inc_tax="108", total_tax="8"),
            line(2, total_ex_tax="100", total_inc_tax="106", total_tax="6"),
        ],
        taxes=list(rows),
    )


def test_a_refund_of_one_piece_moves_no_tax_between_titles() -> None:
    before = two_titles(row("State", "6", "6", 1), row("City", "2", "2", 1), row("State", "6", "6", 2))
    after = two_titles(row("State", "6", "3", 1), row("City", "2", "1", 1), row("State", "6", "6", 2))
    assert titles(before) == titles(after) == {"State": D("12.00"), "City": D("2.00")}
    assert sale_fingerprint(before, PLACED) == sale_fingerprint(after, PLACED)


def test_a_refund_moves_no_revenue_between_lines_whose_prices_have_tax_in_them() -> None:
    def sold(amount: str) -> Sale:
        return sale(
            order=order(
                is_tax_inclusive_pricing=True,
                subtotal_inc_tax="226",
                total_inc_tax="226",
                total_tax="26",
                currency="EUR",
            ),
            products=[
                line(1, quantity=2, total_inc_tax="119", total_tax="19"),
                line(2, total_inc_tax="107", total_tax="7"),
            ],
            taxes=[row("19%", "19", amount, 1), row("7%", "7", "7", 2)],
        )

    assert [one.net for one in sold("19").lines] == [D("100.00"), D("100.00")]
    assert sold("9.50") == sold("0") == sold("19")


def test_each_delivery_is_taxed_by_its_own_rates() -> None:
    def sold(first: str) -> Sale:
        return sale(
            order=order(
                shipping_cost_ex_tax="40",
                shipping_cost_inc_tax="44",
                shipping_cost_tax="4",
                total_inc_tax="44",
                total_tax="4",
            ),
            taxes=[
                row("State", "5", first, line_item_type="shipping", order_address_id=8),
                row("City", "25", "2.5", line_item_type="shipping", order_address_id=9),
            ],
            shipping_addresses=[{"id": 8, "cost_ex_tax": 30}, {"id": 9, "cost_ex_tax": 10}],
        )

    assert titles(sold("1.50")) == titles(sold("0")) == {"State": D("1.50"), "City": D("2.50")}


def test_amounts_that_no_rate_explains_are_the_proportion_and_their_lowering_is_no_edit() -> None:
    """A tax service that taxes only a part of the price."""

    def sold(state: str, city: str, tax: str = "4") -> Sale:
        return sale(
            order=order(subtotal_ex_tax="100", subtotal_inc_tax="104", total_inc_tax="104", total_tax=tax),
            products=[line(1, total_ex_tax="100", total_inc_tax="104", total_tax="4")],
            taxes=[row("State", "6", state, 1), row("City", "2", city, 1)],
        )

    placed = sold("1", "3")
    assert titles(placed) == {"State": D("1.00"), "City": D("3.00")}
    assert sale_fingerprint(sold("0.33", "1"), PLACED) == sale_fingerprint(placed, PLACED)
    assert sale_fingerprint(sold("0", "0"), PLACED) == sale_fingerprint(placed, PLACED)
    assert sale_fingerprint(sold("1", "3", tax="3"), PLACED) != sale_fingerprint(placed, PLACED)


@pytest.mark.parametrize("shape", sorted(set(Shape) - NOT_EVERYDAY))
@pytest.mark.parametrize("profile", [US_SHOP, JP_SHOP], ids=["exclusive", "inclusive"])
def test_a_shop_that_rounds_each_row_is_followed_to_the_cent(profile: Profile, shape: Shape) -> None:
    for seed in range(3):
        placed = Shop(profile).place(draft(shape, profile, seed=seed))
        expected: dict[str, Decimal] = {}
        for one in placed.priced.rows:
            expected[one.rate.title] = expected.get(one.rate.title, D(0)) + one.amount
        assert titles(snapshot_of(placed).sale) == {title: amount for title, amount in expected.items() if amount}


@pytest.mark.parametrize("profile", [US_SHOP, EU_SHOP, JP_SHOP], ids=["us", "eu", "jp"])
def test_no_refund_of_pieces_wrapping_and_shipping_is_an_edit(profile: Profile) -> None:
    for shape in (Shape.WRAPPING, Shape.HANDLING, Shape.TWO_ADDRESSES, Shape.COUPON_PERCENT, Shape.MANY_LINES):
        shop = Shop(profile)
        placed = shop.place(draft(shape, profile, seed=4))
        before, rows = snapshot_of(placed), document_of(placed).taxes
        shop.refund(placed.id, placed.lines[-1].id, 1)
        shop.refund(placed.id, items=[Returned("SHIPPING", placed.address_ids[0])])
        assert document_of(placed).taxes != rows
        assert sale_fingerprint(snapshot_of(placed).sale, PLACED) == sale_fingerprint(before.sale, PLACED)
        shop.refund(placed.id, everything=True)
        assert sale_fingerprint(snapshot_of(placed).sale, PLACED) == sale_fingerprint(before.sale, PLACED)
