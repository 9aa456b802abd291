"""The whole life of one document: what announced it, what was read, how each line was booked, and what became of it."""

from activities.refunds.linking import JOURNAL
from clients.oracle_fusion.invoice_document import INVOICES
from contracts import names
from contracts.configuration import BigCommerceConnection, Configuration
from contracts.flow import State
from contracts.journal import Journal
from contracts.model import Frozen, Instant
from contracts.receivable import Invoice
from runtime.operations.deciding import ReviewItem, document_item, group_items
from runtime.operations.naming import named, short_ids
from store import Store
from store.creating.creation import CreationRow
from store.outbox.postings import FINAL as IN_THE_LEDGER
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
    takes_back: str = ""
    """Of a refund's journal: reference of the journal of the sale that it takes back in whole or in part."""
    taken_back_by: tuple[str, ...] = ()
    """Of a sale's journal: those of its refunds that are in the ledger."""


class BookedInvoice(Frozen):
    """An invoice of the document as intended or sent last."""

    creation: CreationRow
    invoice: Invoice | None = None
    """None for one that a person closed before anything was intended."""


class Link(Frozen):
    """Another document that this one belongs to, or that belongs to it."""

    kind: str
    document_id: str
    state: State | None
    """How it stands; None where nothing is known of it."""
    sentence: str
    references: tuple[str, ...] = ()
    """Of its journals and of what else was posted of it."""


class Life(Frozen):
    connection: str
    document_id: str
    kind: str = names.ORDER
    workflow_id: str
    document: DocumentRow | None
    """How its newest version stands; None while it was only announced or fetched."""
    deliveries: tuple[Receipt, ...]
    events: tuple[AuditRow, ...]
    """Oldest first; `payload` is the original as the source sent it, where it was asked for."""
    journals: tuple[BookedJournal, ...]
    invoices: tuple[BookedInvoice, ...] = ()
    links: tuple[Link, ...] = ()
    """Of an order its refunds, of a refund its order."""
    review: ReviewItem | None = None

    @property
    def title(self) -> str:
        return names.document_title(self.kind, self.connection, self.document_id)

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
    """`wanted`: an order id, `connection/order`, `connection/refund/id`, or the workflow id.

    Originals are opened only with `payloads`. Raises `DocumentUnknownError`, and what the vault raises when a sealed
    part cannot be opened.
    """
    name = named(wanted)
    place = connection or name.connection
    shops = [one.id for one in configuration.connections if isinstance(one, BigCommerceConnection)]
    if place and place not in shops:
        raise DocumentUnknownError(f"{place} is not a shop's connection. Shops are: {', '.join(shops) or 'none'}.")
    # An id that says no more is an order's, where there is such an order.
    for kind in [name.kind] if name.kind else names.FLOWS:
        places = [place] if place else shops
        lives = [await _life(store, configuration, one, kind, name.document_id, payloads) for one in places]
        known = [life for life in lives if life.known]
        if len(known) > 1:
            found = ", ".join(short_ids(kind, life.connection, life.document_id)[0] for life in known)
            raise DocumentUnknownError(f"There is more than one {kind} {name.document_id}: {found}. Add --connection.")
        if known:
            return known[0]
    where = place or "any connection"
    raise DocumentUnknownError(
        f"Nothing is known of {name.kind or names.ORDER} {name.document_id} at {where}: no delivery, no poll and no"
        " posting named it."
    )


async def _life(
    store: Store, configuration: Configuration, connection: str, kind: str, document_id: str, payloads: bool
) -> Life:
    workflow_id = names.document_workflow_id(kind, connection, document_id)
    document = await store.documents.get(connection, kind, document_id)
    journals = [await _journal(store, one) for one in await store.journals.postings_of(connection, kind, document_id)]
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
        document_id=document_id,
        kind=kind,
        workflow_id=workflow_id,
        document=document,
        deliveries=await store.deliveries.receipts(connection, workflow_id=workflow_id, limit=RECEIPTS),
        events=await store.audit.of(connection, kind, document_id, payloads=payloads),
        journals=tuple(journals),
        invoices=await _invoices(store, connection, kind, document_id),
        links=await _links(store, connection, kind, document_id),
        review=next((item for item in waiting if item.workflow_id in reviewed), None),
    )


async def _journal(store: Store, posting: PostingRow) -> BookedJournal:
    place = (posting.key.fusion, JOURNAL, posting.reference)
    refunds = [await store.journals.posting(one.id) for one in await store.cross_references.sources(*place)]
    return BookedJournal(
        posting=posting,
        journal=await store.journals.content(posting.reference),
        groups=await store.overview.memberships(posting.reference),
        takes_back=await store.cross_references.target(*place, posting.key.fusion, JOURNAL) or "",
        taken_back_by=tuple(one.reference for one in refunds if one and one.state in IN_THE_LEDGER),
    )


async def _invoices(store: Store, connection: str, kind: str, document_id: str) -> tuple[BookedInvoice, ...]:
    booked = []
    for creation in await store.creations.creations_of(connection, kind, document_id):
        content = await store.creations.content(creation.reference)
        invoice = Invoice.model_validate_json(content) if content and creation.resource == INVOICES else None
        booked.append(BookedInvoice(creation=creation, invoice=invoice))
    return tuple(booked)


async def _links(store: Store, connection: str, kind: str, document_id: str) -> tuple[Link, ...]:
    references = store.cross_references
    if kind == names.ORDER:
        found = await references.sources(connection, kind, document_id)
        linked = [(one.kind, one.id) for one in found if one.connection == connection and one.kind in names.FLOWS]
    else:
        order_id = await references.target(connection, kind, document_id, connection, names.ORDER)
        linked = [(names.ORDER, order_id)] if order_id else []
    return tuple([await _link(store, connection, *one) for one in linked])


async def _link(store: Store, connection: str, kind: str, document_id: str) -> Link:
    row = await store.documents.get(connection, kind, document_id)
    postings = await store.journals.postings_of(connection, kind, document_id)
    creations = await store.creations.creations_of(connection, kind, document_id)
    return Link(
        kind=kind,
        document_id=document_id,
        state=row.state if row else None,
        sentence=row.reason if row else "nothing is known of it",
        references=(*(one.reference for one in postings), *(one.reference for one in creations)),
    )


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
