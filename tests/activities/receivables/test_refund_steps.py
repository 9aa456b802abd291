"""A refund's credit memo and its application, by the books of the pod: each once, whatever goes wrong between them."""

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from support.credit_memos import application, billing, memo, soon

from contracts.flow import State
from contracts.journal import Journal, JournalLine, Purpose
from contracts.steps.documents import Created
from contracts.steps.receivables import PostCreditMemo
from sandbox.fusion.demo_world import US_LEDGER
from sandbox.fusion.world import RECEIVABLES
from store.creating.elsewhere import PostedElsewhere
from store.rows import PostingKey, PostingState
from tests.activities.receivables.conftest import Desk, environment, opened


def code(created: Created) -> str:
    assert created.outcome == "review", created
    assert created.problem is not None
    return created.problem.code


async def test_a_refund_is_a_memo_and_its_application_and_says_between_them_that_it_is_half_done(desk: Desk) -> None:
    billed = await desk.bill()
    credited = await desk.credit()
    assert (credited.outcome, credited.target_number) == ("posted", desk.memo.number)
    half = await desk.document()
    assert half.state is State.RUNNING
    assert half.reason == (f"credit memo {desk.memo.number} over 30 USD created, still to be applied to its invoice")
    assert desk.applied() == []
    applied = await desk.apply(await desk.application(billed))
    assert (applied.outcome, applied.target_id) == (
        "posted",
        f"{credited.target_id}/{billed.customer_transaction_id}",
    )
    done = await desk.document()
    assert done.state is State.POSTED
    assert done.reason.startswith(f"application of 30 USD of credit memo {desk.memo.number} to transaction I-shop-")
    assert (desk.memos(), desk.applied()) == ([Decimal("30.00")], [(billed.transaction_number, Decimal("30.00"))])
    assert await desk.trail() == ["intended", "sent", "posted"] * 2
    target = await desk.store.cross_references.target(
        desk.shop, "refund", "77", "fusion-test", "receivablesCreditMemos"
    )
    assert target == credited.target_id


async def test_both_steps_may_be_repeated_any_number_of_times(desk: Desk) -> None:
    billed = await desk.bill()
    first = await desk.whole(billed)
    for _ in range(3):
        assert (await desk.whole(billed)).target_id == first.target_id
    assert (await desk.credit()).outcome == "posted"
    assert (await desk.document()).state is State.POSTED, "the first step does not undo what is known of the second"
    assert (len(desk.memos()), len(desk.applied())) == (1, 1)


async def test_an_invoice_that_has_too_little_open_leaves_the_memo_on_account_and_a_retry_completes_it(
    desk: Desk,
) -> None:
    billed = await desk.bill()
    other = await desk.fusion.credit_memos.create_credit_memo(memo(1, "80.00"), billing(), ends=soon())
    await desk.fusion.credit_applications.apply_credit_memo(application(other, billed), ends=soon())
    await desk.credit()
    refused = await desk.apply(await desk.application(billed))
    assert code(refused) == "refused_by_fusion"
    assert refused.problem is not None
    assert refused.problem.sentence.startswith(
        f"Refund 77 of order 1024 ({desk.shop}): credit memo {desk.memo.number} over 30.00 USD is in Fusion, and was"
        f" not applied to invoice {billed.transaction_number}, because Fusion refused:"
    )
    assert "its open balance is 20.00" in refused.problem.sentence
    assert "stays on account" in refused.problem.remedy
    (wrong,) = desk.twin.applications()
    desk.twin.receivables.applications.unapply(wrong.id)
    assert (await desk.whole(billed)).outcome == "posted"
    assert (len(desk.memos()), desk.applied()) == (2, [(billed.transaction_number, Decimal("30.00"))])
    assert (await desk.document()).state is State.POSTED


async def test_a_closed_period_is_told_and_a_later_date_completes_the_refund(desk: Desk) -> None:
    billed = await desk.bill()
    await desk.credit()
    periods = desk.twin.world.ledger(US_LEDGER).periods
    before = [dict(each.status) for each in periods]
    for each in periods:
        each.status[RECEIVABLES] = "C"
    refused = await desk.apply(await desk.application(billed))
    assert code(refused) == "refused_by_fusion"
    assert refused.problem is not None
    assert "Receivables period" in refused.problem.sentence
    for each, status in zip(periods, before, strict=True):
        each.status.update(status)
    assert (await desk.ended(desk.apply, await desk.application(billed))).outcome == "posted"


async def test_what_a_person_applied_is_adopted_where_it_is_right_and_told_where_it_is_not(desk: Desk) -> None:
    billed, another = await desk.bill(), await desk.bill(number=f"X-{desk.shop}")
    await desk.credit()
    wanted = await desk.application(billed)
    apply = desk.fusion.credit_applications.apply_credit_memo
    await apply(wanted.model_copy(update={"amount": Decimal("10.00")}), ends=soon())
    partly = await desk.apply(wanted)
    assert code(partly) == "reference_taken"
    assert partly.problem is not None
    assert "10 USD of it are applied, and should be 30.00 USD" in partly.problem.sentence
    await apply(
        wanted.model_copy(
            update={
                "amount": Decimal("20.00"),
                "invoice_id": another.customer_transaction_id,
                "invoice_number": another.transaction_number,
            }
        ),
        ends=soon(),
    )
    assert code(await desk.apply(wanted)) == "duplicate_in_erp"
    first, second = desk.twin.applications()
    desk.twin.receivables.applications.unapply(first.id)
    elsewhere = await desk.apply(wanted)
    assert code(elsewhere) == "reference_taken"
    assert elsewhere.problem is not None
    assert f"should be to invoice {billed.transaction_number}" in elsewhere.problem.sentence
    desk.twin.receivables.applications.unapply(second.id)
    for part in ("10.00", "20.00"):
        await apply(wanted.model_copy(update={"amount": Decimal(part)}), ends=soon())
    assert (await desk.apply(wanted)).outcome == "posted"
    assert (await desk.trail())[-1] == "adopted"
    assert desk.twin.calls.count("POST", "CreditMemoService") == 4, "none was ours"


async def test_a_memo_over_nothing_is_done_with_the_first_step(desk: Desk) -> None:
    line = desk.memo.lines[0]
    back = line.model_copy(update={"number": 2, "amount": -line.amount, "unit_price": -line.unit_price})
    nothing = desk.memo.model_copy(update={"lines": (line, back)})
    assert (await desk.credit(nothing)).outcome == "posted"
    assert (await desk.document()).state is State.POSTED


async def test_a_memo_that_is_not_as_it_was_meant_is_told_and_never_sent_again(desk: Desk) -> None:
    desk.twin.world.receivables.habits.tax_engine = "adds"
    created = await desk.credit()
    assert code(created) == "posted_with_difference"
    assert code(await desk.credit()) == "posted_with_difference"
    assert desk.memos() == [Decimal("30.45")]


async def test_where_nothing_is_wanted_any_more_the_steps_find_out_what_became_of_it(desk: Desk) -> None:
    billed = await desk.bill()
    assert (await desk.apply(None)).outcome == "absent"
    gone = PostCreditMemo(**desk._wanted({"credit_memo": None}))
    assert (await environment().run(desk.steps().post_credit_memo, gone)).outcome == "absent"
    await desk.whole(billed)
    assert (await environment().run(desk.steps().post_credit_memo, gone)).outcome == "edited_after_posting"
    assert (await desk.apply(None)).outcome == "edited_after_posting"


async def test_a_store_that_forgot_everything_adopts_both_and_sends_nothing(desk: Desk, tmp_path: Path) -> None:
    billed = await desk.bill()
    await desk.whole(billed)
    async with opened(f"sqlite+aiosqlite:///{tmp_path}/restored.db") as restored:
        desk.twin.calls.clear()
        assert (await desk.whole(billed, store=restored)).outcome == "posted"
        assert desk.twin.calls.count("POST", "CreditMemo") == 0
    assert (len(desk.memos()), len(desk.applied())) == (1, 1)


async def test_a_refund_is_a_journal_or_a_memo_and_never_both(desk: Desk) -> None:
    journal = Journal(
        reference=f"acme/{desk.shop}/refund/77/refund/1",
        description="Refund 77",
        ledger=US_LEDGER,
        journal_source="s",
        journal_category="c",
        accounting_date=dt.date(2026, 3, 2),
        date_reason="refunded",
        currency="USD",
        lines=tuple(
            JournalLine(
                purpose=Purpose.REVENUE,
                segments=("101",),
                debit=Decimal(debit),
                credit=Decimal(credit),
                description="d",
            )
            for debit, credit in ((30, 0), (0, 30))
        ),
        mapping_set="retail",
        mapping_version=1,
    )
    place: dict[str, Any] = {
        "tenant": "acme", "integration": "us", "connection": desk.shop, "fusion": "fusion-test", "kind": "refund",
        "document_id": "77", "purpose": "refund", "ordinal": 1, "fingerprint": "f1",
    }  # fmt: skip
    await desk.store.journals.stage(journal, **place)
    assert (await desk.credit()).outcome == "posted", "what only waited gives way"
    (waited,) = await desk.store.journals.postings_of(desk.shop, "refund", "77")
    assert waited.state is PostingState.WITHDRAWN
    with pytest.raises(PostedElsewhere, match="receivablesCreditMemos"):
        await desk.store.journals.stage(journal, **place)
    key = PostingKey(**{name: place[name] for name in PostingKey.model_fields if name in place})
    with pytest.raises(PostedElsewhere, match="receivablesCreditMemos"):
        await desk.store.journals.mark_posted(
            journal.reference, target="By hand 7", who="dana", why="entered by hand", key=key
        )
