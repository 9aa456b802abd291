"""Journal import: a file goes in, a group is imported whole or refused whole, and nothing prevents a second time."""

from __future__ import annotations

import asyncio
import re
import time
from datetime import UTC, date
from decimal import Decimal

import httpx
import pytest
from support.fusion_pod import (
    ACCESS_SET,
    CLEARING,
    LEDGER,
    RESOURCES,
    REVENUE,
    SOURCE_ID,
    Pod,
    Row,
    import_body,
    packed,
    sale,
)
from support.held_sleeps import held_sleeps
from support.stack import eventually

from sandbox.kit import wire


def child_of(tree: dict[str, object], name: str) -> dict[str, str]:
    children = tree["CHILD"]
    assert isinstance(children, list)
    found: dict[str, str] = next(child for child in children if child["JOBNAME"] == name)
    return found


async def test_a_balanced_journal_is_imported_and_autoposted(pod: Pod) -> None:
    pod.twin.world.habits.autopost_delay = 600
    tree = await pod.run(sale("acme/bc-us/order/1024/sale/1", "19.95"))
    assert tree["STATUS"] == "SUCCEEDED"
    (journal,) = pod.twin.journals()
    assert (journal.total("entered_dr"), journal.total("entered_cr")) == (Decimal("19.95"), Decimal("19.95"))
    assert (journal.external_reference, journal.period) == ("acme/bc-us/order/1024/sale/1", "Nov-26")
    assert pod.twin.interface() == []
    assert journal.batch.status == "U"
    pod.twin.clock.advance(601)
    assert pod.twin.journals()[0].batch.status == "P"


async def test_states_go_through_wait_running_and_completed(pod: Pod) -> None:
    habits = pod.twin.world.habits
    habits.wait = habits.load = habits.running = habits.completed = 30
    request = await pod.submit(sale("a"))
    seen: list[str] = []
    async with asyncio.timeout(60):
        while not seen or seen[-1] != "SUCCEEDED":
            found = await pod.items("erpintegrations", finder=f"ESSJobStatusRF;requestId={request}")
            if not seen or seen[-1] != found[0]["RequestStatus"]:
                seen.append(found[0]["RequestStatus"])
            pod.twin.clock.advance(10)
    assert seen == ["WAIT", "RUNNING", "COMPLETED", "SUCCEEDED"]


async def test_one_bad_row_refuses_its_whole_group_and_leaves_the_rows(pod: Pod) -> None:
    bad = [Row("bad", CLEARING, debit="5.00"), Row("bad", "101-000-99999-0000", credit="5.00")]
    tree = await pod.run([*sale("good-1"), *bad, *sale("good-2")])
    assert tree["STATUS"] == "SUCCEEDED"
    assert child_of(tree, "Import Journals: Child")["STATUS"] == "WARNING"
    assert pod.twin.journals() == []
    assert [(row.journal, row.status) for row in pod.twin.interface()] == [
        ("good-1", "P"), ("good-1", "P"), ("bad", "P"), ("bad", "EF04"), ("good-2", "P"), ("good-2", "P"),
    ]  # fmt: skip


async def test_rows_that_were_left_can_be_imported_by_hand(pod: Pod) -> None:
    pod.twin.set_account(REVENUE, enabled=False)
    await pod.run(sale("later"))
    assert pod.twin.journals() == []
    pod.twin.set_account(REVENUE, enabled=True)
    await pod.job("JournalImportLauncher", ACCESS_SET, SOURCE_ID, LEDGER, "1001", "N", "N", "N")
    assert pod.totals() == {"later": Decimal("19.95")}
    assert pod.twin.interface() == []


async def test_a_refused_group_refuses_its_repetition_until_it_is_purged(pod: Pod) -> None:
    await pod.run([Row("bad", CLEARING, debit="5.00"), Row("bad", "101-000-99999-0000", credit="5.00")])
    again = await pod.run(sale("good"))
    assert child_of(again, "Import Journals: Child")["STATUS"] == "WARNING"
    assert len(pod.twin.interface()) == 4
    assert (await pod.job("JournalImportDelete", SOURCE_ID, LEDGER, "1001"))["STATUS"] == "SUCCEEDED"
    assert pod.twin.interface() == []
    await pod.run(sale("good"))
    assert pod.totals() == {"good": Decimal("19.95")}


@pytest.mark.parametrize(("honoured", "left"), [(True, 0), (False, 2)])
async def test_the_purge_option_works_on_some_pods(pod: Pod, honoured: bool, left: int) -> None:
    pod.twin.world.habits.purge_option = honoured
    pod.twin.set_account(REVENUE, import_refuses="EF04")
    options = "InterfaceDetails=15,ImportOption=Y,PurgeOption=Y,ExtractFileType=ALL"
    await pod.run(sale("a"), options=options)
    assert len(pod.twin.interface()) == left


async def test_a_second_send_makes_a_second_journal(pod: Pod) -> None:
    await pod.run(sale("order-1"))
    await pod.run(sale("order-1", group="1002"), group="1002")
    assert [journal.given_name for journal in pod.twin.journals()] == ["order-1", "order-1"]
    assert pod.twin.summary()["duplicates"] == ["order-1"]


async def test_a_lost_answer_is_an_import_nobody_knows_of(pod: Pod) -> None:
    pod.twin.faults.set("lost_answer", method="POST", path="erpintegrations", count=1)
    with pytest.raises(httpx.RemoteProtocolError):
        await pod.submit(sale("order-1"))
    pod.twin.clock.advance(5)
    assert pod.totals() == {"order-1": Decimal("19.95")}


async def test_a_commit_may_come_after_the_caller_has_gone(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    delays = held_sleeps(monkeypatch, wire)
    pod.twin.faults.set("delayed_commit", method="POST", seconds=0.3, count=1, options={"answer": "cut"})
    with pytest.raises(httpx.RemoteProtocolError):
        await pod.submit(sale("order-1"))
    assert pod.twin.requests() == []
    delays.end()
    await eventually(pod.twin.requests, "the request was taken")
    pod.twin.clock.advance(5)
    assert pod.totals() == {"order-1": Decimal("19.95")}


async def test_a_period_that_closes_before_the_import_refuses_the_group(pod: Pod) -> None:
    request = await pod.submit(sale("order-1"))
    pod.twin.set_period("US Primary Ledger", "Nov-26", "C")
    tree = await pod.finished(request)
    assert child_of(tree, "Import Journals: Child")["STATUS"] == "WARNING"
    assert {row.status for row in pod.twin.interface()} == {"EP01"}


async def test_the_report_names_code_journal_line_and_account(pod: Pod) -> None:
    rows = [
        *sale("good"),
        Row("order-7", CLEARING, debit="9.00"),
        Row("order-7", "101-000-99999-0000", credit="9.00", day=date(2026, 8, 3)),
        Row("order-8", CLEARING, debit="1.00"),
        Row("order-8", REVENUE, credit="2.00"),
    ]
    tree = await pod.run(rows)
    parent = await pod.output(int(tree["REQUESTID"]))
    child_id = child_of(tree, "Import Journals: Child")["REQUESTID"]
    assert (
        f"Import Journals: Child job request_id: {child_id} has been submitted." in parent[f"{tree['REQUESTID']}.log"]
    )
    files = await pod.output(int(child_id))
    report = files[f"{child_id}.txt"]
    lines, key = report.partition("Error Lines")[2].split(" Error Key ")
    (bad,) = [line for line in lines.splitlines() if "order-7" in line]
    assert bad.split()[:3] == ["EP01,EF04", "4", "order-7"]
    assert "101-000-99999-0000" in bad
    assert re.search(r"^EF04 {2,}The account isn't valid", key, re.MULTILINE)
    unbalanced = report.partition("Unbalanced Journal Entries")[2].partition("Error Lines")[0]
    assert "EU02" in unbalanced
    assert "order-8" in unbalanced
    assert set(await pod.output(int(child_id), "LOG")) == {f"{child_id}.log"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"enabled": False}, "EF03"),
        ({"posting_allowed": False}, "EF02"),
        ({"ends": date(2026, 1, 1)}, "EF01"),
        ({"import_refuses": "EF04"}, "EF04"),
    ],
)
async def test_accounts_are_refused_for_their_reason(pod: Pod, change: dict[str, object], code: str) -> None:
    pod.twin.set_account(REVENUE, **change)
    await pod.run(sale("order-1"))
    assert code in {row.status for row in pod.twin.interface()}


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"currency": "EUR"}, "EC03"),
        ({"currency": "EUR", "conversion": ("User", "2026/11/20", "")}, "EC01"),
        ({"currency": "EUR", "conversion": ("Corporate", "", "")}, "EC02"),
        ({"currency": "EUR", "conversion": ("Corporate", "2031/01/01", "")}, "EC06"),
        ({"currency": "EUR", "conversion": ("Wishful", "2026/11/20", "")}, "EC08"),
        ({"currency": "XXX"}, "EC09"),
        ({"category": "Unheard of"}, "EM01"),
    ],
)
async def test_currencies_and_categories_are_refused_for_their_reason(
    pod: Pod, facts: dict[str, object], code: str
) -> None:
    await pod.run(sale("order-1", **facts))
    assert {row.status for row in pod.twin.interface()} == {code}


async def test_foreign_currency_is_converted_at_the_days_rate(pod: Pod) -> None:
    await pod.run(sale("order-1", "100.00", currency="EUR", conversion=("Corporate", "2026/11/20", "")))
    (journal,) = pod.twin.journals()
    assert (journal.total("entered_dr"), journal.total("accounted_dr")) == (Decimal("100.00"), Decimal("108.32"))


async def test_one_import_makes_a_batch_per_period_and_currency(pod: Pod) -> None:
    foreign = sale("c", currency="EUR", conversion=("Corporate", "2026/11/20", ""))
    await pod.run([*sale("a"), *sale("b", day=date(2026, 10, 5)), *foreign, *sale("d")])
    batches = await pod.items("journalBatches", q="BatchName like 'MLC 1001*'", orderBy="JeBatchId:asc")
    assert [(batch["DefaultPeriodName"], batch["RunningTotalDr"]) for batch in batches] == [
        ("Nov-26", 39.9),
        ("Oct-26", 19.95),
        ("Nov-26", 19.95),
    ]


@pytest.mark.parametrize(
    ("decorated", "batch", "journal"),
    [(True, r"MLC 1001 ML Connector \d+: A 1001", "order-1 Web Sales USD"), (False, "MLC 1001", "order-1")],
)
async def test_names_may_be_decorated(pod: Pod, decorated: bool, batch: str, journal: str) -> None:
    pod.twin.world.habits.decorated_names = decorated
    await pod.run(sale("order-1"))
    (found,) = await pod.items("journalBatches", q="BatchName like 'MLC 1001*'", expand="journalHeaders.journalLines")
    assert re.fullmatch(batch, found["BatchName"])
    headers = found["journalHeaders"]
    assert headers["items"][0]["JournalName"] == journal
    assert headers["items"][0]["ExternalReference"] == "order-1"
    lines = headers["items"][0]["journalLines"]["items"]
    assert [(line["JeLineNumber"], line["AccountCombination"], line["EnteredDr"]) for line in lines] == [
        (1, CLEARING, 19.95),
        (2, REVENUE, None),
    ]


async def test_journals_are_read_by_opaque_keys_and_old_clients_get_plain_arrays(pod: Pod) -> None:
    pod.twin.world.habits.autopost = False
    await pod.run(sale("order-1"))
    (batch,) = await pod.items("journalBatches", 1, q="BatchName LIKE 'MLC*';Status='U'", expand="journalHeaders")
    assert isinstance(batch["journalHeaders"], list)
    base = f"journalBatches/{batch['JeBatchId']}/child/journalHeaders"
    (header,) = await pod.items(base)
    href = next(link["href"] for link in header["links"] if link["rel"] == "self")
    key = href.rsplit("/", 1)[1]
    assert not key.isdigit()
    assert len(await pod.items(f"{base}/{key}/child/journalLines")) == 2
    assert (await pod.get(f"{base}/{header['JeHeaderId']}")).status_code == 404


async def test_batches_may_become_visible_late(pod: Pod) -> None:
    pod.twin.faults.set("late_visibility", count=1, seconds=60)
    await pod.run(sale("order-1"))
    assert pod.totals() == {"order-1": Decimal("19.95")}
    assert await pod.items("journalBatches") == []
    pod.twin.clock.advance(61)
    assert len(await pod.items("journalBatches")) == 1


async def test_journals_cannot_be_created_or_changed_by_rest(pod: Pod) -> None:
    answer = await pod.http.post(f"{RESOURCES}/journalBatches", json={"BatchName": "x"})
    assert answer.status_code == 400
    assert "Invalid operation create" in answer.json()["o:errorDetails"][0]["detail"]
    pod.twin.world.habits.autopost = False
    await pod.run(sale("order-1"))
    (batch,) = await pod.items("journalBatches")
    assert (await pod.http.delete(f"{RESOURCES}/journalBatches/{batch['JeBatchId']}")).status_code == 204
    assert pod.twin.journals() == []


async def test_without_autopost_a_job_posts_and_a_closed_period_stops_it(pod: Pod) -> None:
    pod.twin.world.habits.autopost = False
    await pod.run(sale("order-1"))
    pod.twin.set_period("US Primary Ledger", "Nov-26", "C")
    assert (await pod.job("AutomaticPosting", ACCESS_SET, LEDGER, SOURCE_ID))["STATUS"] == "WARNING"
    (batch,) = await pod.items("journalBatches")
    assert (batch["Status"], bool(batch["ErrorMessage"])) == ("U", True)
    pod.twin.set_period("US Primary Ledger", "Nov-26", "O")
    await pod.job("AutomaticPosting", ACCESS_SET, LEDGER, SOURCE_ID)
    (batch,) = await pod.items("journalBatches")
    assert (batch["Status"], batch["ErrorMessage"]) == ("P", None)


async def test_requests_that_make_no_sense_get_minus_one(pod: Pod) -> None:
    body = import_body(sale("a"))
    for change in (
        {"ParameterList": f"{LEDGER},{SOURCE_ID},{ACCESS_SET},1001,N,N,N"},
        {"ParameterList": "1,2"},
        {"DocumentAccount": "fin$/payables$/import$"},
        {"JobName": "/oracle/apps/ess/nothing,Nothing"},
    ):
        answer = await pod.erp({**body, **change})
        assert (answer.status_code, answer.json()["ReqstId"]) == (201, "-1"), change
    pod.twin.faults.set("rejected_job", count=1)
    assert (await pod.erp(body)).json()["ReqstId"] == "-1"
    pod.twin.world.habits.parameter_order = "ledger_first"
    swapped = {**body, "ParameterList": f"{LEDGER},{SOURCE_ID},{ACCESS_SET},1001,N,N,N"}
    assert int((await pod.erp(swapped)).json()["ReqstId"]) > 0


async def test_bodies_that_cannot_be_read_get_400(pod: Pod) -> None:
    body = import_body(sale("a"))
    assert (await pod.erp({**body, "OperationName": "guess"})).status_code == 400
    assert (await pod.erp({**body, "Surprise": 1})).status_code == 400
    assert (await pod.erp({name: value for name, value in body.items() if name != "ParameterList"})).status_code == 400


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (Row("a", CLEARING, debit="1.00", more={150: ""}), "END"),
        (Row("a", CLEARING, debit="1.00", credit="1.00"), "exactly one"),
        (Row("a", CLEARING, debit="one"), "not a number"),
        (Row("a", CLEARING, debit="1.00", more={3: "20/11/2026"}), "not a date"),
        (Row("x" * 101, CLEARING, debit="1.00"), "REFERENCE4 is longer"),
    ],
)
async def test_a_file_that_cannot_be_loaded_leaves_nothing_behind(pod: Pod, row: Row, said: str) -> None:
    tree = await pod.run([*sale("good"), row])
    assert tree["STATUS"] == "ERROR"
    loader = child_of(tree, "Load File to Interface")
    assert loader["STATUS"] == "ERROR"
    log = (await pod.output(int(loader["REQUESTID"])))[f"{loader['REQUESTID']}.log"]
    assert said in log
    assert "Line 3" in log
    assert (pod.twin.journals(), pod.twin.interface()) == ([], [])


async def test_the_archive_must_hold_the_interface_file(pod: Pod) -> None:
    body = {**import_body(sale("a")), "DocumentContent": packed(sale("a"), name="other.csv")}
    tree = await pod.finished(int((await pod.erp(body)).json()["ReqstId"]))
    assert tree["STATUS"] == "ERROR"


@pytest.mark.parametrize("loader_is_parent", [False, True])
async def test_the_scheduler_shows_the_group_in_the_imports_parameters(pod: Pod, loader_is_parent: bool) -> None:
    pod.twin.world.habits.loader_is_parent = loader_is_parent
    since = pod.twin.clock.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    before = await pod.http.get("/ess/rest/scheduler/v1/requests", params={"orderBy": "submissionTime:desc"})
    assert (before.status_code, before.json()["items"]) == (200, [])
    root = await pod.submit(sale("a"), group="1001")
    await pod.finished(root)
    answer = await pod.http.get(
        "/ess/rest/scheduler/v1/requests",
        params={
            "q": f'submissionTime ge "{since}"',
            "fields": "requestId,absParentRequestId,jobDefinitionId,requestParameters",
        },
    )
    found = [
        (row["absParentRequestId"], row["jobDefinitionId"])
        for row in answer.json()["items"]
        if "1001" in [parameter["value"] for parameter in row["requestParameters"]]
    ]
    assert {top for top, _ in found} == {root}
    assert any("JournalImportLauncher" in definition for _, definition in found)
    shown = await pod.http.get(f"/ess/rest/scheduler/v1/requests/{root}", params={"fields": "state"})
    assert shown.json() == {"state": "SUCCEEDED"}
    assert (await pod.http.get("/ess/rest/scheduler/v1/requests/1")).status_code == 404


async def test_a_request_may_be_shown_late_by_the_scheduler(pod: Pod) -> None:
    pod.twin.faults.set("late_requests", count=1, seconds=30)
    request = await pod.submit(sale("a"))
    assert await pod.items("erpintegrations", finder=f"ESSJobStatusRF;requestId={request}") == []
    pod.twin.clock.advance(31)
    assert (await pod.tree(request))["STATUS"] == "SUCCEEDED"


async def test_a_job_may_be_slow(pod: Pod) -> None:
    pod.twin.faults.set("slow_job", count=1, path="Import Journals", seconds=600)
    request = await pod.submit(sale("a"))
    pod.twin.clock.advance(1)
    await pod.tree(request)
    pod.twin.clock.advance(500)
    assert (await pod.tree(request))["STATUS"] == "RUNNING"
    pod.twin.clock.advance(101)
    await pod.finished(request)
    assert len(pod.twin.journals()) == 1


async def test_status_words_differ_between_pods(pod: Pod) -> None:
    pod.twin.world.habits.status_case = "title"
    pod.twin.world.habits.child_warning_in_parent = True
    pod.twin.set_account(REVENUE, enabled=False)
    assert (await pod.run(sale("a")))["STATUS"] == "Warning"


async def test_suspense_takes_unbalanced_journals_only_where_allowed(pod: Pod) -> None:
    pod.twin.world.ledger("US Primary Ledger").suspense = True
    rows = [Row("a", CLEARING, debit="2.00"), Row("a", REVENUE, credit="1.50")]
    refused = await pod.run(rows)
    assert child_of(refused, "Import Journals: Child")["STATUS"] == "WARNING"
    accepted = await pod.job("JournalImportLauncher", ACCESS_SET, SOURCE_ID, LEDGER, "1001", "Y", "N", "N")
    assert child_of(accepted, "Import Journals: Child")["STATUS"] == "SUCCEEDED"
    (journal,) = pod.twin.journals()
    assert journal.total("entered_dr") == journal.total("entered_cr") == Decimal("2.00")


async def test_the_truth_is_told_by_http_too(pod: Pod) -> None:
    await pod.http.post("/_twin/accounts", json={"account": REVENUE, "enabled": False})
    await pod.run(sale("bad"))
    await pod.http.post("/_twin/accounts", json={"account": REVENUE, "enabled": True})
    await pod.run(sale("good", group="1002"), group="1002")
    left = (await pod.http.get("/_twin/interface", params={"group": "1001"})).json()
    assert {(row["journal"], row["status"]) for row in left} == {("bad", "P"), ("bad", "EF03")}
    (journal,) = (await pod.http.get("/_twin/journals", params={"group": "1002"})).json()
    assert (journal["given_name"], journal["debit"], journal["lines"][0]["references"]) == (
        "good",
        "19.95",
        {"REFERENCE21": "good"},
    )
    pod.twin.clock.advance(5)
    summary = (await pod.http.get("/_twin/summary")).json()
    assert summary["totals"] == [
        {"ledger": "US Primary Ledger", "currency": "USD", "journals": 1, "posted": 1, "debit": "19.95"}
    ]
    closed = {"ledger": "US Primary Ledger", "period": "Nov-26", "status": "C"}
    assert (await pod.http.post("/_twin/periods", json=closed)).status_code == 200
    assert (await pod.http.post("/_twin/periods", json={**closed, "period": "Foo-26"})).status_code == 400
    rate = {"from": "EUR", "to": "USD", "day": "2026-11-20", "rate": None}
    assert (await pod.http.post("/_twin/rates", json=rate)).status_code == 200
    assert pod.twin.world.rate("EUR", "USD", "Corporate", date(2026, 11, 20)) is None
    assert (await pod.http.post("/_twin/habits", json={"autopost": False})).json()["autopost"] is False
    assert (await pod.http.post("/_twin/habits", json={"mood": "bad"})).status_code == 400


async def test_five_hundred_journals_are_imported_in_one_group(pod: Pod) -> None:
    began = time.process_time()
    await pod.run([row for number in range(500) for row in sale(f"order-{number}", "10.00")])
    assert (len(pod.twin.journals()), sum(pod.totals().values())) == (500, Decimal("5000.00"))
    (batch,) = await pod.items("journalBatches")
    headers = await pod.items(f"journalBatches/{batch['JeBatchId']}/child/journalHeaders", limit=500)
    assert len(headers) == 500
    assert time.process_time() - began < 10
