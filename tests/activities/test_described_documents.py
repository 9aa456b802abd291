"""What a pod's own description refuses is not sent: a person is told all of it at once. A silent pod stops nobody."""

import dataclasses
import datetime as dt
import itertools
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, Literal, cast

import pytest
from support.credit_memos import billing, client, connected, invoice, memo
from temporalio.testing import ActivityEnvironment

from activities.access.gates import Gates
from activities.collaborators import Collaborators
from activities.posting.subject import CANNOT
from activities.receivables.invoices import ReceivablesActivities
from activities.receivables.refunds import RefundActivities
from clients.oracle_fusion import FusionClient
from contracts.configuration import Configuration
from contracts.steps.documents import Created
from contracts.steps.receivables import PostCreditMemo, PostInvoice
from sandbox.fusion import FusionTwin
from sandbox.fusion.demo_world import US_LEDGER, demo_world
from sandbox.fusion.receivables.demo import US_UNIT
from sandbox.kit import serve
from store import Store
from tests.activities.conftest import Desk as TillDesk
from tests.activities.conftest import Epochs

Kind = Literal["invoice", "memo"]
RESOURCES = {"invoice": "receivablesInvoices", "memo": "receivablesCreditMemos"}
TOO_LONG = {
    "invoice": {"payment_terms": "x" * 16, "bill_to_site": "x" * 151},
    "memo": {"comments": "x" * 1761, "bill_to_site": "x" * 151},
}
PLACES = {"invoice": ("/BillToSite", "/PaymentTerms"), "memo": ("/BillToSite", "/CreditMemoComments")}
KINDS = pytest.mark.parametrize("kind", list(RESOURCES))
_numbers = itertools.count(1)


class Guard(Epochs):
    def recovered_since(self, seen: int) -> bool:
        return False


@dataclasses.dataclass
class Desk:
    """Runs the steps that send a document, of one shop."""

    twin: FusionTwin
    store: Store
    fusion: FusionClient
    shop: str

    def parts(self) -> Collaborators:
        shared = {"tenant": "acme", "environment": "test"}
        books = {
            "channel": "1", "currency": "USD", "ledger": US_LEDGER, "data_access_set": "d", "journal_source": "s",
            "journal_category": "c", "balancing_segment": "101", "business_unit": US_UNIT,
            "receivable": billing().model_dump(),
        }  # fmt: skip
        configuration = Configuration.model_validate(
            {
                "tenants": [{"id": "acme"}],
                "connections": [
                    self.fusion.connection.model_dump(mode="json"),
                    {"system": "bigcommerce", "id": self.shop, "store_hash": "abc", **shared},
                ],
                "integrations": [
                    {
                        "id": "us", "tenant": "acme", "fusion": "fusion-test", "source": self.shop,
                        "mapping_set": "retail", "cut_over": "2026-01-01", "books": [books],
                        "channels": [{"id": "1", "target": "receivable"}],
                    }
                ],
                "mapping_sets": [{"id": "retail", "version": 1, "segments": ["c"], "balancing_segment": "c"}],
            }
        )  # fmt: skip
        parts = SimpleNamespace(
            configuration=configuration,
            store=self.store,
            fusions={"fusion-test": self.fusion},
            clock=lambda: dt.datetime.now(dt.UTC),
            gates=Gates(),
            epochs=Guard(),
            fusion_connection=configuration.connection,
        )
        return cast(Collaborators, parts)

    async def send(self, kind: Kind, number: int = 1, **changes: Any) -> Created:
        made = ActivityEnvironment()
        now = dt.datetime.now(dt.UTC)
        made.info = dataclasses.replace(made.info, start_to_close_timeout=dt.timedelta(minutes=5), started_time=now)
        wanted: dict[str, Any] = {
            "integration": "us", "connection": self.shop, "order_id": str(number), "fingerprint": "f1",
            "modified_at": now, "job": "poll 1",
        }  # fmt: skip
        named = {"number": f"{kind[0].upper()}-{self.shop}-{number}"[:20]}
        if kind == "invoice":
            reference = f"acme/{self.shop}/order/{number}/invoice/1"
            document = invoice(number, **{**named, "reference": reference, **changes})
            step = ReceivablesActivities(self.parts()).post_invoice
            return await made.run(step, PostInvoice(invoice=document, **wanted))
        reference = f"acme/{self.shop}/refund/{number}/credit/1"
        credit = memo(number, **{**named, "reference": reference, "comments": f"Refund | {reference}", **changes})
        steps = RefundActivities(self.parts())
        return await made.run(
            steps.post_credit_memo, PostCreditMemo(credit_memo=credit, refund_id=str(number), **wanted)
        )

    def sent(self, kind: Kind) -> int:
        return len(self.twin.calls.matching("POST", RESOURCES[kind]))

    def asked(self) -> int:
        return len(self.twin.calls.matching("GET", "describe"))


@pytest.fixture
async def twin() -> AsyncIterator[FusionTwin]:
    twin = FusionTwin(demo_world())
    async with serve(twin):
        yield twin


@pytest.fixture
async def desk(twin: FusionTwin, store: Store) -> AsyncIterator[Desk]:
    fusion = client(twin)
    yield Desk(twin, store, fusion, f"desc-{next(_numbers)}")
    await fusion.aclose()


@KINDS
async def test_everything_that_does_not_fit_is_told_at_once_and_nothing_is_sent(desk: Desk, kind: Kind) -> None:
    for _ in range(2):
        created = await desk.send(kind, **TOO_LONG[kind])
        assert created.outcome == "review"
        assert created.problem is not None
        assert created.problem.code == CANNOT
        for place in PLACES[kind]:
            assert f"{place}: It has" in created.problem.sentence
        assert "xx" not in created.problem.sentence, "values may be personal data"
        assert created.problem.remedy.endswith("Nothing was sent.")
    assert desk.sent(kind) == 0
    events = await desk.store.audit.of(desk.shop, "order" if kind == "invoice" else "refund", "1")
    assert [event.action for event in events] == ["intended", "review", "review"]
    assert [len(event.details["messages"]) for event in events if event.action == "review"] == [2, 2]
    assert (await desk.send(kind)).outcome == "posted", "corrected, and retried"
    assert desk.sent(kind) == 1


@KINDS
async def test_a_description_costs_one_call_however_many_documents_are_sent(desk: Desk, kind: Kind) -> None:
    for number in range(1, 6):
        assert (await desk.send(kind, number)).outcome == "posted"
    assert (desk.asked(), desk.sent(kind)) == (1, 5)


@KINDS
@pytest.mark.parametrize("status", [403, 404, 504, "timeout", "cut"])
async def test_a_pod_that_does_not_describe_itself_stops_nobody(
    desk: Desk, kind: Kind, status: int | str, monkeypatch: pytest.MonkeyPatch
) -> None:
    match status:
        case "timeout":
            # Long enough for the question to arrive; the answer comes after everything here is over.
            monkeypatch.setattr("clients.oracle_fusion.described.PATIENCE", 3.0)
            fault = desk.twin.faults.set("latency", path="describe", seconds=600.0)
        case "cut":
            fault = desk.twin.faults.set("cut", path="describe")
        case _:
            fault = desk.twin.faults.set("error", path="describe", status=status)
    assert (await desk.send(kind)).outcome == "posted"
    asked = fault.struck
    for number in range(2, 4):
        assert (await desk.send(kind, number)).outcome == "posted"
    assert fault.struck == asked > 0, "only the first one asks"
    assert desk.sent(kind) == 3


@KINDS
async def test_what_a_pod_describes_wrongly_can_be_excepted(desk: Desk, kind: Kind, twin: FusionTwin) -> None:
    resource = RESOURCES[kind]
    for unchecked in ([f"{resource}{place}" for place in PLACES[kind]], [resource]):
        desk.fusion = client(twin, connected(twin, unchecked=unchecked))
        created = await desk.send(kind, **TOO_LONG[kind])
        await desk.fusion.aclose()
        assert created.problem is not None
        assert "refused" in created.problem.sentence, "the pod itself says so"
    assert desk.sent(kind) == 2


async def test_an_earlier_send_is_not_forgotten_for_a_document_that_does_not_fit_by_now(strict: TillDesk) -> None:
    strict.till.faults = ["cut"]
    assert (await strict.post()).outcome == "in_doubt"
    strict.till.unfit = ("/Name: It is too long.",)
    assert (await strict.ended()).outcome == "posted"
    assert len(strict.till.rows) == 1


async def test_what_is_there_already_is_adopted_whatever_is_described_by_now(strict: TillDesk) -> None:
    strict.till.commit(strict.bill())
    strict.till.unfit = ("/Name: It is too long.",)
    assert (await strict.post()).outcome == "posted"
    assert strict.till.sends == 0
