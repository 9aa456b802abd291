"""The receivables subledger: invoices made one at a time, each whole or not at all.

A transaction number is unique within its source and business unit. Nothing else is: the same cross-reference or
flexfield value may come any number of times.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sandbox.fusion.receivables.accounting import Accounting, Amounts
from sandbox.fusion.receivables.applications import Applications
from sandbox.fusion.receivables.document import DISTRIBUTIONS, HEADER_DFF, HEADER_TRANSACTION_DFF, Read, read_invoice
from sandbox.fusion.receivables.invoice import Installment, Invoice, InvoiceLine
from sandbox.fusion.receivables.refusals import DUPLICATE_NUMBER, refuse
from sandbox.fusion.receivables.rules import Header, Rules
from sandbox.fusion.receivables.setup import PaymentTerms, TransactionClass, TransactionSource
from sandbox.fusion.receivables.taxes import rounded
from sandbox.fusion.world import World
from sandbox.kit import Agenda, Clock, Faults

NAME = "receivablesInvoices"


class Subledger:
    """Creates, finds and accounts invoices. What may be changed later is in `changes`.

    A `late_visibility` fault hides a new invoice for `seconds`, from lists and from its own address; with
    `options={"by_key": True}` its own address shows it at once.
    """

    def __init__(self, world: World, clock: Clock, agenda: Agenda, faults: Faults, next_id: Callable[[], int]) -> None:
        self.world = world
        self.rules = Rules(world)
        self._clock = clock
        self._agenda = agenda
        self._faults = faults
        self._next_id = next_id
        self._invoices: dict[int, Invoice] = {}
        self._numbers: set[tuple[str, str, str]] = set()
        self._by_reference: dict[str, list[Invoice]] = {}
        self.applications = Applications(world, clock, faults, next_id)

    def invoices(self) -> list[Invoice]:
        """Every invoice there is, visible or not, in order of creation."""
        return list(self._invoices.values())

    def visible(self, invoices: Iterable[Invoice] | None = None) -> list[Invoice]:
        """Invoices that lists show by now, of these or of all."""
        now = self._clock.now()
        return [
            each for each in (self._invoices.values() if invoices is None else invoices) if each.visible_from <= now
        ]

    def by_key(self, key: str) -> Invoice | None:
        """The invoice with this id, if its own address shows it by now."""
        invoice = self._invoices.get(int(key)) if key.isdigit() else None
        if invoice is None or (invoice.hidden_by_key and invoice.visible_from > self._clock.now()):
            return None
        return invoice

    def having(self, reference: str) -> list[Invoice]:
        """Invoices with this number, cross-reference or flexfield value, in order of creation."""
        return list(self._by_reference.get(reference, ()))

    def create(self, body: Mapping[str, Any], path: str = f"/{NAME}") -> Invoice:
        """Take an invoice, with everything Fusion adds to it. Raises `RestError` 400; then nothing has changed."""
        invoice = self.enter(read_invoice(body, self.world.receivables), path)
        self._invoices[invoice.id] = invoice
        for reference in invoice.references():
            self._by_reference.setdefault(reference, []).append(invoice)
        self.schedule_accounting(invoice)
        return invoice

    def enter(self, read: Read, path: str, transaction_class: TransactionClass = "invoice") -> Invoice:
        """A transaction with its number, which is taken from then on. Raises `RestError` 400; then it is not."""
        now = self._clock.now()
        header = self.rules.header(read, now.date(), transaction_class)
        self._check_number(header.number, header.source)
        lines, sent_taxes = self.rules.lines(read, header, self._next_id)
        amounts = Amounts(
            lines=lines,
            sent_taxes=sent_taxes,
            header_freight=self._header_freight(read, lines, header.digits),
            digits=header.digits,
            rate=header.conversion.rate or Decimal(1),
            ledger_digits=self.world.currencies[header.ledger.currency],
        )
        self._check_total(amounts.total, header, transaction_class)
        accounting = Accounting(
            self.world, header.ledger, header.type, header.unit.name, header.accounting_date, self._next_id
        )
        distributions = accounting.distribute(read[DISTRIBUTIONS], amounts)
        number = header.number or self._next_number(header.source)
        self._numbers.add((header.source.name, header.source.business_unit, number))
        late = self._faults.take("late_visibility", "POST", path)
        return Invoice(
            id=self._next_id(),
            number=number,
            source=header.source.name,
            type=header.type.name,
            business_unit=header.unit.name,
            legal_entity=str(header.unit.id)[-6:],
            ledger=header.ledger.name,
            customer=header.customer.number,
            customer_name=header.customer.name,
            party_id=header.customer.party_id,
            site=header.site.name,
            currency=header.currency,
            digits=header.digits,
            conversion_type=header.conversion.type,
            conversion_date=header.conversion.day,
            conversion_rate=header.conversion.rate,
            transaction_date=header.transaction_date,
            accounting_date=header.accounting_date,
            terms=header.terms.name,
            freight=amounts.total - sum((line.amount + _tax(line) for line in lines), start=Decimal(0)),
            lines=lines,
            distributions=distributions,
            installments=self.installments(amounts.total, header.terms, header.transaction_date, header.digits),
            given=read,
            flexfields={name: read[name] for name in (HEADER_DFF, HEADER_TRANSACTION_DFF) if name in read},
            created=now,
            updated=now,
            visible_from=now + timedelta(seconds=late.seconds if late else 0.0),
            hidden_by_key=late is not None and not late.options.get("by_key", False),
        )

    def _header_freight(self, read: Read, lines: list[InvoiceLine], digits: int) -> Decimal:
        """Freight is a matter of the header or of the lines."""
        freight = rounded(read.get("FreightAmount", Decimal(0)), digits)
        if freight and any(line.freight for line in lines):
            detail = "Freight can't be given both for the invoice and for its lines."
            raise refuse(self.world.receivables, "AR_FREIGHT_LEVELS", detail, "/FreightAmount")
        return freight

    def _check_total(self, total: Decimal, header: Header, transaction_class: TransactionClass) -> None:
        setup = self.world.receivables
        if not total and not setup.habits.zero_total:
            raise refuse(setup, "AR_ZERO_AMOUNT", "A transaction can't have an amount of zero.", "/EnteredAmount")
        if total > 0 and transaction_class == "credit_memo":
            raise refuse(setup, "AR_CREATION_SIGN", "The amount of a credit memo can't be positive.", "/EnteredAmount")
        if total < 0 and header.type.sign == "positive":
            detail = "The amount doesn't fit the sign of the transaction type you entered."
            raise refuse(setup, "AR_CREATION_SIGN", detail, "/TransactionType")

    def _check_number(self, number: str | None, source: TransactionSource) -> None:
        if (source.name, source.business_unit, number) in self._numbers:
            setup = self.world.receivables
            detail = f"The transaction number {number} already exists for the transaction source you entered."
            status = setup.habits.duplicate_status
            raise refuse(setup, DUPLICATE_NUMBER, detail, "/TransactionNumber", status)

    def _next_number(self, source: TransactionSource) -> str:
        while (source.name, source.business_unit, str(source.next_number)) in self._numbers:
            source.next_number += 1
        number = str(source.next_number)
        source.next_number += 1
        return number

    def installments(self, amount: Decimal, terms: PaymentTerms, day: date, digits: int) -> list[Installment]:
        """What is due when; the last installment takes what rounding leaves."""
        made: list[Installment] = []
        left = amount
        for number, (percent, days) in enumerate(terms.installments, start=1):
            share = left if number == len(terms.installments) else rounded(amount * percent / 100, digits)
            left -= share
            made.append(Installment(self._next_id(), number, day + timedelta(days=days), share))
        return made

    def schedule_accounting(self, invoice: Invoice, there: Callable[[], bool] | None = None) -> None:
        """Let a transaction be accounted after the pod's delay, if it still exists and is complete then."""
        delay = self.world.receivables.habits.accounting_delay
        if delay is None:
            return

        def account(moment: datetime) -> None:
            exists = there() if there is not None else invoice.id in self._invoices
            if exists and invoice.status == "Complete" and invoice.accounted is None:
                invoice.accounted = moment

        self._agenda.after(delay, account)

    def remove(self, invoice: Invoice) -> None:
        """Forget an invoice; its number is free again."""
        del self._invoices[invoice.id]
        for reference in invoice.references():
            self._by_reference[reference].remove(invoice)
        self._numbers.discard((invoice.source, invoice.business_unit, invoice.number))

    def summary(self) -> dict[str, Any]:
        """Totals per business unit and currency (amounts as text), and references that more than one invoice has."""
        totals: dict[tuple[str, str], dict[str, Any]] = {}
        references: Counter[str] = Counter()
        for each in self._invoices.values():
            empty = {
                "business_unit": each.business_unit,
                "currency": each.currency,
                "invoices": 0,
                "amount": Decimal(0),
            }
            entry = totals.setdefault((each.business_unit, each.currency), empty)
            entry["invoices"] += 1
            entry["amount"] += each.amount
            references.update(each.references() - {each.number})
            references[f"{each.business_unit}/{each.source}/{each.number}"] += 1
        return {
            "invoices": len(self._invoices),
            "totals": [{**entry, "amount": str(entry["amount"])} for _, entry in sorted(totals.items())],
            "duplicates": sorted(name for name, times in references.items() if times > 1),
        }


def _tax(line: InvoiceLine) -> Decimal:
    return sum((tax.amount for tax in line.taxes), start=Decimal(0))
