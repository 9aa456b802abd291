"""A list of orders says the same of them as the orders themselves, as far as it says anything."""

import datetime as dt
from typing import Any

import pytest

from contracts.configuration import PostingPolicy
from contracts.sale import ListedOrder
from mapping.bigcommerce import is_migrated, listed_as_postable

CUT_OVER = dt.date(2026, 3, 1)


def listed(**more: Any) -> ListedOrder:
    given: dict[str, Any] = {
        "placed_at": dt.datetime(2026, 3, 5, 12, tzinfo=dt.UTC),
        "status_id": 11,
        "store_timezone": "America/Chicago",
        **more,
    }
    return ListedOrder(order_id="1", channel="1", modified_at=dt.datetime(2026, 3, 5, 13, tzinfo=dt.UTC), **given)


@pytest.mark.parametrize(
    ("order", "postable"),
    [
        (listed(), True),
        (listed(status_id=0), False),
        (listed(status_id=5), False),
        (listed(deleted=True), False),
        (listed(migrated=True), False),
        # Five in the morning UTC is still the day before in Chicago.
        (listed(placed_at=dt.datetime(2026, 3, 1, 5, tzinfo=dt.UTC)), False),
        (listed(placed_at=dt.datetime(2026, 3, 1, 6, tzinfo=dt.UTC)), True),
        (listed(store_timezone="Mars/Base"), True),
        (listed(placed_at=None), True),
        (listed(status_id=None), True),
    ],
)
def test_an_order_is_left_out_of_the_count_only_where_the_list_proves_that_it_is_not_posted(
    order: ListedOrder, *, postable: bool
) -> None:
    assert listed_as_postable(order, PostingPolicy(), CUT_OVER) is postable


def test_imported_history_is_known_by_its_source() -> None:
    assert is_migrated(" m-mig ")
    assert not is_migrated("POS")
