"""The same facts with the store on PostgreSQL: an order is posted or billed, and a refusal stops no neighbour."""

from collections.abc import AsyncIterator, Iterator

import pytest
from replay.stage import with_fusion
from sqlalchemy.engine import URL
from support.parking import deciding
from support.postgres import new_database, postgres_server
from support.proof import (
    CLEARANCE,
    clearance,
    group_in_review,
    no_journal_twice,
    nothing_in_review,
    nothing_left,
    ordinary,
    posted,
    retry,
    sell,
)
from support.receivables import billed, billed_once, no_invoice_twice, worker_with
from support.refunds import announce_refund, refund_in_state, refund_result, refund_row
from support.stack import FAST, Stack, journals_of, open_stack

from contracts import names
from contracts.configuration import Configuration
from contracts.flow import State
from runtime.temporal.devserver import DevServer
from sandbox.bigcommerce import Returned


@pytest.fixture(scope="module")
def database_server() -> Iterator[URL]:
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="module")
async def stack(
    temporal_server: DevServer, database_server: URL, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stack]:
    def adjust(configuration: Configuration) -> Configuration:
        return with_fusion(configuration, import_timeout=15.0, settle=0.5, journal_import={"status_interval": 0.1})

    async with new_database(database_server) as database:
        url = database.set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)
        directory, imports = tmp_path_factory.mktemp("postgresql"), FAST | {"flush_after": 2.0}
        async with (
            open_stack(temporal_server, directory, store_url=url, imports=imports, adjust=adjust) as opened,
            opened.worker(),
        ):
            yield opened


async def test_an_order_becomes_one_posted_journal_of_its_total(stack: Stack) -> None:
    orders = await sell(stack, ordinary())
    await posted(stack, orders)
    result = await stack.result(orders[0])
    assert result.state is State.POSTED
    await nothing_in_review(stack)


async def test_one_bad_journal_stops_no_neighbour_and_is_posted_after_a_retry(stack: Stack) -> None:
    stack.fusion.set_account(CLEARANCE, import_refuses="EF04")
    *good, bad = await sell(stack, *(ordinary(seed) for seed in range(1, 20)), clearance())
    standing = await stack.in_state(bad, State.NEEDS_REVIEW)
    assert [one.code for one in standing.problems] == ["refused_by_fusion"]
    assert "EF04" in standing.problems[0].sentence
    await posted(stack, good)
    assert journals_of(stack.fusion, bad) == []
    assert [row.id for row in await stack.parts.store.documents.review_list()] == [str(bad)]
    nothing_left(stack)
    stack.fusion.set_account(CLEARANCE, import_refuses=None)
    await retry(stack, names.order_to_journal_id("bc-us", str(bad)))
    await posted(stack, [bad])
    await nothing_in_review(stack)
    no_journal_twice(stack)


async def test_an_answer_that_is_lost_is_looked_for(stack: Stack) -> None:
    stack.fusion.faults.set("lost_answer", method="POST", path="/erpintegrations", count=1)
    await posted(stack, await sell(stack, ordinary(30)))
    no_journal_twice(stack)


async def test_a_declined_import_waits_for_a_person_and_is_posted_after_a_retry(stack: Stack) -> None:
    stack.fusion.faults.set("rejected_job", path="Import Journals", count=1)
    orders = await sell(stack, ordinary(40))
    workflow_id, _ = await group_in_review(stack, "vendor_-1")
    await retry(stack, workflow_id)
    await posted(stack, orders)
    nothing_left(stack)
    no_journal_twice(stack)


async def test_a_person_decides_about_a_refund_of_more_than_was_charged(stack: Stack) -> None:
    orders = await sell(stack, ordinary(50))
    await posted(stack, orders)
    more = stack.shop().truth()[orders[0]].total + 5
    wanted = Returned("ORDER", orders[0], amount=more)
    refund = stack.shop().refund(orders[0], items=[wanted], override=(more, more - more), over=True)
    await announce_refund(stack, refund.id)
    await refund_in_state(stack, refund.id, State.NEEDS_REVIEW)
    await deciding(stack, f"bc-us/refund/{refund.id}", "skip")
    assert (await refund_result(stack, refund.id)).state is State.SKIPPED
    row = await refund_row(stack, refund.id)
    assert row is not None
    assert row.decided_version, "the store keeps what was decided about"


async def test_of_two_workers_one_bills_each_order_whatever_becomes_of_its_answers(
    temporal_server: DevServer, database_server: URL, tmp_path_factory: pytest.TempPathFactory
) -> None:
    def adjust(configuration: Configuration) -> Configuration:
        return with_fusion(billed(configuration), create_timeout=15.0, settle=0.5)

    async with new_database(database_server) as database:
        url = database.set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)
        async with (
            open_stack(temporal_server, tmp_path_factory.mktemp("billed"), store_url=url, adjust=adjust) as stack,
            stack.worker(),
            worker_with(stack, stack.configuration),
        ):
            post = {"method": "POST", "path": "/receivablesInvoices$"}
            stack.fusion.faults.set("lost_answer", count=6, chance=0.4, **post)
            stack.fusion.faults.set("cut", count=4, chance=0.3, **post)
            stack.fusion.faults.set("error_after", count=4, chance=0.3, **post)
            orders = await sell(stack, *(ordinary(seed) for seed in range(30)))
            for order_id in orders:
                await stack.announce(order_id)
            await billed_once(stack, orders)
            no_invoice_twice(stack)
            await nothing_in_review(stack)
