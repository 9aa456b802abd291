"""What Receivables holds of a shop: invoices read back from Fusion, by the order they bill."""

import datetime as dt
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from activities.receivables.invoices import PURPOSE, invoice_reference
from clients.oracle_fusion.models import FoundInvoice
from contracts import names
from contracts.configuration import Integration, ReceivableBooks
from contracts.receivable import NUMBER_LENGTH
from runtime.operations.ledger_journals import CLOCKS_APART, KIND
from store import Store


class InvoiceSource(Protocol):
    """The part of the Fusion client that is read here."""

    def invoices_of_source(
        self, source: str, business_unit: str, since: dt.datetime, *, books: ReceivableBooks | None = None
    ) -> AsyncIterator[FoundInvoice]:
        """Raises `VendorError`."""
        ...


@dataclass
class InvoiceSide:
    """Invoices of an integration's transaction sources."""

    by_order: Mapping[str, list[FoundInvoice]]
    """By order id; more than one for an order is a duplicate."""
    by_id: Mapping[str, FoundInvoice] = field(default_factory=dict)
    """All invoices of the sources, also those made by other hands."""


async def invoice_side(
    fusion: InvoiceSource, store: Store, integration: Integration, order_ids: Iterable[str], since: dt.datetime
) -> InvoiceSide:
    """Reads every transaction source of the integration's books; none where nothing is billed. Raises `VendorError`.

    An invoice is an order's by its reference: in the cross-reference, the line flexfield, or shortened as its number.
    References that were too long to be readable are resolved by the orders of the shop and, for others, by the store.
    """
    known: dict[str, str] = {}
    for order_id in order_ids:
        reference = invoice_reference(integration, order_id)
        known[reference] = known[names.short_reference(reference, NUMBER_LENGTH)] = order_id
    readable = re.compile(
        rf"{re.escape(integration.tenant)}/{re.escape(integration.source)}/{KIND}/([^/]+)/{PURPOSE}/\d+"
    )
    by_order: defaultdict[str, list[FoundInvoice]] = defaultdict(list)
    by_id: dict[str, FoundInvoice] = {}
    hashed: list[tuple[str, FoundInvoice]] = []
    for source, unit, books in _sources(integration):
        async for invoice in fusion.invoices_of_source(source, unit, since - CLOCKS_APART, books=books):
            # A page that is read twice while invoices arrive must not look like a duplicate.
            if (key := str(invoice.customer_transaction_id)) in by_id:
                continue
            by_id[key] = invoice
            carried = [one for one in (invoice.cross_reference, invoice.line_reference) if one]
            named = [known[one] for one in (*carried, invoice.transaction_number) if one in known]
            named += [matched[1] for one in carried if (matched := readable.fullmatch(one))]
            if named:
                by_order[named[0]].append(invoice)
            else:
                hashed += [(one, invoice) for one in carried if one.startswith("mlc-")]
    creations = await store.creations.creations(reference for reference, _ in hashed)
    for reference, invoice in hashed:
        creation = creations.get(reference)
        if creation is not None and creation.key.integration == integration.id:
            by_order[creation.key.document_id].append(invoice)
    return InvoiceSide(by_order=by_order, by_id=by_id)


def _sources(integration: Integration) -> list[tuple[str, str, ReceivableBooks]]:
    """Transaction sources and business units, each once."""
    places = {
        (books.receivable.transaction_source, books.business_unit): books.receivable
        for books in integration.books
        if books.receivable is not None
    }
    return [(source, unit, billing) for (source, unit), billing in sorted(places.items(), key=lambda one: one[0])]
