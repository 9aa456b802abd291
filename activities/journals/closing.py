"""Closing: the fates of a group's journals are written to the store first, then their documents are told."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from temporalio import activity
from temporalio.service import RPCError, RPCStatusCode

from activities.collaborators import Collaborators
from activities.decisions import DECIDED, sentence_of
from activities.journals.groups import wake_groups
from activities.journals.outcome import FATES
from activities.refunds.telling import tell_order, wake_refunds
from activities.trail import job_of
from contracts import names
from contracts.journal import FateKind, JournalFate
from contracts.steps.groups import ClosedGroup, CloseGroup, GroupStep, ReviewGroup, TellDocuments
from store.rows import AuditEvent, GroupState, Member, PostingKey

GROUP: Final = "journal_group"
"""What the event of a decision about a group is of, as `order` is for others; its connection is the group's."""
AT_ONCE: Final = 20
"""Signals under way at the same time."""


class ClosingActivities:
    def __init__(self, parts: Collaborators) -> None:
        self._parts = parts

    @activity.defn(name="close_group")
    async def close_group(self, wanted: CloseGroup) -> ClosedGroup:
        """Apply the fates that were read, or on a person's word send every open journal back to the outbox."""
        step, now = wanted.step, self._parts.clock()
        groups = self._parts.store.groups
        members = await groups.members(step.group_id)
        if wanted.who:
            fates = [
                JournalFate(
                    reference=member.reference,
                    kind=FateKind.RETRY,
                    group_id=step.group_id,
                    at=now,
                    sentence=f"declared absent by {wanted.who}: {wanted.why}",
                )
                for member in members
            ]
        else:
            group = await groups.group(step.group_id)
            fates = [JournalFate.model_validate(fate) for fate in group.evidence.get(FATES, ())]
        job = names.decision_job(wanted.decision) if wanted.decision else ""
        await groups.record_fates(step.group_id, fates, now, events=fate_events(self._parts, members, fates, job=job))
        await self._tell_orders(step)
        closed = await self._counts(step)
        if (await self._parts.store.journals.pending(step.fusion, step.ledger, step.source)).count:
            # Also what others staged meanwhile: the workflow that would seal it may have been terminated.
            integration = self._parts.integration_for_import(step)
            await wake_groups(self._parts, integration, step.ledger, step.source)
        return closed

    async def _tell_orders(self, step: GroupStep) -> None:
        """Imported is enough for an order that waits for its refund: nothing calls that back. From the store, as the
        answer is."""
        members = await self._parts.store.groups.members(step.group_id)
        for member in members:
            if member.key.parent_id and member.fate == FateKind.IMPORTED:
                await tell_order(self._parts, member.key.connection, member.key.parent_id)

    async def _counts(self, step: GroupStep) -> ClosedGroup:
        """From the store and not from this attempt: a repeated close must give the same answer."""
        fates = [member.fate for member in await self._parts.store.groups.members(step.group_id)]
        return ClosedGroup(
            imported=fates.count(FateKind.IMPORTED) + fates.count(FateKind.POSTED),
            refused=fates.count(FateKind.REFUSED),
            requeued=fates.count(FateKind.RETRY),
        )

    @activity.defn(name="tell_documents")
    async def tell_documents(self, wanted: TellDocuments) -> None:
        """Signal every document of the group whose journal has this fate. Closed workflows are ignored.

        Refunds that wait for an order of the group are told as well, and orders that wait for a refund.
        """
        members = [
            one for one in await self._parts.store.groups.members(wanted.step.group_id) if one.fate == wanted.kind
        ]
        fates = await self._parts.store.journals.fates([member.reference for member in members])
        room = asyncio.Semaphore(AT_ONCE)

        async def tell(member: Member) -> None:
            fate = fates.get(member.reference)
            if fate is None or fate.kind is not wanted.kind or fate.group_id != wanted.step.group_id:
                return
            async with room:
                await self._signal(_workflow_of(member.key), fate)
                if member.key.parent_id:
                    await tell_order(self._parts, member.key.connection, member.key.parent_id)

        async with asyncio.TaskGroup() as tasks:
            for member in members:
                tasks.create_task(tell(member))
        if wanted.kind is FateKind.POSTED:
            orders: defaultdict[str, set[str]] = defaultdict(set)
            for member in members:
                if member.key.kind == names.ORDER:
                    orders[member.key.connection].add(member.key.document_id)
            for connection, order_ids in orders.items():
                await wake_refunds(self._parts, connection, order_ids, job_of(""))

    async def _signal(self, workflow_id: str, fate: JournalFate) -> None:
        try:
            await self._parts.temporal.get_workflow_handle(workflow_id).signal(names.FATE, fate)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise

    @activity.defn(name="review_group")
    async def review_group(self, wanted: ReviewGroup) -> None:
        """The group enters review with its problem, or leaves it by a person's decision."""
        groups = self._parts.store.groups
        if wanted.problem is None:
            group = await groups.group(wanted.step.group_id)
            state = GroupState.SENDING if group.marked_at else GroupState.SEALED
            await groups.set_state(
                wanted.step.group_id,
                GroupState.SUBMITTED if group.request_id is not None else state,
                {"decided_by": wanted.who, "decided_because": wanted.why},
            )
            await self._parts.store.audit.append_once([self._decided(wanted)])
        else:
            await groups.set_state(
                wanted.step.group_id, GroupState.REVIEW, {"problem": wanted.problem.model_dump(mode="json")}
            )

    def _decided(self, wanted: ReviewGroup) -> AuditEvent:
        """An event of the group's own trail: its journals are told of what the decision leads to."""
        step = wanted.step
        return AuditEvent(
            tenant=self._parts.integration_for_import(step).tenant,
            connection=step.fusion,
            kind=GROUP,
            document_id=str(step.group_id),
            at=self._parts.clock(),
            action=DECIDED,
            sentence=sentence_of("retry", wanted.who, wanted.why),
            details={"decision": "retry", "who": wanted.who, "why": wanted.why},
            job=job_of(names.decision_job(wanted.decision) if wanted.decision else ""),
        )


def fate_events(
    parts: Collaborators, members: Sequence[Member], fates: Sequence[JournalFate], *, job: str = ""
) -> dict[str, AuditEvent]:
    """What the audit trail tells of each fate, by reference. `job`: the decision, where a person declared the fates."""
    by_reference = {member.reference: member for member in members}
    now = parts.clock()
    return {
        fate.reference: AuditEvent(
            tenant=member.key.tenant,
            connection=member.key.connection,
            kind=member.key.kind,
            document_id=member.key.document_id,
            at=now,
            action={FateKind.RETRY: "requeued"}.get(fate.kind, fate.kind.value),
            sentence=fate.told,
            details={
                "reference": fate.reference,
                "group_id": fate.group_id,
                "journal_header_id": fate.journal_header_id,
                "journal_batch_id": fate.journal_batch_id,
            },
            job=job_of(job or member.job),
        )
        for fate in fates
        if (member := by_reference.get(fate.reference)) is not None
    }


def _workflow_of(key: PostingKey) -> str:
    return names.document_workflow_id(key.kind, key.connection, key.document_id)
