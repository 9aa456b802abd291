"""Invoices that were created since the backup are read back from Receivables by their reference, and recorded.

All sources of a business unit are read: books may have been given another source, or another home of the reference,
since the backup was made.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from activities.collaborators import Collaborators
from activities.posting.subject import DUPLICATE
from activities.receivables.invoices import PURPOSE, invoice_key, invoice_reference
from activities.trail import KIND
from clients.oracle_fusion.invoice_document import INVOICES
from clients.oracle_fusion.models import FoundInvoice
from contracts import names
from contracts.configuration import Integration
from contracts.journal import Problem
from contracts.receivable import NUMBER_LENGTH, ReferenceHome
from runtime.operations.recovering.transactions import HASHED, SHORTENED, Several, TransactionsRead, record_all
from store.recovered_creations import RecoveredCreation


async def bring_back_invoices(parts: Collaborators, since: dt.datetime, now: dt.datetime, job: str) -> TransactionsRead:
    """Raises `VendorError` while a pod cannot be asked."""
    found = TransactionsRead()
    for fusion in parts.fusions:
        mine = [one for one in parts.configuration.integrations if one.fusion == fusion]
        if any(books.receivable for one in mine for books in one.books):
            found = found.and_also(await _of_fusion(parts, fusion, mine, since, now, job))
    return found


async def _of_fusion(
    parts: Collaborators,
    fusion: str,
    integrations: Sequence[Integration],
    since: dt.datetime,
    now: dt.datetime,
    job: str,
) -> TransactionsRead:
    invoices = await _read(parts, fusion, integrations, since)
    owners = await _Owners.of(parts, fusion, integrations, invoices.values())
    ours: defaultdict[tuple[str, str, str], list[FoundInvoice]] = defaultdict(list)
    unreadable = []
    for invoice in invoices.values():
        owner = owners.owner(invoice)
        if owner is not None:
            integration, document_id, home = owner
            ours[integration.id, document_id, home].append(invoice)
        elif owners.looks_ours(invoice):
            unreadable.append(invoice.transaction_number)
    recovered = _together(parts, ours, now)
    several = [Several(reference=one.reference, numbers=one.numbers) for one in recovered if one.numbers]
    brought = await record_all(parts, recovered, job)
    return TransactionsRead(
        read=sum(map(len, ours.values())),
        brought_back=tuple(one.reference for one in brought),
        documents=tuple(one.key for one in brought),
        unreadable=tuple(sorted(unreadable)),
        several=tuple(several),
    )


async def _read(
    parts: Collaborators, fusion: str, integrations: Sequence[Integration], since: dt.datetime
) -> dict[int, FoundInvoice]:
    """By Fusion's own key, oldest first."""
    client = parts.fusions[fusion]
    billing = [(books, books.receivable) for one in integrations for books in one.books if books.receivable]
    found: dict[int, FoundInvoice] = {}
    for unit in sorted({books.business_unit for books, _ in billing}):
        async for invoice in client.invoices_of_unit(unit, since):
            found[invoice.customer_transaction_id] = invoice
    flexfields = {
        (receivable.transaction_source, books.business_unit): receivable
        for books, receivable in billing
        if receivable.reference_home == "line_flexfield"
    }
    for (source, unit), receivable in flexfields.items():
        async for invoice in client.invoices_of_source(source, unit, since, books=receivable):
            found[invoice.customer_transaction_id] = invoice
    return dict(sorted(found.items()))


class _Owners:
    """Whose an invoice is: by the reference it carries, or by a number that only one document's reference gives."""

    def __init__(
        self, parts: Collaborators, integrations: Sequence[Integration], references: Mapping[str, str], fusion: str
    ) -> None:
        self._parts = parts
        self._integrations = {(one.tenant, one.source): one for one in reversed(integrations)}
        self._references = references
        """Of numbers that the store knows."""
        self._fusion = fusion
        self._known: dict[str, tuple[Integration, str]] = {}
        """References of documents that are known otherwise: hashed ones tell nothing by themselves."""
        self._places = {
            (books.receivable.transaction_source, books.business_unit)
            for one in integrations
            for books in one.books
            if books.receivable
        }

    @classmethod
    async def of(
        cls, parts: Collaborators, fusion: str, integrations: Sequence[Integration], invoices: Iterable[FoundInvoice]
    ) -> "_Owners":
        found = list(invoices)
        numbers = [one.transaction_number for one in found]
        references = await parts.store.recoveries.references_of_numbers(fusion, numbers)
        owners = cls(parts, integrations, references, fusion)
        carried = [text for one in found for text in (one.cross_reference, one.line_reference) if text]
        creations = await parts.store.creations.creations([*carried, *references.values()])
        for reference, creation in creations.items():
            integration = owners._integrations.get((creation.key.tenant, creation.key.connection))
            if integration is not None and creation.key.purpose == PURPOSE:
                owners._known[reference] = (integration, creation.key.document_id)
        for integration in integrations:
            for order in {one.purchase_order for one in found if one.purchase_order}:
                # Proved by the reference that it gives, or of no consequence.
                owners._known.setdefault(invoice_reference(integration, order), (integration, order))
        return owners

    def owner(self, invoice: FoundInvoice) -> tuple[Integration, str, ReferenceHome] | None:
        """Integration, document id, and where the reference stands."""
        numbered = self._by_number(invoice)
        for text, home in ((invoice.line_reference, "line_flexfield"), (invoice.cross_reference, "cross_reference")):
            found = self._by_reference(text)
            if found is not None:
                return (*found, "transaction_number" if found == numbered else _home(home))
        return (*numbered, "transaction_number") if numbered is not None else None

    def _by_reference(self, text: str) -> tuple[Integration, str] | None:
        if text in self._known:
            return self._known[text]
        pieces = text.split("/")
        if len(pieces) != 6 or pieces[2] != KIND or pieces[4] != PURPOSE:
            return None
        integration = self._integrations.get((pieces[0], pieces[1]))
        if integration is None or invoice_reference(integration, pieces[3]) != text:
            return None
        return integration, pieces[3]

    def _by_number(self, invoice: FoundInvoice) -> tuple[Integration, str] | None:
        """Accountants may number by hand in other sources: there a number says nothing."""
        number = invoice.transaction_number
        reference = self._references.get(number, "")
        if reference in self._known:
            return self._known[reference]
        if (invoice.transaction_source, invoice.business_unit) not in self._places or not invoice.purchase_order:
            return None
        for integration in self._integrations.values():
            expected = invoice_reference(integration, invoice.purchase_order)
            if names.short_reference(expected, NUMBER_LENGTH) == number:
                return integration, invoice.purchase_order
        return None

    def looks_ours(self, invoice: FoundInvoice) -> bool:
        """Whether it carries something that only we write."""
        tenants = {tenant for tenant, _ in self._integrations}
        for text in (invoice.cross_reference, invoice.line_reference):
            pieces = text.split("/")
            readable = len(pieces) == 6 and pieces[0] in tenants and pieces[4] == PURPOSE
            if text.startswith(HASHED) or (readable and not self._of_another_pod(pieces[0], pieces[1])):
                return True
        mine = (invoice.transaction_source, invoice.business_unit) in self._places
        return mine and bool(SHORTENED.fullmatch(invoice.transaction_number))

    def _of_another_pod(self, tenant: str, connection: str) -> bool:
        return any(
            (one.tenant, one.source) == (tenant, connection) and one.fusion != self._fusion
            for one in self._parts.configuration.integrations
        )


def _home(name: str) -> ReferenceHome:
    return "line_flexfield" if name == "line_flexfield" else "cross_reference"


def _together(
    parts: Collaborators, ours: Mapping[tuple[str, str, str], Sequence[FoundInvoice]], now: dt.datetime
) -> list[RecoveredCreation]:
    """One of each document, with the numbers of all when there are several."""
    documents: defaultdict[tuple[str, str], list[tuple[str, FoundInvoice]]] = defaultdict(list)
    for (integration_id, document_id, home), invoices in ours.items():
        documents[integration_id, document_id] += [(home, invoice) for invoice in invoices]
    recovered = []
    for (integration_id, document_id), found in documents.items():
        integration = parts.configuration.integration(integration_id)
        found.sort(key=lambda one: one[1].customer_transaction_id)
        recovered.append(_recovered(integration, document_id, found, now))
    return recovered


def _recovered(
    integration: Integration, document_id: str, found: Sequence[tuple[str, FoundInvoice]], now: dt.datetime
) -> RecoveredCreation:
    (home, invoice), reference = found[0], invoice_reference(integration, document_id)
    amounts = {(one.currency, one.entered_amount) for _, one in found}
    numbers = tuple(one.transaction_number for _, one in found) if len(found) > 1 else ()
    return RecoveredCreation(
        key=invoice_key(integration, document_id),
        reference=reference,
        resource=INVOICES,
        home=home,
        number=invoice.transaction_number if home == "transaction_number" else reference,
        # Several that differ: whichever a person names may be the one.
        currency=invoice.currency if len(amounts) == 1 else "",
        total=invoice.entered_amount,
        accounting_date=invoice.accounting_date,
        target_id=str(invoice.customer_transaction_id),
        target_number=invoice.transaction_number,
        sentence=(
            f"invoice {invoice.transaction_number} over {invoice.entered_amount:f} {invoice.currency} "
            "read back from Fusion"
        ),
        created_at=invoice.created_at,
        seen_at=now,
        numbers=numbers,
        problems=(_several(integration, document_id, reference, numbers),) if numbers else (),
    )


def _several(integration: Integration, document_id: str, reference: str, numbers: tuple[str, ...]) -> Problem:
    return Problem(
        code=DUPLICATE,
        sentence=(
            f"Order {document_id} ({integration.source}): {Several(reference=reference, numbers=numbers).sentence()}"
        ),
        remedy=(
            "Credit or delete, in Fusion, those that should not be there, then mark the document as posted with the "
            "number of the one that stays. Nothing is sent meanwhile."
        ),
    )
