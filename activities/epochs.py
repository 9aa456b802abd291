"""A store that was restored from a backup must not post (design rule 3).

The store's epoch rises with every sealed group, and with creates (once in half a minute). The highest one is kept in
three places that a restored database does not reach: in the workflows that saw it, in this process, and with the keeper
workflow. The keeper is told before a group is sent; of creates, which look first, at most once a minute and process. So
others may have seen more than the keeper knows; a recovery leaves all of that behind (`store.epochs.RECOVERED_APART`).
"""

import datetime as dt
import time
from collections.abc import Callable
from typing import Any, Final

from temporalio.client import Client, WithStartWorkflowOperation
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode

from activities.updating import update_with_start
from contracts import names
from contracts.flow import StoreEpoch
from store.epochs import RECOVERED_APART, Epochs, StoreBehind

REMEMBERED_FOR: Final = 30.0
"""Seconds that an answer of the keeper is good enough for steps that look before they send."""

SUMMARY: Final = "how far the store has come"

REST: Final = dt.timedelta(minutes=2)
"""How long what cannot be posted rests before it looks again whether the store is recovered."""


class EpochGuard:
    """One per process."""

    def __init__(self, epochs: Epochs, temporal: Client, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._epochs = epochs
        self._temporal = temporal
        self._clock = clock
        self._highest = 0
        self._told = 0
        self._told_at: float | None = None
        self._asked_at: float | None = None

    async def behind(self, seen: int = 0, *, at_most: float = REMEMBERED_FOR) -> str:
        """Why nothing may be posted now, as a sentence; empty when the store is up to date.

        `seen`: the highest epoch that the caller's workflow saw. `at_most`: how many seconds old the keeper's word may
        be. Raises `RPCError` while Temporal cannot be asked.
        """
        await self._ask_keeper(at_most)
        self._learn(seen)
        current = -1
        # While the store is asked, others may hear of more.
        while current < self._highest:
            try:
                current = await self._epochs.require(self._highest)
            except StoreBehind as behind:
                return str(behind)
            self._learn(current)
        return ""

    def recovered_since(self, seen: int) -> bool:
        """Whether the store was recovered after the caller's workflow had read its document, at epoch `seen`.

        Ask `behind` first: this looks at what it found. What people had decided was recorded before the epoch rose, so
        whoever reads the document again sees it.
        """
        return seen > 0 and seen // RECOVERED_APART < self._highest // RECOVERED_APART

    async def current(self) -> int:
        """For workflows to carry: the highest epoch known here."""
        self._learn(await self._epochs.current())
        return self._highest

    async def highest(self) -> int:
        """The highest epoch that the store, the keeper and this process know at this moment."""
        await self._ask_keeper(0)
        return await self.current()

    async def announce(self, epoch: int) -> None:
        """As `tell`, after a recovery: it needs no worker. The keeper's memo shows it once there is one."""
        await self._temporal.start_workflow(
            names.STORE_EPOCH,
            StoreEpoch(number=0),
            id=names.STORE_EPOCH,
            task_queue=names.WORKFLOW_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            start_signal=names.RAISED,
            start_signal_args=[StoreEpoch(number=epoch)],
            static_summary=SUMMARY,
        )
        self._learn(epoch)

    async def tell(self, epoch: int, *, every: float = 0.0) -> str:
        """Durable outside the store when this returns. As `behind`, where the keeper answers that it has seen more.

        `every`: creates look before they send, so for them it is enough that a backup older than so many seconds is
        noticed; each word costs an action.
        """
        if epoch <= self._told or (self._told_at is not None and self._clock() - self._told_at < every):
            return ""
        start: WithStartWorkflowOperation[Any, Any] = WithStartWorkflowOperation(
            names.STORE_EPOCH,
            StoreEpoch(number=0),
            id=names.STORE_EPOCH,
            task_queue=names.WORKFLOW_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            static_summary=SUMMARY,
        )
        known: StoreEpoch = await update_with_start(
            self._temporal, names.SEEN, StoreEpoch(number=epoch), start, result_type=StoreEpoch
        )
        self._told, self._told_at = max(self._told, epoch), self._clock()
        self._learn(known.number)
        return await self.behind() if known.number > epoch else ""

    async def kept(self) -> int:
        """What the keeper remembers; 0 when nothing was ever sent."""
        try:
            described = await self._temporal.get_workflow_handle(names.STORE_EPOCH).describe()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return 0
            raise
        number: int = await described.memo_value(names.EPOCH, 0, type_hint=int)
        return number

    async def _ask_keeper(self, at_most: float) -> None:
        now = self._clock()
        if self._asked_at is None or now - self._asked_at >= at_most:
            self._learn(await self.kept())
            self._asked_at = now

    def _learn(self, epoch: int) -> None:
        """Steps run side by side: what one hears while another waits for its answer is not forgotten over that."""
        self._highest = max(self._highest, epoch)
