"""Generated orders obey the vendor's identities and are what their shape says."""

from decimal import Decimal

import pytest

from sandbox.bigcommerce import EU_SHOP, JP_SHOP, US_SHOP, Shape, Shop, draft, morning
from sandbox.bigcommerce.documents import Order
from sandbox.bigcommerce.money import allocate
from sandbox.bigcommerce.profiles import Profile
from sandbox.bigcommerce.v2 import render_coupon, render_order, render_product, render_taxes

PROFILES = pytest.mark.parametrize("profile", [US_SHOP, EU_SHOP, JP_SHOP], ids=lambda profile: profile.currency)


def placed(shape: Shape, profile: Profile, seed: int = 1) -> Order:
    return Shop(profile).place(draft(shape, profile, seed=seed))


@PROFILES
@pytest.mark.parametrize("shape", list(Shape))
@pytest.mark.parametrize("seed", range(5))
def test_total_is_subtotal_plus_charges_minus_discounts(profile: Profile, shape: Shape, seed: int) -> None:
    wire = render_order(placed(shape, profile, seed), include={"fees"})
    charges = sum(Decimal(wire[f"{name}_cost_inc_tax"]) for name in ("shipping", "handling", "wrapping"))
    fees = sum((Decimal(fee["cost_inc_tax"]) for fee in wire["fees"]), Decimal(0))
    discounts = Decimal(wire["discount_amount"]) + Decimal(wire["coupon_discount"])
    total = Decimal(wire["total_inc_tax"])
    assert total == Decimal(wire["subtotal_inc_tax"]) + charges + fees - discounts
    assert total == Decimal(wire["total_ex_tax"]) + Decimal(wire["total_tax"])


@PROFILES
@pytest.mark.parametrize("shape", list(Shape))
def test_discounted_lines_and_charges_make_up_the_total(profile: Profile, shape: Shape) -> None:
    order = placed(shape, profile)
    lines = sum(Decimal(render_product(order, line)["discounted_total_inc_tax"]) for line in order.lines)
    priced = order.priced
    charges = sum(charge.inc for charge in (priced.shipping, priced.handling, priced.wrapping, priced.fees))
    unit = Decimal(1).scaleb(-profile.places)
    assert abs(lines + charges - priced.total.inc) <= unit


@PROFILES
@pytest.mark.parametrize("shape", list(Shape))
def test_truth_adds_up_and_tenders_settle_the_total(profile: Profile, shape: Shape) -> None:
    shop = Shop(profile)
    order = shop.place(draft(shape, profile, seed=2))
    truth = shop.truth()[order.id]
    unit = Decimal(1).scaleb(-profile.places)
    assert abs(sum(truth.net.values()) + truth.tax - truth.total) <= unit
    assert sum(truth.tenders.values()) == truth.total


@PROFILES
def test_tax_rows_sum_to_the_tax_of_the_order(profile: Profile) -> None:
    shop = Shop(profile)
    for basket in morning(profile, 40, seed=4):
        order = shop.place(basket)
        for details in (True, False):
            rows = sum(Decimal(row["line_amount"]) for row in render_taxes(order, details=details))
            assert abs(rows - order.priced.total.tax) < Decimal(1).scaleb(-profile.places)


def test_tax_rows_of_a_store_that_rounds_per_order_miss_its_total_by_less_than_a_cent() -> None:
    shop = Shop(EU_SHOP)
    orders = [shop.place(basket) for basket in morning(EU_SHOP, 40)]
    differences = {sum(row.amount for row in order.priced.rows) - order.priced.total.tax for order in orders}
    assert any(differences)
    assert max(map(abs, differences)) < Decimal("0.01")


def test_the_same_seed_gives_the_same_morning_and_another_seed_another() -> None:
    assert morning(US_SHOP, 40, seed=7) == morning(US_SHOP, 40, seed=7)
    assert morning(US_SHOP, 40, seed=7) != morning(US_SHOP, 40, seed=8)


def test_a_morning_shows_every_everyday_shape() -> None:
    shapes = {basket.shape for basket in morning(EU_SHOP, 40)}
    assert shapes == {str(shape) for shape in Shape} - {"free", "test", "migrated"}


def test_shapes_are_what_they_say() -> None:
    assert len(placed(Shape.OVER_FIFTY, US_SHOP).lines) == 55
    assert placed(Shape.GUEST, US_SHOP).draft.person.customer_id == 0
    assert placed(Shape.NO_TAX, EU_SHOP).priced.total.tax == 0
    assert placed(Shape.FREE, US_SHOP).priced.total.inc == 0
    assert {line.item.type for line in placed(Shape.DIGITAL, US_SHOP).lines} == {"digital"}
    assert "giftcertificate" in {line.item.type for line in placed(Shape.SOLD_CERTIFICATE, US_SHOP).lines}
    assert {"gift_certificate", "store_credit", "payment"} == set(placed(Shape.SPLIT_TENDER, US_SHOP).tenders())
    custom = placed(Shape.CUSTOM_LINE, US_SHOP).lines[-1].item
    assert (custom.product_id, custom.sku) == (0, "")


def test_a_bundles_part_points_at_its_whole_and_costs_nothing() -> None:
    order = placed(Shape.BUNDLE, US_SHOP)
    whole, part = (render_product(order, line) for line in order.lines[:2])
    assert part["parent_order_product_id"] == whole["id"]
    assert part["is_bundled_product"] is True
    assert Decimal(part["total_inc_tax"]) == 0


def test_a_coupon_row_tells_what_its_lines_lost() -> None:
    order = placed(Shape.COUPON_PERCENT, US_SHOP)
    row = render_coupon(order, 0, order.draft.coupons[0])
    discounts = [entry for line in order.lines for entry in render_product(order, line)["applied_discounts"]]
    assert Decimal(str(row["discount"])) == sum(Decimal(entry["amount"]) for entry in discounts)
    assert Decimal(render_order(order)["coupon_discount"]) == Decimal(str(row["discount"]))


def test_sold_certificates_carry_no_tax_and_no_discount() -> None:
    order = placed(Shape.SOLD_CERTIFICATE, EU_SHOP)
    wire = next(render_product(order, line) for line in order.lines if line.item.type == "giftcertificate")
    assert wire["total_ex_tax"] == wire["total_inc_tax"] == wire["discounted_total_inc_tax"] == "50.0000"
    assert wire["gift_certificate_id"]


def test_tax_inclusive_lines_show_tax_before_discounts_and_the_order_after() -> None:
    order = placed(Shape.COUPON_PERCENT, EU_SHOP)
    wire = render_order(order)
    shown = sum(Decimal(render_product(order, line)["total_tax"]) for line in order.lines)
    assert shown > Decimal(wire["subtotal_tax"])
    assert wire["is_tax_inclusive_pricing"] is True


def test_only_asked_for_baskets_hold_products_that_are_not_on_sale() -> None:
    assert placed(Shape.ORDINARY, US_SHOP).profile.category_names(0) == ()
    basket = draft(Shape.ORDINARY, US_SHOP, categories={"Antiques"})
    assert {item.sku for item in basket.items} == {"ANT-CLOCK"}
    skus = {item.sku for seed in range(50) for item in draft(Shape.MANY_LINES, US_SHOP, seed=seed).items}
    assert not skus & {"ANT-CLOCK", "CLR-SCARF"}
    with pytest.raises(ValueError, match="sells nothing in Boats"):
        draft(Shape.ORDINARY, US_SHOP, categories={"Boats"})


@pytest.mark.parametrize(
    ("amount", "weights", "places", "shares"),
    [
        ("10.00", ["1", "1", "1"], 2, ["3.34", "3.33", "3.33"]),
        ("0.02", ["5", "5", "5"], 2, ["0.01", "0.01", "0.00"]),
        ("100", ["1", "2"], 0, ["33", "67"]),
        ("5.00", ["0", "0"], 2, ["0", "0"]),
    ],
)
def test_shares_lose_no_cent(amount: str, weights: list[str], places: int, shares: list[str]) -> None:
    assert allocate(Decimal(amount), [Decimal(weight) for weight in weights], places) == [Decimal(s) for s in shares]
