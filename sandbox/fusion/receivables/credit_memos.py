"""`receivablesCreditMemos`: memos on account, made one at a time, each whole or not at all (Oracle Fusion: 3.2).

A memo's number is unique within its source and business unit, together with the numbers of invoices.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sandbox.fusion.answers import RestError
from sandbox.fusion.receivables.credit_memo_document import (
    CHILDREN,
    CREDIT_MEMOS,
    DISTRIBUTION_ATTRIBUTES,
    DISTRIBUTION_NAMES,
    HEADER,
    HEADER_NAMES,
    LINE,
    LINE_NAMES,
    read_credit_memo,
    shown,
    told,
)
from sandbox.fusion.receivables.document import (
    CONTEXT,
    DISTRIBUTIONS,
    HEADER_DFF,
    HEADER_TRANSACTION_DFF,
    LINE_DFF,
    LINE_TRANSACTION_DFF,
    LINES,
    TAX_LINE,
    TAX_LINES,
)
from sandbox.fusion.receivables.invoice import Invoice
from sandbox.fusion.receivables.refusals import refuse
from sandbox.fusion.receivables.subledger import Subledger
from sandbox.fusion.receivables.tables import ReceivablesInvoices, described, nested_values, tax_line_row
from sandbox.fusion.resources import Entity, Resource
from sandbox.kit import Clock


class CreditMemos:
    """Creates, finds and shows credit memos. They cannot be changed here, or deleted."""

    def __init__(self, books: Subledger, invoices: ReceivablesInvoices, clock: Clock) -> None:
        self._books = books
        self._tables = invoices
        self._clock = clock
        self._memos: dict[int, Invoice] = {}

    def all(self) -> list[Invoice]:
        """Every memo there is, visible or not, in order of creation."""
        return list(self._memos.values())

    def find(self, memo_id: int | None, number: str | None, business_unit: str | None) -> Invoice | None:
        """The one memo that id and number, as far as given, name."""
        found = [
            each
            for each in self._memos.values()
            if memo_id in (None, each.id)
            and number in (None, each.number)
            and business_unit in (None, each.business_unit)
        ]
        return found[0] if len(found) == 1 and (memo_id is not None or number is not None) else None

    def create(self, body: Mapping[str, Any], path: str) -> Invoice:
        """Take a memo, with everything Fusion adds to it. Raises `RestError` 400; then nothing has changed."""
        setup = self._books.world.receivables
        read = read_credit_memo(body, setup)
        reason = read.get("CreditReason")
        if reason is not None and reason not in setup.credit_reasons:
            detail = "The credit reason you entered isn't a value of its lookup."
            raise refuse(setup, "AR_CREDIT_REASON_INVALID", detail, "/CreditReason")
        try:
            memo = self._books.enter(read, path, "credit_memo")
        except RestError as error:
            raise told(error) from error
        self._memos[memo.id] = memo
        self._books.schedule_accounting(memo, there=lambda: memo.id in self._memos)
        return memo

    def visible(self) -> list[Invoice]:
        """What lists show by now."""
        return self._books.visible(self._memos.values())

    def resource(self) -> Resource:
        """The collection, with its children."""
        setup, tables = self._books.world.receivables, self._tables
        flexfields = {
            HEADER_DFF: tables.flexfield(CHILDREN[HEADER_DFF], "CustomerTrxId", setup.header_flexfield, HEADER_DFF),
            HEADER_TRANSACTION_DFF: tables.flexfield(
                CHILDREN[HEADER_TRANSACTION_DFF], "CustomerTrxId", setup.transaction_flexfield, HEADER_TRANSACTION_DFF
            ),
            LINE_DFF: tables.flexfield(CHILDREN[LINE_DFF], "CustomerTrxLineId", setup.line_flexfield, LINE_DFF),
            LINE_TRANSACTION_DFF: tables.flexfield(
                CHILDREN[LINE_TRANSACTION_DFF], "CustomerTrxLineId", setup.transaction_flexfield, LINE_TRANSACTION_DFF
            ),
        }
        lines = Resource(
            CHILDREN[LINES],
            tuple(LINE),
            lambda memo: [Entity(shown(tables.line(memo, each).values, LINE_NAMES, LINE), each) for each in memo.lines],
            "CustomerTransactionLineId",
            described=described(LINE),
            children=(
                Resource(
                    CHILDREN[TAX_LINES],
                    tuple(TAX_LINE),
                    lambda line: [tax_line_row(line, each) for each in line.taxes],
                    hash_of=("CustomerTransactionLineId", "TaxLineNumber"),
                    described=described(TAX_LINE),
                ),
                flexfields[LINE_DFF],
                flexfields[LINE_TRANSACTION_DFF],
            ),
        )
        distributions = Resource(
            CHILDREN[DISTRIBUTIONS],
            tuple(DISTRIBUTION_ATTRIBUTES),
            lambda memo: [
                Entity(shown(tables.distribution(memo, each).values, DISTRIBUTION_NAMES, DISTRIBUTION_ATTRIBUTES), each)
                for each in memo.distributions
            ],
            "DistributionId",
            described=described(DISTRIBUTION_ATTRIBUTES),
        )
        return Resource(
            CREDIT_MEMOS,
            tuple(HEADER),
            lambda _: [self.row(each) for each in self.visible()],
            "CustomerTransactionId",
            may_query=tables.may_query,
            nested=tuple(self._nested_names()),
            described=described(HEADER),
            children=(lines, distributions, flexfields[HEADER_DFF], flexfields[HEADER_TRANSACTION_DFF]),
            find=self._find,
            create=lambda _, body, path: self.row(self.create(body, path)),
        )

    def _find(self, _: Any, key: str) -> Entity | None:
        memo = self._memos.get(int(key)) if key.isdigit() else None
        if memo is None or (memo.hidden_by_key and memo.visible_from > self._clock.now()):
            return None
        return self.row(memo)

    def _nested_names(self) -> list[str]:
        setup = self._books.world.receivables
        fields = {
            CHILDREN[HEADER_DFF]: setup.header_flexfield,
            CHILDREN[HEADER_TRANSACTION_DFF]: setup.transaction_flexfield,
            f"{CHILDREN[LINES]}.{CHILDREN[LINE_DFF]}": setup.line_flexfield,
            f"{CHILDREN[LINES]}.{CHILDREN[LINE_TRANSACTION_DFF]}": setup.transaction_flexfield,
        }
        return [f"{path}.{name}" for path, field in fields.items() for name in (CONTEXT, *field.attributes())]

    def row(self, memo: Invoice) -> Entity:
        balance = self._books.applications.balance(memo, shown=True)
        habits = self._books.world.receivables.habits
        values = shown(self._tables.header(memo), HEADER_NAMES, HEADER) | {
            "TransactionBalanceDue": balance if habits.credit_memo_balance else None,
            "CrossReference": memo.cross_reference,
        }
        nested = {
            ".".join(CHILDREN.get(part, part) for part in path.split(".")): each
            for path, each in nested_values(memo).items()
        }
        return Entity(values, memo, nested=nested)

    def summary(self) -> dict[str, Any]:
        """Totals per business unit and currency (amounts as text): credited, and not applied."""
        totals: dict[tuple[str, str], dict[str, Any]] = {}
        for each in self._memos.values():
            place = {"business_unit": each.business_unit, "currency": each.currency}
            empty = {**place, "credit_memos": 0, "amount": Decimal(0), "unapplied": Decimal(0)}
            entry = totals.setdefault((each.business_unit, each.currency), empty)
            entry["credit_memos"] += 1
            entry["amount"] -= each.amount
            entry["unapplied"] -= self._books.applications.balance(each)
        amounts = ("amount", "unapplied")
        return {
            "credit_memos": len(self._memos),
            "totals": [
                {**entry, **{name: str(entry[name]) for name in amounts}} for _, entry in sorted(totals.items())
            ],
        }
