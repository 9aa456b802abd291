"""Refunds of every kind, as a merchant makes them, and what the shop shows of them afterwards."""

import datetime as dt
from decimal import Decimal

import pytest

from sandbox.bigcommerce import EU_SHOP, US_SHOP, Returned, Shape, Shop, draft, statuses
from sandbox.bigcommerce.documents import Order
from sandbox.bigcommerce.shop import Event
from sandbox.bigcommerce.v3 import render_refund

NOON = dt.datetime(2026, 3, 10, 18, 0, tzinfo=dt.UTC)


@pytest.fixture
def shop() -> Shop:
    return Shop(US_SHOP, now=lambda: NOON)


def place(shop: Shop, shape: Shape = Shape.MANY_LINES) -> Order:
    return shop.place(draft(shape, shop.profile, seed=3))


@pytest.mark.parametrize("shape", [Shape.MANY_LINES, Shape.WRAPPING, Shape.HANDLING, Shape.FEE, Shape.TWO_ADDRESSES])
@pytest.mark.parametrize("profile", [US_SHOP, EU_SHOP], ids=["exclusive", "inclusive"])
def test_everything_comes_to_the_total_also_after_some_of_it(profile, shape) -> None:
    shop = Shop(profile, now=lambda: NOON)
    order = place(shop, shape)
    shop.refund(order.id, order.lines[0].id, 1)
    assert (order.status_id, order.payment_status) == (statuses.PARTIALLY_REFUNDED, "partially refunded")
    shop.refund(order.id, everything=True)
    truth = shop.truth()[order.id]
    assert (truth.refunded, truth.refunded_tax, truth.refunded_by) == (truth.total, truth.tax, truth.tenders)
    assert (order.status_id, order.payment_status) == (statuses.REFUNDED, "refunded")
    with pytest.raises(ValueError, match="pieces left to refund"):
        shop.refund(order.id, order.lines[0].id, 1)


def test_an_amount_has_no_tax_and_a_tax_adjustment_nothing_else(shop: Shop) -> None:
    order = place(shop)
    amount = shop.refund(order.id, items=[Returned("ORDER", order.id, amount=Decimal("5.00"))])
    assert (amount.total, amount.tax) == (Decimal("5.00"), Decimal(0))
    tax = shop.refund(order.id, tax_adjustment=Decimal("0.40"))
    assert (tax.total, tax.tax, tax.items) == (Decimal("0.40"), Decimal("0.40"), ())


def test_shipping_comes_back_in_part_or_whole_with_its_tax(shop: Shop) -> None:
    order = place(shop, Shape.HANDLING)
    part = shop.refund(order.id, items=[Returned("SHIPPING", order.address_ids[0], amount=Decimal("2.00"))])
    rest = shop.refund(order.id, items=[Returned("SHIPPING", order.address_ids[0])])
    assert part.items[0].amount == Decimal("2.00")
    assert (rest.items[0].amount or 0) + Decimal("2.00") == order.priced.shipping.ex
    with pytest.raises(ValueError, match="left to refund"):
        shop.refund(order.id, items=[Returned("SHIPPING", order.address_ids[0], amount=Decimal("0.01"))])
    with pytest.raises(ValueError, match="has no HANDLING 7"):
        shop.refund(order.id, items=[Returned("HANDLING", 7)])


@pytest.mark.parametrize("habit", ["lowered", "kept"])
async def test_a_refund_lowers_the_tax_rows_of_what_it_gives_back_and_never_the_headers_tax(us, habit: str) -> None:
    store = "/_twin/stores/us1abc"
    assert (await us.control.post(f"{store}/habits", json={"refunded_tax_rows": habit})).status_code == 200
    order = us.shop.place(draft(Shape.ORDINARY, US_SHOP, seed=3))
    line = order.lines[0]

    async def rows() -> dict[int, Decimal]:
        answer = await us.http.get(f"/v2/orders/{order.id}/taxes", params={"details": "true"})
        return {one["id"]: Decimal(one["line_amount"]) for one in answer.json() if one.get("order_product_id")}

    async def header() -> str:
        return str((await us.http.get(f"/v2/orders/{order.id}")).json()["total_tax"])

    before, tax = await rows(), await header()
    us.shop.refund(order.id, items=[Returned("PRODUCT", line.id, 1)], override=(Decimal("1.00"), Decimal(0)))
    assert await rows() == before
    us.shop.refund(order.id, items=[Returned("ORDER", order.id, amount=Decimal("1.00"))])
    assert await rows() == before
    us.shop.refund(order.id, everything=True)
    assert (await rows() == before) is (habit == "kept")
    assert await header() == tax


def test_a_restocking_fee_lowers_what_comes_back(shop: Shop) -> None:
    order, other = place(shop), place(shop)
    plain = shop.refund(order.id, order.lines[0].id, 1)
    kept = shop.refund(other.id, items=[Returned("PRODUCT", other.lines[0].id, 1, adjustments=(Decimal("-1.00"),))])
    assert plain.total - kept.total - (plain.tax - kept.tax) == Decimal("1.00")
    assert render_refund(other, kept)["items"][0]["adjustments"][0]["amount"] == -1


def test_money_goes_back_the_way_it_came_or_as_the_merchant_says(shop: Shop) -> None:
    split = place(shop, Shape.SPLIT_TENDER)
    shop.refund(split.id, everything=True)
    truth = shop.truth()[split.id]
    assert truth.refunded_by == truth.tenders
    assert len([one for one in split.transactions if one.event == "refund"]) == len(truth.tenders) > 1

    order = place(shop)
    given = {"storecredit": Decimal("3.00"), "custom": Decimal("2.00")}
    refund = shop.refund(order.id, items=[Returned("ORDER", order.id, amount=Decimal("5.00"))], payments=given)
    assert {one.provider_id: (one.amount, one.offline) for one in refund.payments} == {
        "storecredit": (Decimal("3.00"), True),
        "custom": (Decimal("2.00"), True),
    }
    with pytest.raises(ValueError, match=r"The payments come to 1\.00"):
        shop.refund(order.id, order.lines[0].id, 1, payments={"stripe": Decimal("1.00")})


def test_a_declined_payment_moves_nothing_until_it_is_repeated(shop: Shop) -> None:
    heard: list[Event] = []
    shop.listeners.append(heard.append)
    order = place(shop)
    status = order.status_id
    refund = shop.refund(order.id, order.lines[0].id, 1, declined=True)
    assert order.status_id == status
    assert shop.truth()[order.id].refunded == 0
    assert render_refund(order, refund)["payments"][0]["is_declined"] is True
    assert order.transactions[-1].status == "error"
    assert any(event.scope == "store/order/refund/created" for event in heard)
    shop.repeat_refund(refund.id)
    assert shop.truth()[order.id].refunded == refund.total
    assert order.status_id == statuses.PARTIALLY_REFUNDED
    with pytest.raises(LookupError):
        shop.repeat_refund(1)


def test_a_payment_may_be_declined_after_it_was_taken(shop: Shop) -> None:
    order = place(shop)
    refund = shop.refund(order.id, order.lines[0].id, 1)
    shop.decline_refund(refund.id)
    assert render_refund(order, refund)["payments"][0]["is_declined"] is True
    assert order.transactions[-1].status == "error"
    assert shop.truth()[order.id].refunded == 0
    assert order.status_id == statuses.PARTIALLY_REFUNDED, "nobody sets it back"
    shop.repeat_refund(refund.id)
    assert shop.truth()[order.id].refunded == refund.total
    with pytest.raises(LookupError):
        shop.decline_refund(1)


def test_the_merchant_may_type_the_totals_and_only_a_knob_allows_more_than_was_charged(shop: Shop) -> None:
    order = place(shop)
    typed = shop.refund(order.id, order.lines[0].id, 1, override=(Decimal("1.00"), Decimal("0.10")))
    assert (typed.total, typed.tax, render_refund(order, typed)["uses_merchant_override_values"]) == (
        Decimal("1.00"),
        Decimal("0.10"),
        True,
    )
    more = Returned("ORDER", order.id, amount=order.priced.total.inc)
    with pytest.raises(ValueError, match="of tax left, not"):
        shop.refund(order.id, items=[more])
    shop.refund(order.id, items=[more], over=True)
    assert shop.truth()[order.id].refunded == order.priced.total.inc + Decimal("1.00")


def test_the_status_can_be_set_by_hand_without_any_refund(shop: Shop) -> None:
    order = place(shop)
    shop.set_status(order.id, statuses.REFUNDED)
    assert (order.refunds, shop.refunds(), shop.truth()[order.id].refunded) == ([], [], 0)


async def test_an_operator_refunds_over_the_control_routes(us) -> None:
    store = "/_twin/stores/us1abc"
    (order_id,) = (await us.control.post(f"{store}/orders", json={"shape": "wrapping", "seed": 3})).json()["ids"]
    path = f"{store}/orders/{order_id}/refund"
    items = [{"type": "SHIPPING", "amount": "1.00"}, {"type": "GIFT_WRAPPING"}, {"type": "PRODUCT", "quantity": 1}]
    for body in (
        {"items": items},
        {"items": [{"type": "ORDER", "amount": "2.00"}], "payments": {"storecredit": "2.00"}},
        {"tax_adjustment": "0.10"},
        {"items": [{"type": "ORDER", "amount": "1.00"}], "override": {"total": "3.00", "tax": "0.50"}},
        {"items": [{"type": "ORDER", "amount": "1.00"}], "declined": True},
    ):
        answer = await us.control.post(path, json=body)
        assert answer.status_code == 200, answer.text
    order = us.shop.order(order_id)
    declined = order.refunds[-1]
    assert declined.declined
    await us.control.post(f"{store}/orders/{order_id}/repeat-refund", json={"refund_id": declined.id})
    await us.control.post(f"{store}/orders/{order_id}/decline-refund", json={"refund_id": declined.id})
    assert declined.declined
    await us.control.post(f"{store}/orders/{order_id}/repeat-refund", json={"refund_id": declined.id})
    truth = (await us.control.post(path, json={"everything": True})).json()
    assert truth["refunded"] == truth["total"]
    assert truth["refunded_tax"] == truth["tax"]
    for wrong in ({"items": [{"type": "BOAT"}]}, {"items": [{"type": "ORDER"}]}, {"line_id": 1}):
        assert (await us.control.post(path, json=wrong)).status_code == 400


async def test_an_operator_edits_fees_address_and_tax_over_the_control_routes(us) -> None:
    store = "/_twin/stores/us1abc"
    (order_id,) = (await us.control.post(f"{store}/orders", json={"shape": "ordinary", "seed": 3})).json()["ids"]
    path, order = f"{store}/orders/{order_id}", us.shop.order(order_id)
    before = order.priced.total
    fees = {"fees": [{"name": "Rush", "cost": "4.00", "tax": "0.33"}]}
    truth = (await us.control.post(f"{path}/fees", json=fees)).json()
    assert (Decimal(truth["total"]), truth["net"]["fee"]) == (before.inc + Decimal("4.33"), "4.00")
    await us.control.post(f"{path}/move", json={"state": "Ohio"})
    assert (await us.http.get(f"/v2/orders/{order_id}/shipping_addresses")).json()[0]["state"] == "Ohio"
    truth = (await us.control.post(f"{path}/exempt", json={})).json()
    assert (truth["tax"], order.priced.rows) == ("0.33", ())
    assert (await us.control.post(f"{path}/move", json={"planet": "Mars"})).status_code == 400


async def test_refunds_are_found_by_the_transaction_that_paid_them(us) -> None:
    order = place(us.shop)
    for _ in range(2):
        us.shop.refund(order.id, items=[Returned("ORDER", order.id, amount=Decimal("1.00"))])
    wanted = order.refunds[1]
    query = {"transaction_id": str(wanted.payments[0].transaction_id)}
    found = (await us.http.get("/v3/orders/payment_actions/refunds", params=query)).json()["data"]
    assert [one["id"] for one in found] == [wanted.id]
