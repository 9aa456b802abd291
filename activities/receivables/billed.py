"""What is on record of an order that is billed in Receivables: its invoice, and the memos that take it back."""

from dataclasses import dataclass

from activities.collaborators import Collaborators
from activities.receivables.credited import Credited
from activities.receivables.invoices import PURPOSE
from contracts import names
from contracts.configuration import Integration
from contracts.credit_memo import CreditMemo
from contracts.receivable import Invoice
from store.creating.creation import CreationRow, CreationState


@dataclass(frozen=True)
class Billed:
    """The invoice of an order, as it is on record."""

    row: CreationRow
    document: Invoice | None
    """None: a person named it, or it was read back after a restore. Its lines are not known here."""


async def invoice_of(parts: Collaborators, connection: str, order_id: str) -> Billed | None:
    """None: the order has no invoice in Fusion that we know of."""
    rows = await parts.store.creations.creations_of(connection, names.ORDER, order_id)
    row = next((one for one in rows if one.final and one.key.purpose == PURPOSE), None)
    if row is None:
        return None
    text = await parts.store.creations.content(row.reference)
    if text is None or row.state is not CreationState.POSTED or row.recovered_at is not None:
        return Billed(row, None)
    return Billed(row, Invoice.model_validate_json(text))


async def memo_of(parts: Collaborators, credited: Credited) -> CreditMemo | None:
    """The memo that is in Fusion, as it was sent."""
    row = await parts.store.creations.creation(credited.memo_reference)
    return await document_of(parts, row) if row and row.state is CreationState.POSTED else None


async def document_of(parts: Collaborators, row: CreationRow) -> CreditMemo | None:
    """The memo of a row; None where its lines are not known."""
    text = await parts.store.creations.content(row.reference)
    return CreditMemo.model_validate_json(text) if text else None


@dataclass(frozen=True)
class Reversal:
    """What takes back the rest of an order's invoice because the order was cancelled, as far as it has come."""

    memo: CreationRow
    application: CreationRow | None

    @property
    def under_way(self) -> bool:
        """Nobody knows yet what it takes back."""
        return not self.memo.final

    @property
    def begun(self) -> bool:
        """Something of it is in Fusion, or may be."""
        return self.memo.final or self.memo.open

    @property
    def done(self) -> bool:
        """Nothing of the invoice is left."""
        return self.memo.state is CreationState.POSTED and (
            not self.memo.total or (self.application is not None and self.application.state is CreationState.POSTED)
        )


def reversal_among(rows: tuple[CreationRow, ...], integration: Integration, order_id: str) -> Reversal | None:
    """Of all creations of an order. None: it was not cancelled after it had been billed, or that was given up."""
    credited = Credited(integration, order_id)
    known = {one.reference: one for one in rows if one.state is not CreationState.WITHDRAWN}
    memo = known.get(credited.memo_reference)
    return Reversal(memo, known.get(credited.application_reference)) if memo else None


async def reversal_of(parts: Collaborators, integration: Integration, order_id: str) -> Reversal | None:
    rows = await parts.store.creations.creations_of(integration.source, names.ORDER, order_id)
    return reversal_among(rows, integration, order_id)
