"""Invoices in Receivables: created once, found again by their reference (Oracle Fusion: 3.1).

Which attributes can be filtered by is not documented and differs between pods. So there are several ways to look, and
the first that a pod takes is remembered for the client's life: by the reference itself, by the finder for its source,
newest first, and by the day of creation. Whatever a way brings is compared exactly here.
"""

import datetime as dt
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from clients.errors import InDoubt, Rejected
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
from clients.oracle_fusion.rest import RESOURCES, FusionRest, Row, finder, instant, moment_literal, quoted
from contracts.configuration import ReceivableBooks
from contracts.receivable import Invoice, ReferenceHome

DUPLICATE: Final = "duplicate_invoice"
"""Code of the refusal that says: this transaction number exists."""

_BEFORE: Final = dt.timedelta(days=2)
"""An invoice is created after the day it is dated on; the rest is time zones."""
_EXPANDED: Final = f"{LINES}.{LINE_FLEXFIELD}"
_NEWEST_FIRST: Final = "CreationDate:desc,CustomerTransactionId:desc"


@dataclass(frozen=True)
class _Way:
    """One way to ask for invoices."""

    q: str = ""
    finder: str = ""
    order_by: str = "CustomerTransactionId"
    since: dt.datetime | None = None
    """Rows come newest first; nothing older is wanted."""
    expand: str = ""


class ReceivablesInvoices:
    """Creates and reads `receivablesInvoices`. Nothing here changes or deletes an invoice."""

    def __init__(self, rest: FusionRest) -> None:
        self._rest = rest
        self._usable: dict[ReferenceHome | None, int] = {}
        """Number of the first way this pod takes, by home of the reference; None for a whole source."""

    async def create_invoice(self, invoice: Invoice, books: ReceivableBooks, *, ends: float) -> FoundInvoice:
        """Post one invoice. `ends`: moment of the event loop's clock after which nothing may go out any more.

        Raises `NotSent` when that is over, `Rejected` when Fusion declined (with the code `duplicate_invoice` when
        its transaction number exists), `InDoubt` when it may have been created, `ValueError` when the resource cannot
        carry it (nothing was sent).
        """
        subject = f"invoice {invoice.number} of order {invoice.order_number}"
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
        subject = f"invoice {invoice.number} of order {invoice.order_number}"
        return tuple([one async for one in self._read(invoice.home, ways, subject, books) if _is(one, invoice)])

    async def numbered_invoices(
        self, number: str, source: str, business_unit: str, *, since: dt.datetime
    ) -> tuple[FoundInvoice, ...]:
        """The invoices of one source with this transaction number; of those created at or after `since` at least."""
        search = _search(source, business_unit)
        ways = (
            _Way(q=f"TransactionNumber={quoted(number)}"),
            _Way(finder=search, order_by=_NEWEST_FIRST, since=since),
            _Way(q=f"CreationDate >= {moment_literal(since)}"),
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
            _Way(q=f"{q} and {created}", expand=expand),
            _Way(finder=_search(source, business_unit), order_by=_NEWEST_FIRST, since=since, expand=expand),
            _Way(q=created, expand=expand),
        )
        async for one in self._read(None, ways, f"the invoices of source {source}", books):
            same = (one.transaction_source, one.business_unit) == (source, business_unit)
            if same and (one.created_at is None or one.created_at >= since):
                yield one

    async def invoices_of_unit(self, business_unit: str, since: dt.datetime) -> AsyncIterator[FoundInvoice]:
        """All invoices of a business unit created at or after `since`, whatever their source, without their lines."""
        created = f"CreationDate >= {moment_literal(since)}"
        ways = (
            _Way(q=f"BusinessUnit={quoted(business_unit)} and {created}"),
            _Way(finder=_search("", business_unit), order_by=_NEWEST_FIRST, since=since),
            _Way(q=created),
        )
        async for one in self._read(None, ways, f"the invoices of business unit {business_unit}", None):
            if one.business_unit == business_unit and (one.created_at is None or one.created_at >= since):
                yield one

    async def _read(
        self, home: ReferenceHome | None, ways: tuple[_Way, ...], subject: str, books: ReceivableBooks | None
    ) -> AsyncIterator[FoundInvoice]:
        """The rows of the first way that this pod takes."""
        for number in range(self._usable.get(home, 0), len(ways)):
            way, answered = ways[number], False
            try:
                async for row in self._rows(way, subject):
                    answered = True
                    yield self._found(row, subject, books)
            except Rejected as refusal:
                if answered or refusal.status != 400 or number + 1 == len(ways):
                    raise
                continue
            self._usable[home] = number
            return

    async def _rows(self, way: _Way, subject: str) -> AsyncIterator[Row]:
        rows = self._rest.rows(
            INVOICES, subject=subject, q=way.q, finder=way.finder, order_by=way.order_by, expand=way.expand
        )
        async for row in rows:
            created = instant(row, "CreationDate")
            if way.since is not None and created is not None and created < way.since:
                return
            yield row

    def _found(self, row: Row, subject: str, books: ReceivableBooks | None) -> FoundInvoice:
        try:
            return found_invoice(row, books)
        except ValueError as wrong:
            raise self._rest.http.bad_answer(subject, str(wrong)) from None


def _ways_to_find(invoice: Invoice, books: ReceivableBooks) -> tuple[_Way, ...]:
    condition, expand = {
        "transaction_number": (f"TransactionNumber={quoted(invoice.number)}", ""),
        "cross_reference": (f"CrossReference={quoted(invoice.reference)}", ""),
        "line_flexfield": (f"{_EXPANDED}.{books.flexfield_attribute}={quoted(invoice.reference)}", _EXPANDED),
    }[invoice.home]
    since = dt.datetime.combine(invoice.transaction_date, dt.time(), dt.UTC) - _BEFORE
    search = _search(invoice.transaction_source, invoice.business_unit)
    return (
        _Way(q=condition, expand=expand),
        _Way(finder=search, order_by=_NEWEST_FIRST, since=since, expand=expand),
        _Way(q=f"CreationDate >= {moment_literal(since)}", expand=expand),
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
