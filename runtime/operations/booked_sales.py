"""What Fusion holds of a shop, whatever its sales and refunds became: journals, invoices and credit memos, or both."""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, Protocol

from clients.oracle_fusion.models import FoundCreditMemo, FoundInvoice, FusionJournal
from contracts.configuration import Integration
from contracts.model import Amount, Frozen
from runtime.operations.ledger_credits import CreditSide, CreditSource, credit_side
from runtime.operations.ledger_invoices import InvoiceSide, InvoiceSource, invoice_side
from runtime.operations.ledger_journals import LedgerSide, LedgerSource, ledger_side
from runtime.operations.source_sales import Sold
from store import Store
from store.creating.creation import CreationRow
from store.rows import PostingRow

COMPLETE = "Complete"
"""Status of an invoice that Receivables accounts."""


class BooksSource(LedgerSource, InvoiceSource, CreditSource, Protocol):
    """The part of the Fusion client that reconciliation reads."""


class BookedSale(Frozen):
    """One document in Fusion that carries an order or a refund."""

    kind: Literal["journal", "invoice", "credit memo"]
    name: str
    """As Fusion shows it."""
    currency: str
    amount: Amount
    """A journal's debits; what an invoice or a credit memo is over, positive."""
    posted: bool
    """Posted, complete, or applied: nobody has to do anything about it."""
    status: str
    owed: Amount | None = None
    """What the shopper owes by several documents that together book the order; what a refund's journal gives back."""

    def comparable(self, sold: Sold | None) -> Decimal:
        """In terms of what the shopper owes, or got back."""
        if self.owed is not None:
            return self.owed
        if sold is None:
            return self.amount
        return self.amount - sold.contra if self.kind == "journal" else self.amount + sold.settled


@dataclass
class BookedSide:
    """Everything in Fusion that carries an order or a refund of the integration."""

    journals: LedgerSide
    invoices: InvoiceSide
    credits: CreditSide

    def order_ids(self) -> frozenset[str]:
        return frozenset(self.journals.by_order) | frozenset(self.invoices.by_order)

    def refund_ids(self) -> frozenset[str]:
        return frozenset(self.journals.by_refund) | frozenset(self.credits.by_refund)

    def of(
        self, order_id: str, posting: PostingRow | None, creation: CreationRow | None, settled: Decimal = Decimal(0)
    ) -> list[BookedSale]:
        """More than one is a duplicate. Where none carries the order, what a person named as its own. `settled` is what
        store credit and certificates are of the order."""
        journals = list(self.journals.by_order.get(order_id, ())) or self._named(posting)
        owed, standing = self.journals.owed.get(order_id), self.journals.standing.get(order_id)
        invoices = list(self.invoices.by_order.get(order_id, ()))
        named = creation.target_id if creation and creation.final else ""
        if not invoices and named in self.invoices.by_id:
            invoices = [self.invoices.by_id[named]]
        booked = list(map(_journal, journals))
        if owed is not None:
            booked = [_together(journals, owed).model_copy(update={"owed": owed})]
        elif standing is not None:
            booked = [_together(journals, standing)]
        memos = self.credits.by_order.get(order_id, [])
        if len(invoices) == 1 and len(memos) == 1:
            return [*booked, self._taken_back(order_id, invoices[0], memos[0], settled)]
        return [*booked, *map(_invoice, invoices), *(_credit_memo(one, done=False) for one in memos)]

    def _taken_back(self, order_id: str, invoice: FoundInvoice, memo: FoundCreditMemo, settled: Decimal) -> BookedSale:
        """An invoice and what took back the rest of it, together."""
        billed, credited = _invoice(invoice), _credit_memo(memo, done=False)
        taken = self.credits.taken.get(order_id, memo.credited + settled)
        return billed.model_copy(
            update={
                "name": f"{billed.name}, {credited.name}",
                "amount": invoice.entered_amount - memo.credited,
                "posted": billed.posted and credited.posted,
                "status": billed.status if credited.posted else credited.status,
                "owed": invoice.entered_amount + settled - taken,
            }
        )

    def of_refund(
        self, refund_id: str, sold: Sold | None, posting: PostingRow | None, creation: CreationRow | None, *, done: bool
    ) -> list[BookedSale]:
        """As `of`. `done`: nothing more is to be done about its credit memo, whatever is left to apply."""
        journals = list(self.journals.by_refund.get(refund_id, ())) or self._named(posting)
        memos = list(self.credits.by_refund.get(refund_id, ()))
        named = creation.target_id if creation and creation.final else ""
        if not memos and named in self.credits.by_id:
            memos = [self.credits.by_id[named]]
        booked = [_journal(one) for one in journals]
        returned = self.journals.returned.get(refund_id)
        if len(booked) == 1 and returned is not None and (sold is None or booked[0].comparable(sold) != sold.total):
            # How its parts stood when it was posted: an order that was edited since divides it otherwise.
            booked = [booked[0].model_copy(update={"owed": returned})]
        return [*booked, *(_credit_memo(one, done=done) for one in memos)]

    def _named(self, posting: PostingRow | None) -> list[FusionJournal]:
        header = posting.fate.journal_header_id if posting and posting.fate else None
        return [self.journals.by_header[header]] if header is not None and header in self.journals.by_header else []


async def booked_side(
    fusion: BooksSource,
    store: Store,
    integration: Integration,
    order_ids: Iterable[str],
    since: dt.datetime,
    refund_ids: Iterable[str] = (),
) -> BookedSide:
    """Reads every journal source and every source of invoices and credit memos of the integration's books.

    Raises `VendorError`.
    """
    orders, refunds = tuple(order_ids), tuple(refund_ids)
    return BookedSide(
        journals=await ledger_side(fusion, store, integration, orders, since, refunds),
        invoices=await invoice_side(fusion, store, integration, orders, since),
        credits=await credit_side(fusion, store, integration, refunds, since, orders),
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


def _together(journals: Sequence[FusionJournal], amount: Decimal) -> BookedSale:
    """A sale and what changed it afterwards."""
    unposted = [one for one in journals if not one.posted]
    return BookedSale(
        kind="journal",
        name=", ".join(one.name for one in journals),
        currency=journals[0].currency,
        amount=amount,
        posted=not unposted,
        status=(unposted or journals)[0].status_meaning,
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


def _credit_memo(memo: FoundCreditMemo, *, done: bool) -> BookedSale:
    on_account = memo.balance if memo.balance is not None else memo.credited
    status = f"{on_account:f} {memo.currency} of it is not applied to an invoice" if on_account else "applied"
    return BookedSale(
        kind="credit memo",
        name=memo.transaction_number,
        currency=memo.currency,
        amount=memo.credited,
        posted=done or not on_account,
        status="applied" if memo.balance is None and done else status,
    )
