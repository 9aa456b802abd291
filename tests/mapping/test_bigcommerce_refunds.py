"""A refund as BigCommerce tells it becomes the facts that accounting needs."""

from decimal import Decimal
from typing import Any

import pytest
from support.twin_documents import CONNECTION, document_of, refund_of, snapshot_of

from contracts.bigcommerce_refund import OrderRefund
from contracts.refund import Refund, RefundSale
from mapping.bigcommerce_refunds import project_refund
from mapping.refunds import take_back
from sandbox.bigcommerce import EU_SHOP, JP_SHOP, US_SHOP, Returned, Shape, Shop, draft
from sandbox.bigcommerce.documents import Order


@pytest.fixture
def shop() -> Shop:
    return Shop(US_SHOP)


def place(shop: Shop, shape: Shape, seed: int = 3) -> Order:
    return shop.place(draft(shape, shop.profile, seed=seed))


def wire(order: Order, **fields: Any) -> Refund:
    """A refund that the twin did not make."""
    given = {
        "id": 12,
        "order_id": order.id,
        "created": "2026-03-16T16:44:15+00:00",
        "total_amount": 5,
        "total_tax": 0,
        "items": [{"item_type": "ORDER", "item_id": order.id, "requested_amount": "5.00"}],
        "payments": [{"id": 1, "provider_id": "stripe", "amount": 5, "is_declined": False}],
    } | fields
    return project_refund(OrderRefund.model_validate(given), document_of(order), connection=CONNECTION)


def method(order: Order, refund: Refund) -> str:
    """How the payment of the refund is booked."""
    taken = take_back(refund, snapshot_of(order).sale)
    assert isinstance(taken, RefundSale), taken
    (tender,) = taken.tenders
    return tender.method


def test_every_kind_of_item_has_its_name(shop: Shop) -> None:
    order = place(shop, Shape.HANDLING)
    items = [
        Returned("PRODUCT", order.lines[0].id, 1, adjustments=(Decimal("-0.50"), Decimal("-0.25"))),
        Returned("SHIPPING", order.address_ids[0], amount=Decimal("1.00")),
        Returned("HANDLING", order.address_ids[0], amount=Decimal("1.00")),
        Returned("ORDER", order.id, amount=Decimal("1.00")),
    ]
    refund = refund_of(order, shop.refund(order.id, items=items))
    assert [(one.kind, one.quantity, one.amount, one.adjustment) for one in refund.items] == [
        ("product", Decimal(1), None, Decimal("-0.75")),
        ("shipping", Decimal(0), Decimal("1.00"), Decimal(0)),
        ("handling", Decimal(0), Decimal("1.00"), Decimal(0)),
        ("order", Decimal(0), Decimal("1.00"), Decimal(0)),
    ]
    assert (refund.refund_id, refund.order_id, refund.currency, refund.minor_units) == (
        str(order.refunds[0].id),
        str(order.id),
        "USD",
        2,
    )


def test_a_refund_without_items_is_a_tax_adjustment(shop: Shop) -> None:
    order = place(shop, Shape.ORDINARY)
    (item,) = refund_of(order, shop.refund(order.id, tax_adjustment=Decimal("0.30"))).items
    assert (item.kind, item.amount) == ("tax", Decimal("0.30"))


def test_an_item_of_a_kind_that_nobody_knows_is_not_guessed(shop: Shop) -> None:
    order = place(shop, Shape.ORDINARY)
    refund = wire(order, items=[{"item_type": "TIP", "item_id": 7, "requested_amount": "5.00"}])
    assert refund.items[0].kind == "other"
    problems = take_back(refund, snapshot_of(order).sale)
    assert isinstance(problems, tuple)
    assert [one.code for one in problems] == ["unknown_refund_item"]


def test_rates_are_those_of_what_was_given_back() -> None:
    shop = Shop(EU_SHOP)
    order = place(shop, Shape.MANY_LINES)
    for line in order.lines:
        refund = refund_of(order, shop.refund(order.id, line.id, 1))
        rates = {rate.percent for rate in EU_SHOP.tax_class(line.item.tax_class_id).rates}
        assert {tax.rate for tax in refund.items[0].taxes} == rates


def test_a_part_of_a_bundle_counts_with_its_bundle(shop: Shop) -> None:
    order = place(shop, Shape.BUNDLE)
    child = next(line for line in order.lines if line.parent_id)
    refund = wire(order, items=[{"item_type": "PRODUCT", "item_id": child.id, "quantity": 1}])
    assert (refund.items[0].key, refund.items[0].quantity) == (str(child.parent_id), 0)


def test_money_goes_back_to_the_method_that_the_order_names(shop: Shop) -> None:
    card = place(shop, Shape.ORDINARY)
    assert method(card, refund_of(card, shop.refund(card.id, card.lines[0].id, 1))) == card.draft.payment_method
    # Another name for the same provider: there is one payment it can have been.
    assert method(card, wire(card, payments=[{"provider_id": "stripev3", "amount": 5}])) == card.draft.payment_method
    assert method(card, wire(card, payments=[{"provider_id": "custom", "amount": 5}])) == "custom"
    by_hand = place(shop, Shape.OFFLINE_PAYMENT)
    back = refund_of(by_hand, shop.refund(by_hand.id, by_hand.lines[0].id, 1))
    assert method(by_hand, back) == by_hand.draft.payment_method
    assert back.tenders[0].offline


@pytest.mark.parametrize("provider", ["storecredit", "giftcertificate"])
def test_what_the_shop_owes_afterwards_is_no_payment(shop: Shop, provider: str) -> None:
    order = place(shop, Shape.ORDINARY)
    refund = wire(order, payments=[{"provider_id": provider, "amount": 5}])
    assert refund.tenders[0].kind == {"storecredit": "store_credit", "giftcertificate": "gift_certificate"}[provider]
    assert method(order, refund) == {"storecredit": "Store Credit", "giftcertificate": "Gift Certificate"}[provider]


def test_amounts_have_the_minor_unit_of_the_currency() -> None:
    shop = Shop(JP_SHOP)
    order = place(shop, Shape.ORDINARY)
    refund = wire(order, total_amount=500.0, payments=[{"provider_id": "stripe", "amount": 500.0}])
    assert (str(refund.total), str(refund.tenders[0].amount), refund.minor_units) == ("500", "500", 0)


def test_a_refund_is_not_projected_on_another_order(shop: Shop) -> None:
    order = place(shop, Shape.ORDINARY)
    with pytest.raises(ValueError, match=f"is of order 1 and not of {order.id}"):
        wire(order, order_id=1)


def test_a_payment_that_is_repeated_makes_another_version_of_the_refund(shop: Shop) -> None:
    order = place(shop, Shape.ORDINARY)
    refund = shop.refund(order.id, order.lines[0].id, 1, declined=True)
    before = refund_of(order, refund)
    assert before.declined
    shop.repeat_refund(refund.id)
    after = refund_of(order, refund)
    assert not after.declined
    assert before.fingerprint() != after.fingerprint() == refund_of(order, refund).fingerprint()


def test_what_its_order_becomes_makes_no_other_refund_of_it(shop: Shop) -> None:
    order = place(shop, Shape.ORDINARY)
    refund = shop.refund(order.id, everything=True)
    before = refund_of(order, refund)
    shop.exempt(order.id)
    order.transactions.clear()
    after = refund_of(order, refund)
    assert after != before
    assert after.fingerprint() == before.fingerprint()
