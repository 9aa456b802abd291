"""A general ledger journal, from the accounting rules to its fate in Oracle Fusion."""

import datetime as dt
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from pydantic import model_validator

from contracts.model import Amount, Frozen, Instant


class RuleReference(Frozen):
    """Which rule of which mapping set version chose an account."""

    mapping_set: str
    version: int
    rule: str


class Purpose(StrEnum):
    """What a journal line, and so a mapping rule, is for."""

    REVENUE = "revenue"
    SHIPPING = "shipping"
    HANDLING = "handling"
    WRAPPING = "wrapping"
    FEE = "fee"
    TAX = "tax"
    CLEARING = "clearing"
    RECEIVABLE = "receivable"
    """The receivable distribution of an invoice; without a rule it is Fusion's own AutoAccounting."""
    STORE_CREDIT = "store_credit"
    GIFT_CERTIFICATE = "gift_certificate"
    """Liability, for certificates redeemed (debit) and sold (credit)."""
    ROUNDING = "rounding"
    DEFERRED_REVENUE = "deferred_revenue"
    SUSPENSE = "suspense"


class JournalLine(Frozen):
    """One line. Exactly one of `debit` and `credit` is not zero; both are never negative."""

    purpose: Purpose
    segments: tuple[str, ...]
    """The account combination, segment by segment in the chart's order."""
    debit: Amount
    credit: Amount
    description: str
    """At most 240 characters; ends with order, rule and version, e.g. `... | order 1024 | retail v7 rule shirts`."""
    source_key: str = ""
    """The line, charge, tax or tender it came from."""
    rule: RuleReference | None = None

    @model_validator(mode="after")
    def _one_side(self) -> "JournalLine":
        if self.debit < 0 or self.credit < 0 or (self.debit == 0) == (self.credit == 0):
            raise ValueError(f"A journal line has one positive side: {self.debit} / {self.credit}")
        return self


class Journal(Frozen):
    """A balanced journal of one legal entity, one ledger, one currency and one accounting date."""

    reference: str
    """Deterministic business key (`contracts.names.journal_reference`); becomes the journal name (REFERENCE4)."""
    description: str
    ledger: str
    journal_source: str
    journal_category: str
    accounting_date: dt.date
    date_reason: str
    """Why this date, one clause: "placed 2026-03-01 in America/Chicago", "... moved: Feb-26 is closed"."""
    date_moved: bool = False
    """The recognition day's period was closed; the journal is listed as posted late."""
    currency: str
    conversion_type: str | None = None
    """Set when `currency` is not the ledger's currency."""
    conversion_date: dt.date | None = None
    lines: tuple[JournalLine, ...]
    mapping_set: str
    mapping_version: int
    suspense: bool = False
    """At least one line went to the suspense account the customer configured; the journal is listed."""

    @property
    def total(self) -> Decimal:
        """Sum of debits."""
        return sum((line.debit for line in self.lines), start=Decimal(0))

    @model_validator(mode="after")
    def _balances(self) -> "Journal":
        debit, credit = sum(line.debit for line in self.lines), sum(line.credit for line in self.lines)
        if debit != credit:
            raise ValueError(f"Journal {self.reference} does not balance: debit {debit}, credit {credit}")
        return self


class Problem(Frozen):
    """Why a document cannot be posted: a stable code, one true sentence, and what to do about it."""

    code: str
    """snake_case, e.g. `unmapped_account`, `period_closed`, `no_conversion_rate`, `edited_after_posting`."""
    sentence: str
    remedy: str


class LedgerFacts(Frozen):
    """What a mapping needs to know of a ledger."""

    ledger: str
    ledger_id: int
    currency: str
    """Functional currency."""
    minor_units: int = 2
    segment_count: int


class Period(Frozen):
    """One accounting period of one application (GL) in one ledger."""

    name: str
    starts: dt.date
    ends: dt.date
    status: Literal["open", "future", "closed", "never_opened", "permanently_closed"]
    adjustment: bool = False


class FateKind(StrEnum):
    IMPORTED = "imported"
    """The journal exists in Fusion, unposted."""
    POSTED = "posted"
    REFUSED = "refused"
    """Fusion refused this journal; nothing of it exists and its rows are gone from the interface."""
    RETRY = "retry"
    """A neighbour was refused; this journal is clean and may be staged again under a new group."""


class JournalFate(Frozen):
    """What became of one journal. Written to the store first, then signalled."""

    reference: str
    kind: FateKind
    group_id: int
    at: Instant
    journal_header_id: int | None = None
    journal_batch_id: int | None = None
    journal_name: str = ""
    period: str = ""
    code: str = ""
    """Fusion's own code when refused, e.g. EF04."""
    sentence: str = ""

    @property
    def told(self) -> str:
        """The fate, for people."""
        match self.kind:
            case FateKind.IMPORTED:
                return f"imported in {self.period} as {self.journal_name}, not posted yet"
            case FateKind.POSTED:
                return f"posted in {self.period} as {self.journal_name}" if self.period else self.sentence
            case FateKind.REFUSED:
                return f"refused by Fusion: {self.code} {self.sentence}"
            case FateKind.RETRY:
                return self.sentence or f"back to the outbox: a neighbour in group {self.group_id} was refused"
