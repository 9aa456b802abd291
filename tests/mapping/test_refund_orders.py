"""What becomes of the refunds of orders that are not in the ledger."""

import datetime as dt
from typing import Any

import pytest

from contracts.configuration import PostingPolicy
from contracts.sale import OrderSnapshot
from mapping.refund_orders import LeftOut, left_out

CUT_OVER = dt.date(2026, 3, 1)
MANUAL = PostingPolicy(reversing_statuses=(5, 6, 13))
"""The company takes disputed orders (13) back, too."""


def order(company: Any, status_id: str) -> OrderSnapshot:
    found: OrderSnapshot = company.snapshot(company.sale())
    return found.model_copy(update={"status_id": status_id})


@pytest.mark.parametrize(
    ("status_id", "policy", "refund"),
    [
        ("5", PostingPolicy(), LeftOut.LEFT_OUT),
        ("6", PostingPolicy(), LeftOut.LEFT_OUT),
        ("7", PostingPolicy(), None),
        ("13", PostingPolicy(), None),
        ("13", MANUAL, LeftOut.LEFT_OUT),
        ("11", MANUAL, None),
    ],
)
def test_a_refund_of_an_order_that_was_taken_back_before_it_was_posted_is_left_out_whatever_status_means_that(
    company: Any, status_id: str, policy: PostingPolicy, refund: LeftOut | None
) -> None:
    absent = left_out(order(company, status_id), policy, CUT_OVER)
    assert (absent and absent.refund) is refund


def test_a_refund_of_an_order_of_before_is_booked_alone(company: Any) -> None:
    absent: Any = left_out(order(company, "5"), PostingPolicy(), dt.date(2027, 1, 1))
    assert absent.refund is LeftOut.BOOKED_ALONE
