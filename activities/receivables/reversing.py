"""Mapping: from an order that was cancelled after it had been billed to the credit memo over what is left of it."""

from collections.abc import Iterable

from temporalio import activity

from activities.collaborators import Collaborators
from activities.failures import explained
from activities.orders.lookup import learn_lookups
from activities.orders.mapping import mapping_set_of, refund_by_hand
from activities.receivables.billed import Billed, document_of, invoice_of, memo_of
from activities.receivables.credited import Credited
from contracts.configuration import Integration
from contracts.credit_memo import CreditMemo
from contracts.journal import Problem
from contracts.sale import Sale
from contracts.steps.receivables import MappedCredit, MapReversal
from mapping.books import books_of
from mapping.credit_memo import CREDIT
from mapping.invoice_reversal import to_reversal_memo
from store.creating.creation import CreationRow, CreationState


class ReversalActivities:
    def __init__(self, parts: Collaborators) -> None:
        self._parts = parts

    @activity.defn(name="map_reversal")
    async def map_reversal(self, wanted: MapReversal) -> MappedCredit:
        """Pure but for reading the mapping set and what is on record. Runs as a local activity.

        A memo that is in Fusion stays what takes the order back, also where it could not be mapped any more: what is
        half done is completed.
        """
        with explained(wanted.snapshot.sale.title):
            integration = self._parts.configuration.integration(wanted.integration)
            mapped = await self._map(wanted, integration)
            there = await memo_of(self._parts, Credited(integration, wanted.snapshot.sale.order_id))
            if mapped.credit_memo is None and there is not None:
                return MappedCredit(credit_memo=there, fusion=integration.fusion)
            return mapped

    async def _map(self, wanted: MapReversal, integration: Integration) -> MappedCredit:
        sale = wanted.snapshot.sale
        learn_lookups(self._parts.facts, integration, sale, wanted.lookups, "receivable")
        billed = await invoice_of(self._parts, sale.connection, sale.order_id)
        if billed is None or billed.document is None:
            return MappedCredit(problems=(_unknown_invoice(sale, billed),))
        books = books_of(sale, integration)
        if isinstance(books, Problem):
            return MappedCredit(problems=(books,))
        mapping_set = await mapping_set_of(self._parts, integration.mapping_set, wanted.mapping_version)
        if isinstance(mapping_set, Problem):
            return MappedCredit(problems=(mapping_set,))
        below = await self._parts.store.creations.creations_below(sale.connection, sale.order_id)
        refunds = [one for one in below if one.key.purpose == CREDIT and one.state is not CreationState.WITHDRAWN]
        if (coming := _on_its_way(refunds)) is not None:
            return MappedCredit(waiting=_waiting(sale, coming))
        given: list[CreditMemo] = []
        for row in (one for one in refunds if one.final):
            memo = await document_of(self._parts, row) if _is_as_sent(row) else None
            if memo is None:
                return MappedCredit(problems=(_unknown_memo(sale, row),))
            given.append(memo)
        by_hand = await refund_by_hand(self._parts, sale, {memo.refund_id for memo in given})
        if by_hand is not None:
            return MappedCredit(problems=(by_hand,))
        mapped = to_reversal_memo(
            wanted.snapshot,
            tenant=integration.tenant,
            integration=integration,
            books=books,
            mapping_set=mapping_set,
            lookups=wanted.lookups,
            invoice=billed.document,
            given=given,
        )
        if mapped.skipped and not mapped.standing:
            return MappedCredit(problems=(_not_to_be_dated(sale, mapped.skipped),))
        return mapped


def _on_its_way(refunds: Iterable[CreationRow]) -> CreationRow | None:
    """One in review of which nothing was sent comes later, and finds nothing left to take back."""
    return next(
        (one for one in refunds if not one.final and (one.state is not CreationState.REVIEW or one.sends)), None
    )


def _is_as_sent(refund: CreationRow) -> bool:
    return refund.state is CreationState.POSTED and refund.recovered_at is None


def _waiting(sale: Sale, refund: CreationRow) -> Problem:
    return Problem(
        code="refund_on_its_way",
        sentence=(
            f"{sale.title}: credit memo {refund.number} of its refund {refund.key.document_id} is on its way into"
            " Fusion, and what it takes back is not to be taken back once more."
        ),
        remedy="Wait until it is there; the rest of the invoice is then taken back by itself.",
    )


def _not_to_be_dated(sale: Sale, reason: str) -> Problem:
    return Problem(
        code="edited_after_posting",
        sentence=f"{sale.title} was cancelled, and its invoice is not taken back by itself: {reason}.",
        remedy="Credit by hand in Fusion what is left of the invoice, then skip the order with a reason.",
    )


def _unknown_invoice(sale: Sale, billed: Billed | None) -> Problem:
    number = f" {billed.row.target_number}" if billed else ""
    return _unknown(sale, f"its invoice{number}")


def _unknown_memo(sale: Sale, refund: CreationRow) -> Problem:
    return _unknown(sale, f"credit memo {refund.target_number} of its refund {refund.key.document_id}")


def _unknown(sale: Sale, what: str) -> Problem:
    return Problem(
        code="edited_after_posting",
        sentence=(
            f"{sale.title} was cancelled, and {what} was named by a person, read back after a restore or is not as it"
            " was meant, so its lines are not known here."
        ),
        remedy="Credit by hand in Fusion what is left of the invoice, then skip the order with a reason.",
    )
