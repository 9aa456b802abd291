"""Waiting: a refund is booked once its order is, and the store says which refunds wait for which order."""

from functools import partial

import structlog
from temporalio import activity

from activities.collaborators import Collaborators
from activities.failures import explained, review
from activities.refunds.standing import link_to_order, order_standing
from activities.trail import event_of, settle, turn_of
from activities.waking import wake
from contracts import names
from contracts.configuration import Integration
from contracts.flow import State
from contracts.journal import Problem
from contracts.starting import StartError, StartRequest
from contracts.steps.refunds import AwaitOrder, OrderStanding, RecordWaiting, RefundSnapshot
from store.turns import Superseded

_log = structlog.stdlib.get_logger(__name__)


class RefundWaitingActivities:
    """Run as local activities: short, on our own store, any number of times."""

    def __init__(self, parts: Collaborators) -> None:
        self._parts = parts

    @activity.defn(name="await_order")
    async def await_order(self, wanted: AwaitOrder) -> OrderStanding:
        """Whether the refund can be booked. If not, its row says that it waits, and an order of which nobody has heard
        is started."""
        refund = wanted.snapshot.refund
        with explained(names.document_title(names.REFUND, wanted.connection, refund.refund_id)):
            integration = self._parts.configuration.integration(wanted.integration)
            await link_to_order(self._parts, integration, refund)
            standing = await self._standing(integration, wanted.snapshot)
            if standing.outcome != "waiting":
                return standing
            try:
                await self._record(integration, _waiting(wanted, standing.sentence))
            except Superseded:
                return OrderStanding(outcome="superseded")
            # What settles after this finds the row; what settled before it is seen now.
            standing = await self._standing(integration, wanted.snapshot)
            if standing.outcome == "waiting":
                await self._start_unseen(integration, wanted)
            return standing

    @activity.defn(name="record_waiting")
    async def record_waiting(self, wanted: RecordWaiting) -> None:
        """A row and an event, once however often it is repeated."""
        try:
            await self._record(self._parts.configuration.integration(wanted.integration), wanted)
        except Superseded:
            return

    async def _standing(self, integration: Integration, snapshot: RefundSnapshot) -> OrderStanding:
        """Raises a final failure where only a person can go on."""
        standing = await order_standing(self._parts, integration, snapshot)
        if isinstance(standing, Problem):
            raise review(standing)
        return standing

    async def _record(self, integration: Integration, wanted: RecordWaiting) -> None:
        known = await self._parts.store.documents.get(wanted.connection, wanted.kind, wanted.order_id)
        state = State(wanted.state)
        if known and (known.state, known.reason, known.fingerprint) == (state, wanted.sentence, wanted.fingerprint):
            return
        await settle(
            self._parts,
            integration,
            wanted.order_id,
            kind=wanted.kind,
            parent_id=wanted.parent_id,
            state=state,
            reason=wanted.sentence,
            modified_at=wanted.modified_at,
            fingerprint=wanted.fingerprint,
            job=wanted.job,
            turn=turn_of(wanted.connection, wanted.order_id, wanted.decided_at, kind=wanted.kind),
            event=event_of(
                self._parts,
                integration,
                wanted.order_id,
                kind=wanted.kind,
                action="waiting",
                sentence=wanted.sentence,
                details={"order": wanted.parent_id},
                job=wanted.job,
            ),
        )

    async def _start_unseen(self, integration: Integration, wanted: AwaitOrder) -> None:
        """An order of which nobody has heard. The poll finds it as well, should this not succeed."""
        refund = wanted.snapshot.refund
        if await self._parts.store.documents.get(wanted.connection, names.ORDER, refund.order_id):
            return
        request = StartRequest(
            connection=wanted.connection,
            integration=integration.id,
            document_id=refund.order_id,
            job=wanted.job,
            received_at=self._parts.clock(),
        )
        try:
            await wake(self._parts.store.wakeups, request.workflow_id, partial(self._parts.starter.start, request))
        except StartError as error:
            _log.warning("order of a refund not started", workflow_id=request.workflow_id, why=error.sentence)


def _waiting(wanted: AwaitOrder, sentence: str) -> RecordWaiting:
    refund = wanted.snapshot.refund
    return RecordWaiting(
        integration=wanted.integration,
        connection=wanted.connection,
        order_id=refund.refund_id,
        kind=names.REFUND,
        parent_id=refund.order_id,
        state="waiting_parent",
        sentence=sentence,
        modified_at=refund.created_at,
        fingerprint=wanted.fingerprint,
        job=wanted.job,
        decided_at=wanted.decided_at,
    )
