"""An order that is posted says so in its shop, where the customer wants that; nothing that is posted depends on it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Any, Final

import pytest
from support.notes import WRITES, notes_of, noting, references_of
from support.ports import free_ports
from support.proof import nothing_in_review, ordinary, posted, sell
from support.receivables import billed, invoices_of, memos_of
from support.refunds import announce_refund, refund_flow, refund_result
from support.stack import FAST, Stack, eventually, journals_of, open_stack

from activities.orders.noting import NOTED, UNNOTED
from contracts import names
from contracts.configuration import BigCommerceConnection, Configuration
from contracts.flow import FlowState, PollInput, State
from contracts.hooks import ORDER_SCOPES, HooksChecked, HooksHealthInput
from contracts.steps.orders import Polled
from runtime.serving import serve_gateway
from runtime.temporal.devserver import DevServer
from sandbox.bigcommerce import statuses
from sandbox.bigcommerce.metafields import OrderMetafield
from store.rows import AuditRow, ConnectionHealth

GATEWAY: Final = "https://hooks.example.com"
UPDATED: Final = "store/order/updated"


def with_gateway(configuration: Configuration) -> Configuration:
    """Noting, with a gateway that the US shop delivers to."""

    def changed(connection: Any) -> Any:
        if not isinstance(connection, BigCommerceConnection) or connection.id != "bc-us":
            return connection
        hooks = connection.hooks.model_copy(update={"destination": GATEWAY, "activation": 0.1})
        return connection.model_copy(update={"hooks": hooks, "client_id": "client-id"})

    noted = noting(configuration)
    # A delivery that took the way through the inbox would cost a second look, and these tests count looks.
    gateway = {"host": "127.0.0.1", "port": free_ports(1)[0], "start_deadline": 60.0, "receive_deadline": 60.0}
    return noted.model_copy(
        update={
            "connections": tuple(map(changed, noted.connections)),
            "gateway": noted.gateway.model_copy(update=gateway),
        }
    )


@pytest.fixture(scope="module")
async def stack(temporal_server: DevServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """One stack with a worker and a gateway for the whole file; every test has orders of its own."""
    directory = tmp_path_factory.mktemp("notes")
    async with open_stack(temporal_server, directory, imports=FAST, adjust=with_gateway) as opened, opened.worker():
        configuration = opened.configuration
        address = f"http://127.0.0.1:{configuration.gateway.port}"
        opened.shops.stores["us1abc"].deliveries.reachable = {GATEWAY: address}
        stop = asyncio.Event()
        serving = asyncio.create_task(serve_gateway(configuration, opened.keys, stop))
        checked: HooksChecked = await opened.temporal.execute_workflow(
            names.HOOKS_HEALTH,
            HooksHealthInput(connection="bc-us"),
            id="hooks-health:test",
            task_queue=names.WORKFLOW_QUEUE,
            result_type=HooksChecked,
        )
        assert checked.down == ()
        try:
            yield opened
        finally:
            stop.set()
            await serving


@pytest.fixture(autouse=True)
def sound(stack: Stack) -> Iterator[None]:
    yield
    stack.shops.faults.clear()
    stack.shops.hooks.clear()


async def at_rest(stack: Stack) -> None:
    """All webhooks are delivered and no order is worked on any more.

    A webhook is delivered when its run was started, and what that run writes is announced before it ends: where no
    webhook came while all runs were asked for, none of them will.
    """
    log = stack.shops.stores["us1abc"].deliveries.log

    async def idle() -> bool:
        announced = len(log)
        if any(one.state == "waiting" for one in log):
            return False
        for order in list(stack.shop().orders.values()):
            flows = [refund_flow(refund.id) for refund in order.refunds]
            for flow in (names.order_to_journal_id("bc-us", str(order.id)), *flows):
                if await stack.running(flow) is not None:
                    return False
        return len(log) == announced

    await eventually(idle, "the shop has nothing to tell and nobody works")


def reads(stack: Stack, order_id: int) -> int:
    return stack.shops.calls.count("GET", rf"/v2/orders/{order_id}$")


def words(stack: Stack, order_id: int) -> tuple[int, int]:
    """Calls that ask what the order says, and calls that change it."""
    place = rf"/orders/{order_id}/metafields"
    return stack.shops.calls.count("GET", place), stack.shops.calls.count("POST|PUT", place)


async def trail(stack: Stack, order_id: int) -> list[AuditRow]:
    return list(await stack.parts.store.audit.of("bc-us", names.ORDER, str(order_id)))


async def actions(stack: Stack, order_id: int) -> list[str]:
    return [one.action for one in await trail(stack, order_id)]


async def test_a_posted_order_says_so_and_hears_of_its_own_word_once(stack: Stack) -> None:
    order_id = stack.shop().place(ordinary()).id
    await posted(stack, [order_id])
    await at_rest(stack)
    (journal,) = journals_of(stack.fusion, order_id)
    (note,) = notes_of(stack, order_id)
    assert note == {
        "state": "posted",
        "documents": [
            {
                "source": "order",
                "document": "journal",
                "reference": f"acme/bc-us/order/{order_id}/sale/1",
                "number": journal.name,
                "state": "posted",
                "date": journal.accounting_date.isoformat(),
            }
        ],
    }
    assert (await actions(stack, order_id)).count(NOTED) == 1

    calls = [one for one in stack.shops.calls if f"/orders/{order_id}" in one.path]
    said = next(at for at, one in enumerate(calls) if "metafields" in one.path and one.method == "POST")
    later = [f"{one.method} {one.path.rsplit('/stores/us1abc', 1)[1]}" for one in calls[said + 1 :]]
    assert later.count(f"GET /v2/orders/{order_id}") <= 1, "our own word costs one look at the most"
    assert words(stack, order_id) == (1, 1)
    announced = [one.scope for one in stack.shops.stores["us1abc"].deliveries.log if one.order_id == order_id]
    assert set(announced) <= set(ORDER_SCOPES), "nobody asked for news of metafields"
    assert (await actions(stack, order_id)).count("fetched") == 1, "the look found nothing new"

    before = reads(stack, order_id)
    polled = await stack.temporal.execute_workflow(
        names.POLL_ORDERS,
        PollInput(connection="bc-us"),
        id="poll-after-note",
        task_queue=names.WORKFLOW_QUEUE,
        result_type=Polled,
    )
    assert polled.started == 0, "no poll is misled by our own word"
    stack.shop().ship(order_id)
    await at_rest(stack)
    assert reads(stack, order_id) == before + 1
    assert words(stack, order_id) == (1, 1), "a status says nothing new"


async def test_edits_refunds_and_cancellations_are_said_on_the_same_metafield(stack: Stack) -> None:
    edited, cancelled = await sell(stack, ordinary(1), ordinary(2))
    await posted(stack, [edited, cancelled])
    line = stack.shop().order(edited).lines[0]
    stack.shop().edit_line(edited, line.id, quantity=line.item.quantity + 1)
    await at_rest(stack)
    refund = stack.shop().refund(edited, line.id, 1)
    await announce_refund(stack, refund.id)
    assert (await refund_result(stack, refund.id)).state is State.POSTED
    stack.shop().set_status(cancelled, statuses.CANCELLED)
    await at_rest(stack)

    own = f"acme/bc-us/order/{edited}"
    (note,) = notes_of(stack, edited)
    assert references_of(note) == [f"{own}/sale/1", f"{own}/delta/1", f"acme/bc-us/refund/{refund.id}/refund/1"]
    assert [one["source"] for one in note["documents"]] == ["order", "order", f"refund {refund.id}"]
    assert {one["state"] for one in note["documents"]} == {"posted"}

    own = f"acme/bc-us/order/{cancelled}"
    (note,) = notes_of(stack, cancelled)
    assert (note["state"], references_of(note)) == ("reversed", [f"{own}/sale/1", f"{own}/reversal/1"])


async def test_two_that_speak_at_once_leave_the_newest_word(stack: Stack) -> None:
    """The order is about to say what it knew before its refund was posted, and the refund has said more already."""
    order_id = stack.shop().place(ordinary(3), quiet=True).id
    gate = stack.shops.hooks.hold("received", method="POST", path=rf"/orders/{order_id}/metafields")
    await stack.announce(order_id)
    await gate.reached()
    refund = stack.shop().refund(order_id, everything=True)
    await announce_refund(stack, refund.id)
    assert (await refund_result(stack, refund.id)).state is State.POSTED
    gate.release()
    await at_rest(stack)
    (note,) = notes_of(stack, order_id)
    assert references_of(note) == [
        f"acme/bc-us/order/{order_id}/sale/1",
        f"acme/bc-us/refund/{refund.id}/refund/1",
    ]


async def test_what_another_app_has_made_is_left_alone(stack: Stack) -> None:
    order_id = stack.shop().place(ordinary(4), quiet=True).id
    store = stack.shops.stores["us1abc"]
    now = stack.shop().now()
    theirs = OrderMetafield(9, order_id, "another-app", "ml_connector", "fusion", "1", "", "write", now, now)
    store.metafields._rows[9] = theirs
    await stack.announce(order_id)
    await posted(stack, [order_id])
    await at_rest(stack)
    assert theirs.value == "1"
    assert len(notes_of(stack, order_id)) == 2


@pytest.mark.parametrize("status", [403, 422])
async def test_a_shop_that_refuses_the_word_changes_nothing_about_the_posting(stack: Stack, status: int) -> None:
    stack.shops.faults.set("error", status=status, **WRITES)
    order_id, other = await sell(stack, ordinary(status), ordinary(status + 1))
    await posted(stack, [order_id, other])
    await at_rest(stack)
    result, standing = await stack.result(order_id), await stack.state(order_id)
    assert result.state is standing.state is State.POSTED
    assert notes_of(stack, order_id) == []
    events = await trail(stack, order_id)
    (told,) = [one for one in events if one.action == UNNOTED]
    assert told.sentence.startswith("The order in the shop does not say so: ")
    assert [one.action for one in events].count("posted") == 1
    await nothing_in_review(stack)
    assert stack.parts.gates.of("bc-us").health() == (ConnectionHealth.WORKING, "")

    # The next document of the order says it all.
    stack.shops.faults.clear()
    line = stack.shop().order(order_id).lines[0]
    stack.shop().edit_line(order_id, line.id, quantity=line.item.quantity + 1)
    await at_rest(stack)
    (note,) = notes_of(stack, order_id)
    assert len(references_of(note)) == 2


async def test_metafields_that_are_down_hold_up_nobody(stack: Stack) -> None:
    """Tried again a few times and given up; the shop's connection stays open for what is posted."""
    stack.shops.faults.set("error", status=500, path="/metafields")
    orders = await sell(stack, *(ordinary(20 + seed) for seed in range(4)))
    await posted(stack, orders)
    assert stack.parts.gates.of("bc-us").is_open
    (later,) = await sell(stack, ordinary(30))
    await posted(stack, [later])
    assert stack.parts.gates.of("bc-us").health() == (ConnectionHealth.WORKING, "")
    await at_rest(stack)
    for order_id in (*orders, later):
        standing: FlowState = await stack.state(order_id)
        assert standing.state is State.POSTED
        asked, _ = words(stack, order_id)
        assert asked == 5
        assert (await actions(stack, order_id)).count(UNNOTED) == 1
    await nothing_in_review(stack)


async def test_an_answer_that_is_lost_leaves_one_metafield(stack: Stack) -> None:
    stack.shops.faults.set("lost_answer", method="POST", path="/metafields", count=1)
    (order_id,) = await sell(stack, ordinary(40))
    await posted(stack, [order_id])
    await at_rest(stack)
    assert len(notes_of(stack, order_id)) == 1
    assert UNNOTED not in await actions(stack, order_id)


async def test_orders_that_are_billed_name_invoice_credit_memo_and_application(
    temporal_server: DevServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("billed")
    adjust = lambda configuration: noting(billed(configuration))  # noqa: E731 -- one line
    async with open_stack(temporal_server, directory, imports=FAST, adjust=adjust) as stack, stack.worker():
        (order_id,) = await sell(stack, ordinary())
        assert (await stack.result(order_id)).state is State.POSTED
        refund = stack.shop().refund(order_id, everything=True)
        await announce_refund(stack, refund.id)
        assert (await refund_result(stack, refund.id)).state is State.POSTED
        (invoice,), (memo,) = invoices_of(stack, order_id), memos_of(stack, refund.id)
        assert memo.amount != Decimal(0)
        (note,) = notes_of(stack, order_id)
        assert [(one["source"], one["document"], one["number"]) for one in note["documents"]] == [
            ("order", "invoice", invoice.number),
            (f"refund {refund.id}", "credit memo", memo.number),
            (f"refund {refund.id}", "application", f"{memo.number} to transaction {invoice.number}"),
        ]


async def test_nothing_is_said_unless_somebody_wants_it(
    temporal_server: DevServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with open_stack(temporal_server, tmp_path_factory.mktemp("silent"), imports=FAST) as stack, stack.worker():
        (order_id,) = await sell(stack, ordinary())
        await posted(stack, [order_id])
        await stack.result(order_id)
        assert stack.shops.calls.count(path="/metafields") == 0
