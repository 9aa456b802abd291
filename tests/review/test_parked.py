"""What waits for a person costs nothing while it waits, however many wait."""

import asyncio
import dataclasses
import datetime as dt
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from replay.stage import hurried, patched
from sqlalchemy import Engine, event
from support.parking import LONG, park_directly
from support.stack import Stack, eventually
from support.typed import typed_beside
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

import runtime.worker
import workflows.review
from contracts import names
from contracts.flow import State
from runtime.operations.deciding import decide, decision_on, document_item
from runtime.operations.review_pages import review_page, waiting_causes
from runtime.operations.standing import standing
from runtime.temporal.starting import TemporalStarter

PARKED = 300
CACHED = 20
"""Workflows that the worker remembers: nearly all of the parked ones are evicted."""
QUIET = 5.0
"""Seconds that are looked at."""
RENEWING = frozenset(
    {
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
        EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED,
        EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED,
        EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
        EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT,  # on a machine that is busy
        EventType.EVENT_TYPE_TIMER_STARTED,
        EventType.EVENT_TYPE_TIMER_FIRED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW,
    }
)
"""What a run that was renewed, and has not been decided about, leaves in its history."""


@dataclasses.dataclass(frozen=True)
class Length:
    """Of the newest run of a workflow."""

    run_id: str
    events: int
    waits: bool
    """For a worker."""


async def lengths(client: Client, ids: list[str]) -> dict[str, Length]:
    """By workflow id."""
    room = asyncio.Semaphore(50)

    async def length(document_id: str) -> tuple[str, Length]:
        workflow_id = names.order_to_journal_id("bc-us", document_id)
        async with room:
            described = await client.get_workflow_handle(workflow_id).describe()
        waits = described.raw_description.HasField("pending_workflow_task")
        return workflow_id, Length(described.run_id, described.history_length, waits)

    return dict(await asyncio.gather(*map(length, ids)))


async def at_rest(client: Client, ids: list[str]) -> dict[str, Length]:
    """Waits until each has had its only workflow task: started, scheduled, begun, completed, and a timer.

    There are more events where a worker on a busy machine was too late with it, and was given it again.
    """

    async def resting() -> dict[str, Length] | None:
        found = await lengths(client, ids)
        return found if all(one.events >= 5 and not one.waits for one in found.values()) else None

    found: dict[str, Length] = await eventually(resting, "all are parked")
    return found


@contextmanager
def counting_statements() -> Iterator[list[str]]:
    """Every statement that any store in this process sends meanwhile."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def small_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    real = runtime.worker.Worker

    def worker(*given: Any, **options: Any) -> Any:
        if "max_cached_workflows" in options:
            options["max_cached_workflows"] = CACHED
        return real(*given, **options)

    monkeypatch.setattr(runtime.worker, "Worker", worker)


async def test_parked_documents_leave_no_event_make_no_call_and_ask_the_store_nothing(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_cache(monkeypatch)
    ids = await park_directly(stack, PARKED)
    async with stack.worker():
        before = await at_rest(stack.temporal, ids)
        calls = stack.fusion.calls.total + stack.shops.calls.total
        with counting_statements() as statements:
            await asyncio.sleep(QUIET)
        assert await lengths(stack.temporal, ids) == before
        assert stack.fusion.calls.total + stack.shops.calls.total == calls
        # The worker's own few, whatever is parked: not one of them is about a document.
        about_documents = [one for one in statements if "documents" in one or "postings" in one]
        assert about_documents == []
        assert len(statements) < PARKED / 10

        # One that was evicted long ago still takes a decision.
        row = await stack.parts.store.documents.get("bc-us", "order", ids[0])
        assert row is not None
        item = document_item(row)
        await decide(stack.temporal, item, decision_on(item, "skip", who="dana", why="a gift"), patience=LONG)
        assert (await stack.result(int(ids[0]))).state is State.SKIPPED


async def test_a_parked_document_renews_itself_and_takes_decisions_ever_after(stack: Stack) -> None:
    client = await hurried(stack)
    parts = dataclasses.replace(stack.parts, temporal=client, starter=TemporalStarter(client))
    quick = dataclasses.replace(stack, temporal=client, parts=parts)
    with patched(workflows.review, RENEWAL=dt.timedelta(seconds=2)):
        (document_id,) = await park_directly(quick, 1)
        async with quick.worker():
            handle = client.get_workflow_handle(names.order_to_journal_id("bc-us", document_id))
            first = (await handle.describe()).run_id

            async def renewed() -> bool:
                events = (await handle.fetch_history()).events
                started = events[0].workflow_execution_started_event_attributes
                if started.first_execution_run_id != first or started.continued_execution_run_id in ("", first):
                    return False
                # A renewal is this and nothing else: no activity, no search attribute, no call.
                assert {event.event_type for event in events} <= RENEWING
                return True

            await eventually(renewed, "it has been renewed twice")
            row = await stack.parts.store.documents.get("bc-us", "order", document_id)
            assert row is not None
            item = document_item(row)
            # A run that is just being renewed sends it back, which is asked again.
            await decide(client, item, decision_on(item, "skip", who="dana", why="a gift"), patience=LONG)
            assert (await quick.result(int(document_id))).state is State.SKIPPED
    assert stack.shops.calls.total == 0


async def test_a_long_list_begins_with_its_causes_and_is_read_page_by_page(stack: Stack) -> None:
    ids = await park_directly(stack, 45)
    store = stack.parts.store
    row = await store.documents.get("bc-us", "order", ids[0])
    assert row is not None
    refused = row.problems[0].model_copy(update={"code": "vendor_404", "sentence": 'It says "code": "no_books".'})
    await store.documents.settle(row.model_copy(update={"problems": (refused, *row.problems)}))

    listed = (await typed_beside(stack)("review", "list")).stdout
    assert "45 in review" in listed
    assert "page 1 of 3; go on with --page 2" in listed
    causes = await waiting_causes(store, stack.configuration)
    assert [(one.code, one.count) for one in causes] == [("unmapped_account", 44), ("vendor_404", 1)]
    assert causes[0].cause.actor == "finance"

    pages = [await review_page(store, stack.configuration, number=number) for number in (1, 2, 3)]
    assert [len(page.items) for page in pages] == [20, 20, 5]
    assert sorted(item.document_id for page in pages for item in page.items) == ids

    for code, count in (("unmapped_account", 45), ("vendor_404", 1), ("vendor_*", 1), ("no_books", 0)):
        found = json.loads((await typed_beside(stack)("review", "list", "--code", code, "--json")).stdout)
        assert len(found) == count, code
    (one,) = json.loads((await typed_beside(stack)("review", "list", "--code", "vendor_*", "--json")).stdout)
    assert [cause["code"] for cause in one["causes"]] == ["vendor_*", "unmapped_account"]
    counted = json.loads((await typed_beside(stack)("review", "list", "--by-cause", "--json")).stdout)
    assert [(entry["code"], entry["count"]) for entry in counted] == [("unmapped_account", 44), ("vendor_404", 1)]


async def test_ten_thousand_reviews_are_counted_and_paged_in_no_time(stack: Stack) -> None:
    """The rows alone; nobody reads ten thousand of them to show twenty."""
    (document_id,) = await park_directly(stack, 1)
    store = stack.parts.store
    row = await store.documents.get("bc-us", "order", document_id)
    assert row is not None
    many = [row.model_copy(update={"id": f"{number}"}) for number in range(10_000)]
    await asyncio.gather(*map(store.documents.settle, many))
    took: list[float] = []
    for _ in range(5):  # what takes long by itself does so every time
        began = time.perf_counter()
        page = await review_page(store, stack.configuration, number=251)
        causes = await waiting_causes(store, stack.configuration)
        stands = await standing(store, stack.configuration, None, since=row.at, now=row.at)
        took.append(time.perf_counter() - began)
    assert min(took) < 2, took
    assert (page.total, page.pages, len(page.items)) == (10_001, 501, 20)
    assert [(one.code, one.count) for one in causes] == [("unmapped_account", 10_001)]
    assert sum(count.count for one in stands.integrations for count in one.documents) == 10_001
