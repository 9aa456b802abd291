"""Distributions: those that were sent are checked, AutoAccounting makes the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sandbox.fusion.receivables.document import DISTRIBUTIONS
from sandbox.fusion.receivables.invoice import Distribution, InvoiceLine, TaxLine
from sandbox.fusion.receivables.refusals import refuse
from sandbox.fusion.receivables.setup import TransactionType
from sandbox.fusion.receivables.taxes import rounded
from sandbox.fusion.world import Combination, Ledger, World

REVENUE, RECEIVABLE, FREIGHT, TAX = "Revenue", "Receivable", "Freight", "Tax"
_CLASSES = (RECEIVABLE, REVENUE, TAX, FREIGHT)


@dataclass(frozen=True)
class Target:
    """An amount that must be distributed, and the account AutoAccounting has for it."""

    account_class: str
    line_number: int | None
    tax_line_number: int | None
    amount: Decimal
    account: str | None

    def covers(self, row: dict[str, Any]) -> bool:
        """True for a distribution that was sent for this amount; a line's only tax line needs no number."""
        wanted = (row.get("AccountClass"), row.get("InvoiceLineNumber"))
        if wanted != (self.account_class, self.line_number):
            return False
        return row.get("DetailedTaxLineNumber", self.tax_line_number) == self.tax_line_number


@dataclass(frozen=True)
class Amounts:
    """What is distributed: the document as it was sent, and as the tax engine left it."""

    lines: list[InvoiceLine]
    """With the final tax lines."""
    sent_taxes: dict[int, list[TaxLine]]
    """Tax lines that were sent, by line number."""
    header_freight: Decimal
    digits: int
    rate: Decimal
    """To the ledger's currency."""
    ledger_digits: int

    @property
    def sent_total(self) -> Decimal:
        return self._total({line.number: self.sent_taxes[line.number] for line in self.lines})

    @property
    def total(self) -> Decimal:
        return self._total({line.number: line.taxes for line in self.lines})

    def _total(self, taxes: dict[int, list[TaxLine]]) -> Decimal:
        lines = sum((line.amount + line.freight for line in self.lines), start=Decimal(0))
        return lines + sum((tax.amount for each in taxes.values() for tax in each), start=self.header_freight)


class Accounting:
    """Makes the distributions of one invoice. An engine's tax that nobody sent goes to a Receivable row of its own, so
    that a document with manual distributions is taken and differs, instead of being refused."""

    def __init__(
        self,
        world: World,
        ledger: Ledger,
        kind: TransactionType,
        unit: str,
        day: date,
        next_id: Callable[[], int],
    ) -> None:
        self._world = world
        self._setup = world.receivables
        self._ledger = ledger
        self._type = kind
        self._unit = unit
        self._day = day
        self._next_id = next_id

    def distribute(self, rows: list[dict[str, Any]], amounts: Amounts) -> list[Distribution]:
        """Every distribution of the invoice. Raises `RestError` 400."""
        sent = self._targets(amounts, amounts.sent_taxes, amounts.sent_total)
        self._check_rows(rows, sent)
        manual = {target: [row for row in rows if target.covers(row)] for target in sent}
        for target, given in manual.items():
            self._check_sum(target, given, amounts)
        final = self._targets(amounts, {line.number: line.taxes for line in amounts.lines}, amounts.total)
        made: list[Distribution] = []
        for target in final:
            given = next((found for each, found in manual.items() if _place(each) == _place(target)), [])
            if not given:
                made.append(self._automatic(target, target.amount, amounts))
                continue
            made += [self._manual(row, target, amounts) for row in given]
            missing = target.amount - sum((row["Amount"] for row in given), start=Decimal(0))
            if missing:
                made.append(self._automatic(target, missing, amounts))
        return made

    def _targets(self, amounts: Amounts, taxes: dict[int, list[TaxLine]], total: Decimal) -> list[Target]:
        kind, setup = self._type, self._setup
        targets = [Target(RECEIVABLE, None, None, total, kind.receivable_account)]
        for line in amounts.lines:
            memo = setup.memo_lines.get(line.given.get("MemoLine", ""))
            targets.append(Target(REVENUE, line.number, None, line.amount, memo or kind.revenue_account))
            for tax in taxes[line.number]:
                rate = setup.tax_rate(tax.rate_code)
                account = rate.accounts.get(self._unit, kind.tax_account) if rate else kind.tax_account
                targets.append(Target(TAX, line.number, tax.number, tax.amount, account))
            if line.freight:
                targets.append(Target(FREIGHT, line.number, None, line.freight, kind.freight_account))
        if amounts.header_freight:
            targets.append(Target(FREIGHT, None, None, amounts.header_freight, kind.freight_account))
        return targets

    def _check_rows(self, rows: list[dict[str, Any]], targets: list[Target]) -> None:
        for index, row in enumerate(rows):
            where = f"/{DISTRIBUTIONS}/{index}"
            if row.get("AccountClass") not in _CLASSES:
                detail = f"The account class must be one of {', '.join(_CLASSES)}."
                raise refuse(self._setup, "AR_ACCOUNT_CLASS_INVALID", detail, f"{where}/AccountClass")
            if sum(target.covers(row) for target in targets) != 1:
                detail = "The distribution doesn't belong to a line, tax line or freight of the invoice."
                raise refuse(self._setup, "AR_DIST_LINE_NOT_FOUND", detail, f"{where}/InvoiceLineNumber")
            self._check_account(row.get("AccountCombination", ""), f"{where}/AccountCombination")

    def _check_sum(self, target: Target, rows: list[dict[str, Any]], amounts: Amounts) -> None:
        """Gives each row its amount, from its percent where it has none, and compares their sum."""
        if not rows:
            return
        for row in rows:
            if "Amount" not in row:
                row["Amount"] = self._amount(row, target, amounts)
        left = target.amount - sum((row["Amount"] for row in rows), start=Decimal(0))
        percents = [row.get("Percent") for row in rows]
        if left and None not in percents and sum(each for each in percents if each) == 100:
            # Shares that make a whole lose nothing to rounding.
            rows[-1]["Amount"] += left
            left = Decimal(0)
        if left:
            of = f" of line {target.line_number}" if target.line_number else ""
            detail = (
                f"The {target.account_class} distributions{of} must make {target.amount}, not {target.amount - left}."
            )
            raise refuse(self._setup, "AR_DIST_AMOUNT_MISMATCH", detail, f"/{DISTRIBUTIONS}")

    def _amount(self, row: dict[str, Any], target: Target, amounts: Amounts) -> Decimal:
        if "Percent" in row:
            return rounded(target.amount * Decimal(row["Percent"]) / 100, amounts.digits)
        if "AccountedAmount" in row and amounts.rate == 1:
            return Decimal(row["AccountedAmount"])
        raise refuse(self._setup, "AR_DIST_AMOUNT_REQ", "Enter an amount or a percent.", f"/{DISTRIBUTIONS}")

    def _check_account(self, account: str, path: str) -> Combination:
        combination = self._world.combination(self._ledger.chart_id, account.split("-"))
        usable = (
            combination is not None
            and combination.enabled
            and combination.posting_allowed
            and combination.import_refuses is None
            and (combination.starts is None or combination.starts <= self._day)
            and (combination.ends is None or combination.ends >= self._day)
        )
        if combination is None or not usable:
            detail = f"The account combination {account or '(none)'} isn't valid or isn't enabled."
            raise refuse(self._setup, "AR_ACCOUNT_INVALID", detail, path)
        return combination

    def _manual(self, row: dict[str, Any], target: Target, amounts: Amounts) -> Distribution:
        account = str(row["AccountCombination"])
        return self._row(target, account, row["Amount"], amounts, row.get("Comments"), manual=True)

    def _automatic(self, target: Target, amount: Decimal, amounts: Amounts) -> Distribution:
        if target.account is None:
            detail = "The transaction type you entered doesn't allow freight."
            raise refuse(self._setup, "AR_FREIGHT_NOT_ALLOWED", detail, "/TransactionType")
        self._check_account(target.account, f"/{DISTRIBUTIONS}")
        return self._row(target, target.account, amount, amounts, None, manual=False)

    def _row(
        self, target: Target, account: str, amount: Decimal, amounts: Amounts, comments: str | None, *, manual: bool
    ) -> Distribution:
        return Distribution(
            id=self._next_id(),
            account_class=target.account_class,
            account=account,
            amount=amount,
            accounted=rounded(amount * amounts.rate, amounts.ledger_digits),
            percent=round(amount / target.amount * 100, 4) if target.amount else Decimal(100),
            line_number=target.line_number,
            tax_line_number=target.tax_line_number,
            comments=comments,
            manual=manual,
        )


def _place(target: Target) -> tuple[str, int | None, int | None]:
    return target.account_class, target.line_number, target.tax_line_number
