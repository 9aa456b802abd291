"""Counts of the shops' orders are kept by store, and what they are compared with, on both databases."""

import datetime as dt
from typing import Any

from contracts.flow import State
from contracts.journal import FateKind
from contracts.loss import INTEGRATION_KIND
from store import Store
from store.rows import AuditEvent, DocumentRow, KnownOrder, LossCount

NOW = dt.datetime(2026, 3, 2, 15, 0, tzinfo=dt.UTC)
Desk = Any


def count(integration: str, channel: str = "1", **more: Any) -> LossCount:
    given: dict[str, Any] = {"at": NOW, "since": NOW - dt.timedelta(days=35), "job": "loss-count:a", **more}
    return LossCount(tenant="acme", integration=integration, connection="bc-us", channel=channel, **given)


def event(integration: str, job: str = "loss-count:a") -> AuditEvent:
    return AuditEvent(
        tenant="acme",
        connection="bc-us",
        kind=INTEGRATION_KIND,
        document_id=integration,
        at=NOW,
        action="orders_counted",
        sentence="counted",
        job=job,
    )


async def test_the_newest_count_takes_the_place_of_the_one_before_and_the_trail_keeps_both(
    store: Store, fresh: str
) -> None:
    first = [count(fresh, postable=3, posted=2, missing=1, missing_ids=("7",)), count(fresh, "2")]
    await store.loss_counts.put(fresh, first, event(fresh))
    assert list(await store.loss_counts.newest(fresh)) == first
    later = [count(fresh, postable=3, posted=3, job="loss-count:b", at=NOW + dt.timedelta(hours=1))]
    await store.loss_counts.put(fresh, later, event(fresh, "loss-count:b"))
    assert list(await store.loss_counts.newest(fresh)) == later
    assert later[0] in await store.loss_counts.newest()
    told = await store.audit.of("bc-us", INTEGRATION_KIND, fresh)
    assert [one.job for one in told] == ["loss-count:a", "loss-count:b"]


async def test_a_count_that_is_put_again_by_a_later_attempt_is_told_once(store: Store, fresh: str) -> None:
    for missing in (1, 0):
        await store.loss_counts.put(fresh, [count(fresh, postable=1, missing=missing)], event(fresh))
    assert [row.missing for row in await store.loss_counts.newest(fresh)] == [1]
    assert len(await store.audit.of("bc-us", INTEGRATION_KIND, fresh)) == 1


async def test_what_is_known_of_orders_is_their_newest_version_that_was_looked_at(store: Store, fresh: str) -> None:
    for number, decided_by in ((1, ""), (2, "Ann")):
        await store.documents.settle(
            DocumentRow(
                tenant="acme",
                integration=fresh,
                connection=fresh,
                kind="order",
                id=str(number),
                modified_at=NOW,
                state=State.SKIPPED,
                decided_by=decided_by,
                at=NOW,
            )
        )
    known = await store.loss_counts.known(fresh, "order", [str(number) for number in range(1_200)])
    assert known == {
        "1": KnownOrder(state=State.SKIPPED, modified_at=NOW, decided=False, at=NOW),
        "2": KnownOrder(state=State.SKIPPED, modified_at=NOW, decided=True, at=NOW),
    }


async def test_an_order_is_in_the_ledger_by_its_journal_whatever_its_document_says(store: Store, desk: Desk) -> None:
    group = await desk.sealed("1", "2", "3")
    await desk.tell(group, FateKind.IMPORTED, "1")
    await desk.tell(group, FateKind.POSTED, "2")
    await desk.tell(group, FateKind.REFUSED, "3")
    assert await store.loss_counts.in_the_ledger(desk.shop, "order", ["1", "2", "3", "4"]) == {"1", "2"}
    assert await store.loss_counts.in_the_ledger(desk.shop, "refund", ["1"]) == frozenset()


async def test_of_every_order_that_was_looked_at_it_is_known_whether_a_journal_of_it_is_there(
    store: Store, desk: Desk
) -> None:
    group = await desk.sealed("1", "2", "3")
    await desk.tell(group, FateKind.IMPORTED, "1")
    await desk.tell(group, FateKind.POSTED, "2")
    await desk.tell(group, FateKind.REFUSED, "3")
    for number in ("1", "2", "3", "4"):
        await store.documents.settle(
            DocumentRow(
                tenant="acme",
                integration="shop",
                connection=desk.shop,
                kind="order",
                id=number,
                modified_at=NOW,
                state=State.POSTED,
                at=NOW,
            )
        )
    known = await store.loss_counts.known(desk.shop, "order", ["1", "2", "3", "4"])
    assert {number: one.booked for number, one in known.items()} == {"1": True, "2": True, "3": False, "4": False}
