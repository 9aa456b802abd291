"""An invoice that a person names as an order's own is believed once Fusion shows it."""

import datetime as dt
from typing import Final

from activities.collaborators import Collaborators
from activities.failures import review
from activities.posting.subject import posted_elsewhere
from activities.receivables.invoices import Invoices, invoice_cross_reference, invoice_key, invoice_reference
from activities.trail import settle_as_marked
from clients.errors import NotFound
from clients.oracle_fusion.invoice_document import INVOICES
from clients.oracle_fusion.models import FoundInvoice
from contracts.configuration import Integration
from contracts.journal import Problem
from contracts.receivable import Invoice
from contracts.steps.journals import VerifyJournal
from store.creating.creation import CreationRow, CreationState
from store.creating.elsewhere import PostedElsewhere

HASHED: Final = "mlc-"
"""How a reference begins that was too long (`contracts.names.journal_reference`)."""


class NamedInvoices:
    """What a person names is a transaction number, or Fusion's own id of the transaction."""

    def __init__(self, parts: Collaborators, integration: Integration) -> None:
        self._parts = parts
        self._integration = integration
        self._fusion = parts.fusions[integration.fusion]

    async def find(self, wanted: VerifyJournal) -> tuple[FoundInvoice, ...]:
        """By number in every source that the integration bills from or sent this one to, or else by id.

        Raises `VendorError`.
        """
        named = wanted.batch_name
        since = dt.datetime.combine(self._integration.cut_over, dt.time(), dt.UTC) - dt.timedelta(days=1)
        found: dict[int, FoundInvoice] = {}
        for source, unit in await self._places(wanted.order_id):
            for invoice in await self._fusion.numbered_invoices(named, source, unit, since=since):
                found[invoice.customer_transaction_id] = invoice
        if not found and named.isdecimal():
            try:
                invoice = await self._fusion.invoice(int(named))
            except NotFound:
                return ()
            found[invoice.customer_transaction_id] = invoice
        return tuple(found.values())

    async def _places(self, order_id: str) -> tuple[tuple[str, str], ...]:
        """Sources and business units, each once."""
        places = {
            (books.receivable.transaction_source, books.business_unit): None
            for books in self._integration.books
            if books.receivable is not None
        }
        sent = await self._parts.store.creations.content(invoice_reference(self._integration, order_id))
        if sent is not None:
            invoice = Invoice.model_validate_json(sent)
            places[(invoice.transaction_source, invoice.business_unit)] = None
        return tuple(places)

    async def mark(self, wanted: VerifyJournal, found: tuple[FoundInvoice, ...], job: str) -> None:
        """The order is posted by this invoice. A final failure when it is none of these, or another order's."""
        document = f"Order {wanted.order_id} ({wanted.connection})"
        creations = self._parts.store.creations
        reference = invoice_reference(self._integration, wanted.order_id)
        intended = await creations.creation(reference)
        invoice = next((one for one in found if _fits(one, intended)), None)
        if invoice is None:
            raise review(_not_found(document, wanted.batch_name, intended, found))
        target = Invoices(self._fusion, self._integration).seen(invoice)
        owners = await creations.of_target(self._integration.fusion, INVOICES, target.target_id)
        others = [one.reference for one in owners if one.reference != reference]
        carried = invoice.cross_reference
        if carried != reference and carried.startswith((f"{self._integration.tenant}/", HASHED)):
            others.append(carried)
        if others:
            raise review(
                Problem(
                    code="invoice_of_another",
                    sentence=f"{document}: {target.sentence} is that of {others[0]}.",
                    remedy="Name the invoice that carries this document, or skip it with a reason.",
                )
            )
        try:
            row = await creations.mark_posted(
                reference,
                target_id=target.target_id,
                target_number=target.target_number,
                sentence=f"Marked as posted by {wanted.who}: {wanted.why}",
                now=self._parts.clock(),
                key=invoice_key(self._integration, wanted.order_id),
                fingerprint=wanted.fingerprint,
                job=job,
            )
        except PostedElsewhere as elsewhere:
            raise review(posted_elsewhere(document, "invoice", elsewhere)) from elsewhere
        await self._parts.store.cross_references.put(
            invoice_cross_reference(self._integration, wanted.order_id, target.target_id, at=self._parts.clock())
        )
        named = {"invoice": target.target_number, "target_id": target.target_id}
        await settle_as_marked(self._parts, self._integration, wanted, sentence=row.sentence, named=named, job=job)


def _fits(invoice: FoundInvoice, intended: CreationRow | None) -> bool:
    """The amount we meant; any, when it was never intended; the one that we created, as it is, when that differs."""
    if intended is None or not intended.currency:
        return True
    if intended.state is CreationState.DIFFERS and intended.target_id == str(invoice.customer_transaction_id):
        return True
    return (invoice.currency, invoice.entered_amount) == (intended.currency, intended.total)


def _not_found(document: str, named: str, intended: CreationRow | None, found: tuple[FoundInvoice, ...]) -> Problem:
    amount = f" of {intended.total:f} {intended.currency}" if intended and intended.currency else ""
    shown = "".join(f"; {one.transaction_number} is over {one.entered_amount:f} {one.currency}" for one in found)
    return Problem(
        code="invoice_not_found",
        sentence=f'{document}: Fusion has no invoice{amount} with the number or transaction id "{named}"{shown}.',
        remedy="Give the transaction number as Fusion shows it, or the transaction's id.",
    )
