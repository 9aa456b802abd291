"""One run of one row: its documents, its chances, and what goes on beside it."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from crash.books import Books, Document, count
from crash.lane import SETTLED, Lane
from crash.report import Run, Verdict
from support.stack import eventually
from temporalio.client import WorkflowHandle, WorkflowQueryFailedError
from temporalio.service import RPCError, RPCStatusCode

from contracts import names
from contracts.flow import FlowState, State
from sandbox.bigcommerce import Shape, draft, statuses
from sandbox.bigcommerce.orders import NOT_EVERYDAY
from sandbox.bigcommerce.profiles import EU_SHOP, US_SHOP

QUERY: Final = timedelta(seconds=5)
"""How long a question to a workflow may take before it is asked again."""
RESTART: Final = 120.0
"""Seconds that a server may need to come back."""
AWAY: Final = (RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED)
"""How a server answers that is busy, or just started."""
EVERYDAY: Final = tuple(shape for shape in Shape if shape not in NOT_EVERYDAY)
PERMANENT: Final = frozenset({names.STORE_EPOCH})
"""Workflows that run as long as there is a store."""
SCHEDULER: Final = "-scheduler:"
"""In the ids of the workflows that stand for schedules."""
PROFILES: Final = {"bc-us": US_SHOP, "bc-eu": EU_SHOP}


async def _nothing() -> None:
    """No more than was arranged."""


@dataclass
class Scene:
    """The first seed is plain: one everyday order, struck once. Every other seed is another morning."""

    lane: Lane
    run: Run
    books: Books
    seed: int
    gentle: bool = False
    """Nothing happens to the documents besides the strike, whatever the seed."""
    documents: list[Document] = field(default_factory=list)
    harassed_for: float = 0.0
    """Seconds for which it goes on being struck, at most, after everything beside it has happened."""
    _harassing: list[asyncio.Task[Any]] = field(default_factory=list)
    go_on: Callable[[], Awaitable[None]] = _nothing
    """Arranges the same morning once more: the shop sells while things break."""
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    _at_close: list[Callable[[], None]] = field(default_factory=list)
    _beside: list[asyncio.Task[Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chance = self.chance_of("morning")

    def chance_of(self, what: str) -> random.Random:
        """Chances of its own for what goes on beside the morning: the same seed gives the same of each."""
        return random.Random(f"{self.run.posting}/{self.run.point}/{self.seed}/{what}")

    @property
    def plain(self) -> bool:
        return self.seed == 1

    @property
    def eventful(self) -> bool:
        return not self.plain and not self.gentle

    # Documents

    def place(
        self,
        connection: str = "bc-us",
        *,
        shape: Shape = Shape.ORDINARY,
        category: str = "",
        ends: State = State.POSTED,
        status_id: int = statuses.AWAITING_FULFILLMENT,
    ) -> Document:
        """A new order in the shop, which announces it where it has somebody to announce it to."""
        basket = draft(
            shape,
            PROFILES[connection],
            seed=self.chance.randrange(1_000_000),
            categories=[category] if category else None,
        )
        quiet = not self.lane.setting.gateways
        placed = self.lane.stack.shop(connection).place(basket, quiet=quiet, status_id=status_id)
        document = Document(connection, int(placed.id), ends)
        self.documents.append(document)
        return document

    async def announce(self, document: Document) -> None:
        """What a webhook leads to; where the setting has a gateway the shop has announced it itself."""
        if not self.lane.setting.gateways:
            await self.lane.stack.announce(document.number, document.connection)

    def edit_anyhow(self, document: Document) -> None:
        """The first line costs something else now, by chance."""
        self.edit(document, Decimal(self.chance.randint(500, 9999)) / 100)

    def edit(self, document: Document, price: Decimal) -> None:
        """The first line costs something else now."""
        shop = self.lane.stack.shop(document.connection)
        document.earlier.append(self.books.expected(shop.truth()[document.number]))
        shop.edit_line(document.number, shop.order(document.number).lines[0].id, unit_price=price)

    async def trigger(self, schedule: str) -> None:
        """Runs what is scheduled now; the schedule is there when the first worker has started."""
        handle = self.lane.stack.temporal.get_schedule_handle(schedule)

        async def triggered() -> bool:
            try:
                await handle.trigger()
            except RPCError as error:
                if error.status not in (RPCStatusCode.NOT_FOUND, *AWAY):
                    raise
                return False
            return True

        await eventually(triggered, f"the schedule {schedule} exists", patience=SETTLED)

    # Beside it

    def beside(self, work: Coroutine[Any, Any, None]) -> None:
        """Something that happens while the documents are on their way."""
        self._beside.append(asyncio.create_task(work))

    async def all_happened(self) -> None:
        """Everything beside it has happened, and the gateways have taken every announcement."""
        await asyncio.gather(*self._beside)
        if self.lane.setting.gateways:
            await self.acknowledged(self.documents)

    def harass(self, work: Coroutine[Any, Any, None], *, lasts: float) -> None:
        """Something that strikes again and again until it is told to stop."""
        self._harassing.append(asyncio.create_task(work))
        self.harassed_for = lasts

    async def leave_alone(self) -> None:
        """Nothing strikes any more."""
        await _cancel(self._harassing)

    def at_close(self, action: Callable[[], None]) -> None:
        """Done at the end, however the run ends."""
        self._at_close.append(action)

    async def close(self) -> None:
        await _cancel([*self._harassing, *self._beside])
        for action in self._at_close:
            action()

    # Where documents stand

    def workflow(self, document: Document) -> WorkflowHandle[Any, Any]:
        return self.lane.stack.temporal.get_workflow_handle(document.workflow_id)

    async def standing(self, workflow_id: str) -> FlowState | None:
        """Where its newest run stands; None when nobody can say at the moment.

        A worker that lost its workflow task to the clock in the middle of a local activity answers a question with a
        failure; the next one that is asked has replayed the run. One that cannot be replayed never ends, and is told.
        """
        handle = self.lane.stack.temporal.get_workflow_handle(workflow_id)
        try:
            async with asyncio.timeout(2 * QUERY.total_seconds()):
                return await handle.query(names.STATE, result_type=FlowState, rpc_timeout=QUERY)
        except (RPCError, WorkflowQueryFailedError, TimeoutError):
            return None

    async def is_in(self, state: State, document: Document) -> None:
        """Waits until the document's newest run stands there."""

        async def there() -> bool:
            found = await self.standing(document.workflow_id)
            return found is not None and found.state is state

        await eventually(there, f"{document} is {state}", patience=SETTLED)

    async def acknowledged(self, documents: Iterable[Document]) -> None:
        """Waits until the gateway has taken every delivery about these orders."""
        for connection in {one.connection for one in documents}:
            wanted = {one.number for one in documents if one.connection == connection}
            log = self.lane.store(connection).deliveries.log

            def all_delivered(wanted: set[int] = wanted, log: Any = log) -> bool:
                return {one.state for one in log if one.order_id in wanted} == {"delivered"}

            await eventually(all_delivered, f"every delivery of {connection} was acknowledged", patience=SETTLED)

    async def running(self, query: str = "") -> list[str]:
        """Ids of the workflows that run now, without those that always do."""
        wanted = 'ExecutionStatus="Running"' + (f" AND {query}" if query else "")
        return [one for one in await self._listed(wanted) if one not in PERMANENT and SCHEDULER not in one]

    async def completed(self) -> list[str]:
        """Ids of the workflows of which a run has ended by itself."""
        return await self._listed('ExecutionStatus="Completed"')

    async def _listed(self, query: str) -> list[str]:
        """A server that does not answer, as one that is started again, is asked once more for a while."""
        gives_up_at = asyncio.get_running_loop().time() + RESTART
        while True:
            try:
                return [one.id async for one in self.lane.stack.temporal.list_workflows(query, page_size=1000)]
            except RPCError:
                if asyncio.get_running_loop().time() > gives_up_at:
                    raise
                await asyncio.sleep(1.0)

    async def at_rest(self) -> None:
        """Waits until no workflow runs any more."""

        async def ended() -> bool:
            return not await self.running()

        await eventually(ended, "every workflow has ended", patience=SETTLED)

    # Truth

    def count(self) -> Verdict:
        """What the twin's books say of all its documents."""
        return count(self.books, self.lane.stack, self.documents)


async def _cancel(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def together(*work: Coroutine[Any, Any, Any]) -> None:
    """All side by side; the first that fails ends the others."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in tasks:
            if task.done():
                task.result()
    finally:
        await _cancel(tasks)


async def within(work: Awaitable[Any], what: str, patience: float = SETTLED) -> None:
    """Waits for it; an `AssertionError` says what did not come."""
    try:
        await asyncio.wait_for(work, patience)
    except TimeoutError:
        raise AssertionError(f"not within {patience:.0f} s: {what}") from None
