"""Where an order that the shop lists stands, by what the store knows of it."""

import datetime as dt

import pytest

from activities.orders.tally import Verdict, in_words, is_edited, known_verdict, tallied
from contracts.flow import State
from contracts.loss import NAMED, CountProgress, OrderTally
from contracts.sale import ListedOrder
from store.rows import KnownOrder

NOON = dt.datetime(2026, 3, 5, 12, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


def listed(number: int = 1, *, channel: str = "1", modified: dt.datetime = NOON) -> ListedOrder:
    return ListedOrder(
        order_id=str(number), channel=channel, placed_at=NOON - HOUR, modified_at=modified, store_timezone="UTC"
    )


def known(
    state: State, *, before: bool = False, decided: bool = False, hours: int = 0, booked: bool = False
) -> KnownOrder:
    """`hours`: for how long it has been in that state."""
    modified = NOON - HOUR if before else NOON
    return KnownOrder(state=state, modified_at=modified, decided=decided, at=NOON - hours * HOUR, booked=booked)


def progress(**more: object) -> CountProgress:
    return CountProgress(since=NOON - 35 * HOUR, read_at=NOON, judged_until=NOON, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("standing", "verdict"),
    [
        (None, None),
        (known(State.RUNNING), None),
        (known(State.POSTED, booked=True), Verdict.POSTED),
        (known(State.POSTED, before=True, booked=True), Verdict.POSTED),
        (known(State.POSTED), None),
        (known(State.POSTED, decided=True), Verdict.POSTED),
        (known(State.REVERSED), Verdict.SKIPPED),
        (known(State.REVERSED, before=True), None),
        (known(State.WAITING_IMPORT), Verdict.WAITING),
        (known(State.WAITING_PARENT, hours=1), Verdict.WAITING),
        (known(State.WAITING_IMPORT, hours=2), None),
        (known(State.NEEDS_REVIEW, hours=900), Verdict.REVIEW),
        (known(State.IN_DOUBT, before=True), Verdict.WAITING),
        (known(State.NEEDS_REVIEW, before=True), Verdict.REVIEW),
        (known(State.SKIPPED), Verdict.SKIPPED),
        (known(State.SKIPPED, before=True), None),
        (known(State.SKIPPED, before=True, decided=True), Verdict.SKIPPED),
    ],
)
def test_what_the_store_accounts_for(standing: KnownOrder | None, verdict: Verdict | None) -> None:
    assert known_verdict(listed(), standing, NOON - HOUR) is verdict


@pytest.mark.parametrize(
    ("standing", "edited"),
    [
        (None, False),
        (known(State.POSTED, booked=True), False),
        (known(State.POSTED, before=True, booked=True), True),
        (known(State.POSTED, before=True, decided=True), True),
        (known(State.POSTED, before=True), False),
        (known(State.SKIPPED, before=True, decided=True), True),
        (known(State.SKIPPED, before=True), False),
        (known(State.NEEDS_REVIEW, before=True), False),
        (known(State.WAITING_IMPORT, before=True), False),
    ],
)
def test_a_version_that_nobody_has_looked_at_since(standing: KnownOrder | None, *, edited: bool) -> None:
    assert is_edited(listed(), standing, NOON) is edited
    assert not is_edited(listed(), standing, NOON - dt.timedelta(seconds=1)), "too recent to tell"


def test_every_order_is_counted_once_in_its_store_and_the_rest_of_a_page_is_passed_over() -> None:
    orders = [listed(5), listed(6, channel="2"), listed(9), listed(12)]
    verdicts = {"5": Verdict.POSTED, "6": Verdict.MISSING, "9": Verdict.WAITING}
    counted = tallied(progress(), orders, verdicts, frozenset({"5"}))
    assert counted.next_id == 13
    assert counted.stores == {
        "1": OrderTally(postable=2, posted=1, waiting=1, edited=1),
        "2": OrderTally(postable=1, missing=1),
    }
    assert counted.missing == {"2": ("6",)}
    again = tallied(counted, [listed(13)], {"13": Verdict.REVIEW}, frozenset())
    assert again.stores["1"] == OrderTally(postable=3, posted=1, waiting=1, review=1, edited=1)
    assert CountProgress.model_validate(again.model_dump(mode="json")) == again


def test_however_many_are_missing_only_the_first_are_named() -> None:
    counted = progress()
    for page in range(10):
        orders = [listed(page * 250 + number + 1) for number in range(250)]
        counted = tallied(counted, orders, {one.order_id: Verdict.MISSING for one in orders}, frozenset())
    assert counted.stores["1"].missing == 2500
    assert counted.missing["1"] == tuple(str(number + 1) for number in range(NAMED))


def test_what_is_rare_is_told_where_it_is() -> None:
    assert in_words(OrderTally()) == "0 to be posted: 0 posted, 0 waiting, 0 in review, 0 missing"
    all_of_it = OrderTally(postable=1_207, posted=1_200, skipped=1, waiting=2, review=1, recent=1, missing=2, edited=3)
    assert in_words(all_of_it) == (
        "1,207 to be posted: 1,200 posted, 1 skipped, 2 waiting, 1 in review, 1 too recent to tell, 2 missing, "
        "3 edited unseen"
    )
