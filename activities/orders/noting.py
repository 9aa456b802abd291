"""Noting: an order in its shop says what became of it in Fusion, where the customer wants that.

Nothing that is posted depends on it. Its calls wait at no gate, and their failures shut none; what cannot be said is an
event in the audit trail, and the next document of the order says it again.

Each note is made from the store alone, and compared with the store again once it is there: of two steps that note at
the same time, the later one to write has read what the other one knew.
"""

from datetime import timedelta
from typing import Final, Literal, NoReturn

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.access.gates import Turn
from activities.collaborators import Collaborators
from activities.failures import explained
from activities.trail import event_of, record
from clients.errors import Resolution, VendorError
from clients.oracle_fusion.credit_memo_document import CREDIT_MEMOS
from clients.oracle_fusion.invoice_document import INVOICES
from contracts import names
from contracts.order_note import NotedDocument, OrderNote
from contracts.steps.orders import NoteOrder, RecordUnnoted
from store.creating.creation import CreationRow
from store.outbox.booked import in_turn
from store.outbox.postings import FINAL
from store.rows import PostingRow

NOTED: Final = "noted"
UNNOTED: Final = "not_noted"
WRITES: Final = 3
"""Times that one step writes because the order's documents changed under its hands; whoever changed them notes too."""
FOR_GOOD: Final = frozenset({Resolution.REVIEW, Resolution.CONFIG})
"""What another try within minutes does not change."""

_log = structlog.stdlib.get_logger(__name__)


class NotingActivities:
    """`note_order` runs on the shop's queue, the other one as a local activity."""

    def __init__(self, parts: Collaborators) -> None:
        self._parts = parts

    @activity.defn(name="note_order")
    async def note_order(self, wanted: NoteOrder) -> None:
        """Any number of times; changes the order only where it says something else."""
        document = names.document_title(wanted.kind, wanted.connection, wanted.document_id)
        with explained(document):
            integration = self._parts.configuration.integration(wanted.integration)
            settings = integration.order_metafield
            order_id = await self._order_of(wanted)
            said = ""
            for _ in range(WRITES):
                note = await self._note(wanted.connection, order_id)
                text = note.text()
                if text == said:
                    break
                await self._say(wanted.connection, order_id, document, settings.namespace, settings.key, text)
                said = text
            count = len(note.documents)
            event = event_of(
                self._parts,
                integration,
                wanted.document_id,
                kind=wanted.kind,
                action=NOTED,
                sentence=(
                    f"{settings.namespace}.{settings.key} of order {order_id} in the shop names {count} "
                    f"{'document' if count == 1 else 'documents'} in Fusion"
                ),
                details={"order": order_id, "references": [one.reference for one in note.documents]},
                job=wanted.job,
            )
            await self._parts.store.audit.append([event])

    @activity.defn(name="record_unnoted")
    async def record_unnoted(self, wanted: RecordUnnoted) -> None:
        """That it could not be said, and why."""
        note = wanted.note
        _log.warning("an order does not say in its shop what became of it", connection=note.connection)
        await record(
            self._parts,
            self._parts.configuration.integration(note.integration),
            note.document_id,
            kind=note.kind,
            action=UNNOTED,
            sentence=wanted.sentence,
            details={},
            job=note.job,
        )

    async def _order_of(self, wanted: NoteOrder) -> str:
        """Raises `LookupError`."""
        if wanted.kind == names.ORDER:
            return wanted.document_id
        row = await self._parts.store.documents.get(wanted.connection, wanted.kind, wanted.document_id)
        if row is None or not row.parent_id:
            raise LookupError(f"nobody knows which order {wanted.kind} {wanted.document_id} is of")
        return row.parent_id

    async def _note(self, connection: str, order_id: str) -> OrderNote:
        """What the store knows to be in Fusion: the order's own documents, then those of its refunds by age."""
        store = self._parts.store
        order = await store.documents.get(connection, names.ORDER, order_id)
        own = await store.journals.postings_of(connection, names.ORDER, order_id)
        journals = [
            *sorted(own, key=lambda one: in_turn(one.key)),
            *await store.journals.postings_below(connection, order_id),
        ]
        creations = [*await store.creations.creations_of(connection, names.ORDER, order_id)]
        for refund in await store.documents.refunds_of(connection, order_id):
            creations += await store.creations.creations_of(connection, names.REFUND, refund.id)
        creations.sort(key=lambda one: one.created_at)
        documents = [
            *(_journal(one) for one in journals if one.state in FINAL),
            *(_created(one) for one in creations if one.final),
        ]
        documents.sort(key=_age)
        return OrderNote.of(order.state.value if order else "", tuple(documents))

    async def _say(self, connection: str, order_id: str, document: str, namespace: str, key: str, text: str) -> None:
        gate = self._parts.gates.of(connection)
        turn = Turn(kind=activity.info().activity_type, document=document, aside=True)
        try:
            with gate.passing(turn):
                await gate.prove(turn)
                await self._parts.shops[connection].note(order_id, namespace, key, text)
        except VendorError as error:
            _raise(error)


def _raise(error: VendorError) -> NoReturn:
    if error.resolution in FOR_GOOD:
        raise ApplicationError(
            f"{error.sentence} {error.remedy}".strip(),
            type=type(error).__name__,
            non_retryable=True,
            category=ApplicationErrorCategory.BENIGN,
        ) from error
    raise ApplicationError(
        error.sentence,
        type=type(error).__name__,
        next_retry_delay=timedelta(seconds=error.retry_after) if error.retry_after else None,
        category=ApplicationErrorCategory.BENIGN,
    ) from error


_WORDS: Final[dict[str, Literal["invoice", "credit memo"]]] = {INVOICES: "invoice", CREDIT_MEMOS: "credit memo"}


def _journal(posting: PostingRow) -> NotedDocument:
    return NotedDocument(
        source=_source(posting.key.kind, posting.key.document_id),
        document="journal",
        reference=posting.reference,
        number=posting.fate.journal_name if posting.fate else "",
        state=posting.state.value,
        date=posting.accounting_date,
    )


def _created(creation: CreationRow) -> NotedDocument:
    return NotedDocument(
        source=_source(creation.key.kind, creation.key.document_id),
        document=_WORDS.get(creation.resource, "application"),
        reference=creation.reference,
        number=creation.target_number,
        state=creation.state.value,
        date=creation.accounting_date,
    )


def _source(kind: str, document_id: str) -> str:
    return kind if kind == names.ORDER else f"{kind} {document_id}"


def _age(noted: NotedDocument) -> tuple[bool, int]:
    """The order's own come first; refunds are numbered as they are made. What is of one source keeps its turn."""
    _, _, number = noted.source.partition(" ")
    return bool(number), int(number) if number.isdecimal() else 0
