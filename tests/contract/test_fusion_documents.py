"""Journal import and scheduler: what the client asks and the pod's twin answers fits the OpenAPI documents at hand."""

import asyncio
import datetime as dt
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import httpx
import pytest
from support.fusion_contract import AT_HAND, IMPORT, NOT_AT_HAND, SCHEDULER, asked_of_pods
from support.fusion_framework import connected
from support.fusion_pod import JSON_ERRORS, RESOURCES, Pod, sale
from support.stack import eventually

from clients.oracle_fusion import FusionClient
from clients.oracle_fusion.gl_interface import batch_name
from contracts.journal import Journal, JournalLine, Purpose
from sandbox.fusion import FusionTwin, demo_world
from sandbox.fusion.demo_world import CATEGORY, SOURCE, US_LEDGER
from sandbox.kit import Exchange, serve

GROUP = 176000000000001
BEYOND = {"onlyData"}
"""Parameters of every resource (Oracle Fusion: 2.1), which the document of one of them leaves out."""
NOT_SENT = {"submitESSJobRequest": {"DocumentId"}}
"""What the document demands and the vendor's own sample does not send (Oracle Fusion: 4.3)."""
LAUNCHER = "JobDefinition://oracle/apps/ess/financials/generalLedger/programs/common/JournalImportDelete"


@dataclass
class Watched:
    """What the pod was asked and answered, in order."""

    twin: FusionTwin
    exchanges: list[Exchange] = field(default_factory=list)

    async def keep(self, exchange: Exchange) -> None:
        self.exchanges.append(exchange)

    def of(self, path: str, method: str) -> list[Exchange]:
        return [one for one in self.exchanges if path in one.path and one.method == method]


@pytest.fixture(scope="module")
async def watched() -> AsyncIterator[Watched]:
    """A group is imported, found again, purged and posted by the client."""
    twin = FusionTwin(demo_world())
    twin.world.habits.wait = twin.world.habits.load = twin.world.habits.running = 0.01
    watched = Watched(twin)
    async with serve(twin):
        twin.hooks.on("answering", watched.keep, path="/erpintegrations|/ess/rest", times=None)
        client = connected(twin)
        try:
            await use_imports(client)
        finally:
            await client.aclose()
        yield watched


async def use_imports(client: FusionClient) -> None:
    """Everything that the client knows about imports and their requests."""
    since = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=5)
    ledger = await client.ledger(US_LEDGER)
    access_set, source = await client.data_access_set_id(US_LEDGER), await client.journal_source_id(SOURCE)
    wanted = {"ledger": ledger, "data_access_set_id": access_set, "source_id": source}
    ends = asyncio.get_running_loop().time() + 600
    name = batch_name(GROUP)
    request_id = await client.submit_journal_import([journal()], group_id=GROUP, batch_name=name, ends=ends, **wanted)

    async def over() -> bool:
        return (await client.job(request_id)).terminal

    await eventually(over, "the import is over", patience=120)
    await client.import_report(request_id)
    assert await client.find_import(GROUP, since=since) == request_id
    await client.probe_scheduler()
    await client.purge_group(GROUP, **wanted)
    await client.submit_posting(**wanted)


def journal() -> Journal:
    def line(natural: str, debit: str, credit: str) -> JournalLine:
        return JournalLine(
            purpose=Purpose.REVENUE,
            segments=("101", "000", natural, "0000"),
            debit=Decimal(debit),
            credit=Decimal(credit),
            description="Shirt | order 1",
        )

    return Journal(
        reference="acme/bc-us/order/1/sale/1",
        description="Order 1 of shop bc-us",
        ledger=US_LEDGER,
        journal_source=SOURCE,
        journal_category=CATEGORY,
        accounting_date=dt.date.today(),  # noqa: DTZ011 -- an accounting calendar has no zone
        date_reason="placed",
        currency="USD",
        lines=(line("11200", "10.50", "0"), line("41100", "0", "10.50")),
        mapping_set="retail",
        mapping_version=1,
    )


async def test_what_is_sent_for_an_import_and_for_jobs_is_as_documented(
    watched: Watched, fusion_documents: Any
) -> None:
    document = fusion_documents[IMPORT]
    schemas = document.document["components"]["schemas"]
    mapping = schemas["ErpIntegrationRequest"]["discriminator"]["mapping"]
    operations = []
    for exchange in watched.of("/erpintegrations", "POST"):
        body = exchange.json()
        operation = body["OperationName"]
        operations.append(operation)
        schema = document.resolve({"$ref": mapping[operation]})
        missing = NOT_SENT.get(operation, set())
        assert set(schema["required"]) - set(body) == missing
        assert set(body) - set(schema["properties"]) == set(), "an attribute that nobody documents"
        assert document.body_faults("/erpintegrations", "post", body | dict.fromkeys(missing, "-")) == []
    assert operations == ["importBulkData", "submitESSJobRequest", "submitESSJobRequest"]


async def test_what_the_twin_answers_to_an_import_and_to_its_finders_is_as_documented(
    watched: Watched, fusion_documents: Any
) -> None:
    document = fusion_documents[IMPORT]
    for method in ("POST", "GET"):
        exchanges = watched.of("/erpintegrations", method)
        assert exchanges
        for exchange in exchanges:
            # The vendor's pages have 201 for what was started, the document 200.
            assert exchange.status == (201 if method == "POST" else 200)
            answer = json.loads(exchange.answer or b"")
            assert document.faults("/erpintegrations", method, 200, said(answer)) == []
            assert {"ReqstId", "RequestStatus", "OperationName"} <= set(
                answer if method == "POST" else answer["items"][0]
            )
    for exchange in watched.of("/erpintegrations", "GET"):
        asked = "&".join(part for part in exchange.query.split("&") if part.partition("=")[0] not in BEYOND)
        assert document.query_faults("/erpintegrations", "get", asked) == []


def said(answer: Any) -> Any:
    """Without what is null: the pod names every attribute (the vendor's page 4.3), the document few as nullable."""
    if isinstance(answer, dict):
        return {name: said(value) for name, value in answer.items() if value is not None}
    return [said(one) for one in answer] if isinstance(answer, list) else answer


async def test_the_status_finder_answers_as_documented(fusion_documents: Any) -> None:
    twin = FusionTwin(demo_world())
    async with serve(twin), httpx.AsyncClient(base_url=twin.url, headers={"Accept": JSON_ERRORS}, timeout=600) as http:
        pod = Pod(twin, http)
        await pod.sign_in()
        request_id = await pod.submit(sale("order-1", "10.50", day=twin.clock.now().date()))
        answer = await http.get(
            f"{RESOURCES}/erpintegrations", params={"finder": f"ESSJobStatusRF;requestId={request_id}"}
        )
        document = fusion_documents[IMPORT]
        assert document.faults("/erpintegrations", "GET", 200, said(answer.json())) == []
        (row,) = answer.json()["items"]
        assert (row["ReqstId"], row["OperationName"]) == (str(request_id), "getESSJobStatus")


async def test_what_is_asked_of_the_scheduler_and_what_it_answers_is_as_documented(
    watched: Watched, fusion_documents: Any
) -> None:
    document = fusion_documents[SCHEDULER]
    exchanges = watched.of("/ess/rest/scheduler/v1", "GET")
    assert exchanges
    rows = 0
    for exchange in exchanges:
        path = document.match(exchange.path.removeprefix("/ess/rest/scheduler/v1"))
        assert document.query_faults(path, "get", exchange.query) == []
        answer = json.loads(exchange.answer or b"")
        assert document.faults(path, "GET", 200, answer) == []
        rows += len(answer.get("items", ()))
    assert rows


async def test_a_request_is_shown_and_submitted_at_the_scheduler_as_documented(
    watched: Watched, fusion_documents: Any
) -> None:
    """Some pods have the launcher's parameters only here."""
    document, twin = fusion_documents[SCHEDULER], watched.twin
    (first, *_) = twin.requests()
    async with httpx.AsyncClient(base_url=twin.url, headers={"Accept": JSON_ERRORS}, timeout=600) as http:
        await Pod(twin, http).sign_in()
        query = {"fields": "requestId,state,requestParameters,submissionTime,absParentRequestId"}
        shown = await http.get(f"/ess/rest/scheduler/v1/requests/{first.id}", params=query)
        assert document.faults("/requests/{requestId}", "GET", 200, shown.json()) == []
        assert document.query_faults("/requests/{requestId}", "get", shown.request.url.query.decode()) == []
        known = document.document["components"]["schemas"]["RequestDetails"]["properties"]
        assert set(shown.json()) - set(known) == {"absParentRequestId"}, "named among the fields one may ask by"
        names = [f"submit.argument{number}" for number in (1, 2, 3)]
        parameters = [{"name": name, "paramType": "STRING", "value": "1"} for name in names]
        body = {"jobDefinitionId": LAUNCHER, "requestParameters": parameters}
        assert document.body_faults("/requests", "post", body) == []
        made = await http.post("/ess/rest/scheduler/v1/requests", json=body)
        assert document.faults("/requests", "POST", 201, made.json()) == []


async def test_whatever_the_client_can_ask_of_a_pod_has_a_document_or_is_named_as_not_at_hand() -> None:
    """Needs none of the documents."""
    twin = FusionTwin(demo_world())
    async with serve(twin), httpx.AsyncClient(base_url=twin.url, timeout=600) as http:
        await Pod(twin, http).sign_in()
        served = set((await http.get(f"{RESOURCES}/describe")).json()["Resources"])
    assert len(served) > 20
    assert asked_of_pods(served) == {*AT_HAND, *NOT_AT_HAND}


async def test_every_document_that_is_named_lies_there(fusion_documents: Any) -> None:
    assert [name for name in AT_HAND.values() if not (fusion_documents.folder / name).is_file()] == []
