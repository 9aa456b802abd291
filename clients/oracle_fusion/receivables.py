"""Invoices in Receivables: created once, found again by their reference (Oracle Fusion: 3.1)."""

import datetime as dt
from collections.abc import AsyncIterator
from typing import Final

from clients.errors import InDoubt, Rejected
from clients.oracle_fusion.described import Descriptions
from clients.oracle_fusion.invoice_document import (
    DISTRIBUTIONS,
    INVOICES,
    LINE_FLEXFIELD,
    LINES,
    found_invoice,
    invoice_body,
    refused_as_duplicate,
)
from clients.oracle_fusion.models import FoundInvoice
from clients.oracle_fusion.payloads import check_document
from clients.oracle_fusion.rest import RESOURCES, FusionRest, Row, finder, moment_literal, quoted
from clients.oracle_fusion.transaction_search import BEFORE, NEWEST_FIRST, TransactionSearch, Way
from contracts.configuration import ReceivableBooks
from contracts.receivable import Invoice, ReferenceHome

DUPLICATE: Final = "duplicate_invoice"
"""Code of the refusal that says: this transaction number exists."""

_EXPANDED: Final = f"{LINES}.{LINE_FLEXFIELD}"


class ReceivablesInvoices:
    """Creates and reads `receivablesInvoices`. Nothing here changes or deletes an invoice."""

    def __init__(self, rest: FusionRest, descriptions: Descriptions) -> None:
        self._rest = rest
        self._invoices_described = descriptions
        self._invoices = TransactionSearch(rest, INVOICES)

    async def check_invoice(self, invoice: Invoice, books: ReceivableBooks) -> None:
        """Whether the pod's own description lets the invoice be created; nothing is sent.

        Raises `UnfitPayload` with all faults, `ValueError` when the resource cannot carry it.
        """
        body = invoice_body(invoice, books)
        await check_document(self._invoices_described, self._rest.connection, INVOICES, body, subject=_subject(invoice))

    async def create_invoice(self, invoice: Invoice, books: ReceivableBooks, *, ends: float) -> FoundInvoice:
        """Post one invoice. `ends`: moment of the event loop's clock after which nothing may go out any more.

        Raises `NotSent` when that is over, `Rejected` when Fusion declined (with the code `duplicate_invoice` when
        its transaction number exists), `InDoubt` when it may have been created, `ValueError` when the resource cannot
        carry it (nothing was sent).
        """
        subject = _subject(invoice)
        try:
            answer = await self._rest.create(
                f"{RESOURCES}/{INVOICES}", invoice_body(invoice, books), subject=subject, ends=ends
            )
        except Rejected as refusal:
            codes = self._rest.connection.duplicate_invoice_codes
            if invoice.home == "transaction_number" and refused_as_duplicate(refusal.messages, refusal.code, codes):
                raise Rejected(
                    refusal.connection,
                    refusal.sentence,
                    remedy="Nothing to do: the invoice with this number is looked up.",
                    status=refusal.status,
                    code=DUPLICATE,
                    messages=refusal.messages,
                ) from None
            raise
        try:
            return found_invoice(answer, books)
        except ValueError as wrong:
            raise InDoubt(
                self._rest.connection.id,
                f"Oracle Fusion ({self._rest.connection.id}) accepted {subject}; its answer cannot be read: {wrong}.",
            ) from None

    async def find_invoices(self, invoice: Invoice, books: ReceivableBooks) -> tuple[FoundInvoice, ...]:
        """Every invoice that carries this one's reference in its home, usually none or one, whatever its content.

        A number counts where source and business unit are the same, or the cross-reference proves that it is ours: the
        books may have changed since. An empty answer proves nothing while an earlier attempt may still be under way.
        """
        ways = _ways_to_find(invoice, books)
        found = self._read(invoice.home, ways, _subject(invoice), books)
        return tuple([one async for one in found if _is(one, invoice)])

    async def numbered_invoices(
        self, number: str, source: str, business_unit: str, *, since: dt.datetime
    ) -> tuple[FoundInvoice, ...]:
        """The invoices of one source with this transaction number; of those created at or after `since` at least."""
        search = _search(source, business_unit)
        ways = (
            Way(q=f"TransactionNumber={quoted(number)}"),
            Way(finder=search, order_by=NEWEST_FIRST, since=since),
            Way(q=f"CreationDate >= {moment_literal(since)}"),
        )
        found = [one async for one in self._read("transaction_number", ways, f"invoice {number}", None)]
        wanted = (number, source, business_unit)
        return tuple(
            one for one in found if (one.transaction_number, one.transaction_source, one.business_unit) == wanted
        )

    async def invoice(self, customer_transaction_id: int, *, whole: bool = False) -> FoundInvoice:
        """One invoice by Fusion's own key; `whole` with its distributions. Raises `NotFound`."""
        subject = f"invoice {customer_transaction_id}"
        params: dict[str, str | bool] = {"onlyData": True, **({"expand": DISTRIBUTIONS} if whole else {})}
        row = await self._rest.http.read(
            f"{RESOURCES}/{INVOICES}/{customer_transaction_id}", subject=subject, params=params
        )
        if not isinstance(row, dict):
            raise self._rest.http.bad_answer(subject, "the answer is not an invoice")
        return self._found(row, subject, None)

    async def invoices_of_source(
        self, source: str, business_unit: str, since: dt.datetime, *, books: ReceivableBooks | None = None
    ) -> AsyncIterator[FoundInvoice]:
        """All invoices of a transaction source created at or after `since`, each once, in no promised order.

        With `books` their line flexfields come along, for the home `line_flexfield`.
        """
        expand = _EXPANDED if books is not None and books.reference_home == "line_flexfield" else ""
        q = f"TransactionSource={quoted(source)} and BusinessUnit={quoted(business_unit)}"
        created = f"CreationDate >= {moment_literal(since)}"
        ways = (
            Way(q=f"{q} and {created}", expand=expand),
            Way(finder=_search(source, business_unit), order_by=NEWEST_FIRST, since=since, expand=expand),
            Way(q=created, expand=expand),
        )
        async for one in self._read(None, ways, f"the invoices of source {source}", books):
            same = (one.transaction_source, one.business_unit) == (source, business_unit)
            if same and (one.created_at is None or one.created_at >= since):
                yield one

    async def invoices_of_unit(self, business_unit: str, since: dt.datetime) -> AsyncIterator[FoundInvoice]:
        """All invoices of a business unit created at or after `since`, whatever their source, without their lines."""
        created = f"CreationDate >= {moment_literal(since)}"
        ways = (
            Way(q=f"BusinessUnit={quoted(business_unit)} and {created}"),
            Way(finder=_search("", business_unit), order_by=NEWEST_FIRST, since=since),
            Way(q=created),
        )
        async for one in self._read(None, ways, f"the invoices of business unit {business_unit}", None):
            if one.business_unit == business_unit and (one.created_at is None or one.created_at >= since):
                yield one

    async def _read(
        self, home: ReferenceHome | None, ways: tuple[Way, ...], subject: str, books: ReceivableBooks | None
    ) -> AsyncIterator[FoundInvoice]:
        """The rows of the first way that this pod takes; `home` None for a whole source."""
        async for row in self._invoices.rows(home, ways, subject):
            yield self._found(row, subject, books)

    def _found(self, row: Row, subject: str, books: ReceivableBooks | None) -> FoundInvoice:
        try:
            return found_invoice(row, books)
        except ValueError as wrong:
            raise self._rest.http.bad_answer(subject, str(wrong)) from None


def _subject(invoice: Invoice) -> str:
    return f"invoice {invoice.number} of order {invoice.order_number}"


def _ways_to_find(invoice: Invoice, books: ReceivableBooks) -> tuple[Way, ...]:
    condition, expand = {
        "transaction_number": (f"TransactionNumber={quoted(invoice.number)}", ""),
        "cross_reference": (f"CrossReference={quoted(invoice.reference)}", ""),
        "line_flexfield": (f"{_EXPANDED}.{books.flexfield_attribute}={quoted(invoice.reference)}", _EXPANDED),
    }[invoice.home]
    since = dt.datetime.combine(invoice.transaction_date, dt.time(), dt.UTC) - BEFORE
    search = _search(invoice.transaction_source, invoice.business_unit)
    return (
        Way(q=condition, expand=expand),
        Way(finder=search, order_by=NEWEST_FIRST, since=since, expand=expand),
        Way(q=f"CreationDate >= {moment_literal(since)}", expand=expand),
    )


def _is(found: FoundInvoice, invoice: Invoice) -> bool:
    ours = found.cross_reference == invoice.reference
    if invoice.home == "transaction_number":
        place = (found.transaction_source, found.business_unit)
        same_place = place == (invoice.transaction_source, invoice.business_unit)
        return found.transaction_number == invoice.number and (ours or same_place)
    return ours or (invoice.home == "line_flexfield" and found.line_reference == invoice.reference)


def _search(source: str, business_unit: str) -> str:
    """The finder for a unit, and a source where one is given.

    A name that the finder cannot take is left to the comparison here.
    """
    given = {"TransactionSource": source, "BusinessUnit": business_unit}
    usable = {name: one for name, one in given.items() if one and not set(one) & set(",;\r\n")}
    return finder("invoiceSearch", **usable)
