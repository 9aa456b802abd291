"""What Receivables is set up with, and what differs between pods."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

Numbering = Literal["manual", "automatic"]
TaxEngine = Literal["manual", "adds", "ignores", "replaces"]
TransactionClass = Literal["invoice", "credit_memo"]
Deletable = Literal["unaccounted", "incomplete", "never"]


@dataclass
class TransactionSource:
    """Where invoices come from. A manual one needs a number with each invoice, an automatic one counts by itself."""

    name: str
    business_unit: str
    numbering: Numbering = "manual"
    next_number: int = 1001
    active: bool = True


@dataclass
class TransactionType:
    """Its accounts are what AutoAccounting falls back on."""

    name: str
    business_unit: str
    receivable_account: str
    revenue_account: str
    tax_account: str
    freight_account: str | None = None
    """None: freight is not allowed."""
    sign: Literal["any", "positive"] = "any"
    """`positive` refuses an invoice whose amount is below zero."""
    active: bool = True
    transaction_class: TransactionClass = "invoice"


@dataclass
class PaymentTerms:
    name: str
    installments: tuple[tuple[Decimal, int], ...]
    """Percent of the amount, and days after the transaction date; percents make 100."""


@dataclass
class CustomerSite:
    """A bill-to or ship-to site of a customer account in one business unit."""

    name: str
    business_unit: str
    purpose: Literal["bill_to", "ship_to"] = "bill_to"
    primary: bool = True
    active: bool = True


@dataclass
class Customer:
    """A customer account; a web store bills to one of its own."""

    number: str
    name: str
    party_id: int
    terms: str
    sites: list[CustomerSite] = field(default_factory=list)
    enabled: bool = True
    account_id: int | None = None
    """None: the one after the party's."""


@dataclass
class TaxRate:
    code: str
    regime: str
    tax: str
    status: str
    percent: Decimal
    accounts: dict[str, str] = field(default_factory=dict)
    """Liability account per business unit; without one AutoAccounting takes the transaction type's."""
    active: bool = True


@dataclass
class Flexfield:
    """Contexts of a descriptive flexfield, each with its attributes and their greatest length."""

    contexts: dict[str, dict[str, int]] = field(default_factory=dict)

    def attributes(self) -> tuple[str, ...]:
        """Every attribute of every context, once."""
        return tuple(dict.fromkeys(name for context in self.contexts.values() for name in context))


@dataclass
class ReceivablesHabits:
    """How this pod's Receivables behaves where pods differ or no page says what happens (Oracle Fusion: 10)."""

    queryable: dict[str, bool] = field(default_factory=dict)
    """Header attributes by name; true where nothing is said. `{"CrossReference": False}` answers such a q with 400."""
    flexfields_queryable: bool = True
    """q may name a flexfield's attribute, e.g. `receivablesInvoiceLines.receivablesInvoiceLineDFF.orderReference`."""
    given_number: Literal["refused", "ignored"] = "refused"
    """What happens to a transaction number that is sent with an automatically numbered source."""
    duplicate_status: int = 400
    """Status of the answer to a transaction number that its source already has."""
    tax_engine: TaxEngine = "manual"
    """manual: what is sent is the tax. adds: the pod puts its own tax on top of it. ignores: manual tax lines are
    dropped without a word. replaces: they are dropped and the pod calculates its own."""
    engine_rate: str = "ENGINE TAX"
    """Code of the tax rate the engine calculates with."""
    zero_total: bool = True
    """An invoice over nothing is taken."""
    accounting_delay: float | None = 0.2
    """Seconds until the subledger has accounted a complete invoice; None: never. No resource shows it."""
    deletable: Deletable = "unaccounted"
    credit_memo_balance: bool = True
    """Credit memos show what of them is not applied yet."""
    credit_memo_cross_reference: bool = True
    """A cross-reference may be sent with a credit memo; else it is refused as read-only."""
    application_sign: Literal["plus", "minus"] = "plus"
    """Of the amounts that applications are shown with."""
    activities_finder: bool = True
    """The activities of a customer account are found by the finder of that name, else by `q` only."""
    soap_multipart: bool = False
    """Answers of the SOAP services come as one part of a multipart message."""
    codes: dict[str, str] = field(default_factory=dict)
    """Codes shown instead of message names, e.g. `{"AR_TRX_NUMBER_DUPLICATE": "AR-855040"}`."""


@dataclass
class ReceivablesSetup:
    """Everything Receivables knows before the first invoice. Change it in place, also while the twin runs."""

    sources: list[TransactionSource] = field(default_factory=list)
    types: list[TransactionType] = field(default_factory=list)
    terms: list[PaymentTerms] = field(default_factory=list)
    customers: list[Customer] = field(default_factory=list)
    tax_rates: list[TaxRate] = field(default_factory=list)
    items: dict[str, str] = field(default_factory=dict)
    """Item numbers and their descriptions."""
    memo_lines: dict[str, str | None] = field(default_factory=dict)
    """Memo lines and their revenue accounts (None: the transaction type's)."""
    units: tuple[str, ...] = ("Each",)
    warehouses: tuple[str, ...] = ()
    credit_reasons: tuple[str, ...] = ("Returned goods",)
    """Values of the lookup of credit memo reasons."""
    header_flexfield: Flexfield = field(default_factory=Flexfield)
    line_flexfield: Flexfield = field(default_factory=Flexfield)
    transaction_flexfield: Flexfield = field(default_factory=Flexfield)
    """The transactions flexfield, of headers and of lines."""
    habits: ReceivablesHabits = field(default_factory=ReceivablesHabits)

    def source(self, name: str, business_unit: str) -> TransactionSource | None:
        """A source that is in use."""
        found = (each for each in self.sources if (each.name, each.business_unit) == (name, business_unit))
        return next((each for each in found if each.active), None)

    def type(
        self, name: str, business_unit: str, transaction_class: TransactionClass = "invoice"
    ) -> TransactionType | None:
        """A transaction type of a class that is in use."""
        wanted = (name, business_unit, transaction_class)
        found = (each for each in self.types if (each.name, each.business_unit, each.transaction_class) == wanted)
        return next((each for each in found if each.active), None)

    def payment_terms(self, name: str) -> PaymentTerms | None:
        return next((each for each in self.terms if each.name == name), None)

    def customer(self, number: str) -> Customer:
        """An account by its number, enabled or not. Raises KeyError."""
        for each in self.customers:
            if each.number == number:
                return each
        raise KeyError(f"There is no customer account {number!r}.")

    def tax_rate(self, code: str) -> TaxRate | None:
        return next((each for each in self.tax_rates if each.code == code and each.active), None)
