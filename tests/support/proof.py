"""What must hold whatever went wrong: one journal an order by the twin's own books, nothing left behind."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from support.stack import PATIENCE, Stack, eventually, journals_of
from temporalio.client import WorkflowQueryFailedError
from temporalio.service import RPCError

from contracts import names
from contracts.flow import Decided, Decision, FlowState, State
from sandbox.bigcommerce import US_SHOP, Draft, Shape, draft
from sandbox.fusion.demo_world import SOURCE, US_LEDGER
from store.rows import GroupState

CLEARANCE = "101-120-41400-1000"
"""Revenue account of the category "Clearance", which no other basket uses."""
SEND: dict[str, Any] = {"method": "POST", "path": "/erpintegrations", "body": "importBulkData"}
"""The request that sends a group, for hooks."""


def ordinary(seed: int = 0) -> Draft:
    return draft(Shape.ORDINARY, US_SHOP, seed=seed)


def clearance(seed: int = 0) -> Draft:
    """A basket whose journal carries `CLEARANCE`."""
    return draft(Shape.ORDINARY, US_SHOP, seed=seed, categories=["Clearance"])


async def sell(stack: Stack, *baskets: Draft) -> list[int]:
    """Places the orders and announces each."""
    orders = [stack.shop().place(basket).id for basket in baskets]
    for order_id in orders:
        await stack.announce(order_id)
    return orders


async def posted(stack: Stack, orders: Iterable[int], *, patience: float = PATIENCE) -> None:
    """Waits until every order's run has ended as posted, then holds the twin's books against the shop."""
    expected = list(orders)

    async def known() -> bool:
        for order_id in expected:
            document = await stack.parts.store.documents.get("bc-us", "order", str(order_id))
            if document is None or document.state is not State.POSTED:
                return False
        return True

    await eventually(known, f"orders {expected[:5]} ({len(expected)}) are posted", patience=patience)
    booked_once(stack, expected)


def booked_once(stack: Stack, orders: Iterable[int]) -> None:
    """Exactly one posted journal an order, of the order's total, by the twin's own books."""
    truth = stack.shop().truth()
    for order_id in orders:
        journals = journals_of(stack.fusion, order_id)
        assert [one.batch.status for one in journals] == ["P"], f"order {order_id}"
        assert journals[0].total("entered_dr") == journals[0].total("entered_cr") == truth[order_id].total


def no_journal_twice(stack: Stack) -> None:
    count = Counter(one.given_name for one in stack.fusion.journals())
    assert not {name: times for name, times in count.items() if times > 1}


def nothing_left(stack: Stack) -> None:
    """No row waits in Fusion's interface, where a person could import it."""
    assert stack.fusion.interface() == []


async def nothing_in_review(stack: Stack) -> None:
    assert await stack.parts.store.documents.review_list() == ()
    groups = await stack.parts.store.groups.open_groups("fusion", US_LEDGER, SOURCE)
    assert [group for group in groups if group.state is GroupState.REVIEW] == []


async def books_are_right(stack: Stack) -> None:
    """Nothing twice, nothing left, nobody asked."""
    no_journal_twice(stack)
    nothing_left(stack)
    await nothing_in_review(stack)


def group_ids(stack: Stack) -> list[int]:
    """Group ids of all imports that the twin was asked for, in order."""
    return [int(one.parameters[3]) for one in stack.fusion.requests() if one.name == "Import Journals"]


async def group_in_review(stack: Stack, code: str, *, group_id: int | None = None) -> tuple[str, FlowState]:
    """Waits until a group (any, or the one named) needs a person because of `code`: its workflow id and state."""

    async def parked() -> tuple[str, FlowState] | None:
        for group in await stack.parts.store.groups.open_groups("fusion", US_LEDGER, SOURCE):
            if group.state is not GroupState.REVIEW or group_id not in (None, group.group_id):
                continue
            workflow_id = names.journal_import_id("fusion", US_LEDGER, group.group_id)
            try:
                standing = await stack.temporal.get_workflow_handle(workflow_id).query(
                    names.STATE, result_type=FlowState
                )
            except (RPCError, WorkflowQueryFailedError):
                continue
            if standing.state is State.NEEDS_REVIEW:
                return workflow_id, standing
        return None

    found: tuple[str, FlowState] = await eventually(parked, f"a group is in review: {code}")
    assert [problem.code for problem in found[1].problems] == [code]
    return found


async def retry(stack: Stack, workflow_id: str) -> None:
    """A person has looked, and says: again."""
    decision = Decision(id=f"retry-{workflow_id}", kind="retry", who="dana", why="looked in Fusion")

    async def taken() -> bool:
        try:
            await stack.temporal.get_workflow_handle(workflow_id).execute_update(
                names.DECIDE, decision, id=decision.id, result_type=Decided
            )
        except RPCError:
            # Between two runs there is a moment when nobody takes an update.
            return False
        return True

    await eventually(taken, f"{workflow_id} takes the decision")
