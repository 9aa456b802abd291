"""Credit memos on account in Receivables: created once, found again by their reference (Oracle Fusion: 3.2)."""

import datetime as dt
from collections.abc import AsyncIterator
from typing import Final

from clients.errors import InDoubt, Rejected
from clients.oracle_fusion.credit_memo_document import (
    CREDIT_MEMOS,
    DISTRIBUTIONS,
    LINE_FLEXFIELD,
    LINES,
    carries,
    credit_memo_body,
    found_credit_memo,
)
from clients.oracle_fusion.described import Descriptions
from clients.oracle_fusion.invoice_document import refused_as_duplicate
from clients.oracle_fusion.models import FoundCreditMemo
from clients.oracle_fusion.payloads import check_document
from clients.oracle_fusion.rest import RESOURCES, FusionRest, Row, moment_literal, quoted
from clients.oracle_fusion.transaction_search import BEFORE, NEWEST_FIRST, TransactionSearch, Way
from contracts.configuration import ReceivableBooks
from contracts.credit_memo import CreditMemo

DUPLICATE_CREDIT_MEMO: Final = "duplicate_credit_memo"
"""Code of the refusal that says: this transaction number exists."""
_EXPANDED: Final = f"{LINES}.{LINE_FLEXFIELD}"


class ReceivablesCreditMemos:
    """Creates and reads `receivablesCreditMemos`. Nothing here changes or deletes a memo."""

    def __init__(self, rest: FusionRest, descriptions: Descriptions) -> None:
        self._rest = rest
        self._descriptions = descriptions
        self._memos = TransactionSearch(rest, CREDIT_MEMOS)

    async def check_credit_memo(self, memo: CreditMemo, books: ReceivableBooks) -> None:
        """Whether the pod's own description lets the memo be created; nothing is sent.

        Raises `UnfitPayload` with all faults, `ValueError` when the resource cannot carry it.
        """
        body = credit_memo_body(memo, books)
        await check_document(self._descriptions, self._rest.connection, CREDIT_MEMOS, body, subject=_subject(memo))

    async def create_credit_memo(self, memo: CreditMemo, books: ReceivableBooks, *, ends: float) -> FoundCreditMemo:
        """Post one memo. `ends`: moment of the event loop's clock after which nothing may go out any more.

        Raises `NotSent` when that is over, `Rejected` when Fusion declined (with the code `duplicate_credit_memo` when
        its transaction number exists), `InDoubt` when it may have been created, `ValueError` when the resource cannot
        carry it (nothing was sent).
        """
        subject = _subject(memo)
        try:
            answer = await self._rest.create(
                f"{RESOURCES}/{CREDIT_MEMOS}", credit_memo_body(memo, books), subject=subject, ends=ends
            )
        except Rejected as refusal:
            codes = self._rest.connection.duplicate_invoice_codes
            if memo.home == "transaction_number" and refused_as_duplicate(refusal.messages, refusal.code, codes):
                raise Rejected(
                    refusal.connection,
                    refusal.sentence,
                    remedy="Nothing to do: the credit memo with this number is looked up.",
                    status=refusal.status,
                    code=DUPLICATE_CREDIT_MEMO,
                    messages=refusal.messages,
                ) from None
            raise
        try:
            return found_credit_memo(answer, books)
        except ValueError as wrong:
            raise InDoubt(
                self._rest.connection.id,
                f"Oracle Fusion ({self._rest.connection.id}) accepted {subject}; its answer cannot be read: {wrong}.",
            ) from None

    async def find_credit_memos(
        self, memo: CreditMemo, books: ReceivableBooks, *, thorough: bool = False
    ) -> tuple[FoundCreditMemo, ...]:
        """Every memo that carries this one's reference in its home, usually none or one, whatever its content.

        A number counts where source and business unit are the same, or the memo proves that it is ours. `thorough`:
        also those that carry the reference elsewhere only, among all of the source since the memo's day. An empty
        answer proves nothing while an earlier attempt may still be under way.
        """
        ways = _ways_to_find(memo, books)
        if thorough:
            ways = _ways_to_list(memo.transaction_source, memo.business_unit, _since(memo), ways[0].expand)
        found = self._memos.rows(("all", ways[0].expand) if thorough else memo.home, ways, _subject(memo))
        rows = [self._found(row, _subject(memo), books) async for row in found]
        return tuple(one for one in rows if _is(one, memo))

    async def numbered_credit_memos(
        self, number: str, source: str, business_unit: str, *, since: dt.datetime
    ) -> tuple[FoundCreditMemo, ...]:
        """The memos of one source with this transaction number; of those created at or after `since` at least."""
        subject = f"credit memo {number}"
        ways = (Way(q=f"TransactionNumber={quoted(number)}"), *_ways_to_list(source, business_unit, since))
        found = [self._found(row, subject, None) async for row in self._memos.rows("transaction_number", ways, subject)]
        wanted = (number, source, business_unit)
        return tuple(
            one for one in found if (one.transaction_number, one.transaction_source, one.business_unit) == wanted
        )

    async def credit_memo(self, customer_transaction_id: int, *, whole: bool = False) -> FoundCreditMemo:
        """One memo by Fusion's own key; `whole` with its distributions. Raises `NotFound`."""
        subject = f"credit memo {customer_transaction_id}"
        params: dict[str, str | bool] = {"onlyData": True, **({"expand": DISTRIBUTIONS} if whole else {})}
        row = await self._rest.http.read(
            f"{RESOURCES}/{CREDIT_MEMOS}/{customer_transaction_id}", subject=subject, params=params
        )
        if not isinstance(row, dict):
            raise self._rest.http.bad_answer(subject, "the answer is not a credit memo")
        return self._found(row, subject, None)

    async def credit_memos_of_source(
        self, source: str, business_unit: str, since: dt.datetime
    ) -> AsyncIterator[FoundCreditMemo]:
        """All memos of a transaction source created at or after `since`, each once, in no promised order."""
        subject = f"the credit memos of source {source}"
        async for row in self._memos.rows(("all", ""), _ways_to_list(source, business_unit, since), subject):
            one = self._found(row, subject, None)
            same = (one.transaction_source, one.business_unit) == (source, business_unit)
            if same and (one.created_at is None or one.created_at >= since):
                yield one

    async def credit_memos_of_unit(self, business_unit: str, since: dt.datetime) -> AsyncIterator[FoundCreditMemo]:
        """All memos of a business unit created at or after `since`, whatever their source, each once."""
        subject = f"the credit memos of business unit {business_unit}"
        async for row in self._memos.rows(("unit", ""), _ways_of_unit(business_unit, since), subject):
            one = self._found(row, subject, None)
            if one.business_unit == business_unit and (one.created_at is None or one.created_at >= since):
                yield one

    def _found(self, row: Row, subject: str, books: ReceivableBooks | None) -> FoundCreditMemo:
        try:
            return found_credit_memo(row, books)
        except ValueError as wrong:
            raise self._rest.http.bad_answer(subject, str(wrong)) from None


def _subject(memo: CreditMemo) -> str:
    return f"credit memo {memo.number} of refund {memo.refund_id}"


def _since(memo: CreditMemo) -> dt.datetime:
    return dt.datetime.combine(memo.transaction_date, dt.time(), dt.UTC) - BEFORE


def _ways_to_find(memo: CreditMemo, books: ReceivableBooks) -> tuple[Way, ...]:
    condition, expand = {
        "transaction_number": (f"TransactionNumber={quoted(memo.number)}", ""),
        "cross_reference": (f"CrossReference={quoted(memo.reference)}", ""),
        "line_flexfield": (f"{_EXPANDED}.{books.flexfield_attribute}={quoted(memo.reference)}", _EXPANDED),
    }[memo.home]
    listed = _ways_to_list(memo.transaction_source, memo.business_unit, _since(memo), expand)
    return Way(q=condition, expand=expand), *listed


def _ways_to_list(source: str, business_unit: str, since: dt.datetime, expand: str = "") -> tuple[Way, ...]:
    of_source = f"TransactionSource={quoted(source)} and BusinessUnit={quoted(business_unit)}"
    created = f"CreationDate >= {moment_literal(since)}"
    return (
        Way(q=f"{of_source} and {created}", expand=expand),
        Way(q=of_source, order_by=NEWEST_FIRST, since=since, expand=expand),
        Way(q=created, expand=expand),
        Way(order_by=NEWEST_FIRST, since=since, expand=expand),
    )


def _ways_of_unit(business_unit: str, since: dt.datetime) -> tuple[Way, ...]:
    of_unit, created = f"BusinessUnit={quoted(business_unit)}", f"CreationDate >= {moment_literal(since)}"
    return (
        Way(q=f"{of_unit} and {created}"),
        Way(q=of_unit, order_by=NEWEST_FIRST, since=since),
        Way(q=created),
        Way(order_by=NEWEST_FIRST, since=since),
    )


def _is(found: FoundCreditMemo, memo: CreditMemo) -> bool:
    if carries(found, memo.reference):
        return True
    place = (found.transaction_source, found.business_unit)
    numbered = memo.home == "transaction_number" and found.transaction_number == memo.number
    return numbered and place == (memo.transaction_source, memo.business_unit)
