"""Credit memos created, found again and applied over real HTTP, REST and SOAP."""

import datetime as dt
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from support.credit_memos import HOMES, application, billing, client, invoice, line, memo, soon

from clients.errors import Forbidden, InDoubt, NotFound, Rejected, Unauthorized
from clients.oracle_fusion import FusionClient
from clients.oracle_fusion.credit_memo_document import carries, credit_memo_body, other_credit_accounts
from clients.oracle_fusion.credit_memos import DUPLICATE_CREDIT_MEMO
from clients.oracle_fusion.models import FoundCreditMemo, FoundInvoice
from contracts.receivable import ReferenceHome, TaxCode
from sandbox.fusion import FusionTwin
from sandbox.fusion.demo_world import US_LEDGER, demo_world
from sandbox.fusion.receivables.demo import (
    AUTOMATIC_SOURCE,
    SALES_TAX,
    SECOND_CUSTOMER,
    SPLIT_TERMS,
    TAX_REGIMES,
    US_UNIT,
)
from sandbox.fusion.world import RECEIVABLES
from sandbox.kit import serve

Pair = tuple[FoundCreditMemo, FoundInvoice]


@pytest.fixture
async def twin() -> AsyncIterator[FusionTwin]:
    twin = FusionTwin(demo_world())
    async with serve(twin):
        yield twin


@pytest.fixture
async def fusion(twin: FusionTwin) -> AsyncIterator[FusionClient]:
    opened = client(twin)
    yield opened
    await opened.aclose()


async def both(fusion: FusionClient, *amounts: str, **changes: Any) -> Pair:
    """A memo over 30.00 and an invoice over 100.00."""
    billed = await fusion.create_invoice(invoice(1024, *amounts, **changes), billing(), ends=soon())
    credited = await fusion.credit_memos.create_credit_memo(memo(), billing(), ends=soon())
    return credited, billed


async def applied(fusion: FusionClient, credited: FoundCreditMemo) -> dict[str, Decimal]:
    fresh = await fusion.credit_memos.credit_memo(credited.customer_transaction_id)
    found = await fusion.credit_applications.applications_of(fresh)
    return {one.transaction_number: one.amount for one in found}


async def balances(fusion: FusionClient, pair: Pair) -> tuple[Decimal | None, Any]:
    credited, billed = pair
    fresh = await fusion.credit_memos.credit_memo(credited.customer_transaction_id)
    row = await fusion.shown(f"receivablesInvoices/{billed.customer_transaction_id}", {})
    return fresh.balance, row["InvoiceBalanceAmount"]


# Memos


@pytest.mark.parametrize("home", HOMES)
async def test_a_memo_is_found_again_by_its_reference_in_every_home(
    twin: FusionTwin, fusion: FusionClient, home: ReferenceHome
) -> None:
    memos = fusion.credit_memos
    wanted = memo(77, "20.00", "10.00", home=home)
    assert await memos.find_credit_memos(wanted, billing(home)) == ()
    created = await memos.create_credit_memo(wanted, billing(home), ends=soon())
    assert (created.credited, created.balance) == (Decimal("30.00"), Decimal("30.00"))
    await memos.create_credit_memo(memo(78, home=home), billing(home), ends=soon())
    for queryable in ({}, {"TransactionNumber": False, "CrossReference": False}, {"TransactionSource": False}):
        habits = twin.world.receivables.habits
        habits.queryable, habits.flexfields_queryable = dict(queryable), not queryable
        fresh = client(twin)
        (found,) = await fresh.credit_memos.find_credit_memos(wanted, billing(home))
        assert found.customer_transaction_id == created.customer_transaction_id
        (thorough,) = await fresh.credit_memos.find_credit_memos(wanted, billing(home), thorough=True)
        assert thorough.customer_transaction_id == created.customer_transaction_id
        await fresh.aclose()
    assert carries(found, wanted.reference)


async def test_a_memo_has_the_accounts_that_were_sent(twin: FusionTwin, fusion: FusionClient) -> None:
    receivable = ("101", "000", "12100", "0000")
    tax = TaxCode(regime=TAX_REGIMES[SALES_TAX], rate_code=SALES_TAX)
    wanted = memo(
        lines=(line(1, "-20.00", "41100"), line(2, "-10.00", "41200"), line(3, "-2.48", "22100", tax=tax)),
        receivable=receivable,
    )
    created = await fusion.credit_memos.create_credit_memo(wanted, billing(), ends=soon())
    whole = await fusion.credit_memos.credit_memo(created.customer_transaction_id, whole=True)
    assert whole.credited == Decimal("32.48")
    assert other_credit_accounts(whole, wanted, "-") == ""
    moved = wanted.model_copy(update={"lines": (*wanted.lines[:1], line(2, "-10.00", "41900"), wanted.lines[2])})
    assert "is not in both" in other_credit_accounts(whole, moved, "-")
    (truth,) = twin.credit_memos.all()
    assert [(row.account_class, row.amount) for row in truth.distributions] == [
        ("Receivable", Decimal("-32.48")),
        ("Revenue", Decimal("-20.00")),
        ("Tax", Decimal("-2.48")),
        ("Revenue", Decimal("-10.00")),
    ]


async def test_a_memo_says_nothing_of_an_invoice_and_its_refund_stands_on_account(
    twin: FusionTwin, fusion: FusionClient
) -> None:
    pair = await both(fusion)
    assert await balances(fusion, pair) == (Decimal("30.00"), 100)
    assert await applied(fusion, pair[0]) == {}
    assert twin.credit_memos.summary()["totals"][0]["unapplied"] == "30.00"


async def test_a_number_that_exists_is_refused_whether_a_memo_or_an_invoice_has_it(fusion: FusionClient) -> None:
    await fusion.credit_memos.create_credit_memo(memo(), billing(), ends=soon())
    with pytest.raises(Rejected) as refused:
        await fusion.credit_memos.create_credit_memo(memo(comments="another"), billing(), ends=soon())
    assert refused.value.code == DUPLICATE_CREDIT_MEMO
    taken = memo(79)
    await fusion.create_invoice(invoice(1, number=taken.number), billing(), ends=soon())
    with pytest.raises(Rejected) as refused:
        await fusion.credit_memos.create_credit_memo(taken, billing(), ends=soon())
    assert refused.value.code == DUPLICATE_CREDIT_MEMO


async def test_a_memo_that_the_pod_numbered_by_itself_is_found_by_its_comments(
    twin: FusionTwin, fusion: FusionClient
) -> None:
    twin.world.receivables.habits.given_number = "ignored"
    wanted = memo(transaction_source=AUTOMATIC_SOURCE)
    created = await fusion.credit_memos.create_credit_memo(wanted, billing(), ends=soon())
    assert created.transaction_number != wanted.number
    assert await fusion.credit_memos.find_credit_memos(wanted, billing()) == ()
    (found,) = await fusion.credit_memos.find_credit_memos(wanted, billing(), thorough=True)
    assert found.transaction_number == created.transaction_number


async def test_all_faults_of_a_memo_are_told_in_the_resources_own_words(twin: FusionTwin, fusion: FusionClient) -> None:
    for wrong, said in (
        (memo(transaction_type="Web Invoice"), "transaction type"),
        (memo(credit_reason="Because"), "credit reason"),
        (memo(accounting_date=dt.date(2000, 1, 1)), "AccountingDate"),
        (memo(currency="XXX"), "currency"),
    ):
        with pytest.raises(Rejected) as refused:
            await fusion.credit_memos.create_credit_memo(wrong, billing(), ends=soon())
        told = " ".join(refused.value.messages)
        assert said.lower().replace("accountingdate", "accounting date") in told.lower()
        assert "Invoice" not in told.replace("Web Invoice", "")
    twin.world.receivables.habits.credit_memo_cross_reference = False
    with pytest.raises(Rejected, match="CrossReference"):
        await fusion.credit_memos.create_credit_memo(
            memo(home="cross_reference"), billing("cross_reference"), ends=soon()
        )
    await fusion.credit_memos.create_credit_memo(memo(credit_reason="Returned goods"), billing(), ends=soon())
    assert len(twin.credit_memos.all()) == 1


async def test_a_lost_answer_of_a_create_is_in_doubt(twin: FusionTwin, fusion: FusionClient) -> None:
    twin.faults.set("lost_answer", method="POST", path="receivablesCreditMemos", count=1)
    with pytest.raises(InDoubt):
        await fusion.credit_memos.create_credit_memo(memo(), billing(), ends=soon())
    assert len(await fusion.credit_memos.find_credit_memos(memo(), billing())) == 1


async def test_a_sources_memos_are_listed(twin: FusionTwin, fusion: FusionClient) -> None:
    for refund in range(1, 40):
        await fusion.credit_memos.create_credit_memo(memo(refund), billing(), ends=soon())
    since = dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
    found = [one async for one in fusion.credit_memos.credit_memos_of_source("ML Connector", US_UNIT, since)]
    assert len({one.transaction_number for one in found}) == len(found) == 39


async def test_a_memo_that_is_gone_is_not_found(fusion: FusionClient) -> None:
    with pytest.raises(NotFound):
        await fusion.credit_memos.credit_memo(1)


# Applications


@pytest.mark.parametrize("multipart", [False, True], ids=["plain", "multipart"])
@pytest.mark.parametrize("sign", ["plus", "minus"])
async def test_a_memo_is_applied_and_both_balances_say_so(
    twin: FusionTwin, fusion: FusionClient, multipart: bool, sign: Any
) -> None:
    habits = twin.world.receivables.habits
    habits.soap_multipart, habits.application_sign = multipart, sign
    pair = await both(fusion)
    wanted = application(*pair)
    await fusion.credit_applications.apply_credit_memo(wanted, ends=soon())
    assert await applied(fusion, pair[0]) == {pair[1].transaction_number: Decimal("30.00")}
    assert await balances(fusion, pair) == (Decimal(0), 70)
    (truth,) = twin.applications()
    assert (truth.apply_date, truth.accounting_date) == (wanted.apply_date, wanted.accounting_date)
    assert truth.comments == wanted.comments


async def test_a_memo_is_never_applied_twice_because_nothing_of_it_is_left(
    twin: FusionTwin, fusion: FusionClient
) -> None:
    pair = await both(fusion)
    await fusion.credit_applications.apply_credit_memo(application(*pair), ends=soon())
    with pytest.raises(Rejected, match="unapplied amount of the credit memo, 0"):
        await fusion.credit_applications.apply_credit_memo(application(*pair), ends=soon())
    assert len(twin.applications()) == 1


async def test_more_than_the_invoice_has_open_is_refused(twin: FusionTwin, fusion: FusionClient) -> None:
    pair = await both(fusion, "20.00")
    with pytest.raises(Rejected) as refused:
        await fusion.credit_applications.apply_credit_memo(application(*pair), ends=soon())
    assert "open balance is 20.00" in " ".join(refused.value.messages)
    assert refused.value.status == 500
    assert await balances(fusion, pair) == (Decimal("30.00"), 20)


async def test_what_does_not_fit_is_refused_and_nothing_is_applied(twin: FusionTwin, fusion: FusionClient) -> None:
    pair = await both(fusion)
    other = await fusion.create_invoice(
        invoice(1, customer_account=SECOND_CUSTOMER, bill_to_site="Outlet North"), billing(), ends=soon()
    )
    split = await fusion.create_invoice(invoice(2, payment_terms=SPLIT_TERMS), billing(), ends=soon())
    past = dt.date(2020, 1, 1)
    for wrong, said in (
        (application(pair[0], other), "customer and currency"),
        (application(pair[0], split), "installment"),
        (application(*pair, apply_date=past), "application date"),
        (application(*pair, accounting_date=past), "accounting date"),
        (application(*pair, invoice_number="other"), "transaction you entered"),
        (application(*pair, credit_memo_id=1), "credit memo you entered"),
    ):
        with pytest.raises(Rejected, match=said):
            await fusion.credit_applications.apply_credit_memo(wrong, ends=soon())
    for period in twin.world.ledger(US_LEDGER).periods:
        period.status[RECEIVABLES] = "C"
    with pytest.raises(Rejected, match="Receivables period"):
        await fusion.credit_applications.apply_credit_memo(application(*pair), ends=soon())
    assert twin.applications() == []


@pytest.mark.parametrize(("kind", "there"), [("lost_answer", 1), ("error_after", 1), ("cut", 0)])
async def test_a_lost_answer_of_an_application_is_in_doubt_and_its_state_tells(
    twin: FusionTwin, fusion: FusionClient, kind: str, there: int
) -> None:
    pair = await both(fusion)
    twin.faults.set(kind, method="POST", path="CreditMemoService", count=1)
    with pytest.raises(InDoubt):
        await fusion.credit_applications.apply_credit_memo(application(*pair), ends=soon())
    assert len(twin.applications()) == len(await applied(fusion, pair[0])) == there


@pytest.mark.parametrize(
    ("told", "error"),
    [
        ({"message": "ORA-00060: deadlock detected", "code": "26061"}, InDoubt),
        ({"message": "No service", "service": False}, InDoubt),
        ({"message": "Not signed in", "fault_code": "wsse:InvalidSecurity", "service": False}, Unauthorized),
        ({"message": "You don't have access: insufficient privilege"}, Forbidden),
        ({"message": "The credit memo is in dispute."}, Rejected),
    ],
)
async def test_a_fault_is_a_refusal_only_where_the_service_itself_refuses(
    twin: FusionTwin, fusion: FusionClient, told: dict[str, Any], error: type[Exception]
) -> None:
    pair = await both(fusion)
    twin.faults.set("soap_fault", path="CreditMemoService", count=1, options=told)
    with pytest.raises(error):
        await fusion.credit_applications.apply_credit_memo(application(*pair), ends=soon())
    assert twin.applications() == []


@pytest.mark.parametrize("home", HOMES)
async def test_what_is_sent_fits_what_the_pod_says_of_itself(fusion: FusionClient, home: ReferenceHome) -> None:
    tax = TaxCode(regime=TAX_REGIMES[SALES_TAX], rate_code=SALES_TAX)
    wanted = memo(
        home=home,
        lines=(line(1, "-20.00"), line(2, "-1.00", "22100", tax=tax)),
        conversion_type="Corporate",
        credit_reason="Returned goods",
        bill_to_site="Web Store US Billing",
        receivable=("101", "000", "12100", "0000"),
    )
    memos = fusion.collection("receivablesCreditMemos", key="CustomerTransactionId")
    await memos.check(credit_memo_body(wanted, billing(home)), subject="the credit memo")


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_an_error_that_is_no_refusal_by_the_service_proves_nothing(
    twin: FusionTwin, fusion: FusionClient, status: int
) -> None:
    pair = await both(fusion)
    twin.faults.set("error", method="POST", path="CreditMemoService", status=status, count=1)
    with pytest.raises(InDoubt) as doubt:
        await fusion.credit_applications.apply_credit_memo(application(*pair), ends=soon())
    assert doubt.value.status == status


async def test_applications_are_read_in_every_way_a_pod_lets_them_be_read(
    twin: FusionTwin, fusion: FusionClient
) -> None:
    pair = await both(fusion)
    await fusion.credit_applications.apply_credit_memo(application(*pair), ends=soon())
    expected = {pair[1].transaction_number: Decimal("30.00")}
    twin.world.habits.not_queryable = {"creditMemoApplications": ["CreditMemoId"]}
    assert await applied(fusion, pair[0]) == expected
    assert await applied(fusion, pair[0]) == expected
    twin.world.receivables.habits.credit_memo_balance = False
    assert await applied(fusion, pair[0]) == expected
    twin.world.receivables.habits.activities_finder = False
    fresh = client(twin)
    assert await applied(fresh, pair[0]) == expected
    await fresh.aclose()


async def test_parts_that_people_applied_are_added_up_and_what_they_took_back_is_not_counted(
    twin: FusionTwin, fusion: FusionClient
) -> None:
    pair = await both(fusion)
    for amount in ("10.00", "5.00", "7.50"):
        part = application(*pair, Decimal(amount))
        await fusion.credit_applications.apply_credit_memo(part, ends=soon())
    twin.receivables.applications.unapply(twin.applications()[1].id)
    assert await applied(fusion, pair[0]) == {pair[1].transaction_number: Decimal("17.50")}


async def test_what_the_balance_says_is_gone_and_no_list_shows_counts_as_applied(
    twin: FusionTwin, fusion: FusionClient
) -> None:
    pair = await both(fusion)
    await fusion.credit_applications.apply_credit_memo(application(*pair), ends=soon())
    await applied(fusion, pair[0])
    twin.faults.set("no_data", path="creditMemoApplications")
    assert await applied(fusion, pair[0]) == {"": Decimal("30.00")}


async def test_without_the_role_for_account_activities_nothing_is_guessed(
    twin: FusionTwin, fusion: FusionClient
) -> None:
    pair = await both(fusion)
    await fusion.credit_applications.apply_credit_memo(application(*pair), ends=soon())
    twin.faults.set("no_privilege", path="receivablesCustomerAccountActivities")
    with pytest.raises(Forbidden):
        await applied(fusion, pair[0])
    twin.faults.clear()
    twin.faults.set("no_data", path="receivablesCustomerAccountActivities$")
    with pytest.raises(Rejected, match="shows no activities of customer account"):
        await applied(fusion, pair[0])
