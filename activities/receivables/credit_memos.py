"""Receivables: a credit memo on account, of a refund or of a cancelled order, as a resource."""

from collections.abc import Sequence
from typing import Any

from activities.posting.resource import Facts, Home, Seen
from activities.receivables.credited import Credited
from clients.errors import VendorError
from clients.oracle_fusion import FusionClient
from clients.oracle_fusion.credit_memo_document import CREDIT_MEMOS, carries, other_credit_accounts
from clients.oracle_fusion.credit_memos import DUPLICATE_CREDIT_MEMO
from clients.oracle_fusion.errors import ENDED_BY_FUSION
from clients.oracle_fusion.invoice_document import CROSS_REFERENCE_LENGTH
from clients.oracle_fusion.models import FoundCreditMemo
from contracts.configuration import Integration, ReceivableBooks
from contracts.credit_memo import CreditMemo
from contracts.receivable import NUMBER_LENGTH


class CreditMemoResource:
    """`activities.posting.resource.Resource` of `receivablesCreditMemos`, for the channels of one integration."""

    name = CREDIT_MEMOS

    def __init__(self, fusion: FusionClient, integration: Integration) -> None:
        self._memos = fusion.credit_memos
        self._integration = integration

    def home(self, document: CreditMemo) -> Home:
        numbered = document.home == "transaction_number"
        return Home(
            name=document.home,
            length=NUMBER_LENGTH if numbered else CROSS_REFERENCE_LENGTH,
            reference=document.number if numbered else document.reference,
            place=f"{document.business_unit}/{document.transaction_source}",
            refuses_duplicates=numbered,
        )

    def facts(self, document: CreditMemo) -> Facts:
        return Facts(
            reference=document.reference,
            currency=document.currency,
            total=document.total,
            accounting_date=document.accounting_date,
            date_moved=document.date_moved,
            suspense=document.suspense,
        )

    def dump(self, document: CreditMemo) -> str:
        return document.model_dump_json()

    def load(self, text: str) -> CreditMemo:
        return CreditMemo.model_validate_json(text)

    async def look(self, document: CreditMemo, *, thorough: bool) -> Sequence[FoundCreditMemo]:
        """The comments of every memo end with the full reference, also those of one that got another number."""
        books = memo_books(document, self._integration)
        found = await self._memos.find_credit_memos(document, books)
        return found if found or not thorough else await self._memos.find_credit_memos(document, books, thorough=True)

    async def check(self, document: CreditMemo) -> None:
        await self._memos.check_credit_memo(document, memo_books(document, self._integration))

    async def create(self, document: CreditMemo, *, ends: float) -> FoundCreditMemo:
        return await self._memos.create_credit_memo(document, memo_books(document, self._integration), ends=ends)

    async def read(self, target_id: str, *, whole: bool = False) -> FoundCreditMemo:
        return await self._memos.credit_memo(int(target_id), whole=whole)

    def seen(self, hit: FoundCreditMemo) -> Seen:
        return Seen(
            target_id=str(hit.customer_transaction_id),
            target_number=hit.transaction_number,
            currency=hit.currency,
            total=hit.credited,
            sentence=f"credit memo {hit.transaction_number} over {hit.credited:f} {hit.currency}",
        )

    def is_ours(self, hit: FoundCreditMemo, document: CreditMemo) -> bool:
        return carries(hit, document.reference)

    def difference(self, hit: FoundCreditMemo, document: CreditMemo) -> str:
        if amount := _other_amount(hit, document):
            return amount
        expected: tuple[tuple[str, Any, Any], ...] = (
            ("number", hit.transaction_number, document.number if document.home == "transaction_number" else ""),
            ("business unit", hit.business_unit, document.business_unit),
            ("transaction source", hit.transaction_source, document.transaction_source),
            ("customer account", hit.customer_account, document.customer_account),
            ("transaction date", hit.transaction_date, document.transaction_date),
            ("accounting date", hit.accounting_date, document.accounting_date),
        )
        for what, shown, meant in expected:
            # What a pod does not show cannot differ.
            if shown and meant and shown != meant:
                return f"its {what} is {shown}, and should be {meant}"
        return ""

    def another_sale(self, hit: FoundCreditMemo, document: CreditMemo) -> str:
        separator = memo_books(document, self._integration).account_separator
        return _other_amount(hit, document) or other_credit_accounts(hit, document, separator)

    def ended(self, error: VendorError) -> bool:
        return error.status in ENDED_BY_FUSION

    def taken(self, error: VendorError) -> bool:
        return error.code == DUPLICATE_CREDIT_MEMO


def _other_amount(hit: FoundCreditMemo, document: CreditMemo) -> str:
    if (hit.currency, hit.credited) == (document.currency, document.total):
        return ""
    return f"it is over {hit.credited:f} {hit.currency}, and should be over {document.total:f} {document.currency}"


def memo_books(memo: CreditMemo, integration: Integration) -> ReceivableBooks:
    """The books that a memo was made by, or that bill the same customer. Raises `LookupError`."""
    candidates = [
        (books, books.receivable)
        for books in integration.books
        if books.receivable is not None and books.currency == memo.currency
    ]
    for books, billing in candidates:
        source = billing.credit_memo_source or billing.transaction_source
        mine = (books.business_unit, source, billing.customer_account)
        if mine == (memo.business_unit, memo.transaction_source, memo.customer_account):
            return billing
    for _, billing in candidates:
        if billing.customer_account == memo.customer_account:
            return billing
    if candidates:
        # The customer was changed since the invoice: how accounts are written is the same.
        return candidates[0][1]
    raise LookupError(f"no books for customer account {memo.customer_account} in {memo.currency}")


def credit_memo_reference(integration: Integration, refund_id: str) -> str:
    """The business key of a refund's credit memo."""
    return Credited(integration, "", refund_id).memo_reference
