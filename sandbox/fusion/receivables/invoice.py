"""An invoice of the subledger."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

Flexfields = dict[str, dict[str, Any]]
"""By child resource: the context under `__FLEX_Context`, and its attributes."""


@dataclass
class TaxLine:
    number: int
    regime: str
    rate_code: str
    tax: str
    status: str
    percent: Decimal | None
    amount: Decimal
    taxable: Decimal
    manual: bool
    """Sent with the invoice; else the tax engine's."""


@dataclass
class InvoiceLine:
    id: int
    number: int
    description: str
    quantity: Decimal
    price: Decimal
    amount: Decimal
    freight: Decimal
    taxes: list[TaxLine] = field(default_factory=list)
    given: dict[str, Any] = field(default_factory=dict)
    """Further attributes as they were sent."""
    flexfields: Flexfields = field(default_factory=dict)


@dataclass
class Distribution:
    id: int
    account_class: str
    """Revenue, Receivable, Freight or Tax."""
    account: str
    amount: Decimal
    accounted: Decimal
    percent: Decimal | None
    line_number: int | None
    tax_line_number: int | None
    comments: str | None
    manual: bool
    """Sent with the invoice; else from AutoAccounting."""


@dataclass
class Installment:
    id: int
    number: int
    due: date
    amount: Decimal


@dataclass
class Invoice:
    id: int
    number: str
    source: str
    type: str
    business_unit: str
    legal_entity: str
    ledger: str
    customer: str
    customer_name: str
    party_id: int
    site: str
    currency: str
    digits: int
    """Minor digits of the currency."""
    conversion_type: str | None
    conversion_date: date | None
    conversion_rate: Decimal | None
    transaction_date: date
    accounting_date: date
    terms: str
    freight: Decimal
    lines: list[InvoiceLine]
    distributions: list[Distribution]
    installments: list[Installment]
    given: dict[str, Any]
    """Further attributes as they were sent, by their names in the resource."""
    flexfields: Flexfields
    created: datetime
    updated: datetime
    visible_from: datetime
    hidden_by_key: bool = False
    """While the invoice is not visible in lists, its own address does not show it either."""
    status: str = "Complete"
    accounted: datetime | None = None

    @property
    def amount(self) -> Decimal:
        """Lines, tax and freight, in the invoice currency."""
        taxes = (tax.amount for line in self.lines for tax in line.taxes)
        lines = (line.amount for line in self.lines)
        return sum(lines, start=Decimal(0)) + sum(taxes, start=Decimal(0)) + self.freight

    @property
    def cross_reference(self) -> str | None:
        return self.given.get("CrossReference")

    @property
    def due(self) -> date:
        """When the last installment is due."""
        return max(each.due for each in self.installments)

    def references(self) -> set[str]:
        """Number, cross-reference and everything its flexfields hold: where a sender may have left its key."""
        flexfields = [*self.flexfields.values(), *(each for line in self.lines for each in line.flexfields.values())]
        texts = {value for each in flexfields for name, value in each.items() if name != "__FLEX_Context"}
        return {str(text) for text in {self.number, self.cross_reference, *texts} if text}

    def facts(self) -> dict[str, Any]:
        """The invoice as tests see it: everything, whatever the resource hides; amounts as text."""
        return {
            "id": self.id,
            "number": self.number,
            "cross_reference": self.cross_reference,
            "source": self.source,
            "type": self.type,
            "business_unit": self.business_unit,
            "ledger": self.ledger,
            "customer": self.customer,
            "site": self.site,
            "currency": self.currency,
            "conversion_type": self.conversion_type,
            "conversion_rate": None if self.conversion_rate is None else str(self.conversion_rate),
            "transaction_date": self.transaction_date.isoformat(),
            "accounting_date": self.accounting_date.isoformat(),
            "due_date": self.due.isoformat(),
            "terms": self.terms,
            "status": self.status,
            "amount": str(self.amount),
            "freight": str(self.freight),
            "created": self.created.isoformat(),
            "updated": self.updated.isoformat(),
            "visible_from": self.visible_from.isoformat(),
            "accounted": None if self.accounted is None else self.accounted.isoformat(),
            "flexfields": self.flexfields,
            "lines": [_line(each) for each in self.lines],
            "distributions": [_distribution(each) for each in self.distributions],
        }


def _line(line: InvoiceLine) -> dict[str, Any]:
    return {
        "number": line.number,
        "description": line.description,
        "quantity": str(line.quantity),
        "price": str(line.price),
        "amount": str(line.amount),
        "flexfields": line.flexfields,
        "taxes": [
            {
                "number": tax.number,
                "regime": tax.regime,
                "rate_code": tax.rate_code,
                "amount": str(tax.amount),
                "manual": tax.manual,
            }
            for tax in line.taxes
        ],
    }


def _distribution(row: Distribution) -> dict[str, Any]:
    return {
        "class": row.account_class,
        "account": row.account,
        "amount": str(row.amount),
        "accounted": str(row.accounted),
        "line": row.line_number,
        "tax_line": row.tax_line_number,
        "comments": row.comments,
        "manual": row.manual,
    }
