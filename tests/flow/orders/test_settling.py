"""An order's row says what is so, however its own step and the import of its journal race."""

from typing import Any

import pytest
from support.proof import ordinary, posted, sell
from support.stack import FAST, Stack, eventually, open_stack
from temporalio import activity

from contracts.flow import State
from contracts.journal import FateKind
from runtime.temporal.devserver import DevServer
from store.rows import DocumentRow

TRIES = 3
"""Orders that are tried: a step that a machine holds up for longer than it may take is begun anew, and that is another
story."""


async def test_an_order_that_is_posted_before_its_row_says_that_it_waits_ends_as_posted(
    temporal_server: DevServer, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_stack(temporal_server, tmp_path_factory.mktemp("late"), imports=FAST) as stack, stack.worker():
        attempts: list[int] = []
        for number in range(TRIES):
            held = stack.shop().place(ordinary(2 * number)).id
            with monkeypatch.context() as patched:
                patched.setattr(stack.parts.store.documents, "settle", _settles_late(stack, held, attempts))
                await stack.announce(held)
                await eventually(lambda held=held: _fate(stack, held, staged=True), f"order {held} is staged")
                # Its group is sealed, imported and posted for another order, while its own step stands still.
                await posted(stack, [*await sell(stack, ordinary(2 * number + 1)), held])
            if attempts == [1]:
                return
            attempts.clear()
        raise AssertionError(f"no step of {TRIES} was over in time")


def _settles_late(stack: Stack, order_id: int, attempts: list[int]) -> Any:
    settle = stack.parts.store.documents.settle

    async def late(row: DocumentRow, **more: Any) -> None:
        if row.id == str(order_id) and row.state is State.WAITING_IMPORT:
            await eventually(lambda: _fate(stack, order_id), f"the journal of order {order_id} is posted")
            await settle(row, **more)
            attempts.append(activity.info().attempt)
        else:
            await settle(row, **more)

    return late


async def _fate(stack: Stack, order_id: int, *, staged: bool = False) -> bool:
    """Whether the order's journal is posted, or has come as far as the outbox."""
    journals = stack.parts.store.journals
    found = await journals.postings_of("bc-us", "order", str(order_id))
    if staged or not found:
        return bool(found)
    fate = await journals.fate(found[0].reference)
    return fate is not None and fate.kind is FateKind.POSTED
