"""What happens to a placed order, and what the shop says about it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from sandbox.bigcommerce import US_SHOP, Fee, Item, Shape, Shop, draft, statuses
from sandbox.bigcommerce.shop import Event


class Moving:
    """A clock a test moves by hand."""

    def __init__(self) -> None:
        self.at = datetime(2026, 3, 2, 15, 0, 0, 700_000, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def advance(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Moving:
    return Moving()


@pytest.fixture
def shop(clock: Moving) -> Shop:
    return Shop(US_SHOP, now=clock)


@pytest.fixture
def heard(shop: Shop) -> list[Event]:
    events: list[Event] = []
    shop.listeners.append(events.append)
    return events


def test_a_paid_order_has_transactions_for_every_tender(shop: Shop) -> None:
    order = shop.place(draft(Shape.SPLIT_TENDER, US_SHOP))
    paid = {transaction.method: transaction.amount for transaction in order.transactions}
    assert sum(paid.values()) == order.priced.total.inc
    assert {"gift_certificate", "store_credit"} < set(paid)


def test_an_authorized_payment_is_captured_by_a_second_transaction(shop: Shop) -> None:
    order = shop.place(draft(Shape.SEPARATE_CAPTURE, US_SHOP))
    authorized, captured = order.transactions
    assert (authorized.event, captured.event) == ("authorization", "capture")
    assert captured.reference_id == authorized.id


def test_an_incomplete_order_is_announced_and_unpaid_until_its_status_moves(shop: Shop, heard: list[Event]) -> None:
    order = shop.place(draft(Shape.ORDINARY, US_SHOP), status_id=statuses.INCOMPLETE)
    assert order.transactions == []
    assert [event.scope for event in heard] == ["store/order/created"]
    shop.set_status(order.id, statuses.AWAITING_FULFILLMENT)
    assert order.transactions
    assert [event.scope for event in heard[1:]] == [
        "store/order/transaction/created",
        "store/order/statusUpdated",
        "store/order/updated",
    ]
    assert heard[2].data["status"] == {"previous_status_id": 0, "new_status_id": 11}
    assert {event.order_id for event in heard} == {order.id}


def test_every_change_moves_the_modified_date_in_whole_seconds(shop: Shop, clock: Moving) -> None:
    order = shop.place(draft(Shape.ORDINARY, US_SHOP), created=datetime(2026, 2, 28, 23, 30, tzinfo=UTC))
    assert order.created < order.modified == clock.at.replace(microsecond=0)
    clock.advance(0.2)
    shop.touch(order.id)
    assert order.modified == datetime(2026, 3, 2, 15, 0, 0, tzinfo=UTC)
    clock.advance(1)
    shop.touch(order.id)
    assert order.modified == datetime(2026, 3, 2, 15, 0, 1, tzinfo=UTC)


def test_a_status_change_leaves_the_money_alone(shop: Shop) -> None:
    order = shop.place(draft(Shape.DISCOUNT_AND_COUPON, US_SHOP))
    before = shop.truth()[order.id]
    shop.set_status(order.id, statuses.COMPLETED)
    after = shop.truth()[order.id]
    assert (before.total, before.tax, before.tenders, before.net) == (after.total, after.tax, after.tenders, after.net)
    assert order.shipped is not None


def test_an_edited_line_loses_its_discounts_and_the_order_is_priced_again(shop: Shop) -> None:
    order = shop.place(draft(Shape.MANUAL_DISCOUNT, US_SHOP))
    line = order.lines[0]
    lost, others = line.item.discount, order.priced.discount_amount - line.item.discount
    assert lost > 0
    before = order.priced.total.inc
    shop.edit_line(order.id, line.id, quantity=line.item.quantity + 2)
    assert order.priced.discount_amount == others
    assert order.priced.total.inc > before
    assert sum(shop.truth()[order.id].tenders.values()) == order.priced.total.inc


def test_quantity_zero_removes_a_line_and_a_line_can_be_added(shop: Shop) -> None:
    order = shop.place(draft(Shape.BUNDLE, US_SHOP))
    whole = order.lines[0].id
    shop.edit_line(order.id, order.lines[2].id, quantity=0)
    assert [line.parent_id for line in order.lines] == [None, whole]
    added = shop.add_line(order.id, Item("Extra", "", Decimal("3.00"))).lines[-1]
    assert order.priced.lines[added.id].total.ex == Decimal("3.00")


def test_fees_are_replaced_not_added(shop: Shop) -> None:
    order = shop.place(draft(Shape.FEE, US_SHOP))
    without = order.priced.total.inc - order.priced.fees.inc
    shop.set_fees(order.id, (Fee("Rush", Decimal("4.00"), Decimal("0.33")),))
    assert order.priced.total.inc == without + Decimal("4.33")


def test_shipping_everything_makes_one_shipment_per_address(shop: Shop, heard: list[Event]) -> None:
    order = shop.place(draft(Shape.TWO_ADDRESSES, US_SHOP))
    shop.ship(order.id)
    assert len(order.shipments) == 2
    assert order.status_id == statuses.SHIPPED
    shipped = [event for event in heard if event.scope == "store/shipment/created"]
    assert {event.data["orderId"] for event in shipped} == {order.id}


def test_a_partial_refund_is_seen_in_the_status_but_not_in_refund_amounts(shop: Shop, heard: list[Event]) -> None:
    order = shop.place(draft(Shape.ORDINARY, US_SHOP, seed=3))
    total = order.priced.total.inc
    refund = shop.refund(order.id, order.lines[0].id, 1)
    assert order.status_id in (statuses.REFUNDED, statuses.PARTIALLY_REFUNDED)
    assert order.transactions[-1].event == "refund"
    assert order.transactions[-1].amount == refund.total
    assert order.priced.total.inc == total
    assert any(event.data.get("refund") == {"refund_id": refund.id} for event in heard)


def test_more_pieces_than_sold_cannot_be_refunded(shop: Shop) -> None:
    order = shop.place(draft(Shape.ORDINARY, US_SHOP))
    with pytest.raises(ValueError, match="pieces left to refund, not 99"):
        shop.refund(order.id, order.lines[0].id, 99)


def test_an_unknown_order_is_a_plain_sentence(shop: Shop) -> None:
    with pytest.raises(LookupError, match=r"has no order 4711\."):
        shop.touch(4711)
