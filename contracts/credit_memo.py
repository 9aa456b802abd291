"""A credit memo in Receivables and its application: what a refund, or a cancellation, takes back of an invoice.

Over REST Fusion takes credit memos on account only, and what is on account is applied to an invoice by a second call.
So either is two documents, each with its own reference: the memo, and its application.
"""

import datetime as dt
from decimal import Decimal

from pydantic import Field, model_validator

from contracts.model import Amount, Frozen
from contracts.receivable import NUMBER_LENGTH, InvoiceLine, ReferenceHome
from contracts.refund import RefundSale


class CreditMemo(Frozen):
    """What is to be created in Receivables. `total` is what Fusion must show as the entered amount, with a minus."""

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
    credit_reason: str = ""
    ledger: str
    transaction_date: dt.date
    accounting_date: dt.date
    date_reason: str
    date_moved: bool = False
    currency: str
    conversion_type: str | None = None
    conversion_date: dt.date | None = None
    order_number: str
    """The shop's own order number."""
    refund_id: str = ""
    """Empty: it takes back what is left of the order's invoice, because the order was cancelled."""
    comments: str = ""
    """For people; ends with the full reference, which is how a memo is recognised that got another number."""
    lines: tuple[InvoiceLine, ...] = Field(min_length=1)
    """Amounts as Fusion has them: what is given back is negative."""
    receivable: tuple[str, ...] | None = None
    """Account of the receivable distribution: the invoice's own; else Fusion's AutoAccounting."""
    mapping_set: str
    mapping_version: int
    suspense: bool = False
    taken: RefundSale | None = None
    """What the refund takes back of its order: later refunds of the order are told by it what is left."""
    given: tuple[str, ...] = ()
    """Of a cancellation: references of the memos of the order's refunds. What they credit is not in this one."""

    @model_validator(mode="after")
    def _credits(self) -> "CreditMemo":
        if self.total < 0:
            raise ValueError(f"credit memo {self.reference} would charge {-self.total}")
        return self

    @property
    def total(self) -> Decimal:
        """What the customer account is credited with, positive."""
        return -sum((line.amount for line in self.lines), start=Decimal(0))


class CreditApplication(Frozen):
    """A whole credit memo, taken from what its invoice has open."""

    reference: str
    """The full business key. Fusion shows it to people only: an application is known by its memo and its invoice."""
    business_unit: str
    customer_account: str
    credit_memo_id: int
    """Fusion's own key."""
    credit_memo_number: str
    invoice_id: int
    invoice_number: str
    currency: str
    amount: Amount = Field(gt=0)
    """All that the memo credits. A part of it could be applied twice without anybody refusing it."""
    apply_date: dt.date
    accounting_date: dt.date
    comments: str = Field(default="", max_length=240)

    @property
    def what(self) -> str:
        """For people."""
        return f"application of credit memo {self.credit_memo_number} to invoice {self.invoice_number}"
