"""The whole life of one document: what announced it, what was read, how each line was booked, and what became of it."""

from clients.oracle_fusion.invoice_document import INVOICES
from contracts import names
from contracts.configuration import BigCommerceConnection, Configuration
from contracts.flow import State
from contracts.journal import Journal
from contracts.model import Frozen, Instant
from contracts.receivable import Invoice
from runtime.operations.deciding import ReviewItem, document_item, group_items
from runtime.operations.ledger_journals import KIND
from store import Store
from store.creating.creation import CreationRow
from store.overview import Membership
from store.rows import AuditRow, DocumentRow, PostingRow, Receipt

RECEIPTS: int = 1000
"""Deliveries shown of one document, newest first."""


class DocumentUnknownError(Exception):
    """No document of this name was ever heard of, or several were. The message is a sentence for people."""


class Moment(Frozen):
    """One line of a life."""

    at: Instant
    what: str
    """received, fetched, staged, sealed, submitted, imported, posted, refused, needs_review, skipped, ..."""
    sentence: str
    job: str = ""
    who: str = ""
    """Set when a person decided."""


class BookedJournal(Frozen):
    """A journal of the document as staged last, with every group it was in."""

    posting: PostingRow
    journal: Journal | None = None
    """Its lines carry rule and version. None for a posting that a person closed before anything was staged."""
    groups: tuple[Membership, ...] = ()


class BookedInvoice(Frozen):
    """An invoice of the document as intended or sent last."""

    creation: CreationRow
    invoice: Invoice | None = None
    """None for one that a person closed before anything was intended."""


class Life(Frozen):
    connection: str
    document_id: str
    workflow_id: str
    document: DocumentRow | None
    """How its newest version stands; None while it was only announced or fetched."""
    deliveries: tuple[Receipt, ...]
    events: tuple[AuditRow, ...]
    """Oldest first; `payload` is the original as the source sent it, where it was asked for."""
    journals: tuple[BookedJournal, ...]
    invoices: tuple[BookedInvoice, ...] = ()
    review: ReviewItem | None = None

    @property
    def moments(self) -> tuple[Moment, ...]:
        """Everything that happened, oldest first."""
        told = [
            *(_delivered(one) for one in self.deliveries),
            *(_happened(one) for one in self.events),
            *(moment for booked in self.journals for one in booked.groups for moment in _grouped(one)),
        ]
        return tuple(sorted(told, key=lambda moment: moment.at))

    @property
    def original(self) -> str | None:
        """The newest version as its source sent it, where one is kept and was asked for."""
        return next((one.payload for one in reversed(self.events) if one.payload is not None), None)

    @property
    def known(self) -> bool:
        return bool(self.document or self.deliveries or self.events or self.journals or self.invoices)


async def life_of(
    store: Store, configuration: Configuration, wanted: str, *, connection: str | None = None, payloads: bool = False
) -> Life:
    """`wanted`: an order id, `connection/order`, or the workflow id. Originals are opened only with `payloads`.

    Raises `DocumentUnknownError`, and what the vault raises when a sealed part cannot be opened.
    """
    place, order_id = _named(wanted)
    place = connection or place
    shops = [one.id for one in configuration.connections if isinstance(one, BigCommerceConnection)]
    if place and place not in shops:
        raise DocumentUnknownError(f"{place} is not a shop's connection. Shops are: {', '.join(shops) or 'none'}.")
    lives = [await _life(store, configuration, one, order_id, payloads) for one in ([place] if place else shops)]
    known = [life for life in lives if life.known]
    if not known:
        where = place or "any connection"
        raise DocumentUnknownError(
            f"Nothing is known of order {order_id} at {where}: no delivery, no poll and no posting named it."
        )
    if len(known) > 1:
        places = ", ".join(f"{life.connection}/{life.document_id}" for life in known)
        raise DocumentUnknownError(f"There is more than one order {order_id}: {places}. Add --connection.")
    return known[0]


def _named(wanted: str) -> tuple[str, str]:
    """Connection, or empty, and order id."""
    prefix = f"{names.ORDER_TO_JOURNAL}:"
    if wanted.startswith(prefix):
        connection, _, order_id = wanted.removeprefix(prefix).partition(":")
        return connection, order_id
    connection, _, order_id = wanted.rpartition("/")
    return connection, order_id


async def _life(store: Store, configuration: Configuration, connection: str, order_id: str, payloads: bool) -> Life:
    workflow_id = names.order_to_journal_id(connection, order_id)
    document = await store.documents.get(connection, KIND, order_id)
    journals = [
        BookedJournal(
            posting=posting,
            journal=await store.journals.content(posting.reference),
            groups=await store.overview.memberships(posting.reference),
        )
        for posting in await store.journals.postings_of(connection, KIND, order_id)
    ]
    waiting = await group_items(store, configuration) if journals else []
    if document and document.state is State.NEEDS_REVIEW:
        waiting.append(document_item(document))
    reviewed = {workflow_id} | {
        names.journal_import_id(one.group.fusion, one.group.ledger, one.group.group_id)
        for booked in journals
        for one in booked.groups
        if not one.fate
    }
    return Life(
        connection=connection,
        document_id=order_id,
        workflow_id=workflow_id,
        document=document,
        deliveries=await store.deliveries.receipts(connection, workflow_id=workflow_id, limit=RECEIPTS),
        events=await store.audit.of(connection, KIND, order_id, payloads=payloads),
        journals=tuple(journals),
        invoices=await _invoices(store, connection, order_id),
        review=next((item for item in waiting if item.workflow_id in reviewed), None),
    )


async def _invoices(store: Store, connection: str, order_id: str) -> tuple[BookedInvoice, ...]:
    booked = []
    for creation in await store.creations.creations_of(connection, KIND, order_id):
        content = await store.creations.content(creation.reference)
        invoice = Invoice.model_validate_json(content) if content and creation.resource == INVOICES else None
        booked.append(BookedInvoice(creation=creation, invoice=invoice))
    return tuple(booked)


def _delivered(receipt: Receipt) -> Moment:
    sentence = f"webhook {receipt.delivery_id or 'without id'}: {receipt.verdict}, answered {receipt.status}"
    return Moment(
        at=receipt.received_at,
        what="received",
        sentence=f"{sentence} ({receipt.sentence})" if receipt.sentence else sentence,
        job=f"delivery:{receipt.delivery_id}" if receipt.delivery_id else "",
    )


def _happened(event: AuditRow) -> Moment:
    who = event.details.get("who")
    return Moment(at=event.at, what=event.action, sentence=event.sentence, job=event.job, who=str(who or ""))


def _grouped(membership: Membership) -> list[Moment]:
    group = membership.group
    name = f"journal group {group.group_id}"
    moments = [
        Moment(at=group.sealed_at, what="sealed", sentence=f"{name} with {group.count} journals, {group.ledger}")
    ]
    if group.submitted_at is not None:
        sentence = f"{name} is ESS request {group.request_id} in Fusion ({group.fusion})"
        moments.append(Moment(at=group.submitted_at, what="submitted", sentence=sentence))
    elif group.marked_at is not None:
        moments.append(Moment(at=group.marked_at, what="sending", sentence=f"{name}: its request was about to go out"))
    if group.closed_at is not None:
        sentence = f"{name}: every journal has its fate, this one: {membership.fate or 'none'}"
        moments.append(Moment(at=group.closed_at, what="closed", sentence=sentence))
    return moments
