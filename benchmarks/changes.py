"""What a refund and an edit cost beside the order they change: billed actions, history events, calls to both vendors.

So many orders are posted together, then all are edited together, then each gets a refund of a piece; every document is
announced once. A round before that is not counted: it pays for what is looked up once for all of them.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.arrivals import quiet
from benchmarks.counting import bills
from benchmarks.figures import Figure, at_most
from contracts import names
from contracts.flow import State
from sandbox.bigcommerce import US_SHOP, Shape, StoreSettings, draft
from tests.support.refunds import announce_refund, journals_of_refund, refund_result
from tests.support.stack import Stack, journals_of, open_stack, standing_total
from tests.support.topology import TemporalServer

DOCUMENTS: Final = 40
LONGEST: Final = 60.0
"""Seconds until a group would be sealed without being full."""
ORDER, EDIT, REFUND = "order", "edit", "refund"
OWN_READS: Final = 1
"""BigCommerce: a refund is read with all that is read of an order, and costs one read more: the list of that order's
refunds, itself among them."""


@dataclass(frozen=True)
class Cost:
    """Of one document."""

    actions: float
    """In its own runs."""
    events: float
    shared_actions: float
    """Its share of what carries its journal: of the group and of the import, which is asked after as time goes by."""
    fusion_calls: float
    shop_calls: float

    def over(self, before: "Cost", documents: int) -> "Cost":
        """What was added to `before`, a document."""
        return Cost(
            (self.actions - before.actions) / documents,
            (self.events - before.events) / documents,
            (self.shared_actions - before.shared_actions) / documents,
            (self.fusion_calls - before.fusion_calls) / documents,
            (self.shop_calls - before.shop_calls) / documents,
        )


async def measure(server: TemporalServer, directory: Path, *, documents: int = DOCUMENTS) -> dict[str, Cost]:
    """By kind of document. Raises `AssertionError` when one is not posted."""
    pace = {"flush_after": LONGEST, "flush_count": documents, "quiet_period": 1.0, "reread_after": 3600.0}
    stores = (StoreSettings(US_SHOP, requests_per_window=1_000_000),)
    async with open_stack(server, directory, imports=pace, stores=stores) as stack, stack.worker():
        await _round(stack, documents, 0)
        return await _round(stack, documents, documents)


async def _round(stack: Stack, documents: int, seed: int) -> dict[str, Cost]:
    shop = stack.shop()
    orders = [
        shop.place(draft(Shape.ORDINARY, US_SHOP, seed=seed + number), quiet=True).id for number in range(documents)
    ]
    costs: dict[str, Cost] = {}

    async def counted(kind: str, work: Callable[[], Awaitable[None]]) -> None:
        before = await _spent(stack)
        await work()
        await quiet(stack)
        costs[kind] = (await _spent(stack)).over(before, documents)

    async def edit() -> None:
        for order_id in orders:
            line = shop.order(order_id).lines[0]
            shop.edit_line(order_id, line.id, quantity=line.item.quantity + 1)
        await _orders(stack, orders)
        assert all(len(journals_of(stack.fusion, one)) == 2 for one in orders)

    async def give_back() -> None:
        refunds = [shop.refund(one, shop.order(one).lines[0].id, 1).id for one in orders]
        for order_id, refund_id in zip(orders, refunds, strict=True):
            await announce_refund(stack, refund_id, order_id=order_id)
        for refund_id in refunds:
            result = await refund_result(stack, refund_id)
            assert result.state is State.POSTED, result.sentence
            assert len(journals_of_refund(stack, refund_id)) == 1

    await counted(ORDER, lambda: _orders(stack, orders))
    await counted(EDIT, edit)
    await counted(REFUND, give_back)
    return costs


async def _orders(stack: Stack, orders: Sequence[int]) -> None:
    """Announces each, and waits until the ledger shows all of them as the shop does."""
    for order_id in orders:
        await stack.announce(order_id)
    for order_id in orders:
        result = await stack.result(order_id)
        assert result.state is State.POSTED, result.sentence
        assert standing_total(stack.fusion, order_id) == stack.shop().truth()[order_id].total


async def _spent(stack: Stack) -> Cost:
    """By everything so far."""
    found = await bills(stack.temporal)
    own = [found[kind] for kind in names.FLOWS.values() if kind in found]
    actions = sum(bill.total for bill in own)
    return Cost(
        actions=actions,
        events=sum(bill.events for bill in own),
        shared_actions=sum(bill.total for bill in found.values()) - actions,
        fusion_calls=len(list(stack.fusion.calls)),
        shop_calls=len(list(stack.shops.calls)),
    )


def figures(costs: dict[str, Cost]) -> list[Figure]:
    order = costs[ORDER]
    found: list[Figure] = []
    for kind in (EDIT, REFUND):
        cost = costs[kind]
        # The goal is what an order costs. A refund misses it by its `OWN_READS`, and nothing hides that here.
        found += [
            at_most(f"billed Temporal actions of its own: {kind}", cost.actions, order.actions),
            at_most(f"history events of its own: {kind}", cost.events, order.events),
            at_most(f"Fusion calls, its share of a group of all: {kind}", cost.fusion_calls, order.fusion_calls),
            at_most(f"calls to the shop: {kind}", cost.shop_calls, order.shop_calls),
        ]
    return found


def describe(costs: dict[str, Cost]) -> str:
    return "\n".join(f"  {kind}: {cost}" for kind, cost in costs.items())


async def run(server: TemporalServer, *, documents: int = DOCUMENTS) -> tuple[list[Figure], str]:
    with TemporaryDirectory() as directory:
        costs = await measure(server, Path(directory), documents=documents)
    return figures(costs), describe(costs)
