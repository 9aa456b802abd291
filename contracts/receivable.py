"""A receivables invoice: one sale, billed to the customer account of its store."""

import datetime as dt
from decimal import Decimal
from typing import Literal

from pydantic import Field, model_validator

from contracts.journal import Purpose, RuleReference
from contracts.model import Amount, Frozen

NUMBER_LENGTH = 20
"""Characters of a transaction number in Oracle Receivables."""

ReferenceHome = Literal["transaction_number", "cross_reference", "line_flexfield"]
"""Where an invoice carries our reference. Only under a manual number does Fusion itself refuse a duplicate."""


class TaxCode(Frozen):
    """How Fusion names the tax that a shop shows under a title."""

    regime: str
    rate_code: str


class InvoiceLine(Frozen):
    """One line with the account it is distributed to. Negative for what was redeemed or given back."""

    number: int = Field(ge=1)
    purpose: Purpose
    description: str
    """At most 240 characters; ends with order, rule and version."""
    quantity: Amount
    unit_price: Amount
    amount: Amount
    """`quantity x unit_price`, exact to the minor unit."""
    segments: tuple[str, ...]
    """The account combination of its revenue distribution."""
    tax: TaxCode | None = None
    """Set when this is to be sent as a tax line of Fusion's own kind, not as an invoice line."""
    source_key: str = ""
    """The line, charge, tax or tender it came from."""
    rule: RuleReference | None = None

    @model_validator(mode="after")
    def _multiplies(self) -> "InvoiceLine":
        if self.quantity * self.unit_price != self.amount:
            raise ValueError(f"invoice line {self.number}: {self.quantity} x {self.unit_price} is not {self.amount}")
        return self


class Invoice(Frozen):
    """What is to be created in Receivables. `total` is what Fusion must show as the entered amount, to the cent."""

    reference: str
    """The full business key (`contracts.names.journal_reference`)."""
    number: str = Field(max_length=NUMBER_LENGTH)
    """The reference in twenty characters (`contracts.names.short_reference`)."""
    home: ReferenceHome
    business_unit: str
    transaction_source: str
    transaction_type: str
    customer_account: str
    bill_to_site: str = ""
    payment_terms: str = ""
    ledger: str
    transaction_date: dt.date
    accounting_date: dt.date
    date_reason: str
    date_moved: bool = False
    currency: str
    conversion_type: str | None = None
    conversion_date: dt.date | None = None
    order_number: str
    """The shop's own order number, for people who look for it in Fusion (`PurchaseOrder`)."""
    comments: str = ""
    lines: tuple[InvoiceLine, ...] = Field(min_length=1)
    receivable: tuple[str, ...] | None = None
    """Account of the receivable distribution, when a rule names one; else Fusion's own AutoAccounting."""
    mapping_set: str
    mapping_version: int
    suspense: bool = False

    @property
    def total(self) -> Decimal:
        """What the store's customer account owes: lines, tax included, less what liabilities settled."""
        return sum((line.amount for line in self.lines), start=Decimal(0))
