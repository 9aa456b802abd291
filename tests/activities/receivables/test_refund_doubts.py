"""Answers of a credit memo and of its application that are lost, late or cut off: each is there once all the same."""

import asyncio
import datetime as dt
import random
from decimal import Decimal
from typing import Any

import pytest
from support.credit_memos import HOMES
from temporalio.exceptions import ApplicationError

from contracts.flow import State
from contracts.receivable import ReferenceHome
from tests.activities.receivables.conftest import Desk


@pytest.mark.parametrize("home", HOMES)
async def test_a_memo_whose_answer_was_lost_is_found_in_every_home(desk: Desk, home: ReferenceHome) -> None:
    desk.home = home
    billed = await desk.bill()
    desk.twin.faults.set("lost_answer", method="POST", path="receivablesCreditMemos", count=1)
    doubtful = await desk.credit()
    assert doubtful.outcome == "in_doubt"
    assert doubtful.open_since is not None
    assert (await desk.document()).state is State.IN_DOUBT
    assert (await desk.whole(billed)).outcome == "posted"
    assert (len(desk.memos()), len(desk.applied())) == (1, 1)
    assert (await desk.trail())[:4] == ["intended", "sent", "in_doubt", "adopted"]


@pytest.mark.parametrize("fault", ["lost_answer", "error_after", "cut"])
async def test_an_application_whose_answer_was_lost_is_found_by_its_state_or_sent_again(desk: Desk, fault: str) -> None:
    billed = await desk.bill()
    await desk.credit()
    desk.twin.faults.set(fault, method="POST", path="CreditMemoService", count=1)
    wanted = await desk.application(billed)
    assert (await desk.apply(wanted)).outcome == "in_doubt"
    assert (await desk.document()).state is State.IN_DOUBT
    assert (await desk.ended(desk.apply, wanted)).outcome == "posted"
    assert desk.applied() == [(billed.transaction_number, Decimal("30.00"))]
    assert (await desk.document()).state is State.POSTED


async def test_an_application_that_takes_effect_after_the_second_one_is_refused_by_the_pod(desk: Desk) -> None:
    billed = await desk.bill()
    await desk.credit()
    wanted = await desk.application(billed)
    desk.twin.faults.set(
        "delayed_commit", method="POST", path="CreditMemoService", count=1, seconds=1.0, options={"answer": "cut"}
    )
    assert (await desk.ended(desk.apply, wanted)).outcome == "posted"
    await asyncio.sleep(1.2)
    assert desk.applied() == [(billed.transaction_number, Decimal("30.00"))]


async def test_an_application_that_is_shown_late_is_not_made_twice(desk: Desk) -> None:
    """The second request is refused, because the memo has nothing left; what is shown then is adopted."""
    billed = await desk.bill()
    await desk.credit()
    wanted = await desk.application(billed)
    desk.twin.faults.set("late_visibility", path="CreditMemoService", seconds=600.0, count=1)
    desk.twin.faults.set("lost_answer", method="POST", path="CreditMemoService", count=1)
    assert (await desk.apply(wanted)).outcome == "in_doubt"
    doubtful = await desk.ended_once(wanted)
    assert doubtful.outcome == "in_doubt"
    desk.twin.clock.advance(601)
    assert (await desk.ended(desk.apply, wanted)).outcome == "posted"
    assert desk.applied() == [(billed.transaction_number, Decimal("30.00"))]


async def test_of_many_workers_at_once_one_creates_and_one_applies(desk: Desk) -> None:
    billed = await desk.bill()
    await asyncio.gather(*(desk.credit() for _ in range(8)))
    assert (await desk.ended(desk.credit)).outcome == "posted"
    wanted = await desk.application(billed)
    await asyncio.gather(*(desk.apply(wanted) for _ in range(8)))
    assert (await desk.ended(desk.apply, wanted)).outcome == "posted"
    assert (len(desk.memos()), len(desk.applied())) == (1, 1)
    assert desk.twin.calls.count("POST", "CreditMemoService|receivablesCreditMemos") == 2


@pytest.mark.parametrize("point", ["received", "committed", "answering"])
@pytest.mark.parametrize("path", ["receivablesCreditMemos$", "CreditMemoService"])
async def test_a_worker_that_dies_at_any_point_of_a_request_leaves_it_to_be_found(
    desk: Desk, point: Any, path: str
) -> None:
    billed = await desk.bill()
    memo_first = path == "CreditMemoService"
    if memo_first:
        await desk.credit()
    held = desk.twin.hooks.hold(point, method="POST", path=path)
    step = desk.apply(await desk.application(billed)) if memo_first else desk.credit()
    running = asyncio.ensure_future(step)
    await held.reached()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    held.release()
    assert (await desk.whole(billed)).outcome == "posted"
    assert (len(desk.memos()), len(desk.applied())) == (1, 1)


async def test_what_cannot_be_looked_at_is_tried_again_and_nothing_is_sent(desk: Desk) -> None:
    billed = await desk.bill()
    await desk.credit()
    wanted = await desk.application(billed)
    desk.twin.faults.set("error", method="GET", path="receivablesCreditMemos", status=503, count=1)
    with pytest.raises(ApplicationError):
        await desk.apply(wanted)
    assert desk.applied() == []
    assert (await desk.ended(desk.apply, wanted)).outcome == "posted"


FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "lost_answer"},
    {"kind": "error_after"},
    {"kind": "cut"},
    {"kind": "error", "status": 500},
    {"kind": "error", "status": 503},
    {"kind": "delayed_commit", "seconds": 0.4, "options": {"answer": "cut"}},
    {"kind": "late_visibility", "seconds": 0.5},
    {"kind": "soap_fault", "options": {"message": "ORA-01013: timed out"}},
    {},
)


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_goes_wrong_in_whatever_sequence_there_is_one_memo_applied_once(desk: Desk, seed: int) -> None:
    chosen = random.Random(seed)
    billed = await desk.bill()
    for path, method in (("receivablesCreditMemos$", "POST"), ("CreditMemoService", "POST"), ("CreditMemo", "GET")):
        for _ in range(chosen.randint(1, 4)):
            fault = dict(chosen.choice(FAULTS))
            if fault and (method == "POST" or fault["kind"] in ("cut", "error")):
                desk.twin.faults.set(fault.pop("kind"), method=method, path=path, count=1, **fault)

    async def worker() -> None:
        for _ in range(60):
            try:
                done = await desk.whole(billed)
            except ApplicationError:
                # What cannot be read now is read later: Temporal brings the step back.
                await desk.wait_until(desk.clock() + dt.timedelta(seconds=chosen.uniform(0, 10)))
                continue
            assert done.outcome == "posted", done
            desk.busy -= 1
            return
        raise AssertionError("never done")

    desk.busy = chosen.randint(1, 3)
    await asyncio.gather(*(worker() for _ in range(desk.busy)))
    await asyncio.sleep(0.6)
    assert (desk.memos(), desk.applied()) == ([Decimal("30.00")], [(billed.transaction_number, Decimal("30.00"))])
    assert (await desk.document()).state is State.POSTED
    assert desk.twin.credit_memos.summary()["totals"][0]["unapplied"] == "0.00"
