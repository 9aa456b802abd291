"""The pod as a person sees it: journals, invoices, refused rows, requests, periods and accounts, and their buttons."""

from __future__ import annotations

import time
from decimal import Decimal

import httpx
import pytest
from support.fusion_pod import CLEARING, LEDGER, REVENUE, TODAY, Pod, Row, invoice_body, sale
from support.html_pages import Page

from sandbox.fusion import Batch, Journal, JournalLine
from sandbox.fusion.receivables.applications import Wanted
from sandbox.fusion.receivables.invoice import Invoice
from sandbox.fusion.world import GENERAL_LEDGER, RECEIVABLES

PAGES = "/_twin/pages"
EVIL = "<img src=x onerror=alert(1)>"


async def look(pod: Pod, path: str = "/", **parameters: str) -> Page:
    answer = await pod.http.get(path, params=parameters or None)
    assert answer.status_code == 200, answer.text
    return Page(answer.text)


async def press(pod: Pod, path: str = "/", /, **fields: str) -> Page:
    """Send a button's form and follow to the page it leads back to."""
    answer = await pod.http.post(path, data=fields)
    assert answer.status_code == 303, Page(answer.text).by_id("said").text
    return await look(pod, answer.headers["location"])


async def test_every_page_can_be_used_by_everybody_and_shows_texts_as_they_were_sent(pod: Pod) -> None:
    pod.twin.world.receivables.customers[0].name = EVIL
    number = pod.twin.world.receivables.customers[0].number
    pod.twin.set_customer(number)
    await pod.run(sale(f"order {EVIL}"))
    bad = Row("bad", "101-000-99999-0000", debit="1.00", group="1002", batch=EVIL)
    await pod.run([bad, Row(EVIL, REVENUE, credit="1.00", group="1002", batch=EVIL)], group="1002")
    await pod.billed(invoice_body("MLC-1", CrossReference=EVIL))
    [journal], [invoice] = pod.twin.journals(), pod.twin.invoices()
    memo = credit(pod, "CM-1", CreditMemoComments=EVIL)
    pod.twin.receivables.applications.apply(Wanted(memo, invoice, comments=EVIL), "CreditMemoService")
    ids = (f"/journals/{journal.id}", f"/invoices/{invoice.id}", f"/credits/{memo.id}")
    pod.twin.customers.accounts[0].name = EVIL
    pod.twin.items.add(ItemNumber=EVIL, ItemDescription=EVIL, OrganizationCode="ITM")
    names = ("/journals", "/invoices", "/interface", "/requests", "/periods", "/accounts", "/customers", "/items")
    names = (*names, "/credits", "/faults", "/calls")
    for path in ("/", *(PAGES + each for each in (*ids, *names))):
        page = await look(pod, path)
        assert page.faults() == [], path
        assert page.every("img") == [], path
    assert EVIL in (await look(pod, PAGES + ids[0])).every("h1")[0].text
    assert EVIL in (await look(pod, PAGES + ids[1])).by_id("facts").text
    assert EVIL in (await look(pod, PAGES + ids[2])).by_id("applications").text


def credit(pod: Pod, number: str, amount: str = "30.00", **facts: str) -> Invoice:
    """A credit memo on account, of the customer that `invoice_body` bills."""
    line = {"LineNumber": 1, "LineDescription": "Given back", "LineQuantityCredit": 1, "UnitSellingPrice": f"-{amount}"}
    body = {
        "BusinessUnit": "US Web Sales",
        "TransactionSource": "ML Connector",
        "TransactionType": "Web Credit Memo",
        "TransactionNumber": number,
        "TransactionDate": TODAY.isoformat(),
        "CreditMemoCurrency": "USD",
        "BillToCustomerNumber": "1006",
        "receivablesCreditMemoLines": [line],
        **facts,
    }
    return pod.twin.credit_memos.create(body, "receivablesCreditMemos")


async def test_a_credit_memo_is_seen_with_what_of_it_is_applied_and_the_application_is_taken_back(pod: Pod) -> None:
    await pod.billed(invoice_body("MLC-1", "100.00"))
    [invoice] = pod.twin.invoices()
    memo = credit(pod, "CM-1", CreditMemoComments="Refund 77 | acme/bc-us/refund/77/credit/1")
    page = await look(pod)
    assert "Credit memos 1 1 on account" in page.by_id("tiles").text
    assert "1 credit memo -30.00" in page.by_id("totals").text
    page = await look(pod, f"{PAGES}/credits", sought="refund/77")
    row = page.by_id(f"credit-{memo.id}").text
    assert "-30.00 USD 30.00 nothing" in row

    application = pod.twin.receivables.applications.apply(Wanted(memo, invoice), "CreditMemoService")
    page = await look(pod, f"{PAGES}/credits")
    assert "-30.00 USD 0.00 MLC-1" in page.by_id(f"credit-{memo.id}").text
    assert "No credit memos." in (await look(pod, f"{PAGES}/credits", sought="refund/78")).by_id("credits").text
    page = await look(pod, f"{PAGES}/credits/{memo.id}")
    assert "Credit memo CM-1" in page.every("h1")[0].text
    assert "0.00 on account" in page.by_id("invoice-state").text
    assert "applied" in page.by_id(f"application-{application.id}").text
    here = f"{PAGES}/invoices/{invoice.id}"
    assert "70.00 open" in (await look(pod, here)).by_id("invoice-state").text
    page = await press(pod, here, act="unapply", application_id=str(application.id))
    assert "30.00 USD of credit memo CM-1 are not applied to invoice MLC-1 any more." in page.by_id("said").text
    assert "taken back" in page.by_id(f"application-{application.id}").text
    assert "100.00 open" in page.by_id("invoice-state").text
    assert (await pod.http.get(f"{PAGES}/credits/1")).status_code == 404


async def test_a_journal_is_on_the_overview_and_on_its_own_page_with_its_lines(pod: Pod) -> None:
    await pod.run(sale("order-7", "1234.50"))
    [journal] = pod.twin.journals()
    page = await look(pod)
    assert "1,234.50 USD" in page.by_id(f"journal-{journal.id}").text
    assert "US Primary Ledger USD 1 journal" in page.by_id("totals").text
    page = await look(pod, page.by_id(f"journal-link-{journal.id}").attributes["href"])
    cells = [[cell.text for cell in row.every("td")[:3]] for row in page.every("tbody")[0].every("tr")]
    assert cells == [[CLEARING, "1,234.50", ""], [REVENUE, "", "1,234.50"]]
    assert "Posted" in page.by_id("journal-state").text or "Unposted" in page.by_id("journal-state").text


async def test_journals_are_found_by_name_ledger_and_status(pod: Pod) -> None:
    pod.twin.world.habits.autopost = False
    await pod.run([*sale("order-7"), *sale("order-8")])

    async def found(**query: str) -> list[str]:
        return [each.text for each in (await look(pod, f"{PAGES}/journals", **query)).by_id("journals").every("a")]

    assert await found() == ["order-8", "order-7"]
    assert await found(sought="ORDER-7") == ["order-7"]
    assert await found(ledger="US Primary Ledger", status="U") == ["order-8", "order-7"]
    assert await found(ledger="EU Primary Ledger") == await found(status="P") == []


async def test_a_refused_group_is_shown_with_its_rows_and_errors(pod: Pod) -> None:
    pod.twin.set_account(REVENUE, import_refuses="EF04")
    await pod.run(sale("order-7"))
    page = await look(pod)
    assert "Refused groups" in page.by_id("tiles").text
    page = await look(pod, f"{PAGES}/interface", group="1001")
    assert "US Primary Ledger ML Connector 1 2 EF04 1" in page.by_id("groups").text
    assert ["EF04" in row.text for row in page.by_id("rows").every("tbody")[0].every("tr")] == [False, True]
    assert "19.95" in page.by_id("rows").text
    page = await look(pod, f"{PAGES}/interface", group="9")
    assert "No rows." in page.by_id("rows").text


async def test_requests_are_shown_as_families(pod: Pod) -> None:
    root = await pod.submit(sale("order-7"))
    await pod.finished(root)
    page = await look(pod, f"{PAGES}/requests")
    rows = page.by_id("requests").every("tbody")[0].every("tr")
    assert [row.attributes.get("class", "") for row in rows] == ["", "within", "within"]
    assert ["Import Journals SUCCEEDED" in rows[0].text, "Load File to Interface" in rows[1].text] == [True, True]
    assert "rows, 1 batches, 0 refused" in page.by_id("requests").text


async def test_periods_are_closed_and_opened_application_by_application(pod: Pod) -> None:
    fields = {"act": "period", "ledger": "US Primary Ledger", "period": "Nov-26"}
    page = await press(pod, status="C", **fields)
    assert "Nov-26 of US Primary Ledger is now closed in the general ledger." in page.by_id("said").text
    assert "Closed" in page.by_id(f"period-{LEDGER}-Nov-26").text
    period = pod.twin.world.ledger(LEDGER).period_of(TODAY)
    assert period is not None
    assert (period.status[GENERAL_LEDGER], period.status[RECEIVABLES]) == ("C", "O")
    await press(pod, f"{PAGES}/periods", status="O", **fields)
    await press(pod, f"{PAGES}/periods", status="P", application=str(RECEIVABLES), **fields)
    assert (period.status[GENERAL_LEDGER], period.status[RECEIVABLES]) == ("O", "P")
    assert len((await look(pod, f"{PAGES}/periods", every="yes")).every("tr")) > 70


async def test_an_account_is_disabled_refused_and_repaired(pod: Pod) -> None:
    account = pod.twin.world.account(REVENUE)
    here = f"{PAGES}/accounts?sought={REVENUE}"
    page = await press(pod, here, act="account", account=REVENUE, wanted="disabled")
    assert "Disabled" in page.by_id(f"account-{REVENUE}").text
    assert not account.enabled
    await press(pod, here, act="account", account=REVENUE, wanted="refused")
    assert account.import_refuses == "EF03"
    assert len((await look(pod, f"{PAGES}/accounts", odd="yes")).by_id("accounts").every("tr")) == 2
    await press(pod, here, act="account", account=REVENUE, wanted="works")
    assert (account.enabled, account.import_refuses) == (True, None)


async def test_customers_and_items_are_found_with_what_belongs_to_them(pod: Pod) -> None:
    account = pod.twin.customers.accounts[0]
    account.references.append(("LEGACY", "C-77"))
    page = await look(pod, f"{PAGES}/customers", sought="c-77")
    assert len(page.every("tbody")[0].every("tr")) == 1
    assert "LEGACY C-77" in page.by_id(f"account-{account.id}").text
    assert "BILL_TO, SHIP_TO" in page.by_id(f"account-{account.id}").text
    for owner in (1, 2):
        pod.twin.references.keep("HZ_CUST_ACCOUNTS", "LEGACY", "C-78", owner)
    assert "C-78" in (await look(pod, f"{PAGES}/customers")).by_id("duplicates").text
    pod.twin.items.seed(120)
    pod.twin.items.categorize(pod.twin.items.rows[7], "APPAREL", "Apparel")
    page = await look(pod, f"{PAGES}/items", sought="SKU-00007")
    assert "Apparel" in page.by_id("items").text
    assert "SKU-00008" not in page.by_id("items").text
    page = await press(pod, f"{PAGES}/items", act="seed_items", count="60")
    assert (len(pod.twin.items.rows), "60 items more" in page.by_id("said").text) == (180, True)
    row = pod.twin.items.rows[7]
    named = {"number": "SKU-00007", "organization": str(row.values["OrganizationCode"])}
    await press(pod, f"{PAGES}/items", act="item", description="Oak bowl", **named)
    assert row.values["ItemDescription"] == "Oak bowl"
    answer = await pod.http.post(f"{PAGES}/items", data={"act": "item", "description": "x", "number": "none"})
    assert answer.status_code == 400


async def test_a_customer_is_seen_with_what_is_open_and_billed_no_more(pod: Pod) -> None:
    await pod.billed(invoice_body("MLC-1", "100.00"))
    credit(pod, "CM-1")
    account = next(each for each in pod.twin.customers.accounts if each.number == "1006")
    here = f"{PAGES}/customers"
    row = (await look(pod, here)).by_id(f"account-{account.id}").text
    assert "1 invoice, 100.00 USD open; 1 credit memo, 30.00 on account" in row
    page = await press(pod, here, act="customer", number="1006", enabled="no")
    assert "not billed" in page.by_id(f"account-{account.id}").text
    assert (await pod.bill(invoice_body("MLC-2", "100.00"))).status_code == 400
    await press(pod, here, act="customer", number="1006", enabled="yes")
    await pod.billed(invoice_body("MLC-2", "100.00"))


async def test_tokens_end_and_posting_by_itself_is_stopped(pod: Pod) -> None:
    await press(pod, f"{PAGES}/faults", act="tokens")
    assert (await pod.get("journalBatches")).status_code == 401
    await pod.sign_in()
    page = await press(pod, f"{PAGES}/journals", act="autopost", on="no")
    assert "left unposted" in page.by_id("said").text
    assert not pod.twin.world.habits.autopost
    await press(pod, f"{PAGES}/journals", act="autopost", on="yes")
    assert pod.twin.world.habits.autopost


async def test_the_answer_to_the_next_import_is_lost_at_the_press_of_a_button(pod: Pod) -> None:
    await press(pod, act="knob", knob="lost_answer", count="1")
    with pytest.raises(httpx.RemoteProtocolError):
        await pod.submit(sale("order-7"))
    assert len(pod.twin.requests()) == 1
    assert "lost answer" in (await look(pod, f"{PAGES}/calls")).by_id("all-calls").text


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"act": "period", "ledger": "x", "period": "Nov-26", "status": "C"}, "There is no ledger 'x'."),
        ({"act": "period", "ledger": "US Primary Ledger", "period": EVIL, "status": "C"}, "has no period"),
        ({"act": "period", "ledger": "US Primary Ledger", "period": "Nov-26", "status": "X"}, "no closing status 'X'"),
        ({"act": "period", "ledger": "x", "status": "C", "application": "7"}, "There is no application 7."),
        ({"act": "account", "account": "1-2", "wanted": "works"}, "1-2"),
        ({"act": "account", "account": REVENUE, "wanted": "sold"}, "An account cannot be 'sold'."),
    ],
)
async def test_what_cannot_be_done_is_said(pod: Pod, fields: dict[str, str], sentence: str) -> None:
    answer = await pod.http.post("/", data=fields)
    assert answer.status_code == 400
    page = Page(answer.text)
    assert sentence in page.by_id("said").text
    assert page.every("img") == []


async def test_what_is_not_there_is_a_page_that_says_so(pod: Pod) -> None:
    for path in ("/journals/77", "/invoices/77"):
        answer = await pod.http.get(PAGES + path)
        assert answer.status_code == 404
        assert "Not here" in Page(answer.text).every("h1")[0].text


async def test_ten_thousand_journals_are_shown_a_page_at_a_time_and_at_once(pod: Pod) -> None:
    for number in range(10_000):
        _book(pod, number)
    for path in ("/", f"{PAGES}/journals", f"{PAGES}/journals/1", f"{PAGES}/requests", f"{PAGES}/interface"):
        began = time.process_time()
        page = await look(pod, path)
        assert time.process_time() - began < 2, path
        assert len(page.every("tr")) < 200, path
    page = await look(pod, f"{PAGES}/journals", page="200")
    assert "9,951 to 10,000 of 10,000" in page.by_id("journals-pager").text
    assert page.by_id("journals").every("a")[-1].text == "order-0"


def _book(pod: Pod, number: int) -> None:
    now = pod.twin.clock.now()
    batch = Batch(number, f"batch-{number}", "", "ML Connector", LEDGER, "Nov-26", "1", 1, now, now, now, status="P")
    amount = Decimal("19.95")
    lines = [
        JournalLine(1, CLEARING, amount, None, amount, None, "", {}),
        JournalLine(2, REVENUE, None, amount, None, amount, "", {}),
    ]
    name = f"order-{number}"
    ledger, category = "US Primary Ledger", "Web Sales"
    journal = Journal(
        number, name, name, "", name, ledger, category, "USD", "Nov-26", TODAY, "", None, None, lines, batch
    )
    batch.journals.append(journal)
    pod.twin.books.batches.append(batch)
