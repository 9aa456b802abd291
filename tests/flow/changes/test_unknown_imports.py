"""Sent, and nobody knows what became of it: nothing is sent again because nothing was found."""

import datetime as dt
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
from support.imports import importing_stack
from support.proof import (
    SEND,
    books_are_right,
    group_ids,
    group_in_review,
    ordinary,
    posted,
    retry,
    sell,
)
from support.stack import Stack, eventually, journals_of
from temporalio.client import WorkflowQueryFailedError
from temporalio.service import RPCError

from activities.journals.importing import LOOKED
from contracts import names
from contracts.flow import FlowState, State
from runtime.temporal.devserver import DevServer
from sandbox.fusion.demo_world import SOURCE, US_LEDGER
from sandbox.kit import Exchange

IMPORT: Final[dict[str, Any]] = {"method": "POST", "path": "/erpintegrations"}
LIMIT: Final = 10.0
"""Seconds an import may stay unknown before a person is asked."""
DEADLINE: Final = 2.0
SETTLE: Final = 1.0


@pytest.fixture(scope="module")
async def stack(temporal_server: DevServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    async with importing_stack(
        temporal_server,
        tmp_path_factory.mktemp("unknown"),
        deadline=DEADLINE,
        settle=SETTLE,
        fusion={"status_interval": 0.2},
        imports={"unknown_limit": LIMIT / 3600},
    ) as opened:
        yield opened


@pytest.fixture(autouse=True)
async def right_afterwards(stack: Stack) -> AsyncIterator[None]:
    yield
    stack.fusion.faults.clear()
    stack.fusion.hooks.clear()
    await books_are_right(stack)


class Sends:
    """When groups were sent, by the twin's clock."""

    def __init__(self, stack: Stack) -> None:
        self.at: list[dt.datetime] = []
        stack.fusion.hooks.on("received", self._note, times=None, **SEND)

    async def _note(self, exchange: Exchange) -> None:
        self.at.append(exchange.at)


async def _in_doubt(stack: Stack) -> int:
    """Waits until an import of the ledger is in doubt; its group id."""

    async def doubtful() -> int | None:
        for group in await stack.parts.store.groups.open_groups("fusion", US_LEDGER, SOURCE):
            handle = stack.temporal.get_workflow_handle(names.journal_import_id("fusion", US_LEDGER, group.group_id))
            try:
                standing = await handle.query(names.STATE, result_type=FlowState)
            except (RPCError, WorkflowQueryFailedError):  # not started yet
                continue
            if standing.state is State.IN_DOUBT:
                return group.group_id
        return None

    group_id: int = await eventually(doubtful, "an import is in doubt")
    return group_id


async def _looked_for_in_vain(stack: Stack, group_id: int) -> None:
    async def looked() -> bool:
        return LOOKED in (await stack.parts.store.groups.group(group_id)).evidence

    await eventually(looked, f"Fusion was asked for group {group_id} and has nothing of it")


async def _group_of(stack: Stack, order_id: int) -> int:
    """The group that carries the order's journal now."""
    (posting,) = await stack.parts.store.journals.postings_of("bc-us", "order", str(order_id))
    return posting.group_id or 0


async def test_a_group_that_is_never_found_waits_for_a_person_and_goes_to_a_new_group(stack: Stack) -> None:
    stack.fusion.faults.set("cut", count=1, **IMPORT)
    sends = Sends(stack)
    orders = await sell(stack, ordinary())
    workflow_id, standing = await group_in_review(stack, "import_unknown")
    lost = await _group_of(stack, orders[0])
    assert workflow_id == names.journal_import_id("fusion", US_LEDGER, lost)
    assert len(sends.at) == 1
    assert journals_of(stack.fusion, orders[0]) == []
    assert f"group {lost}" in standing.problems[0].sentence
    # Another order is not held up by it.
    others = await sell(stack, ordinary(1))
    await posted(stack, others)
    await retry(stack, workflow_id)
    await posted(stack, orders)
    assert len(sends.at) == 3
    assert lost not in group_ids(stack)
    assert await _group_of(stack, orders[0]) > lost


async def test_a_commit_that_comes_late_but_before_the_limit_is_adopted(
    temporal_server: DevServer, tmp_path: Path
) -> None:
    opening = importing_stack(
        temporal_server,
        tmp_path,
        deadline=DEADLINE,
        settle=SETTLE,
        fusion={"status_interval": 0.2},
        imports={"unknown_limit": 1.0},
    )
    async with opening as stack:
        sends = Sends(stack)
        late = stack.fusion.hooks.hold("received", **SEND)
        orders = await sell(stack, ordinary(2))
        await late.reached()
        group_id = await _group_of(stack, orders[0])
        await _looked_for_in_vain(stack, group_id)
        assert await _in_doubt(stack) == group_id
        late.release()
        await posted(stack, orders)
        assert len(sends.at) == 1
        assert group_ids(stack) == [group_id]
        await books_are_right(stack)


async def test_a_commit_that_comes_after_the_limit_is_found_by_a_persons_retry_and_not_sent_again(
    stack: Stack,
) -> None:
    sends = Sends(stack)
    late = stack.fusion.hooks.hold("received", **SEND)
    orders = await sell(stack, ordinary(3))
    workflow_id, _ = await group_in_review(stack, "import_unknown")
    late.release()
    await eventually(lambda: journals_of(stack.fusion, orders[0]), "Fusion has committed after all")
    await retry(stack, workflow_id)
    await posted(stack, orders)
    assert len(sends.at) == 1


async def test_what_fusion_answered_with_an_error_is_sent_again_only_after_the_proof(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups, lease = stack.parts.store.groups, stack.parts.store.groups.lease
    leases: list[dt.datetime] = []

    async def noted(*given: Any, until: dt.datetime, **more: Any) -> Any:
        leases.append(until)
        return await lease(*given, until=until, **more)

    monkeypatch.setattr(groups, "lease", noted)
    stack.fusion.faults.set("error", status=500, count=1, **IMPORT)
    sends = Sends(stack)
    orders = await sell(stack, ordinary(4))
    await posted(stack, orders)
    first, second = sends.at
    ended = max(until for until in leases if until <= first + dt.timedelta(seconds=DEADLINE))
    assert second - max(first, ended) >= dt.timedelta(seconds=2 * SETTLE)


@pytest.mark.parametrize("status", [500, 503])
async def test_what_fusion_answered_with_an_error_and_did_all_the_same_is_adopted(stack: Stack, status: int) -> None:
    stack.fusion.faults.set("error_after", status=status, count=1, **IMPORT)
    sends = Sends(stack)
    orders = await sell(stack, ordinary(5))
    await posted(stack, orders)
    assert len(sends.at) == 1


async def test_an_error_whose_commit_is_shown_only_late_is_adopted_and_not_sent_again(stack: Stack) -> None:
    stack.fusion.faults.set("error_after", status=500, count=1, **IMPORT)
    stack.fusion.faults.set("late_requests", seconds=1.5 * SETTLE, count=1, path="^Import Journals$")
    sends = Sends(stack)
    orders = await sell(stack, ordinary(6))
    await posted(stack, orders)
    assert len(sends.at) == 1
