"""Temporal, the store or the gateway itself fails: nothing that was answered with 202 is lost."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from support.stack import eventually

from contracts.configuration import GatewaySettings
from store import Store
from store.engine.database import StoreUnavailable
from webhook_gateway.breaker import CircuitBreaker
from webhook_gateway.inbox import Round

Serve = Callable[..., Any]


async def refuse(*arguments: Any, **options: Any) -> None:
    raise StoreUnavailable(ConnectionError())


async def test_while_temporal_is_down_deliveries_are_accepted_into_the_inbox_and_started_later(serve: Serve) -> None:
    async with serve() as gateway:
        gateway.temporal.down = True
        for order in range(1, 11):
            assert (await gateway.deliver(gateway.payload(order))).status_code == 202
        assert await gateway.store.deliveries.inbox_depth() == 10
        assert {record.verdict for record in await gateway.records()} == {"inbox"}
        gateway.temporal.down = False
        while await gateway.drain.drain_once() is not Round.EMPTY:
            pass
        assert gateway.temporal.orders == [str(order) for order in range(1, 11)]
        assert await gateway.store.deliveries.inbox_depth() == 0
        assert not gateway.breaker.open


async def test_a_drained_start_is_the_one_that_was_asked_for(serve: Serve) -> None:
    async with serve() as gateway:
        gateway.temporal.down = True
        await gateway.deliver()
        gateway.temporal.down = False
        await gateway.drain.drain_once()
        [start] = gateway.temporal.started
        assert (start.workflow_id, start.integration) == ("order-to-journal:bc-us:1024", "us-retail")
        assert start.job == "delivery:msg_1"


async def test_later_changes_know_of_a_drained_start_that_nobody_has_taken(serve: Serve) -> None:
    async with serve(breaker=CircuitBreaker(threshold=9)) as gateway:
        gateway.temporal.down = True
        await gateway.deliver()
        await gateway.deliver()
        gateway.temporal.down = False
        await gateway.drain.drain_once()
        await gateway.deliver()
        assert len(gateway.temporal.started) == 1


async def test_many_changes_of_one_order_are_one_start_when_the_inbox_is_drained(serve: Serve) -> None:
    async with serve() as gateway:
        gateway.temporal.down = True
        for _ in range(20):
            await gateway.deliver()
        gateway.temporal.down = False
        while await gateway.drain.drain_once() is not Round.EMPTY:
            pass
        assert 1 <= len(gateway.temporal.started) <= 2
        assert await gateway.store.deliveries.inbox_depth() == 0


async def test_while_temporal_hangs_three_senders_wait_less_than_a_tenth_of_a_second_and_the_others_not_at_all(
    serve: Serve,
) -> None:
    """Counted: how long a wait takes on a machine that does much else says nothing. The benchmarks measure p99."""
    deadline = GatewaySettings().start_deadline
    assert deadline < 0.1
    # Its clock stands still: however long this takes, no sender is asked to find out whether Temporal is back.
    breaker = CircuitBreaker(threshold=3, clock=lambda: 0.0)
    async with serve(drain=True, breaker=breaker, start_deadline=deadline) as gateway:
        gateway.temporal.hangs = True
        for order in range(1, 101):
            assert (await gateway.deliver(gateway.payload(order))).status_code == 202
        assert gateway.breaker.open
        # What the drain tries counts for the breaker, too.
        assert 1 <= gateway.temporal.attempts_of[asyncio.current_task()] <= 3
        assert {record.verdict for record in await gateway.records()} == {"inbox"}


async def test_the_drain_works_by_itself_and_recovery_needs_no_delivery(serve: Serve) -> None:
    async with serve(drain=True) as gateway:
        gateway.temporal.down = True
        for order in range(1, 31):
            await gateway.deliver(gateway.payload(order))
        assert gateway.breaker.open
        gateway.temporal.down = False
        await eventually(lambda: len(set(gateway.temporal.orders)) == 30, "every order is started")
        assert not gateway.breaker.open
        await gateway.deliver(gateway.payload(31))
        assert gateway.temporal.orders[-1] == "31"


async def test_what_a_dead_gateway_left_in_the_inbox_is_started_by_another(serve: Serve) -> None:
    async with serve() as dying:
        dying.temporal.down = True
        await dying.deliver(dying.payload(7))
        [claimed] = await dying.store.deliveries.inbox_claim(10, "dying", lease_seconds=0)
        assert claimed.workflow_id == "order-to-journal:bc-us:7"
    async with serve(drain=True) as other:
        await eventually(lambda: other.temporal.orders == ["7"], "the order is started")


async def test_one_start_that_temporal_refuses_does_not_stop_its_neighbours(serve: Serve) -> None:
    breaker = CircuitBreaker(threshold=1)
    async with serve(drain=True, breaker=breaker) as gateway:
        gateway.temporal.down = True
        for order in (1, 2, 3):
            await gateway.deliver(gateway.payload(order))
        gateway.temporal.refuses = {"1"}
        gateway.temporal.down = False
        await eventually(lambda: sorted(gateway.temporal.orders) == ["2", "3"], "the neighbours are started")
        await gateway.deliver(gateway.payload(4))
        await eventually(lambda: sorted(gateway.temporal.orders) == ["2", "3", "4"], "another one is started")

        # An entry leaves the inbox after its start was confirmed, so a moment after the others were seen to start.
        async def refused_alone() -> bool:
            return bool(await gateway.store.deliveries.inbox_depth() == 1)

        await eventually(refused_alone, "only the refused start is in the inbox")


async def test_a_refused_start_comes_up_again_when_its_cause_is_gone(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webhook_gateway.inbox.CLAIM", 0.05)
    async with serve() as gateway:
        gateway.temporal.refuses = {"1"}
        assert (await gateway.deliver(gateway.payload(1))).status_code == 202
        assert await gateway.drain.drain_once() is Round.DRAINED
        gateway.temporal.refuses = set()
        await asyncio.sleep(0.1)
        await gateway.drain.drain_once()
        assert gateway.temporal.orders == ["1"]


async def test_without_the_store_a_known_shops_deliveries_still_start(
    serve: Serve, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve() as gateway:
        await gateway.deliver()
        for method in ("ring", "confirm"):
            monkeypatch.setattr(store.wakeups, method, refuse)
        for method in ("inbox_put", "inbox_depth"):
            monkeypatch.setattr(store.deliveries, method, refuse)
        assert (await gateway.deliver(gateway.payload(2))).status_code == 202
        assert gateway.temporal.orders == ["1024", "2"]
        assert (await gateway.http.get("/readyz")).status_code == 503
        assert (await gateway.http.get("/healthz")).status_code == 200


async def test_without_store_and_temporal_the_sender_is_asked_to_come_again(
    serve: Serve, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve() as gateway:
        await gateway.deliver()
        gateway.temporal.down = True
        monkeypatch.setattr(store.wakeups, "ring", refuse)
        monkeypatch.setattr(store.deliveries, "inbox_put", refuse)
        answer = await gateway.deliver(gateway.payload(2))
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")
        assert (await gateway.records())[0].verdict == "unavailable"


async def test_an_open_breaker_does_not_keep_a_delivery_from_temporal_when_the_inbox_is_gone(
    serve: Serve, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaker = CircuitBreaker(threshold=1)
    async with serve(breaker=breaker) as gateway:
        breaker.failed()
        monkeypatch.setattr(store.deliveries, "inbox_put", refuse)
        assert (await gateway.deliver()).status_code == 202
        assert gateway.temporal.orders == ["1024"]
        assert not breaker.open


async def test_shutdown_writes_the_last_delivery_records(serve: Serve, store: Store) -> None:
    async with serve() as gateway:
        await gateway.deliver()
    # One that was just being written is written again.
    assert {record.verdict for record in await store.deliveries.receipts("bc-us")} == {"started"}
