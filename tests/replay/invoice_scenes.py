"""Scenes of orders that become invoices in Receivables."""

from typing import Any

from replay.order_scenes import Open
from replay.stage import Stage, before, order_flow, patched
from support.receivables import billed
from support.stack import eventually

import activities.orders.mapping
from activities.failures import review
from activities.posting.posting import Posting
from contracts.flow import State
from contracts.journal import Problem
from contracts.receivable import Invoice
from contracts.steps.documents import Created
from sandbox.bigcommerce import statuses
from sandbox.fusion.receivables.demo import US_CUSTOMER

POST: dict[str, Any] = {"method": "POST", "path": r"/receivablesInvoices$"}


async def invoices(open_stage: Open) -> None:
    """Billed, in doubt, refused, edited too late, superseded, behind."""
    async with open_stage(adjust=billed, fusion={"create_timeout": 2.0}) as stage:
        stack = stage.stack
        first = await stage.posted()
        await stage.save("order-invoiced", order_flow(first))

        stack.fusion.faults.set("lost_answer", count=1, **POST)
        doubtful = await stage.posted(seed=1)
        await stage.save("order-invoice-in-doubt", order_flow(doubtful))

        line = stack.shop().order(first).lines[0]
        stack.shop().edit_line(first, line.id, quantity=7)
        await stage.reviewed(first)
        await stage.save("order-invoice-edited", order_flow(first), run=0)

        stack.fusion.set_customer(US_CUSTOMER, enabled=False)
        refused = stage.place(seed=2)
        await stage.reviewed(refused)
        await stage.save("order-invoice-refused", order_flow(refused), run=0)
        stack.fusion.set_customer(US_CUSTOMER, enabled=True)

        failing = stack.fusion.faults.set("error", method="GET", path=r"/receivablesInvoices$", status=400)
        unlooked = stage.place(seed=3)
        await stage.reviewed(unlooked)
        await stage.save("order-invoice-not-looked-for", order_flow(unlooked), run=0)
        failing.count = 0

        await _told_first(stage, "order-invoice-late", "superseded")
        await _told_first(stage, "order-invoice-behind", "behind")
        await _told_first(stage, "order-invoice-behind-changed", "behind", touch=True)


async def _told_first(stage: Stage, name: str, outcome: Any, *, touch: bool = False) -> None:
    """The first attempt is told `outcome`; the next one does its work."""
    stack, real = stage.stack, Posting.create
    order_id = stage.place(seed=len(stage.saved))
    told: list[Created] = []

    async def create(self: Posting[Any, Any], document: Invoice) -> Created:
        if told:
            return await real(self, document)
        told.append(Created(outcome=outcome, reference=document.reference, sentence="The store is behind."))
        if touch:
            stack.shop().touch(order_id)
            await stack.announce(order_id)
        return told[0]

    with patched(Posting, create=create):
        await stack.announce(order_id)
        assert (await stack.result(order_id)).state is State.POSTED
    await stage.save(name, order_flow(order_id))


async def unknown_invoices(open_stage: Open) -> None:
    """Sent, and neither seen nor refused: a person is asked, whatever else happens to the order."""
    async with open_stage(
        adjust=lambda one: billed(one, "cross_reference"),
        fusion={"create_timeout": 2.0},
        imports={"unknown_limit": 0.5 / 3600},
    ) as stage:
        stack = stage.stack
        declared, cancelled, found = [await _unknown(stage, seed) for seed in range(3)]
        await stage.save("order-invoice-unknown", order_flow(declared), run=0)
        await stage.decide(order_flow(declared), "retry")
        assert (await stack.result(declared)).state is State.POSTED
        await stage.save("order-invoice-declared-absent", order_flow(declared))

        # Nothing is to be created any more, and still nobody knows.
        stack.shop().set_status(cancelled, statuses.CANCELLED)
        await stack.announce(cancelled)
        await stage.parked(order_flow(cancelled), renewals=1)
        await stage.save("order-cancelled-invoice-unknown", order_flow(cancelled), run=1)
        await stage.decide(order_flow(cancelled), "skip", id="never-arrived")
        await stack.result(cancelled)
        await stage.save("order-invoice-skipped", order_flow(cancelled))

        unwanted = await _unknown(stage, seed=4)
        stack.shop().set_status(unwanted, statuses.CANCELLED)
        await stack.announce(unwanted)
        await stage.parked(order_flow(unwanted), renewals=1)
        await stage.decide(order_flow(unwanted), "retry")
        assert (await stack.result(unwanted)).state is State.SKIPPED
        await stage.save("order-cancelled-declared-absent", order_flow(unwanted))

        # It cannot be mapped any more, and what was sent is looked for all the same.
        with patched(activities.orders.mapping, to_invoice=_impossible):
            line = stack.shop().order(found).lines[0]
            stack.shop().edit_line(found, line.id, quantity=6)
            await stack.announce(found)
            await stage.parked(order_flow(found), renewals=1)
        await stage.save("order-unmapped-invoice-unknown", order_flow(found), run=1)


async def abandoned_invoices(open_stage: Open) -> None:
    """In doubt when somebody ended the run; the next one cannot map the order, and finds out all the same."""
    async with open_stage(adjust=billed, fusion={"create_timeout": 2.0}) as stage:
        stack = stage.stack
        stack.fusion.faults.set("lost_answer", count=1, **POST)
        order_id = stage.place()
        await stack.announce(order_id)
        await stack.in_state(order_id, State.IN_DOUBT)
        await stack.temporal.get_workflow_handle(order_flow(order_id)).terminate("recorded")
        with patched(activities.orders.mapping, to_invoice=_impossible):
            stack.shop().touch(order_id)
            await stage.reviewed(order_id)
        await stage.save("order-invoice-abandoned", order_flow(order_id), run=0)


async def endless_looks(open_stage: Open) -> None:
    """A run that looked again and again for what it was parked with, until looking once was enough."""
    async with open_stage(adjust=billed, fusion={"create_timeout": 2.0}) as stage:
        stack = stage.stack
        with before("look-once"):
            refused = stack.fusion.faults.set("error", status=400, method="GET", path=r"/receivablesInvoices/\d+$")
            order_id = stage.place()
            await stack.announce(order_id)
            await eventually(lambda: refused.struck > 4, "it looks without end")
        await stage.parked(order_flow(order_id))
        await stage.save("order-invoice-looked-for-endlessly", order_flow(order_id), run=0)


async def long_doubts(open_stage: Open) -> None:
    """On a server that suggests to continue as new after a few events."""
    async with open_stage(adjust=billed, fusion={"create_timeout": 2.0}) as stage:
        stage.stack.fusion.faults.set("lost_answer", count=1, **POST)
        order_id = await stage.posted()
        await stage.save("order-invoice-continued", order_flow(order_id), run=0)


def _impossible(*_: Any, **__: Any) -> Any:
    raise review(Problem(code="unmapped_account", sentence="It cannot be mapped.", remedy="Map it."))


async def _unknown(stage: Stage, seed: int) -> int:
    """An order in review because its invoice may have been created."""
    order_id = stage.place(seed=seed)
    stage.stack.fusion.faults.set("cut", count=1, **POST)
    await stage.reviewed(order_id)
    return order_id
