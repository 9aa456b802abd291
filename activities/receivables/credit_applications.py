"""Receivables: the application of a credit memo to its invoice, as a resource.

An application has no number and no reference that can be asked for. It is looked for as a state instead: what of this
memo is applied, and to what. Two facts make that as good as a number that Fusion keeps unique:

    the memo is ours    it was made for this one refund, or cancelled order, so what is applied of it is its
                        application, or somebody's who took it in hand; either way nothing more is to be applied
    all of it at once   an application takes the whole memo. Once one has taken effect the memo's balance is nothing,
                        and Fusion refuses to apply more of a memo than it has left

So a second request, sent while the outcome of the first is open, is refused by Fusion itself, in its own transaction.
A part of a memo could be applied twice; therefore parts are never sent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from activities.posting.resource import Facts, Home, Seen
from activities.posting.subject import DIFFERS, DUPLICATE, LONGEST_SENTENCE, REFUSED, TAKEN, UNKNOWN, Subject
from activities.receivables.credited import Credited
from clients.errors import NotFound, Rejected, VendorError
from clients.oracle_fusion import FusionClient
from clients.oracle_fusion.errors import ENDED_BY_FUSION
from clients.oracle_fusion.models import FoundApplication
from contracts.configuration import Integration
from contracts.credit_memo import CreditApplication
from contracts.journal import Problem
from store.creating.creation import CreationRow

APPLICATIONS: Final = "creditMemoApplications"
APPLIED: Final = "credit_memo_applied"
"""Code of a refusal that may say: something of the memo is applied already."""
SHOWN_AFTER: Final = timedelta(minutes=30)
"""How long what was applied may not be shown yet, and Fusion refuse to apply it once more."""
NUMBER_IN_FUSION: Final = 40
"""Characters kept of a memo's number, whatever numbered it."""


class ApplicationResource:
    """`activities.posting.resource.Resource` of the applications of credit memos."""

    name = APPLICATIONS

    def __init__(self, fusion: FusionClient, *, sent_before: bool = False) -> None:
        """`sent_before`: not long ago another request was sent whose outcome is open. A refusal may be due to it."""
        self._fusion = fusion
        self._applications = fusion.credit_applications
        self._sent_before = sent_before

    def home(self, document: CreditApplication) -> Home:
        """The memo: only one document can take all of it."""
        return Home(
            name="credit_memo",
            length=NUMBER_IN_FUSION,
            reference=document.credit_memo_number,
            place=document.business_unit,
            refuses_duplicates=True,
        )

    def facts(self, document: CreditApplication) -> Facts:
        return Facts(
            reference=document.reference,
            currency=document.currency,
            total=document.amount,
            accounting_date=document.accounting_date,
        )

    def dump(self, document: CreditApplication) -> str:
        return document.model_dump_json()

    def load(self, text: str) -> CreditApplication:
        return CreditApplication.model_validate_json(text)

    async def look(self, document: CreditApplication, *, thorough: bool) -> Sequence[FoundApplication]:
        """All that is applied of the memo, to whatever transaction, by whomever."""
        return await self._applied(document.credit_memo_id)

    async def check(self, document: CreditApplication) -> None:
        """It goes over SOAP, whose services do not describe themselves."""

    async def create(self, document: CreditApplication, *, ends: float) -> FoundApplication:
        try:
            await self._applications.apply_credit_memo(document, ends=ends)
        except Rejected as refusal:
            if self._sent_before or await self._touched(document):
                raise Rejected(
                    refusal.connection,
                    refusal.sentence,
                    remedy=refusal.remedy,
                    status=refusal.status,
                    code=APPLIED,
                    messages=refusal.messages,
                ) from refusal
            raise
        return FoundApplication(
            credit_memo_id=document.credit_memo_id,
            credit_memo_number=document.credit_memo_number,
            transaction_id=document.invoice_id,
            transaction_number=document.invoice_number,
            currency=document.currency,
            amount=document.amount,
            accounting_date=document.accounting_date,
        )

    async def read(self, target_id: str, *, whole: bool = False) -> FoundApplication:
        memo_id, _, transaction_id = target_id.partition("/")
        for one in await self._applied(int(memo_id)):
            if str(one.transaction_id) == transaction_id:
                return one
        raise NotFound(
            self._fusion.connection.id,
            f"Oracle Fusion ({self._fusion.connection.id}) shows no application of credit memo {memo_id} to transaction"
            f" {transaction_id}.",
        )

    def seen(self, hit: FoundApplication) -> Seen:
        return Seen(
            target_id=f"{hit.credit_memo_id}/{hit.transaction_id}",
            target_number=f"{hit.credit_memo_number} to {_transaction(hit)}",
            currency=hit.currency,
            total=hit.amount,
            sentence=(
                f"application of {hit.amount:f} {hit.currency} of credit memo {hit.credit_memo_number} to"
                f" {_transaction(hit)}"
            ),
        )

    def is_ours(self, hit: FoundApplication, document: CreditApplication) -> bool:
        """It names nobody. That it agrees is all that can be known, and all that matters."""
        return False

    def difference(self, hit: FoundApplication, document: CreditApplication) -> str:
        if hit.transaction_id != document.invoice_id:
            return f"it is applied to {_transaction(hit)}, and should be to invoice {document.invoice_number}"
        if (hit.currency, hit.amount) != (document.currency, document.amount):
            return (
                f"{hit.amount:f} {hit.currency} of it are applied, and should be {document.amount:f}"
                f" {document.currency}"
            )
        return ""

    def another_sale(self, hit: FoundApplication, document: CreditApplication) -> str:
        return self.difference(hit, document)

    def ended(self, error: VendorError) -> bool:
        return error.status in ENDED_BY_FUSION

    def taken(self, error: VendorError) -> bool:
        return error.code == APPLIED

    async def _applied(self, memo_id: int) -> tuple[FoundApplication, ...]:
        return await self._applications.applications_of(await self._fusion.credit_memos.credit_memo(memo_id))

    async def _touched(self, document: CreditApplication) -> bool:
        """Whether a refusal may be due to something of the memo being applied; how Fusion words that is no fact.

        What cannot be told counts as applied: it is looked at again, and nothing is sent meanwhile.
        """
        try:
            return bool(await self._applied(document.credit_memo_id))
        except VendorError:
            return True


@dataclass(frozen=True)
class ApplicationSubject(Subject):
    """Tells the problems of an application: the memo is there in any case, and what is missing is said."""

    memo: str = ""
    """"credit memo M123 over 30.00 USD"."""
    invoice: str = ""
    """The number."""

    @property
    def skip(self) -> str:
        """What a person may do in any case."""
        return f"skip the {self.key.kind} with a reason"

    def refused(self, refusal: VendorError) -> Problem:
        told = " / ".join(dict.fromkeys(refusal.messages)) or refusal.sentence
        return Problem(
            code=REFUSED,
            sentence=(
                f"{self.name}: {self.memo} is in {self.vendor}, and was not applied to invoice {self.invoice}, because"
                f" {self.vendor} refused: {told}"
            )[:LONGEST_SENTENCE],
            remedy=(
                "The memo stays on account. Look what the invoice has open and whether the period is open in"
                f" Receivables, correct it there and retry; or apply the memo by hand and retry, or {self.skip}."
            ),
        )

    def unknown(self, row: CreationRow) -> Problem:
        return Problem(
            code=UNKNOWN,
            sentence=(
                f"{self.name}: {self.memo} is in {self.vendor}; its application to invoice {self.invoice} may have been"
                f" sent at {row.sends[0].at:%Y-%m-%d %H:%M:%S} UTC, and {self.vendor} shows none."
            ),
            remedy=(
                f"Look at the applications of the memo in {self.vendor}. If it is applied, or you are certain that it"
                " is not, retry: it is looked for, and else sent once more."
            ),
        )

    def differs(self, seen: Seen, difference: str) -> Problem:
        return Problem(
            code=DIFFERS,
            sentence=f"{self.name}: {self.memo} is in {self.vendor}, but {difference}.",
            remedy=(
                "Nothing is sent again. Take the application back in Fusion and apply the memo to its invoice, then"
                f" retry; or {self.skip}, to leave it so."
            ),
        )

    def taken(self, row: CreationRow, seen: Seen, difference: str) -> Problem:
        return Problem(
            code=TAKEN,
            sentence=f"{self.name}: somebody applied {self.memo} in {self.vendor}, but {difference}.",
            remedy=(
                "Nothing was sent. Take that application back in Fusion, or complete it there, then retry; or"
                f" {self.skip}, to leave it so."
            ),
        )

    def twice(self, row: CreationRow, numbers: Sequence[str]) -> Problem:
        return Problem(
            code=DUPLICATE,
            sentence=f"{self.name}: {self.memo} is applied to several transactions: {', '.join(numbers)}.",
            remedy=(
                "Nothing is sent meanwhile. Take back, in Fusion, what should not be applied, then retry; or"
                f" {self.skip}, to leave it so."
            ),
        )

    def gone(self, row: CreationRow) -> Problem:
        return Problem(
            code=DIFFERS,
            sentence=(
                f"{self.name}: {self.memo} was applied to invoice {self.invoice}, and is not any more: somebody took"
                " the application back."
            ),
            remedy=f"Nothing is sent again. Apply it by hand and retry, or {self.skip}.",
        )


def application_reference(integration: Integration, refund_id: str) -> str:
    """The business key of the application of a refund's credit memo."""
    return Credited(integration, "", refund_id).application_reference


def application_facts(application: CreditApplication) -> Mapping[str, Any]:
    """What the audit trail tells of it."""
    return {
        "credit_memo": application.credit_memo_number,
        "invoice": application.invoice_number,
        "accounting_date": application.accounting_date.isoformat(),
    }


def _transaction(hit: FoundApplication) -> str:
    return f"transaction {hit.transaction_number}" if hit.transaction_number else "something that is not shown"
