"""A BigCommerce order becomes a sale: every money trap of the vendor, one business fact a test."""

from decimal import Decimal

from support.shop_orders import line, order, sale, snapshot

from contracts.bigcommerce import OrderDocument

D = Decimal


def test_tax_exclusive_prices_are_posted_net_with_tax_apart() -> None:
    made = sale(
        order(
            subtotal_ex_tax="100.0000",
            subtotal_inc_tax="108.2500",
            shipping_cost_ex_tax="10.0000",
            shipping_cost_inc_tax="10.8300",
            shipping_cost_tax="0.8300",
            total_inc_tax="119.0800",
            total_ex_tax="110.0000",
            total_tax="9.0800",
        ),
        [
            line(1, total_ex_tax="60.0000", total_inc_tax="64.9500", total_tax="4.9500", quantity=3),
            line(2, total_ex_tax="40.0000", total_inc_tax="43.3000", total_tax="3.3000"),
        ],
        taxes=[
            {"id": 1, "name": "Sales Tax", "class": "Default", "rate": "8.2500", "line_amount": "8.2500"},
            {"id": 2, "name": "Sales Tax", "class": "Default", "rate": "8.2500", "line_amount": "0.8300"},
        ],
    )

    assert [one.net for one in made.lines] == [D("60.00"), D("40.00")]
    assert made.lines[0].quantity == 3
    assert [(one.kind, one.net) for one in made.charges] == [("shipping", D("10.00"))]
    assert [(one.title, one.amount, one.rate) for one in made.taxes] == [("Sales Tax", D("9.08"), D("8.25"))]
    assert made.rounding == 0


def test_tax_inclusive_prices_lose_their_tax_and_a_discount_is_gross() -> None:
    made = sale(
        order(
            is_tax_inclusive_pricing=True,
            default_currency_code="EUR",
            subtotal_ex_tax="100.8403",
            subtotal_inc_tax="120.0000",
            shipping_cost_ex_tax="5.0000",
            shipping_cost_inc_tax="5.9500",
            shipping_cost_tax="0.9500",
            discount_amount="12.0000",
            total_inc_tax="113.9500",
            total_tax="18.1900",
        ),
        [
            line(1, total_ex_tax="67.2269", total_inc_tax="80.0000", total_tax="12.7731"),
            line(2, total_ex_tax="33.6134", total_inc_tax="40.0000", total_tax="6.3866"),
        ],
        taxes=[{"id": 1, "name": "MwSt", "class": "Default", "rate": "19.0000", "line_amount": "18.1900"}],
    )

    assert [one.net for one in made.lines] == [D("60.51"), D("30.25")]
    assert [one.discount for one in made.lines] == [D("6.72"), D("3.36")]
    assert [one.net for one in made.charges] == [D("5.00")]
    assert made.rounding == 0


def test_vendor_sample_218_with_its_discount_coupon_and_fees_outside_the_total_adds_up_to_the_cent() -> None:
    made = snapshot(
        order(
            subtotal_ex_tax="62.6793",
            subtotal_inc_tax="67.8400",
            subtotal_tax="4.4000",
            shipping_cost_ex_tax="11.0900",
            shipping_cost_inc_tax="12.0000",
            shipping_cost_tax="0.9100",
            total_ex_tax="64.5300",
            total_inc_tax="69.8400",
            total_tax="5.3100",
            discount_amount="5.0000",
            coupon_discount="5.0000",
            fees=[
                {"id": 1, "display_name_merchant": "A Fee", "cost_exc_tax": "12.3000", "cost_inc_tax": "12.3000"},
                {"id": 2, "cost_ex_tax": "4.0000", "cost_inc_tax": "12.0000", "cost_tax": "8.0000"},
            ],
        ),
        [line(1, total_ex_tax="62.6793", total_inc_tax="67.8400", total_tax="5.1607", quantity=4)],
        fees=[
            {"id": 1, "display_name_merchant": "A Fee", "cost_exc_tax": "12.3000", "cost_inc_tax": "12.3000"},
            {"id": 2, "cost_ex_tax": "4.0000", "cost_inc_tax": "12.0000", "cost_tax": "8.0000"},
        ],
        taxes=[{"id": 1, "name": "Tax", "class": "Default Tax Class", "rate": "8.0000", "line_amount": "5.3100"}],
    )

    assert made.sale.rounding == 0
    assert [one.net for one in made.sale.lines] == [D("53.44")]
    assert [one.kind for one in made.sale.charges] == ["shipping"]
    assert any("fees are not part" in one for one in made.warnings)
    assert any("tax-inclusive" in one for one in made.warnings)


def test_vendor_sample_247_adds_up_to_the_cent() -> None:
    made = sale(
        order(
            subtotal_ex_tax="924.47",
            subtotal_inc_tax="1000.74",
            subtotal_tax="76.27",
            shipping_cost_ex_tax="7.39",
            shipping_cost_inc_tax="8",
            shipping_cost_tax="0.61",
            total_ex_tax="931.86",
            total_inc_tax="1008.74",
            total_tax="76.88",
        ),
        [
            line(1, total_ex_tax="868.36", total_inc_tax="940", total_tax="71.64"),
            line(2, total_ex_tax="56.11", total_inc_tax="60.74", total_tax="4.63"),
        ],
    )

    assert made.rounding == 0
    assert made.taxes[0].title == ""


def test_vendor_sample_100_posts_the_headers_zero_tax_and_no_line_tax() -> None:
    """The sample contradicts itself: subtotal tax 25.63, total tax 0. The total is what the shopper owes."""
    made = sale(
        order(
            subtotal_ex_tax="336.3200",
            subtotal_inc_tax="361.9500",
            total_ex_tax="361.9500",
            total_inc_tax="361.9500",
            total_tax="0.0000",
        ),
        [line(1, total_ex_tax="336.3200", total_inc_tax="361.9500", total_tax="25.6300", quantity=17)],
    )

    assert made.taxes == ()
    assert made.total == D("361.95")
    assert made.rounding == 0


def test_fee_inside_the_total_is_posted() -> None:
    fee = {"id": 9, "type": "custom_fee", "display_name_customer": "Insurance", "cost_ex_tax": 8.5, "cost_inc_tax": 10}
    made = sale(
        order(subtotal_ex_tax="20", subtotal_inc_tax="22", total_inc_tax="32", total_tax="3.5"),
        [line(1, total_ex_tax="20", total_inc_tax="22", total_tax="2")],
        fees=[fee | {"cost_tax": 1.5}],
    )

    assert [(one.kind, one.name, one.net) for one in made.charges] == [("fee", "Insurance", D("8.50"))]
    assert made.rounding == 0


def test_discount_is_divided_over_the_lines_to_the_last_cent() -> None:
    made = sale(
        order(subtotal_ex_tax="30", subtotal_inc_tax="30", discount_amount="10.0000", total_inc_tax="20"),
        [line(number, total_ex_tax="10", total_inc_tax="10") for number in (1, 2, 3)],
    )

    assert sorted(one.discount for one in made.lines) == [D("3.33"), D("3.33"), D("3.34")]
    assert made.rounding == 0


def test_line_that_names_its_coupon_carries_it_alone() -> None:
    made = sale(
        order(subtotal_ex_tax="30", subtotal_inc_tax="30", coupon_discount="4.0000", total_inc_tax="26"),
        [
            line(
                1,
                total_ex_tax="10",
                total_inc_tax="10",
                applied_discounts=[{"id": "coupon", "amount": "4.0000", "code": "SPRING", "target": "product"}],
            ),
            line(2, total_ex_tax="20", total_inc_tax="20"),
        ],
        coupons=[{"id": 1, "code": "SPRING", "type": 0, "amount": 4, "discount": 4}],
    )

    assert [one.discount for one in made.lines] == [D("4.00"), D("0.00")]


def test_shipping_coupon_reduces_shipping_and_no_revenue() -> None:
    made = sale(
        order(
            subtotal_ex_tax="50",
            subtotal_inc_tax="50",
            shipping_cost_ex_tax="9",
            shipping_cost_inc_tax="9",
            coupon_discount="9",
            total_inc_tax="50",
        ),
        [line(1, total_ex_tax="50", total_inc_tax="50")],
        coupons=[{"id": 1, "code": "FREESHIP", "type": 4, "amount": 0, "discount": 9}],
    )

    assert [one.net for one in made.lines] == [D("50.00")]
    assert made.charges == ()
    assert made.rounding == 0


def test_gift_certificate_line_is_a_liability_and_takes_no_discount() -> None:
    made = sale(
        order(subtotal_ex_tax="125", subtotal_inc_tax="125", coupon_discount="10", total_inc_tax="115"),
        [
            line(1, total_ex_tax="25", total_inc_tax="25"),
            line(2, product_id=0, type="giftcertificate", total_ex_tax="100", total_inc_tax="100"),
        ],
    )

    assert [(one.kind, one.net) for one in made.lines] == [("product", D("15.00")), ("gift_certificate", D("100.00"))]


def test_custom_line_has_no_product_and_no_category() -> None:
    made = sale(
        order(subtotal_ex_tax="35", total_inc_tax="35"),
        [line(1, total_ex_tax="25", total_inc_tax="25"), line(2, product_id=0, total_ex_tax="10", total_inc_tax="10")],
    )

    assert [(one.kind, one.product_id, one.categories) for one in made.lines] == [
        ("product", "71", ("Apparel > Shirts",)),
        ("custom", "", ()),
    ]


def test_parts_of_a_bundle_are_counted_once() -> None:
    made = sale(
        order(subtotal_ex_tax="56", subtotal_inc_tax="56", total_inc_tax="56"),
        [
            line(65, total_ex_tax="56", total_inc_tax="56"),
            line(66, total_ex_tax="30", total_inc_tax="30", parent_order_product_id=65, is_bundled_product=True),
            line(67, total_ex_tax="26", total_inc_tax="26", parent_order_product_id=65, is_bundled_product=True),
        ],
    )

    assert [one.key for one in made.lines] == ["65"]
    assert made.rounding == 0


def test_parts_that_the_subtotal_counts_are_counted() -> None:
    made = sale(
        order(subtotal_ex_tax="70", subtotal_inc_tax="70", total_inc_tax="70"),
        [
            line(65, total_ex_tax="56", total_inc_tax="56"),
            line(66, total_ex_tax="14", total_inc_tax="14", parent_order_product_id=65),
        ],
    )

    assert [one.net for one in made.lines] == [D("56.00"), D("14.00")]


def test_store_credit_and_gift_certificate_are_tenders_and_no_discount() -> None:
    made = sale(
        order(
            subtotal_ex_tax="100", total_inc_tax="100", store_credit_amount="15.0000", gift_certificate_amount="25.0000"
        ),
        [line(1, total_ex_tax="100", total_inc_tax="100")],
    )

    assert [(one.kind, one.amount) for one in made.tenders] == [
        ("store_credit", D("15.00")),
        ("gift_certificate", D("25.00")),
        ("payment", D("60.00")),
    ]
    assert made.lines[0].net == D("100.00")


def test_order_paid_by_two_methods_has_two_payments() -> None:
    made = sale(
        order(subtotal_ex_tax="100", total_inc_tax="100"),
        [line(1, total_ex_tax="100", total_inc_tax="100")],
        transactions=[
            {"id": 1, "event": "authorization", "method": "credit_card", "gateway": "stripe", "amount": 70},
            {
                "id": 2,
                "event": "capture",
                "method": "credit_card",
                "gateway": "stripe",
                "amount": 70,
                "reference_transaction_id": 1,
            },
            {
                "id": 3,
                "event": "purchase",
                "method": "offline",
                "gateway": "cod",
                "amount": 30,
                "offline": {"display_name": "Cash on Delivery"},
            },
        ],
    )

    assert {(one.method, one.amount) for one in made.tenders} == {
        ("stripe", D("70.00")),
        ("Cash on Delivery", D("30.00")),
    }


def test_yen_have_no_decimals_and_dinars_have_three() -> None:
    yen = sale(
        order(default_currency_code="JPY", subtotal_ex_tax="999.0000", discount_amount="100", total_inc_tax="899"),
        [line(number, total_ex_tax="333.0000", total_inc_tax="333.0000") for number in (1, 2, 3)],
    )
    dinars = sale(
        order(default_currency_code="BHD", subtotal_ex_tax="1.0000", discount_amount="0.1", total_inc_tax="0.9000"),
        [line(number, total_ex_tax="0.3330", total_inc_tax="0.3330") for number in (1, 2)]
        + [line(3, total_ex_tax="0.3340", total_inc_tax="0.3340")],
    )

    assert (yen.minor_units, [one.net for one in yen.lines], yen.rounding) == (0, [D(299), D(300), D(300)], D(0))
    assert (dinars.minor_units, sum(one.net for one in dinars.lines)) == (3, D("0.900"))


def test_transactional_currency_counts_and_not_the_display_currency() -> None:
    assert sale(order(default_currency_code="GBP", currency_code="USD"), []).currency == "GBP"


def test_a_cent_the_shop_lost_is_rounding_and_no_revenue() -> None:
    made = sale(
        order(subtotal_ex_tax="10", subtotal_inc_tax="10.83", total_inc_tax="10.82", total_tax="0.83"),
        [line(1, total_ex_tax="10", total_inc_tax="10.83", total_tax="0.83")],
    )

    assert made.lines[0].net == D("10.00")
    assert made.rounding == D("-0.01")


def test_what_nothing_explains_stays_in_the_rounding_where_its_limit_finds_it() -> None:
    made = sale(
        order(subtotal_ex_tax="10", subtotal_inc_tax="10", total_inc_tax="35"),
        [line(1, total_ex_tax="10", total_inc_tax="10")],
    )

    assert made.rounding == D("25.00")


def test_tax_is_the_headers_even_after_a_refund_changed_the_rows() -> None:
    rows = [
        {"id": 1, "name": "State", "class": "Default", "rate": "6.0000", "line_amount": "0.0000"},
        {"id": 2, "name": "City", "class": "Default", "rate": "2.0000", "line_amount": "0.0000"},
    ]
    made = snapshot(
        order(subtotal_ex_tax="100", subtotal_inc_tax="108", total_inc_tax="108", total_tax="8"),
        [line(1, total_ex_tax="100", total_inc_tax="108", total_tax="8")],
        taxes=rows,
    )

    assert {(one.title, one.amount) for one in made.sale.taxes} == {("State", D("6.00")), ("City", D("2.00"))}
    assert any("tax rows" in one for one in made.warnings)


def test_destination_is_known_only_as_far_as_all_addresses_agree() -> None:
    texas = {"id": 1, "country_iso2": "us", "state": "Texas"}
    ohio = {"id": 2, "country_iso2": "US", "state": "Ohio"}
    both = snapshot(order(), [], shipping_addresses=[texas, ohio])
    one = snapshot(order(), [], shipping_addresses=[texas])

    assert (both.sale.ship_to_country, both.sale.ship_to_state) == ("US", "")
    assert (one.sale.ship_to_country, one.sale.ship_to_state) == ("US", "Texas")
    assert any("several" in warning for warning in both.warnings)
    assert one.warnings == ()


def test_personal_data_is_left_behind() -> None:
    document = OrderDocument.model_validate(
        {
            "order": order(
                billing_address={"first_name": "Jane", "email": "jane@example.com"}, ip_address="203.0.113.9"
            ),
            "shipping_addresses": [{"id": 1, "first_name": "Jane", "street_1": "1 Main St", "country_iso2": "US"}],
        }
    )

    kept = document.model_dump_json()
    assert not any(secret in kept for secret in ("Jane", "example.com", "203.0.113.9", "Main St"))
