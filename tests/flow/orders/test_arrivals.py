"""An order's row says what is so, however its own step and the import of its journal race."""

from typing import Any

import pytest
from support.proof import ordinary, posted, sell
from support.stack import FAST, Stack, eventually, open_stack

from contracts.flow import State
from contracts.journal import FateKind
from runtime.temporal.devserver import DevServer
from store.rows import DocumentRow


async def test_an_order_that_is_posted_before_its_row_says_that_it_waits_ends_as_posted(
    temporal_server: DevServer, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_stack(temporal_server, tmp_path_factory.mktemp("late"), imports=FAST) as stack, stack.worker():
        held = stack.shop().place(ordinary(1)).id
        late = _settles_late(stack, held)
        monkeypatch.setattr(stack.parts.store.documents, "settle", late)
        await stack.announce(held)
        await eventually(lambda: _fate(stack, held, staged=True), f"order {held} is staged")
        # Its group is sealed, imported and posted because of another order, while its own step stands still.
        await posted(stack, [*await sell(stack, ordinary(2)), held])


def _settles_late(stack: Stack, order_id: int) -> Any:
    settle = stack.parts.store.documents.settle

    async def late(row: DocumentRow, **more: Any) -> None:
        if row.id == str(order_id) and row.state is State.WAITING_IMPORT:
            await eventually(lambda: _fate(stack, order_id), f"the journal of order {order_id} is posted")
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
