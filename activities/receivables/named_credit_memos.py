"""A credit memo that a person names as a refund's, or a cancelled order's, own is believed once Fusion shows it."""

import datetime as dt

from activities.collaborators import Collaborators
from activities.failures import review
from activities.posting.subject import posted_elsewhere
from activities.receivables.credit_memos import CreditMemoResource
from activities.receivables.credited import Credited
from activities.receivables.named_invoices import HASHED
from activities.trail import settle_as_marked
from clients.errors import NotFound
from clients.oracle_fusion.credit_memo_document import CREDIT_MEMOS
from clients.oracle_fusion.models import FoundCreditMemo
from contracts import names
from contracts.configuration import Integration
from contracts.credit_memo import CreditMemo
from contracts.flow import State
from contracts.journal import Problem
from contracts.steps.journals import VerifyJournal
from store.creating.creation import CreationRow, CreationState
from store.creating.elsewhere import PostedElsewhere
from store.rows import CrossReference


class NamedCreditMemos:
    """What a person names is a transaction number, or Fusion's own id of the memo."""

    def __init__(self, parts: Collaborators, integration: Integration) -> None:
        self._parts = parts
        self._integration = integration
        self._fusion = parts.fusions[integration.fusion]

    async def find(self, wanted: VerifyJournal) -> tuple[FoundCreditMemo, ...]:
        """By number in every source that the integration credits from or sent this one to, or else by id.

        Raises `VendorError`.
        """
        named = wanted.batch_name
        since = dt.datetime.combine(self._integration.cut_over, dt.time(), dt.UTC) - dt.timedelta(days=1)
        found: dict[int, FoundCreditMemo] = {}
        for source, unit in await self._places(await self._credited(wanted)):
            for memo in await self._fusion.credit_memos.numbered_credit_memos(named, source, unit, since=since):
                found[memo.customer_transaction_id] = memo
        if not found and named.isdecimal():
            try:
                memo = await self._fusion.credit_memos.credit_memo(int(named))
            except NotFound:
                return ()
            found[memo.customer_transaction_id] = memo
        return tuple(found.values())

    async def _credited(self, wanted: VerifyJournal) -> Credited:
        if wanted.kind != names.REFUND:
            return Credited(self._integration, wanted.order_id)
        known = await self._parts.store.documents.get(wanted.connection, wanted.kind, wanted.order_id)
        return Credited(self._integration, known.parent_id if known else "", wanted.order_id)

    async def _places(self, credited: Credited) -> tuple[tuple[str, str], ...]:
        """Sources and business units, each once."""
        places = {
            (billing.credit_memo_source or billing.transaction_source, books.business_unit): None
            for books in self._integration.books
            if (billing := books.receivable) is not None
        }
        sent = await self._parts.store.creations.content(credited.memo_reference)
        if sent is not None:
            memo = CreditMemo.model_validate_json(sent)
            places[memo.transaction_source, memo.business_unit] = None
        return tuple(places)

    async def mark(self, wanted: VerifyJournal, found: tuple[FoundCreditMemo, ...], job: str) -> None:
        """The document is settled by this memo, and what is left to apply of it is no business of ours any more. A
        final failure when it is none of these, or another document's."""
        document = names.document_title(wanted.kind, wanted.connection, wanted.order_id)
        creations = self._parts.store.creations
        credited = await self._credited(wanted)
        reference = credited.memo_reference
        intended = await creations.creation(reference)
        memo = next((one for one in found if _fits(one, intended)), None)
        if memo is None:
            raise review(_not_found(document, wanted.batch_name, intended, found))
        target = CreditMemoResource(self._fusion, self._integration).seen(memo)
        owners = await creations.of_target(self._integration.fusion, CREDIT_MEMOS, target.target_id)
        others = [one.reference for one in owners if one.reference != reference]
        carried = memo.comments.rpartition("| ")[2].strip()
        if carried != reference and carried.startswith((f"{self._integration.tenant}/", HASHED)):
            others.append(carried)
        if others:
            raise review(
                Problem(
                    code="credit_memo_of_another",
                    sentence=f"{document}: {target.sentence} is that of {others[0]}.",
                    remedy=f"Name the credit memo that carries this {wanted.kind}, or skip it with a reason.",
                )
            )
        try:
            row = await creations.mark_posted(
                reference,
                target_id=target.target_id,
                target_number=target.target_number,
                sentence=f"Marked as posted by {wanted.who}: {wanted.why}",
                now=self._parts.clock(),
                key=credited.memo,
                fingerprint=wanted.fingerprint,
                job=job,
            )
        except PostedElsewhere as elsewhere:
            raise review(posted_elsewhere(document, "credit memo", elsewhere)) from elsewhere
        await creations.withdraw(credited.application_reference, skipped=True, by_person=True)
        await self._parts.store.cross_references.put(
            CrossReference(
                tenant=self._integration.tenant,
                connection=self._integration.source,
                kind=wanted.kind,
                id=wanted.order_id,
                target_connection=self._integration.fusion,
                target_kind=CREDIT_MEMOS,
                target_id=target.target_id,
                at=self._parts.clock(),
            )
        )
        named = {"credit_memo": target.target_number, "target_id": target.target_id}
        await settle_as_marked(
            self._parts,
            self._integration,
            wanted,
            sentence=row.sentence,
            named=named,
            job=job,
            state=State.POSTED if wanted.kind == names.REFUND else State.REVERSED,
        )


def _fits(memo: FoundCreditMemo, intended: CreationRow | None) -> bool:
    """The amount we meant; any, when it was never intended; the one that we created, as it is, when that differs."""
    if intended is None or not intended.currency:
        return True
    if intended.state is CreationState.DIFFERS and intended.target_id == str(memo.customer_transaction_id):
        return True
    return (memo.currency, memo.credited) == (intended.currency, intended.total)


def _not_found(document: str, named: str, intended: CreationRow | None, found: tuple[FoundCreditMemo, ...]) -> Problem:
    amount = f" of {intended.total:f} {intended.currency}" if intended and intended.currency else ""
    shown = "".join(f"; {one.transaction_number} is over {one.credited:f} {one.currency}" for one in found)
    return Problem(
        code="credit_memo_not_found",
        sentence=f'{document}: Fusion has no credit memo{amount} with the number or transaction id "{named}"{shown}.',
        remedy="Give the transaction number as Fusion shows it, or the transaction's id.",
    )
