"""Scenes of refunds that become credit memos in Receivables, and are applied to the invoice of their order."""

from datetime import UTC, datetime
from typing import Any

from replay.order_scenes import Open
from replay.stage import Stage, order_flow, patched
from sqlalchemy import Connection, update
from support.receivables import billed
from support.refunds import announce_refund, refund_flow, refund_in_state, refund_result
from support.stack import eventually

import activities.refunds.crediting
from activities.failures import review
from activities.posting.posting import Posting
from contracts.flow import State
from contracts.journal import Problem
from contracts.steps.documents import Created, Mapped
from contracts.steps.receivables import MappedCredit
from sandbox.fusion.demo_world import US_LEDGER
from sandbox.fusion.receivables.demo import US_CUSTOMER
from sandbox.fusion.world import RECEIVABLES
from sandbox.kit import Exchange
from store.schema import creations, documents

CREATE: dict[str, Any] = {"method": "POST", "path": r"/receivablesCreditMemos$"}
APPLY: dict[str, Any] = {"method": "POST", "path": "CreditMemoService"}
QUICK: dict[str, Any] = {"create_timeout": 2.0}


async def credited(open_stage: Open) -> None:
    """Credited and applied, in doubt at either call, refused, superseded, behind, and without an invoice."""
    async with open_stage(adjust=billed, fusion=QUICK) as stage:
        stack = stage.stack
        refund = await _refund(stage)
        await announce_refund(stack, refund)
        await _posted(stage, refund, "refund-credited")

        for name, call in (("refund-credit-in-doubt", CREATE), ("refund-application-in-doubt", APPLY)):
            refund = await _refund(stage)
            stack.fusion.faults.set("lost_answer", count=1, **call)
            await announce_refund(stack, refund)
            await _posted(stage, refund, name)

        refund = await _refund(stage)
        told = {"message": "The invoice is locked by a person."}
        stack.fusion.faults.set("soap_fault", path="CreditMemoService", options=told)
        await announce_refund(stack, refund)
        await stage.parked(refund_flow(refund))
        await stage.save("refund-application-refused", refund_flow(refund), run=0)
        stack.fusion.faults.clear()
        await stage.decide(refund_flow(refund), "retry")
        await _posted(stage, refund, "refund-application-retried")

        refund = await _refund(stage)
        stack.fusion.faults.set("error", method="GET", path=r"/receivablesCreditMemos$", status=400)
        await announce_refund(stack, refund)
        await stage.parked(refund_flow(refund))
        await stage.save("refund-credit-not-looked-for", refund_flow(refund), run=0)
        stack.fusion.faults.clear()

        refund = await _refund(stage)
        with patched(activities.refunds.crediting, to_application=impossible):
            await announce_refund(stack, refund)
            await stage.parked(refund_flow(refund))
        await stage.save("refund-application-not-mapped", refund_flow(refund), run=0)

        await _alone(stage)

        for at, outcome in enumerate(("superseded", "behind")):
            for step in ("credit", "application"):
                name = f"refund-{step}-{'late' if outcome == 'superseded' else outcome}"
                await _told_first(stage, name, outcome, skip=0 if step == "credit" else 1, touch=bool(at))
        for step in ("credit", "application"):
            await _told_first(
                stage, f"refund-{step}-edited", "edited_after_posting", skip=0 if step == "credit" else 1, parks=True
            )


async def _alone(stage: Stage) -> None:
    """Its order was skipped by a person, so there is no invoice to apply the memo to."""
    stack = stage.stack
    stack.fusion.set_customer(US_CUSTOMER, enabled=False)
    order_id = stage.place(seed=len(stage.saved))
    await stage.reviewed(order_id)
    await stage.decide(order_flow(order_id), "skip")
    assert (await stack.result(order_id)).state is State.SKIPPED
    stack.fusion.set_customer(US_CUSTOMER, enabled=True)
    refund = stack.shop().refund(order_id, everything=True).id
    await announce_refund(stack, refund)
    await _posted(stage, refund, "refund-credit-alone")


async def credits_read_back(open_stage: Open) -> None:
    """As a recovery leaves invoice, memo and application: that they are there is known, and no more."""
    async with open_stage(adjust=billed, fusion=QUICK) as stage:
        refund = await _refund(stage)
        await announce_refund(stage.stack, refund)
        assert (await refund_result(stage.stack, refund)).state is State.POSTED
        blank = update(creations).values(fingerprint="", digest="", content=None, recovered_at=datetime.now(UTC))
        unsettled = update(documents).where(documents.c.kind == "refund").values(fingerprint="")

        def unit(connection: Connection) -> None:
            connection.execute(blank)
            connection.execute(unsettled)

        await stage.stack.parts.store._database.write(unit)
        await announce_refund(stage.stack, refund)
        await _posted(stage, refund, "refund-credit-read-back")


async def credit_periods(open_stage: Open) -> None:
    """The period of Receivables closes between memo and application."""

    async with open_stage(adjust=billed, fusion=QUICK) as stage:
        stack = stage.stack
        today = stack.shop().now().date()
        coming = [
            one.name for one in stack.fusion.world.ledger(US_LEDGER).periods if not one.adjustment and one.ends >= today
        ]
        stack.fusion.set_period(US_LEDGER, coming[1], "O", application=RECEIVABLES)

        async def close(exchange: Exchange) -> None:
            stack.fusion.set_period(US_LEDGER, coming[0], "C", application=RECEIVABLES)

        refund = await _refund(stage)
        stack.fusion.hooks.on("answering", close, times=1, **CREATE)
        await announce_refund(stack, refund)
        await _posted(stage, refund, "refund-application-period-closed")


async def abandoned_credits(open_stage: Open) -> None:
    """In doubt when somebody ended the run; the next one finds out all the same, whatever became of the refund."""
    async with open_stage(adjust=billed, fusion=QUICK) as stage:
        stack = stage.stack
        refund = await _abandoned(stage, CREATE, "lost_answer")
        with patched(activities.refunds.crediting, to_credit_memo=impossible):
            await announce_refund(stack, refund)
            await stage.parked(refund_flow(refund))
        await stage.save("refund-credit-on-account", refund_flow(refund), run=0)
        await stage.decide(refund_flow(refund), "retry")
        await _posted(stage, refund, "refund-credit-completed")

        refund = await _abandoned(stage, CREATE, "lost_answer")
        with patched(activities.refunds.crediting, to_credit_memo=_nothing):
            await announce_refund(stack, refund)
            await _posted(stage, refund, "refund-credit-unwanted")

        refund = await _abandoned(stage, CREATE, "lost_answer")
        told: list[Created] = []
        with (
            patched(activities.refunds.crediting, to_credit_memo=impossible),
            patched(Posting, resolve=_first(told, "superseded", Posting.resolve)),
        ):
            await announce_refund(stack, refund)
            await stage.parked(refund_flow(refund))
        await stage.save("refund-credit-found-out-late", refund_flow(refund), run=0)


async def _refund(stage: Stage) -> int:
    """Of all of an order that is billed. Nobody has announced it yet."""
    refund_id: int = stage.stack.shop().refund(await stage.posted(seed=len(stage.saved)), everything=True).id
    return refund_id


async def _posted(stage: Stage, refund: int, name: str) -> None:
    assert (await refund_result(stage.stack, refund)).state is State.POSTED
    await stage.save(name, refund_flow(refund))


async def _abandoned(stage: Stage, call: dict[str, Any], fault: str) -> int:
    refund = await _refund(stage)
    stage.stack.fusion.faults.set(fault, count=1, **call)
    await announce_refund(stage.stack, refund)
    await refund_in_state(stage.stack, refund, State.IN_DOUBT)
    await stage.stack.temporal.get_workflow_handle(refund_flow(refund)).terminate("recorded")
    return refund


def _first(told: list[Created], outcome: Any, real: Any) -> Any:
    """The first attempt is told `outcome`."""

    async def answer(self: Posting[Any, Any], *given: Any) -> Created:
        if told:
            created: Created = await real(self, *given)
            return created
        told.append(Created(outcome=outcome, reference=self.subject.reference, sentence="The store is behind."))
        return told[0]

    return answer


async def _told_first(
    stage: Stage, name: str, outcome: Any, *, skip: int, touch: bool = False, parks: bool = False
) -> None:
    """One attempt is told `outcome`, after `skip` that did their work; the next one does its work."""
    stack, real, refund = stage.stack, Posting.create, await _refund(stage)
    passed: list[str] = []
    told: list[Created] = []
    first = _first(told, outcome, real)

    async def create(self: Posting[Any, Any], document: Any) -> Created:
        passed.append(self.subject.reference)
        created: Created = await (real(self, document) if len(passed) <= skip else first(self, document))
        return created

    with patched(Posting, create=create):
        await announce_refund(stack, refund)
        if touch:
            await eventually(lambda: told, "the store was told to be behind")
            await announce_refund(stack, refund)
        if parks:
            await stage.parked(refund_flow(refund))
            await stage.save(name, refund_flow(refund), run=0)
        else:
            await _posted(stage, refund, name)


def impossible(*_: Any, **__: Any) -> Any:
    raise review(Problem(code="unmapped_account", sentence="It cannot be mapped.", remedy="Map it."))


def _nothing(*_: Any, **__: Any) -> Mapped:
    return MappedCredit(skipped="nothing to take back")
