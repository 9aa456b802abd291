"""Receivables: an order's invoice as a resource, and the step that creates it."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from temporalio import activity

from activities import epochs
from activities.access.passage import pass_gate
from activities.collaborators import Collaborators
from activities.failures import explained
from activities.heartbeat import staying_alive
from activities.posting.posting import Posting
from activities.posting.resource import Facts, Home, Seen
from activities.posting.subject import Subject
from activities.trail import KIND, event_of, job_of, settle, turn_of
from clients.errors import VendorError
from clients.oracle_fusion import FusionClient
from clients.oracle_fusion.errors import ENDED_BY_FUSION
from clients.oracle_fusion.invoice_document import CROSS_REFERENCE_LENGTH, INVOICES, other_accounts
from clients.oracle_fusion.models import FoundInvoice
from clients.oracle_fusion.receivables import DUPLICATE
from contracts import names
from contracts.configuration import Integration, ReceivableBooks
from contracts.flow import State
from contracts.receivable import NUMBER_LENGTH, Invoice
from contracts.steps.documents import Created
from contracts.steps.receivables import PostInvoice
from store.creating.creation import Declaration
from store.rows import AuditEvent, CrossReference, PostingKey
from store.turns import Superseded

PURPOSE: Final = "invoice"
ORDINAL: Final = 1
"""A sale is billed once; later versions of an order are documents of their own."""


class Invoices:
    """`activities.posting.resource.Resource` of `receivablesInvoices`, for the channels of one integration."""

    name = INVOICES

    def __init__(self, fusion: FusionClient, integration: Integration) -> None:
        self._fusion = fusion
        self._integration = integration

    def home(self, document: Invoice) -> Home:
        numbered = document.home == "transaction_number"
        return Home(
            name=document.home,
            length=NUMBER_LENGTH if numbered else CROSS_REFERENCE_LENGTH,
            reference=document.number if numbered else document.reference,
            place=f"{document.business_unit}/{document.transaction_source}",
            refuses_duplicates=numbered,
        )

    def facts(self, document: Invoice) -> Facts:
        return Facts(
            reference=document.reference,
            currency=document.currency,
            total=document.total,
            accounting_date=document.accounting_date,
            date_moved=document.date_moved,
            suspense=document.suspense,
        )

    def dump(self, document: Invoice) -> str:
        return document.model_dump_json()

    def load(self, text: str) -> Invoice:
        return Invoice.model_validate_json(text)

    async def look(self, document: Invoice, *, thorough: bool) -> Sequence[FoundInvoice]:
        """Every invoice carries the full reference as cross-reference as well, also one that got another number."""
        books = books_for(document, self._integration)
        found = await self._fusion.find_invoices(document, books)
        if found or not thorough or document.home == "cross_reference":
            return found
        return await self._fusion.find_invoices(document.model_copy(update={"home": "cross_reference"}), books)

    async def check(self, document: Invoice) -> None:
        await self._fusion.check_invoice(document, books_for(document, self._integration))

    async def create(self, document: Invoice, *, ends: float) -> FoundInvoice:
        return await self._fusion.create_invoice(document, books_for(document, self._integration), ends=ends)

    async def read(self, target_id: str, *, whole: bool = False) -> FoundInvoice:
        return await self._fusion.invoice(int(target_id), whole=whole)

    def seen(self, hit: FoundInvoice) -> Seen:
        return Seen(
            target_id=str(hit.customer_transaction_id),
            target_number=hit.transaction_number,
            currency=hit.currency,
            total=hit.entered_amount,
            sentence=f"invoice {hit.transaction_number} over {hit.entered_amount:f} {hit.currency}",
        )

    def is_ours(self, hit: FoundInvoice, document: Invoice) -> bool:
        return document.reference in (hit.cross_reference, hit.line_reference)

    def difference(self, hit: FoundInvoice, document: Invoice) -> str:
        if amount := _other_amount(hit, document):
            return amount
        expected: tuple[tuple[str, Any, Any], ...] = (
            ("number", hit.transaction_number, document.number if document.home == "transaction_number" else ""),
            ("business unit", hit.business_unit, document.business_unit),
            ("transaction source", hit.transaction_source, document.transaction_source),
            ("customer account", hit.customer_account, document.customer_account),
            ("transaction date", hit.transaction_date, document.transaction_date),
            ("accounting date", hit.accounting_date, document.accounting_date),
        )
        for what, shown, meant in expected:
            # What a pod does not show cannot differ.
            if shown and meant and shown != meant:
                return f"its {what} is {shown}, and should be {meant}"
        return ""

    def another_sale(self, hit: FoundInvoice, document: Invoice) -> str:
        separator = books_for(document, self._integration).account_separator
        return _other_amount(hit, document) or other_accounts(hit, document, separator)

    def ended(self, error: VendorError) -> bool:
        return error.status in ENDED_BY_FUSION

    def taken(self, error: VendorError) -> bool:
        return error.code == DUPLICATE


def _other_amount(hit: FoundInvoice, document: Invoice) -> str:
    if (hit.currency, hit.entered_amount) == (document.currency, document.total):
        return ""
    return (
        f"it is over {hit.entered_amount:f} {hit.currency}, and the order comes to {document.total:f} "
        f"{document.currency}"
    )


def books_for(invoice: Invoice, integration: Integration) -> ReceivableBooks:
    """The books that an invoice was made by, or that bill the same customer. Raises `LookupError`."""
    candidates = [
        (books, books.receivable)
        for books in integration.books
        if books.receivable is not None and books.currency == invoice.currency
    ]
    for books, billing in candidates:
        mine = (books.business_unit, billing.transaction_source, billing.customer_account)
        if mine == (invoice.business_unit, invoice.transaction_source, invoice.customer_account):
            return billing
    for _, billing in candidates:
        if billing.customer_account == invoice.customer_account:
            # Renamed since: what was sent is still looked for where it was sent.
            return billing
    raise LookupError(f"no books for customer account {invoice.customer_account} in {invoice.currency}")


def invoice_reference(integration: Integration, order_id: str) -> str:
    """The business key of an order's invoice."""
    return names.journal_reference(integration.tenant, integration.source, KIND, order_id, PURPOSE, ORDINAL)


def invoice_key(integration: Integration, order_id: str) -> PostingKey:
    return PostingKey(
        tenant=integration.tenant,
        integration=integration.id,
        connection=integration.source,
        fusion=integration.fusion,
        kind=KIND,
        document_id=order_id,
        purpose=PURPOSE,
        ordinal=ORDINAL,
    )


class ReceivablesActivities:
    """Runs on the Fusion connection's queue."""

    def __init__(self, parts: Collaborators) -> None:
        self._parts = parts

    @activity.defn(name="post_invoice")
    async def post_invoice(self, wanted: PostInvoice) -> Created:
        """Create the order's invoice, find it, or say why not. Any number of times; creates at most one."""
        name = f"Order {wanted.order_id} ({wanted.connection})"
        with explained(name):
            integration = self._parts.configuration.integration(wanted.integration)
            resource = Invoices(self._parts.fusions[integration.fusion], integration)
            subject = self._subject(name, integration, wanted)
            if stopped := await self._stopped(wanted, subject):
                return stopped

            async def post() -> Created:
                posting = Posting(self._parts, resource, subject)
                return await (posting.resolve() if wanted.invoice is None else posting.create(wanted.invoice))

            async with staying_alive():
                posted = await pass_gate(self._parts, integration.fusion, name, post)
            created = await self._with_doubt(wanted, subject, posted)
            try:
                await self._settle(integration, wanted, created)
            except Superseded:
                return created.model_copy(update={"outcome": "superseded"})
            return created

    async def _stopped(self, wanted: PostInvoice, subject: Subject) -> Created | None:
        """By a restored store, until it is recovered; what was read of the order before that is read again."""
        guard = self._parts.epochs
        if behind := await guard.behind(wanted.epoch):
            until = self._parts.clock() + epochs.REST
            stopped = Created(outcome="behind", reference=subject.reference, sentence=behind, until=until)
        elif guard.recovered_since(wanted.epoch):
            stopped = Created(outcome="superseded", reference=subject.reference)
        else:
            return None
        return stopped.model_copy(update={"open_since": subject.open_since})

    async def _with_doubt(self, wanted: PostInvoice, subject: Subject, created: Created) -> Created:
        """The flow remembers what may be on its way: a store that is restored does not."""
        if created.outcome in ("behind", "superseded"):
            return created.model_copy(update={"open_since": subject.open_since})
        if created.outcome not in ("in_doubt", "review"):
            return created
        row = await self._parts.store.creations.creation(subject.reference)
        return created.model_copy(update={"open_since": row.sends[0].at if row and row.open else None})

    def _subject(self, name: str, integration: Integration, wanted: PostInvoice) -> Subject:
        connection, invoice = self._parts.fusion_connection(integration.fusion), wanted.invoice

        def tell(action: str, sentence: str, details: Mapping[str, Any]) -> AuditEvent:
            job = names.decision_job(wanted.decision) if action == "declared_absent" else wanted.job
            return event_of(
                self._parts,
                integration,
                wanted.order_id,
                action=action,
                sentence=sentence,
                details=details,
                job=job,
            )

        declared = Declaration(decision=wanted.decision, who=wanted.who, why=wanted.why)
        return Subject(
            name=name,
            what="invoice",
            vendor="Fusion",
            key=invoice_key(integration, wanted.order_id),
            reference=invoice.reference if invoice else invoice_reference(integration, wanted.order_id),
            fingerprint=wanted.fingerprint,
            job=job_of(wanted.job),
            tell=tell,
            deadline=timedelta(seconds=connection.create_timeout),
            settle=timedelta(seconds=connection.settle),
            unknown_limit=timedelta(hours=integration.imports.unknown_limit),
            mapped=_mapped(invoice) if invoice else {},
            turn=turn_of(wanted.connection, wanted.order_id, wanted.decided_at),
            epoch=wanted.epoch,
            open_since=wanted.open_since or _begun_before(),
            declaration=declared if wanted.declared_absent else None,
        )

    async def _settle(self, integration: Integration, wanted: PostInvoice, created: Created) -> None:
        """What is there settles the order; what is in doubt shows so. The rest is settled by the order's flow."""
        if created.outcome == "edited_after_posting" and created.target_id:
            await self._refer(integration, wanted, created)
        if created.outcome not in ("posted", "in_doubt") or wanted.invoice is None:
            return
        if created.outcome == "in_doubt" and created.open_since is None:
            return
        state = State.POSTED if created.outcome == "posted" else State.IN_DOUBT
        known = await self._parts.store.documents.get(wanted.connection, KIND, wanted.order_id)
        if known and (known.state, known.fingerprint) == (state, wanted.fingerprint) and state is State.IN_DOUBT:
            return
        await settle(
            self._parts,
            integration,
            wanted.order_id,
            state=state,
            reason=created.sentence or f"{created.reference} is being created; its outcome is not known yet",
            modified_at=wanted.modified_at,
            fingerprint=wanted.fingerprint,
            job=wanted.job,
            turn=turn_of(wanted.connection, wanted.order_id, wanted.decided_at),
        )
        if state is State.POSTED:
            await self._refer(integration, wanted, created)

    async def _refer(self, integration: Integration, wanted: PostInvoice, created: Created) -> None:
        reference = invoice_cross_reference(integration, wanted.order_id, created.target_id, at=self._parts.clock())
        await self._parts.store.cross_references.put(reference)


def invoice_cross_reference(integration: Integration, order_id: str, target_id: str, *, at: datetime) -> CrossReference:
    """Which invoice in Fusion is whose."""
    return CrossReference(
        tenant=integration.tenant,
        connection=integration.source,
        kind=KIND,
        id=order_id,
        target_connection=integration.fusion,
        target_kind=INVOICES,
        target_id=target_id,
        at=at,
    )


def _begun_before() -> datetime | None:
    """An earlier attempt of this step may have sent something and said nothing of it."""
    info = activity.info()
    return info.scheduled_time if info.attempt > 1 else None


def _mapped(invoice: Invoice) -> dict[str, Any]:
    return {
        "mapping_set": invoice.mapping_set,
        "mapping_version": invoice.mapping_version,
        "suspense": invoice.suspense,
        "accounting_date": invoice.accounting_date.isoformat(),
        "date_reason": invoice.date_reason,
        "date_moved": invoice.date_moved,
    }
