"""Credit memos that were created since the backup are read back from Receivables, with what of them is applied.

The comments of every memo of ours end with its whole reference, whatever its number and its source. A memo that is
still on account is half of a refund, or of a cancellation: it is recorded as that, and its document looks for the rest.
"""

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from activities.collaborators import Collaborators
from activities.posting.subject import DUPLICATE
from activities.receivables.credit_applications import APPLICATIONS
from activities.receivables.credited import Credited
from activities.receivables.invoices import PURPOSE as INVOICE
from clients.oracle_fusion import FusionClient
from clients.oracle_fusion.credit_memo_document import CREDIT_MEMOS, SEPARATOR
from clients.oracle_fusion.models import FoundApplication, FoundCreditMemo
from contracts import names
from contracts.configuration import Integration
from contracts.flow import State
from contracts.journal import Problem
from contracts.receivable import NUMBER_LENGTH, ReferenceHome
from mapping.credit_memo import CREDIT
from mapping.deltas import REVERSAL
from runtime.operations.recovering.transactions import HASHED, SHORTENED, Several, TransactionsRead, record_all
from store.recovered_creations import RecoveredCreation

TITLE: Final = re.compile(r"(?:Refund (\S+) of order|Order) (\S+) \(")
"""How the comments of a memo begin (`contracts.refund.RefundSale.title`, `contracts.sale.Sale.title`)."""
PURPOSES: Final = {names.REFUND: CREDIT, names.ORDER: REVERSAL}
WHAT: Final = "credit memos"


async def bring_back_credit_memos(
    parts: Collaborators, since: dt.datetime, now: dt.datetime, job: str
) -> TransactionsRead:
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
    client = parts.fusions[fusion]
    memos = await _read(client, integrations, since)
    known = await parts.store.recoveries.references_of_numbers(fusion, [one.transaction_number for one in memos])
    owners = _Owners(parts, integrations, known, fusion)
    whose: dict[str, Credited] = {}
    ours: defaultdict[str, list[FoundCreditMemo]] = defaultdict(list)
    unreadable = []
    for memo in memos:
        owner = await owners.owner(memo)
        if owner is not None:
            whose[owner.memo_reference] = owner
            ours[owner.memo_reference].append(memo)
        elif owners.looks_ours(memo):
            unreadable.append(memo.transaction_number)
    recovered: list[RecoveredCreation] = []
    applied: list[RecoveredCreation] = []
    for reference, found in ours.items():
        credited = whose[reference]
        application = await _application(client, found[0]) if len(found) == 1 else None
        recovered.append(_recovered(credited, found, application, now))
        if application is not None:
            applied.append(_recovered_application(credited, found[0], application, now))
    brought = await record_all(parts, recovered, job)
    applications = await record_all(parts, applied, job, referred=False)
    return TransactionsRead(
        read=sum(map(len, ours.values())),
        brought_back=tuple(one.reference for one in (*brought, *applications)),
        documents=tuple(one.key for one in (*brought, *applications)),
        unreadable=tuple(sorted(unreadable)),
        several=tuple(
            Several(reference=one.reference, numbers=one.numbers, what=WHAT) for one in recovered if one.numbers
        ),
    )


async def _read(
    client: FusionClient, integrations: Sequence[Integration], since: dt.datetime
) -> tuple[FoundCreditMemo, ...]:
    """Of all sources of the business units that are billed, oldest first."""
    units = {books.business_unit for one in integrations for books in one.books if books.receivable}
    found: dict[int, FoundCreditMemo] = {}
    for unit in sorted(units):
        async for memo in client.credit_memos.credit_memos_of_unit(unit, since):
            found[memo.customer_transaction_id] = memo
    return tuple(memo for _, memo in sorted(found.items()))


async def _application(client: FusionClient, memo: FoundCreditMemo) -> FoundApplication | None:
    """What of the memo is applied, where that is all of it, to one transaction; the rest is for its refund to judge."""
    if not memo.credited:
        return None
    applications = await client.credit_applications.applications_of(memo)
    whole = len(applications) == 1 and applications[0].amount == memo.credited and applications[0].transaction_id
    return applications[0] if whole else None


class _Owners:
    """Whose a memo is: by the reference it carries, or by a number that the store knows."""

    def __init__(
        self, parts: Collaborators, integrations: Sequence[Integration], references: Mapping[str, str], fusion: str
    ) -> None:
        self._parts = parts
        self._integrations = {(one.tenant, one.source): one for one in reversed(integrations)}
        self._references = references
        """Of numbers that the store knows."""
        self._fusion = fusion
        self._places = {
            (books.receivable.credit_memo_source or books.receivable.transaction_source, books.business_unit)
            for one in integrations
            for books in one.books
            if books.receivable
        }

    async def owner(self, memo: FoundCreditMemo) -> Credited | None:
        """The refund, or the cancelled order."""
        told = TITLE.match(memo.comments)
        refund_id, order_id = (told[1] or "", told[2]) if told else ("", "")
        carried = (memo.comments.rpartition(SEPARATOR)[2], memo.cross_reference)
        for text in carried:
            pieces = text.split("/")
            if len(pieces) == 6 and pieces[4] == PURPOSES.get(pieces[2]):
                mine = (order_id, pieces[3]) if pieces[2] == names.REFUND else (pieces[3], "")
            else:
                mine = (order_id, refund_id)
            if found := self._proved(text, *mine):
                return found
        numbered = (memo.transaction_source, memo.business_unit) in self._places
        return await self._known(*carried, self._references.get(memo.transaction_number, "") if numbered else "")

    def _proved(self, text: str, order_id: str, refund_id: str) -> Credited | None:
        """Whose reference this is; nothing is believed that does not give it."""
        for integration in self._integrations.values():
            credited = Credited(integration, order_id, refund_id)
            if credited.document_id and text and credited.memo_reference == text:
                return credited
        return None

    async def _known(self, *references: str) -> Credited | None:
        """References that are hashes tell nothing by themselves. A memo's number stands with its application, too."""
        for creation in (await self._parts.store.creations.creations([one for one in references if one])).values():
            integration = self._integrations.get((creation.key.tenant, creation.key.connection))
            key = creation.key
            if integration is not None and key.kind == names.REFUND:
                return Credited(integration, key.parent_id, key.document_id)
            if integration is not None and key.kind == names.ORDER and key.purpose != INVOICE:
                return Credited(integration, key.document_id)
        return None

    def looks_ours(self, memo: FoundCreditMemo) -> bool:
        """Whether it carries something that only we write."""
        tenants = {tenant for tenant, _ in self._integrations}
        for text in (memo.comments.rpartition(SEPARATOR)[2], memo.cross_reference):
            pieces = text.split("/")
            readable = len(pieces) == 6 and pieces[0] in tenants and pieces[4] == PURPOSES.get(pieces[2])
            if text.startswith(HASHED) or (readable and not self._of_another_pod(pieces[0], pieces[1])):
                return True
        mine = (memo.transaction_source, memo.business_unit) in self._places
        return mine and bool(SHORTENED.fullmatch(memo.transaction_number))

    def _of_another_pod(self, tenant: str, connection: str) -> bool:
        return any(
            (one.tenant, one.source) == (tenant, connection) and one.fusion != self._fusion
            for one in self._parts.configuration.integrations
        )


def _recovered(
    credited: Credited,
    found: Sequence[FoundCreditMemo],
    application: FoundApplication | None,
    now: dt.datetime,
) -> RecoveredCreation:
    memo, reference = found[0], credited.memo_reference
    home = _home(memo, reference)
    numbers = tuple(one.transaction_number for one in found) if len(found) > 1 else ()
    amounts = {(one.currency, one.credited) for one in found}
    told = f"credit memo {memo.transaction_number} over {memo.credited:f} {memo.currency} read back from Fusion"
    half = bool(memo.credited) and application is None
    return RecoveredCreation(
        key=credited.memo,
        reference=reference,
        resource=CREDIT_MEMOS,
        home=home,
        number=memo.transaction_number if home == "transaction_number" else reference,
        # Several that differ: whichever a person names may be the one.
        currency=memo.currency if len(amounts) == 1 else "",
        total=memo.credited,
        accounting_date=memo.accounting_date,
        target_id=str(memo.customer_transaction_id),
        target_number=memo.transaction_number,
        sentence=f"{told}, on account" if half else told,
        created_at=memo.created_at,
        seen_at=now,
        numbers=numbers,
        problems=(_several(credited, numbers),) if numbers else (),
        parent_id=credited.parent_id,
        document_state=State.RUNNING if half else _ended(credited),
    )


def _recovered_application(
    credited: Credited, memo: FoundCreditMemo, applied: FoundApplication, now: dt.datetime
) -> RecoveredCreation:
    number = f"{memo.transaction_number} to transaction {applied.transaction_number}"
    return RecoveredCreation(
        key=credited.application,
        reference=credited.application_reference,
        resource=APPLICATIONS,
        home="credit_memo",
        number=memo.transaction_number,
        currency=applied.currency,
        total=applied.amount,
        accounting_date=applied.accounting_date,
        target_id=f"{memo.customer_transaction_id}/{applied.transaction_id}",
        target_number=number,
        sentence=(
            f"application of {applied.amount:f} {applied.currency} of credit memo {memo.transaction_number} to "
            f"transaction {applied.transaction_number} read back from Fusion"
        ),
        seen_at=now,
        parent_id=credited.parent_id,
        document_state=_ended(credited),
    )


def _ended(credited: Credited) -> State:
    return State.POSTED if credited.kind == names.REFUND else State.REVERSED


def _home(memo: FoundCreditMemo, reference: str) -> ReferenceHome:
    """Where it carries the reference: what is looked for first, should it be looked for again."""
    if memo.transaction_number == names.short_reference(reference, NUMBER_LENGTH):
        return "transaction_number"
    return "cross_reference" if memo.cross_reference == reference else "line_flexfield"


def _several(credited: Credited, numbers: tuple[str, ...]) -> Problem:
    title = names.document_title(credited.kind, credited.integration.source, credited.document_id)
    return Problem(
        code=DUPLICATE,
        sentence=f"{title}: {Several(reference=credited.memo_reference, numbers=numbers, what=WHAT).sentence()}",
        remedy=(
            "Take back, in Fusion, those that should not be there, apply the one that stays, then skip the "
            f"{credited.kind} with a reason. Nothing is sent meanwhile."
        ),
    )
