"""What Fusion holds of a shop, whatever kind of document its sales became: journals, invoices, or both in turn."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, Protocol

from clients.oracle_fusion.models import FoundInvoice, FusionJournal
from contracts.configuration import Integration
from contracts.model import Amount, Frozen
from runtime.operations.ledger_invoices import InvoiceSide, InvoiceSource, invoice_side
from runtime.operations.ledger_journals import LedgerSide, LedgerSource, ledger_side
from runtime.operations.source_sales import SoldOrder
from store import Store
from store.creating.creation import CreationRow
from store.rows import PostingRow

COMPLETE = "Complete"
"""Status of an invoice that Receivables accounts."""


class BooksSource(LedgerSource, InvoiceSource, Protocol):
    """The part of the Fusion client that reconciliation reads."""


class BookedSale(Frozen):
    """One document in Fusion that carries an order."""

    kind: Literal["journal", "invoice"]
    name: str
    """As Fusion shows it."""
    currency: str
    amount: Amount
    """A journal's debits; what an invoice is over."""
    posted: bool
    """Posted, or complete: nobody has to do anything about it."""
    status: str

    def comparable(self, order: SoldOrder | None) -> Decimal:
        """In terms of what the shopper owes."""
        if order is None:
            return self.amount
        return self.amount - order.contra if self.kind == "journal" else self.amount + order.settled


@dataclass
class BookedSide:
    """Everything in Fusion that carries an order of the integration."""

    journals: LedgerSide
    invoices: InvoiceSide

    def order_ids(self) -> frozenset[str]:
        return frozenset(self.journals.by_order) | frozenset(self.invoices.by_order)

    def of(self, order_id: str, posting: PostingRow | None, creation: CreationRow | None) -> list[BookedSale]:
        """More than one is a duplicate. Where none carries the order, what a person named as its own."""
        journals = list(self.journals.by_order.get(order_id, ()))
        invoices = list(self.invoices.by_order.get(order_id, ()))
        header = posting.fate.journal_header_id if posting and posting.fate else None
        if not journals and header is not None and header in self.journals.by_header:
            journals = [self.journals.by_header[header]]
        named = creation.target_id if creation and creation.final else ""
        if not invoices and named in self.invoices.by_id:
            invoices = [self.invoices.by_id[named]]
        return [*map(_journal, journals), *map(_invoice, invoices)]


async def booked_side(
    fusion: BooksSource, store: Store, integration: Integration, order_ids: Iterable[str], since: dt.datetime
) -> BookedSide:
    """Reads every journal source and every source of invoices of the integration's books. Raises `VendorError`."""
    wanted = tuple(order_ids)
    return BookedSide(
        journals=await ledger_side(fusion, store, integration, wanted, since),
        invoices=await invoice_side(fusion, store, integration, wanted, since),
    )


def _journal(journal: FusionJournal) -> BookedSale:
    return BookedSale(
        kind="journal",
        name=journal.name,
        currency=journal.currency,
        amount=journal.debit,
        posted=journal.posted,
        status=journal.status_meaning,
    )


def _invoice(invoice: FoundInvoice) -> BookedSale:
    return BookedSale(
        kind="invoice",
        name=invoice.transaction_number,
        currency=invoice.currency,
        amount=invoice.entered_amount,
        posted=invoice.status in ("", COMPLETE),
        status=invoice.status,
    )
