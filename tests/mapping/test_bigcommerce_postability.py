"""Which BigCommerce orders are posted, when, and what is an edit of one."""

from datetime import UTC, date, datetime
from typing import Any

from support.shop_orders import line, order, sale, snapshot

from contracts.bigcommerce import OrderDocument
from contracts.configuration import PostingPolicy
from mapping.bigcommerce import is_reversed, postability, project


def test_refunded_fields_change_nothing() -> None:
    plain = [line(1, total_ex_tax="10", total_inc_tax="10")]
    refunded = [
        line(1, total_ex_tax="10", total_inc_tax="10", is_refunded=True, quantity_refunded=1, refund_amount="10")
    ]
    paid = order(subtotal_ex_tax="10", total_inc_tax="10")

    assert sale(paid, plain) == sale(paid | {"refunded_amount": "10", "status_id": 4}, refunded)


def test_a_status_change_capture_or_shipment_is_no_edit_but_a_new_price_is() -> None:
    lines = [line(1, total_ex_tax="10", total_inc_tax="10")]
    placed = order(subtotal_ex_tax="10", total_inc_tax="10", payment_status="authorized")
    done = placed | {
        "status_id": 2,
        "payment_status": "captured",
        "date_shipped": "Fri, 06 Mar 2026 10:00:00 +0000",
        "date_modified": "Fri, 06 Mar 2026 10:00:00 +0000",
    }
    captured = {"id": 1, "event": "capture", "amount": 10, "date_created": "2026-03-05T10:00:00+00:00"}

    before, after = sale(placed, lines), sale(done, lines, transactions=[captured])

    assert before.paid_at is None
    assert after.paid_at == datetime(2026, 3, 5, 10, tzinfo=UTC)
    assert after.shipped_at == datetime(2026, 3, 6, 10, tzinfo=UTC)
    assert before.fingerprint() == after.fingerprint()
    dearer = sale(placed | {"total_inc_tax": "11", "subtotal_ex_tax": "11"}, [line(1, total_ex_tax="11")])
    assert dearer.fingerprint() != before.fingerprint()


def test_a_product_moved_to_another_category_is_no_edit_of_its_orders() -> None:
    document = OrderDocument.model_validate(
        {"order": order(total_inc_tax="10"), "products": [line(1, total_ex_tax="10", total_inc_tax="10")]}
    )
    shirts, sale_rack = (
        project(document, connection="bc-us", store_timezone="UTC", categories={"71": (name,)}).sale
        for name in ("Shirts", "Sale")
    )

    assert shirts.lines[0].categories != sale_rack.lines[0].categories
    assert shirts.fingerprint() == sale_rack.fingerprint()


def test_paid_order_without_a_payment_date_counts_from_the_day_it_was_placed() -> None:
    made = sale(order(subtotal_ex_tax="10", total_inc_tax="10"), [line(1, total_ex_tax="10", total_inc_tax="10")])

    assert made.paid_at == made.placed_at


def test_voided_and_failed_payments_pay_nothing() -> None:
    made = sale(
        order(subtotal_ex_tax="10", total_inc_tax="10", payment_status="void"),
        [line(1, total_ex_tax="10", total_inc_tax="10")],
        transactions=[
            {"id": 1, "event": "purchase", "amount": 10, "status": "ok", "date_created": "2026-03-05T10:00:00Z"},
            {"id": 2, "event": "void", "amount": 10, "status": "ok", "reference_transaction_id": 1},
            {"id": 3, "event": "purchase", "amount": 10, "status": "error", "date_created": "2026-03-05T11:00:00Z"},
        ],
    )

    assert made.paid_at is None


def reason(**fields: Any) -> str | None:
    made = snapshot(order(**fields), [])
    return postability(made, PostingPolicy(), date(2026, 3, 1))


def test_ordinary_order_is_postable() -> None:
    assert reason() is None


def test_incomplete_cancelled_declined_and_unpaid_orders_are_not_posted() -> None:
    assert reason(status_id=0, status="Incomplete") == "status Incomplete is not postable"
    for status in (5, 6, 7):
        assert reason(status_id=status) is not None


def test_archived_test_and_migrated_orders_are_not_posted() -> None:
    assert reason(is_deleted=True) == "archived in the shop"
    assert "M-MIG" in (reason(external_source="M-MIG") or "")
    tested = snapshot(order(), [], transactions=[{"id": 1, "event": "purchase", "amount": 0, "test": True}])
    assert "test" in (postability(tested, PostingPolicy(), date(2026, 3, 1)) or "")


def test_what_is_posted_is_not_changed_by_the_archive_but_by_its_status() -> None:
    archived = snapshot(order(is_deleted=True), [])
    assert postability(archived, PostingPolicy(), date(2026, 3, 1), posted=True) is None
    assert not is_reversed(archived, PostingPolicy())
    cancelled = snapshot(order(is_deleted=True, status_id=5, status="Cancelled"), [])
    assert is_reversed(cancelled, PostingPolicy())


def test_cut_over_is_the_stores_day_and_not_the_utc_day() -> None:
    """05:30 UTC on 3 March is still 2 March in Chicago."""
    made = snapshot(order(), [])

    assert postability(made, PostingPolicy(), date(2026, 3, 2)) is None
    assert "before the cut-over" in (postability(made, PostingPolicy(), date(2026, 3, 3)) or "")
