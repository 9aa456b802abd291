"""Applications of credit memos to invoices, and the balances they leave (Oracle Fusion: 3.2, 3.4).

More than a memo has left, or an invoice has open, is never applied; that is decided by the truth, whatever is shown.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sandbox.fusion.masters.soap import SoapFaultError
from sandbox.fusion.receivables.invoice import Invoice
from sandbox.fusion.world import RECEIVABLES, World
from sandbox.kit import Clock, Faults


@dataclass
class Application:
    id: int
    memo: Invoice
    invoice: Invoice
    installment: int
    amount: Decimal
    """Positive, in the currency of both."""
    apply_date: date
    accounting_date: date
    comments: str
    created: datetime
    visible_from: datetime
    reversed: bool = False

    def facts(self) -> dict[str, Any]:
        """The application as tests see it; amounts as text."""
        return {
            "id": self.id,
            "credit_memo": self.memo.number,
            "invoice": self.invoice.number,
            "installment": self.installment,
            "currency": self.memo.currency,
            "amount": str(self.amount),
            "apply_date": self.apply_date.isoformat(),
            "accounting_date": self.accounting_date.isoformat(),
            "comments": self.comments,
            "reversed": self.reversed,
        }


@dataclass(frozen=True)
class Wanted:
    """What is asked to be applied, dates and amounts as far as they were given."""

    memo: Invoice
    invoice: Invoice
    amount: Decimal | None = None
    installment: int | None = None
    apply_date: date | None = None
    accounting_date: date | None = None
    comments: str = ""


class Applications:
    """A `late_visibility` fault (path: CreditMemoService) hides a new application for `seconds`, and shows the balances
    of before."""

    def __init__(self, world: World, clock: Clock, faults: Faults, next_id: Callable[[], int]) -> None:
        self._world = world
        self._clock = clock
        self._faults = faults
        self._next_id = next_id
        self._applications: list[Application] = []

    def all(self) -> list[Application]:
        """Every application there ever was, in order."""
        return list(self._applications)

    def standing(self) -> list[Application]:
        """Those that were not taken back, also those not visible yet: the truth."""
        return [each for each in self._applications if not each.reversed]

    def shown(self) -> list[Application]:
        """What lists show by now; those that were taken back are marked."""
        now = self._clock.now()
        return [each for each in self._applications if each.visible_from <= now]

    def balance(self, transaction: Invoice, *, shown: bool = False) -> Decimal:
        """What of an invoice is open, or (with a minus) of a memo not applied. `shown`: as the pod shows it by now."""
        return transaction.amount - self._moved(transaction, None, shown=shown)

    def installment_balance(self, invoice: Invoice, number: int, amount: Decimal, *, shown: bool = False) -> Decimal:
        return amount - self._moved(invoice, number, shown=shown)

    def _moved(self, transaction: Invoice, installment: int | None, *, shown: bool) -> Decimal:
        found = (each for each in (self.shown() if shown else self._applications) if not each.reversed)
        moved = Decimal(0)
        for each in found:
            if each.memo is transaction:
                moved -= each.amount
            elif each.invoice is transaction and installment in (None, each.installment):
                moved += each.amount
        return moved

    def apply(self, wanted: Wanted, path: str) -> Application:
        """Raises `SoapFaultError`; then nothing has changed."""
        memo, invoice = wanted.memo, wanted.invoice
        if (memo.currency, memo.customer) != (invoice.currency, invoice.customer):
            raise _fault(
                "AR_APP_CUSTOMER_CURRENCY", "The credit memo and the invoice aren't of one customer and currency."
            )
        if invoice.status != "Complete" or memo.status != "Complete":
            raise _fault("AR_APP_NOT_COMPLETE", "You can apply only complete transactions.")
        installment = self._installment(wanted)
        left = -self.balance(memo)
        due = next(each.amount for each in invoice.installments if each.number == installment)
        owed = self.installment_balance(invoice, installment, due)
        amount = wanted.amount if wanted.amount is not None else min(left, owed)
        if amount <= 0:
            raise _fault("AR_APP_AMOUNT_INVALID", "The amount applied must be greater than zero.")
        if amount > left:
            detail = f"The amount applied can't be more than the unapplied amount of the credit memo, {left}."
            raise _fault("AR_APP_EXCEEDS_CREDIT_MEMO", detail)
        if amount > owed:
            detail = f"The amount applied would overapply the transaction: its open balance is {owed}."
            raise _fault("AR_APP_OVERAPPLICATION", detail)
        apply_date, accounting_date = self._dates(wanted)
        now = self._clock.now()
        late = self._faults.take("late_visibility", "POST", path)
        made = Application(
            id=self._next_id(),
            memo=memo,
            invoice=invoice,
            installment=installment,
            amount=amount,
            apply_date=apply_date,
            accounting_date=accounting_date,
            comments=wanted.comments,
            created=now,
            visible_from=now + timedelta(seconds=late.seconds if late else 0.0),
        )
        self._applications.append(made)
        return made

    def _installment(self, wanted: Wanted) -> int:
        numbers = [each.number for each in wanted.invoice.installments]
        if wanted.installment is None and len(numbers) > 1:
            raise _fault("AR_APP_INSTALLMENT_REQ", "Enter the installment of the transaction you want to apply to.")
        number = numbers[0] if wanted.installment is None else wanted.installment
        if number not in numbers:
            raise _fault("AR_APP_INSTALLMENT_INVALID", "The installment you entered doesn't exist.")
        return number

    def _dates(self, wanted: Wanted) -> tuple[date, date]:
        memo, invoice = wanted.memo, wanted.invoice
        today = self._clock.now().date()
        earliest = max(memo.transaction_date, invoice.transaction_date)
        apply_date = wanted.apply_date or max(today, earliest)
        if apply_date < earliest:
            raise _fault("AR_APP_DATE_INVALID", "The application date can't be earlier than the transaction dates.")
        accounting_date = wanted.accounting_date or apply_date
        if accounting_date < max(memo.accounting_date, invoice.accounting_date):
            detail = "The accounting date can't be earlier than the accounting dates of the transactions."
            raise _fault("AR_APP_GL_DATE_INVALID", detail)
        period = self._world.ledger(memo.ledger).period_of(accounting_date)
        if period is None or period.status.get(RECEIVABLES) not in ("O", "F"):
            detail = f"The accounting date {accounting_date} isn't in an open or future-enterable Receivables period."
            raise _fault("AR_ACCOUNTING_DATE_INVALID", detail)
        return apply_date, accounting_date

    def unapply(self, application_id: int) -> Application:
        """A person takes an application back. Raises KeyError."""
        for each in self._applications:
            if each.id == application_id:
                each.reversed = True
                return each
        raise KeyError(f"There is no application {application_id}.")


def _fault(code: str, message: str) -> SoapFaultError:
    return SoapFaultError(f"{message} ({code})", code)
