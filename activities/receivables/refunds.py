"""Receivables: the two steps that take something back, a credit memo and the memo's application to the invoice.

What a refund takes back of an invoice, or the cancellation of its order. Each step is a posting of its own, with its
own row, lease and look. Between the two the document is half done: the memo is there, on account, and its document says
so. Running the steps again in order completes it, whatever happened.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from temporalio import activity

from activities import epochs
from activities.access.passage import pass_gate
from activities.collaborators import Collaborators
from activities.failures import explained
from activities.heartbeat import staying_alive
from activities.posting.posting import Posting
from activities.posting.subject import Subject
from activities.receivables.credit_applications import (
    SHOWN_AFTER,
    ApplicationResource,
    ApplicationSubject,
    application_facts,
)
from activities.receivables.credit_memos import CreditMemoResource
from activities.receivables.credited import Credited
from activities.receivables.invoices import invoice_reference
from activities.trail import event_of, job_of, settle, turn_of
from clients.oracle_fusion.credit_memo_document import CREDIT_MEMOS
from contracts import names
from contracts.configuration import Integration
from contracts.credit_memo import CreditMemo
from contracts.flow import State
from contracts.steps.documents import Created
from contracts.steps.receivables import ApplyCreditMemo, PostCreditMemo
from store.creating.creation import Declaration
from store.rows import AuditEvent, CrossReference
from store.turns import Superseded, Turn

Wanted = PostCreditMemo | ApplyCreditMemo
_HALF: Final = "still to be applied to its invoice"


class RefundActivities:
    """Runs on the Fusion connection's queue."""

    def __init__(self, parts: Collaborators) -> None:
        self._parts = parts

    @activity.defn(name="post_credit_memo")
    async def post_credit_memo(self, wanted: PostCreditMemo) -> Created:
        """Create the credit memo, find it, or say why not. Any number of times; creates at most one."""
        credited = self._credited(wanted)
        with explained(credited.title):
            integration, memo = credited.integration, wanted.credit_memo
            subject = Subject(
                what="credit memo",
                key=credited.memo,
                reference=credited.memo_reference,
                mapped=_mapped(memo) if memo else {},
                given=memo.given if memo else (),
                **await self._common(credited, wanted),
            )
            resource = CreditMemoResource(self._parts.fusions[integration.fusion], integration)

            async def post() -> Created:
                posting = Posting(self._parts, resource, subject)
                return await (posting.resolve() if memo is None else posting.create(memo))

            created = await self._run(integration, wanted, subject, post)
            if created.outcome in ("posted", "edited_after_posting") and created.target_id:
                await self._refer(credited, created)
            return await self._settled(
                credited, wanted, created, done=memo is not None and (wanted.alone or not memo.total)
            )

    @activity.defn(name="apply_credit_memo")
    async def apply_credit_memo(self, wanted: ApplyCreditMemo) -> Created:
        """Apply the credit memo, find that it is applied, or say why not. Applies it at most once."""
        credited = self._credited(wanted)
        with explained(credited.title):
            integration, application = credited.integration, wanted.application
            reference = credited.application_reference
            memo, invoice = "its credit memo", "of its order"
            if application is not None:
                amount = f"{application.amount:f} {application.currency}"
                memo, invoice = (
                    f"credit memo {application.credit_memo_number} over {amount}",
                    application.invoice_number,
                )
            subject = ApplicationSubject(
                what=application.what if application else "application",
                key=credited.application,
                reference=reference,
                mapped=application_facts(application) if application else {},
                memo=memo,
                invoice=invoice,
                **await self._common(credited, wanted),
            )

            async def post() -> Created:
                row = await self._parts.store.creations.creation(reference)
                recently = row is not None and row.open and self._parts.clock() - row.sends[0].at < SHOWN_AFTER
                resource = ApplicationResource(self._parts.fusions[integration.fusion], sent_before=recently)
                posting = Posting(self._parts, resource, subject)
                return await (posting.resolve() if application is None else posting.create(application))

            created = await self._run(integration, wanted, subject, post)
            return await self._settled(credited, wanted, created, done=True)

    def _credited(self, wanted: Wanted) -> Credited:
        integration = self._parts.configuration.integration(wanted.integration)
        return Credited(integration, wanted.order_id, wanted.refund_id)

    async def _run(self, integration: Integration, wanted: Wanted, subject: Subject, post: Any) -> Created:
        """Past a restored store, through the gate; with what the flow has to remember."""
        if stopped := await self._stopped(wanted, subject):
            return stopped
        async with staying_alive():
            created: Created = await pass_gate(self._parts, integration.fusion, subject.name, post)
        if created.outcome in ("behind", "superseded"):
            return created.model_copy(update={"open_since": subject.open_since})
        if created.outcome not in ("in_doubt", "review"):
            return created
        row = await self._parts.store.creations.creation(subject.reference)
        return created.model_copy(update={"open_since": row.sends[0].at if row and row.open else None})

    async def _stopped(self, wanted: Wanted, subject: Subject) -> Created | None:
        """By a restored store, until it is recovered; what was read before that is read again."""
        guard = self._parts.epochs
        if behind := await guard.behind(wanted.epoch):
            until = self._parts.clock() + epochs.REST
            stopped = Created(outcome="behind", reference=subject.reference, sentence=behind, until=until)
        elif guard.recovered_since(wanted.epoch):
            stopped = Created(outcome="superseded", reference=subject.reference)
        else:
            return None
        return stopped.model_copy(update={"open_since": subject.open_since})

    async def _common(self, credited: Credited, wanted: Wanted) -> dict[str, Any]:
        """What both steps tell their posting."""
        integration = credited.integration
        connection = self._parts.fusion_connection(integration.fusion)

        def tell(action: str, sentence: str, details: Mapping[str, Any]) -> AuditEvent:
            job = names.decision_job(wanted.decision) if action == "declared_absent" else wanted.job
            return event_of(
                self._parts,
                integration,
                credited.document_id,
                kind=credited.kind,
                action=action,
                sentence=sentence,
                details={"order": wanted.order_id, **details} if credited.parent_id else details,
                job=job,
            )

        declared = Declaration(decision=wanted.decision, who=wanted.who, why=wanted.why)
        return {
            "name": credited.title,
            "vendor": "Fusion",
            "fingerprint": await self._version(credited, wanted),
            "job": job_of(wanted.job),
            "tell": tell,
            "deadline": timedelta(seconds=connection.create_timeout),
            "settle": timedelta(seconds=connection.settle),
            "unknown_limit": timedelta(hours=integration.imports.unknown_limit),
            "turn": _turn(credited, wanted),
            "epoch": wanted.epoch,
            "open_since": wanted.open_since or _begun_before(),
            "declaration": declared if wanted.declared_absent else None,
        }

    async def _version(self, credited: Credited, wanted: Wanted) -> str:
        """Which version of its document it takes back. Of an order that is the one which was billed, however the order
        was edited since."""
        if credited.parent_id:
            return wanted.fingerprint
        billed = await self._parts.store.creations.creation(invoice_reference(credited.integration, wanted.order_id))
        return billed.fingerprint if billed else ""

    async def _settled(self, credited: Credited, wanted: Wanted, created: Created, *, done: bool) -> Created:
        """Where the document stands now, if this step alone can tell; the rest is settled by its flow.

        `done`: nothing comes after what this step created.
        """
        nothing_wanted = (
            wanted.credit_memo is None if isinstance(wanted, PostCreditMemo) else wanted.application is None
        )
        if nothing_wanted or created.outcome not in ("posted", "in_doubt"):
            return created
        if created.outcome == "in_doubt" and created.open_since is None:
            return created
        ended = State.POSTED if credited.parent_id else State.REVERSED
        state = ended if done else State.RUNNING
        reason = created.sentence if done else f"{created.sentence}, {_HALF}"
        if created.outcome == "in_doubt":
            state, reason = State.IN_DOUBT, f"{created.reference} is being created; its outcome is not known yet"
        known = await self._parts.store.documents.get(wanted.connection, credited.kind, credited.document_id)
        # The first step run again does not undo what is known of the second.
        stands = {State.RUNNING: (State.RUNNING, ended), State.IN_DOUBT: (State.IN_DOUBT,)}.get(state, ())
        if known and known.fingerprint == wanted.fingerprint and known.state in stands:
            return created
        try:
            await settle(
                self._parts,
                credited.integration,
                credited.document_id,
                kind=credited.kind,
                parent_id=credited.parent_id,
                state=state,
                reason=reason,
                modified_at=wanted.modified_at,
                fingerprint=wanted.fingerprint,
                job=wanted.job,
                turn=_turn(credited, wanted),
            )
        except Superseded:
            return created.model_copy(update={"outcome": "superseded"})
        return created

    async def _refer(self, credited: Credited, created: Created) -> None:
        """Which credit memo in Fusion is whose."""
        await self._parts.store.cross_references.put(
            CrossReference(
                tenant=credited.integration.tenant,
                connection=credited.integration.source,
                kind=credited.kind,
                id=credited.document_id,
                target_connection=credited.integration.fusion,
                target_kind=CREDIT_MEMOS,
                target_id=created.target_id,
                at=self._parts.clock(),
            )
        )


def _turn(credited: Credited, wanted: Wanted) -> Turn | None:
    return turn_of(wanted.connection, credited.document_id, wanted.decided_at, kind=credited.kind)


def _begun_before() -> datetime | None:
    """An earlier attempt of this step may have sent something and said nothing of it."""
    info = activity.info()
    return info.scheduled_time if info.attempt > 1 else None


def _mapped(memo: CreditMemo) -> dict[str, Any]:
    return {
        "mapping_set": memo.mapping_set,
        "mapping_version": memo.mapping_version,
        "suspense": memo.suspense,
        "accounting_date": memo.accounting_date.isoformat(),
        "date_reason": memo.date_reason,
        "date_moved": memo.date_moved,
    }
