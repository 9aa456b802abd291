"""Fusion refuses: one bad journal never takes its neighbours along, and every refusal has its true cause."""

import asyncio
import datetime as dt
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from replay.stage import patched, with_integration
from support.imports import HELD, importing_stack
from support.proof import (
    CLEARANCE,
    SEND,
    booked_once,
    books_are_right,
    clearance,
    group_ids,
    group_in_review,
    no_journal_twice,
    nothing_in_review,
    nothing_left,
    ordinary,
    posted,
    retry,
    sell,
)
from support.stack import Stack, eventually, journals_of

import activities.journals.outcome
from contracts.configuration import BigCommerceConnection, Configuration
from contracts.flow import State
from runtime.temporal.devserver import DevServer
from sandbox.fusion.demo_world import US_LEDGER
from sandbox.kit import Exchange

TOGETHER: Final = 15.0
"""Seconds within which orders that are announced together have come as far as the outbox, on a slow machine too."""
Open = Callable[..., AbstractAsyncContextManager[Stack]]


@pytest.fixture
def opened(temporal_server: DevServer, tmp_path: Path) -> Open:
    """Opens a quick stack with its worker; the arguments change the Fusion connection and the import policy."""

    @asynccontextmanager
    async def opening(
        *, posting: dict[str, Any] | None = None, fusion: dict[str, Any] | None = None, **imports: Any
    ) -> AsyncIterator[Stack]:
        def adjust(configuration: Configuration) -> Configuration:
            if posting:
                policy = configuration.integration("shop-us").posting.model_copy(update=posting)
                configuration = with_integration(configuration, "shop-us", posting=policy)
            return _without_quota(configuration)

        settings = {"status_interval": 0.1, **(fusion or {})}
        async with importing_stack(
            temporal_server, tmp_path, deadline=HELD, settle=0.5, fusion=settings, imports=imports, adjust=adjust
        ) as stack:
            yield stack

    return opening


def _without_quota(configuration: Configuration) -> Configuration:
    return configuration.model_copy(
        update={
            "connections": tuple(
                one.model_copy(update={"requests_per_window": 100_000})
                if isinstance(one, BigCommerceConnection)
                else one
                for one in configuration.connections
            )
        }
    )


async def test_one_bad_journal_in_a_group_of_500_stops_no_neighbour(opened: Open) -> None:
    # The first do not look at the shop again while the last are still to be read: a slow machine would never be done.
    async with opened(flush_count=500, flush_after=3600.0, reread_after=3600.0) as stack:
        stack.fusion.set_account(CLEARANCE, import_refuses="EF04")
        baskets = [ordinary(seed) for seed in range(499)]
        shop = stack.shop()
        good = [shop.place(basket, quiet=True).id for basket in baskets]
        bad = shop.place(clearance(), quiet=True).id
        await asyncio.gather(*(stack.announce(order_id) for order_id in (*good, bad)))
        standing = await _in_review(stack, bad, patience=420)
        assert [problem.code for problem in standing] == ["refused_by_fusion"]
        assert f"/order/{bad}/" in standing[0].sentence
        assert "EF04" in standing[0].sentence
        assert CLEARANCE in standing[0].sentence
        refused = group_ids(stack)[0]
        assert len(await stack.parts.store.groups.members(refused)) == 500
        # The neighbours fill the next group with one more order; nobody had to wait for the hour to pass.
        good += await sell(stack, ordinary(500))
        await posted(stack, good, patience=420)
        assert len(group_ids(stack)) == 2
        assert journals_of(stack.fusion, bad) == []
        assert [row.id for row in await stack.parts.store.documents.review_list()] == [str(bad)]
        nothing_left(stack)
        no_journal_twice(stack)


async def _in_review(stack: Stack, order_id: int, *, patience: float = 180.0) -> Any:
    async def parked() -> Any:
        rows = await stack.parts.store.documents.review_list()
        return next((row.problems for row in rows if row.id == str(order_id) and row.problems), None)

    return await eventually(parked, f"order {order_id} is in review", patience=patience)


async def test_a_refusal_that_names_no_journal_is_found_by_halving(opened: Open) -> None:
    async with opened(flush_after=TOGETHER, flush_count=6) as stack:
        stack.fusion.set_account(CLEARANCE, import_refuses="EF03")
        _silence(stack, keep_key=True)
        orders = await sell(stack, *(ordinary(seed) for seed in range(5)), clearance())
        bad = orders.pop()
        problems = await _in_review(stack, bad)
        assert "EF03" in problems[0].sentence
        await posted(stack, orders)
        sizes = [len(await stack.parts.store.groups.members(one)) for one in group_ids(stack)]
        assert sizes[0] == 6
        assert sizes[1] <= 3
        assert 1 in sizes[2:]
        assert journals_of(stack.fusion, bad) == []
        nothing_left(stack)
        no_journal_twice(stack)


def _silence(stack: Stack, *, keep_key: bool) -> None:
    """The import's report names no journal; with `keep_key` it still says which error there was."""

    async def forget(exchange: Exchange) -> None:
        for request in stack.fusion.requests():
            if request.output and "EF03" in request.output:
                request.output = "Error Key\n\nEF03   This account is disabled.\n\nErrors: EF03\n" if keep_key else ""
            elif request.output and not keep_key:
                request.output = ""

    stack.fusion.hooks.on("received", forget, method="GET", path="/erpintegrations", times=None)


async def test_a_job_that_warns_without_a_word_needs_a_person_whose_retry_posts_once(opened: Open) -> None:
    async with opened() as stack:
        with patched(activities.journals.outcome, PATIENCE=1):
            stack.fusion.set_account(CLEARANCE, import_refuses="EF03")
            stack.fusion.world.habits.purge_option = True
            _silence(stack, keep_key=False)
            orders = await sell(stack, ordinary(), clearance())
            workflow_id, _ = await group_in_review(stack, "import_unexplained")
            assert stack.fusion.journals() == []
            stack.fusion.set_account(CLEARANCE, import_refuses=None)
            stack.fusion.hooks.clear()
            await retry(stack, workflow_id)
            await posted(stack, orders)
        await books_are_right(stack)


def _close_before_import(stack: Stack) -> str:
    """The present period closes when the group arrives; the one after it is open. Returns the latter's name."""
    ledger = stack.fusion.world.ledger(US_LEDGER)
    today = dt.datetime.now(ZoneInfo(stack.shop().profile.timezone)).date()
    coming: list[str] = [one.name for one in ledger.periods if one.ends >= today and not one.adjustment]
    present, following = coming[:2]
    stack.fusion.set_period(US_LEDGER, following, "O")

    async def close(exchange: Exchange) -> None:
        stack.fusion.set_period(US_LEDGER, present, "C")

    stack.fusion.hooks.on("received", close, **SEND)
    return following


async def test_a_period_closed_between_staging_and_import_moves_the_journal_and_lists_it(opened: Open) -> None:
    async with opened(posting={"late_days": 60}) as stack:
        following = _close_before_import(stack)
        orders = await sell(stack, ordinary())
        await posted(stack, orders)
        (journal,) = journals_of(stack.fusion, orders[0])
        assert journal.period == following
        content = await stack.parts.store.journals.content(journal.given_name)
        assert content is not None
        assert content.date_moved
        assert "moved" in content.date_reason
        await nothing_in_review(stack)
        nothing_left(stack)


async def test_beyond_late_days_a_closed_period_needs_a_person(opened: Open) -> None:
    async with opened(posting={"late_days": 0}) as stack:
        _close_before_import(stack)
        (order_id,) = await sell(stack, ordinary())
        problems = await _in_review(stack, order_id)
        assert [one.code for one in problems] == ["period_closed"]
        assert stack.fusion.journals() == []
        nothing_left(stack)


@pytest.mark.parametrize("pod_purges", [True, False], ids=["by the pod", "by our job"])
async def test_refused_rows_are_purged(opened: Open, pod_purges: bool) -> None:
    options = f"InterfaceDetails=15,ImportOption=Y,PurgeOption={'Y' if pod_purges else 'N'},ExtractFileType=ALL"
    async with opened(fusion={"job_options": options}) as stack:
        stack.fusion.world.habits.purge_option = pod_purges
        stack.fusion.set_account(CLEARANCE, import_refuses="EF04")
        left: list[int] = []

        async def count(exchange: Exchange) -> None:
            left.append(len(stack.fusion.interface()))

        stack.fusion.hooks.on("received", count, method="POST", path="/erpintegrations", body="JournalImportDelete")
        good, bad = await sell(stack, ordinary(), clearance())
        await _in_review(stack, bad)
        await posted(stack, [good])
        assert all(rows == 0 for rows in left) if pod_purges else left[0] > 0
        nothing_left(stack)
        no_journal_twice(stack)


async def test_where_the_pod_posts_nothing_by_itself_our_job_does(opened: Open) -> None:
    async with opened(fusion={"posting": "job"}) as stack:
        stack.fusion.world.habits.autopost = False
        orders = await sell(stack, ordinary(), ordinary(1))
        await posted(stack, orders)
        await nothing_in_review(stack)
        nothing_left(stack)


async def test_pods_that_differ_in_names_parameters_and_jobs_are_served_alike(opened: Open) -> None:
    parameters = "{ledger_id},{source_id},{data_access_set_id},{group_id},N,N,N"
    async with opened(fusion={"parameters": parameters}) as stack:
        habits = stack.fusion.world.habits
        habits.parameter_order = "ledger_first"
        differences = (
            ("decorated_names", False),
            ("header_ids", False),
            ("status_case", "title"),
            ("loader_is_parent", True),
            ("report_in_parent", True),
            ("child_warning_in_parent", True),
        )
        for seed, (habit, value) in enumerate(differences):
            setattr(habits, habit, value)
            await posted(stack, await sell(stack, ordinary(seed)))
        await books_are_right(stack)


async def test_a_declined_job_is_sent_again_on_a_persons_word(opened: Open) -> None:
    async with opened() as stack:
        stack.fusion.faults.set("rejected_job", path="Import Journals", count=1)
        orders = await sell(stack, ordinary())
        workflow_id, standing = await group_in_review(stack, "vendor_-1")
        assert standing.problems[0].sentence
        await retry(stack, workflow_id)
        await posted(stack, orders)
        await nothing_in_review(stack)
        nothing_left(stack)


async def test_groups_are_sealed_by_count_and_by_age_and_never_imported_side_by_side(opened: Open) -> None:
    async with opened(flush_count=2, flush_after=TOGETHER) as stack:
        orders = await sell(stack, *(ordinary(seed) for seed in range(5)))
        await posted(stack, orders)
        sizes = [len(await stack.parts.store.groups.members(one)) for one in group_ids(stack)]
        assert sizes == [2, 2, 1]
        booked_once(stack, orders)
        runs = [one for one in stack.fusion.requests() if one.name == "Import Journals"]
        for earlier, later in itertools.pairwise(runs):
            assert earlier.ended is not None
            assert earlier.ended <= later.submitted
        no_journal_twice(stack)
        for order_id in orders:
            assert (await stack.result(order_id)).state is State.POSTED
