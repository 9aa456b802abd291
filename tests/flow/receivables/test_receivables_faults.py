"""Every way in which a create goes wrong: each order is billed once, with its amount, or a person was asked.

What a person is asked depends on where the invoice carries its reference: only under a manual number does Fusion itself
refuse a second one.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from replay.stage import patched, with_fusion
from support.knobs import Arrange, both, down, fusion, set_right
from support.proof import nothing_in_review, ordinary, retry, sell
from support.receivables import billed, billed_once, invoices_of, no_invoice_twice
from support.stack import FAST, Stack, open_stack

import activities.failures
from contracts import names
from contracts.configuration import Configuration
from contracts.flow import State
from contracts.receivable import ReferenceHome
from runtime.temporal.devserver import DevServer

INVOICES: Final = r"/receivablesInvoices$"
POST: Final[dict[str, Any]] = {"method": "POST", "path": INVOICES}
LOOK: Final[dict[str, Any]] = {"method": "GET", "path": INVOICES}
READ_BACK: Final[dict[str, Any]] = {"method": "GET", "path": r"/receivablesInvoices/\d+$"}
DEADLINE, SETTLE, UNKNOWN = 2.0, 0.5, 8.0
"""Seconds: of the request, until anybody looks, and until a person is asked."""


@dataclass(frozen=True)
class Row:
    name: str
    arrange: Arrange
    review: str = ""
    """Problem code with which the order waits for a person; a retry then bills it."""
    unknown: bool = False
    """Where Fusion takes duplicates, nobody but a person can say that it never arrived."""


ROWS: Final = (
    Row("Fusion is slow", fusion("latency", seconds=0.2, options={"jitter": 0.3})),
    Row("500 for the look", fusion("error", count=2, **LOOK)),
    Row("503 for the look, with Retry-After", fusion("error", status=503, retry_after=1, count=1, **LOOK)),
    Row("500 for the read-back", fusion("error", count=2, **READ_BACK)),
    Row("read-back cut off", fusion("cut", count=1, **READ_BACK)),
    Row("500 for the create", fusion("error", count=1, **POST)),
    Row("503 for the create", fusion("error", status=503, count=1, **POST)),
    Row("503 for the create, with Retry-After", fusion("error", status=503, retry_after=1, count=1, **POST)),
    Row("502 for the create", fusion("error", status=502, count=1, **POST), unknown=True),
    Row("504 for the create", fusion("error", status=504, count=1, **POST), unknown=True),
    Row("create cut off", fusion("cut", count=1, **POST), unknown=True),
    Row("answer lost after the commit", fusion("lost_answer", count=1, **POST)),
    Row("504 after the commit", fusion("error_after", count=1, **POST)),
    Row("500 after the commit", fusion("error_after", status=500, count=1, **POST)),
    Row("answer after the deadline", fusion("slow_answer", seconds=4.0, count=1, **POST)),
    Row("commit after the deadline", fusion("delayed_commit", seconds=3.0, count=1, **POST)),
    Row(
        "cut off, and committed beyond settle",
        fusion("delayed_commit", seconds=5.0, options={"answer": "cut"}, count=1, **POST),
    ),
    Row("the invoice is shown late", fusion("late_visibility", seconds=3.0, count=1, **POST)),
    Row("shown late in lists only", fusion("late_visibility", seconds=3.0, count=1, options={"by_key": True}, **POST)),
    Row(
        "answer lost, and the invoice is shown late",
        both(fusion("lost_answer", count=1, **POST), fusion("late_visibility", seconds=4.0, count=1, **POST)),
    ),
    Row("declined with 400", fusion("error", status=400, count=1, **POST), review="refused_by_fusion"),
    Row("401 for the create", fusion("unauthorized", count=1, **POST)),
    Row("401 for the look", fusion("unauthorized", count=1, **LOOK)),
    Row("429 for the create", fusion("rate_limit", retry_after=1, count=1, **POST)),
    Row("429 for the look", fusion("rate_limit", retry_after=1, count=1, **LOOK)),
    Row("Fusion answers 503 from the look on", down("fusion", "503", **LOOK)),
    Row("Fusion refuses connections from the look on", down("fusion", "refused", **LOOK)),
    Row("Fusion answers 503 from the create on", down("fusion", "503", **POST)),
    Row("Fusion refuses connections from the read-back on", down("fusion", "refused", **READ_BACK)),
    Row("errors are plain text", both(fusion("text_errors"), fusion("error", count=1, **POST))),
)
HOMES: Final[tuple[ReferenceHome, ...]] = ("transaction_number", "cross_reference")


@pytest.fixture(scope="module", params=HOMES)
async def stack(
    request: pytest.FixtureRequest, temporal_server: DevServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stack]:
    home: ReferenceHome = request.param

    def adjust(configuration: Configuration) -> Configuration:
        return with_fusion(billed(configuration, home), create_timeout=DEADLINE, settle=SETTLE)

    directory: Path = tmp_path_factory.mktemp(home)
    imports = FAST | {"unknown_limit": UNKNOWN / 3600}
    with patched(activities.failures, CONFIG_PAUSE=timedelta(seconds=1)):
        async with open_stack(temporal_server, directory, imports=imports, adjust=adjust) as opened, opened.worker():
            yield opened


def takes_duplicates(stack: Stack) -> bool:
    (books,) = stack.configuration.integration("shop-us").books
    assert books.receivable is not None
    return books.receivable.reference_home != "transaction_number"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_one_invoice_an_order_whatever_goes_wrong(stack: Stack, row: Row) -> None:
    struck = row.arrange(stack)
    (order_id,) = await sell(stack, ordinary(ROWS.index(row)))
    review = row.review or ("posting_unknown" if row.unknown and takes_duplicates(stack) else "")
    if review:
        standing = await stack.in_state(order_id, State.NEEDS_REVIEW)
        assert [one.code for one in standing.problems] == [review]
        assert invoices_of(stack, order_id) == []
        await retry(stack, names.order_to_journal_id("bc-us", str(order_id)))
    await billed_once(stack, [order_id])
    assert struck() > 0, "it never happened"
    set_right(stack)
    no_invoice_twice(stack)
    await nothing_in_review(stack)


async def test_an_invoice_that_cannot_be_looked_at_is_put_before_a_person_once(stack: Stack) -> None:
    refused = stack.fusion.faults.set("error", status=400, **READ_BACK)
    (order_id,) = await sell(stack, ordinary(len(ROWS)))
    standing = await stack.in_state(order_id, State.NEEDS_REVIEW)
    assert {one.code for one in standing.problems} == {"vendor_400"}
    assert refused.struck <= 3, "looked, looked for while parked, and no more"
    set_right(stack)
    await retry(stack, names.order_to_journal_id("bc-us", str(order_id)))
    await billed_once(stack, [order_id])
