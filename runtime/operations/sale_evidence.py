"""Why an order or a refund may rightly not be in the ledger: what the store and Temporal know of it."""

import datetime as dt
from collections.abc import Sequence
from typing import Final

from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from activities.collaborators import Collaborators
from activities.orders.polling import REFUNDS, WATERMARK
from activities.receivables.credit_memos import credit_memo_reference
from activities.receivables.invoices import invoice_reference
from contracts import names
from contracts.configuration import Integration
from contracts.flow import State
from runtime.operations.deciding import ReviewItem
from runtime.operations.ledger_journals import reference_of
from runtime.operations.source_sales import Sold
from store.creating.creation import CreationRow
from store.rows import DocumentRow, PostingRow, PostingState

WATERMARKS: Final = {names.ORDER: WATERMARK, names.REFUND: REFUNDS}
_DECIDED: Final = (State.SKIPPED, State.POSTED, State.REVERSED)
"""Skipped, or marked as posted."""
CREATED_AS: Final = {names.ORDER: invoice_reference, names.REFUND: credit_memo_reference}


class Evidence:
    """About documents of one kind."""

    def __init__(
        self,
        parts: Collaborators,
        integration: Integration,
        kind: str,
        documents: dict[str, DocumentRow],
        postings: dict[str, PostingRow],
        creations: dict[str, CreationRow],
        reviews: dict[str, ReviewItem],
        watermark: dt.datetime | None,
    ) -> None:
        self._parts, self.integration, self._kind = parts, integration, kind
        self._documents, self._postings, self._creations = documents, postings, creations
        self._reviews, self._watermark = reviews, watermark

    @classmethod
    async def read(
        cls,
        parts: Collaborators,
        integration: Integration,
        kind: str,
        ids: Sequence[str],
        reviews: dict[str, ReviewItem],
    ) -> "Evidence":
        """`reviews`: everything in review, by workflow id."""
        overview, created_as = parts.store.overview, CREATED_AS[kind]
        return cls(
            parts,
            integration,
            kind,
            await overview.documents(integration.source, kind, ids),
            await overview.postings(reference_of(integration, one, kind) for one in ids),
            await parts.store.creations.creations(created_as(integration, one) for one in ids),
            reviews,
            await parts.store.watermarks.get(integration.source, WATERMARKS[kind]),
        )

    def posting(self, document_id: str) -> PostingRow | None:
        return self._postings.get(reference_of(self.integration, document_id, self._kind))

    def creation(self, document_id: str) -> CreationRow | None:
        return self._creations.get(CREATED_AS[self._kind](self.integration, document_id))

    def posted(self, document_id: str) -> bool:
        """Whether the store has it as posted: there is nothing more to be done about it."""
        document = self._documents.get(document_id)
        return document is not None and document.state is State.POSTED

    def review(self, document_id: str) -> ReviewItem | None:
        """The document's own review, or that of the journal group it is in."""
        own = self._reviews.get(self._workflow_id(document_id))
        posting = self.posting(document_id)
        if own or posting is None or posting.state is not PostingState.GROUPED or posting.group_id is None:
            return own
        return self._reviews.get(names.journal_import_id(self.integration.fusion, posting.ledger, posting.group_id))

    async def skipped(self, document_id: str, sold: Sold) -> str:
        """Why the version that the shop has now was rightly not posted; empty when nothing says so."""
        document = self._documents.get(document_id)
        if document is None or document.state not in (State.SKIPPED, State.POSTED):
            return ""
        trail = await self._parts.store.audit.of(self.integration.source, self._kind, document_id)
        if document.state is State.POSTED:
            marked = next((one for one in reversed(trail) if one.action == "marked_posted"), None)
            if marked is None:
                return ""
            named = marked.details.get("journal_name") or marked.details.get("invoice", "")
            return f"{marked.sentence} ({named}, not of our sources)"
        decided = any(one.action == "skipped" and one.details.get("who") for one in trail)
        # A refund never changes: one left out by itself was left out because of its order, which tells it when it does.
        current = self._kind == names.ORDER and document.modified_at >= sold.modified_at
        return document.reason if decided or current else ""

    def left_as_booked(self, document_id: str, sold: Sold) -> str:
        """A person's decision that what is booked is left as it is, although the version that the shop has now is
        another one: the difference is posted by hand, named or not, or by nobody. Empty without one about this
        version."""
        document = self._documents.get(document_id)
        if document is None or document.state not in _DECIDED or not document.decided_by:
            return ""
        return document.reason if document.modified_at >= sold.modified_at else ""

    async def open(self, document_id: str, sold: Sold) -> str:
        """Where it is under way; empty when it is not."""
        document = self._documents.get(document_id)
        if await _runs(self._parts.temporal, self._workflow_id(document_id)):
            waits = document is not None and document.state in (
                State.WAITING_PARENT,
                State.WAITING_IMPORT,
                State.IN_DOUBT,
            )
            return document.reason if document and waits else "its workflow runs"
        if self._watermark is None or sold.modified_at >= self._watermark:
            return "changed since the last poll; the next one reads it"
        return ""

    def _workflow_id(self, document_id: str) -> str:
        return names.document_workflow_id(self._kind, self.integration.source, document_id)


async def _runs(client: Client, workflow_id: str) -> bool:
    try:
        description = await client.get_workflow_handle(workflow_id).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise
    return description.status is WorkflowExecutionStatus.RUNNING
