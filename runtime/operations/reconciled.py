"""What reconciliation finds: every order and refund judged, and per shop and currency one sum."""

from decimal import Decimal
from enum import StrEnum
from typing import Final

from pydantic import computed_field

from contracts import names
from contracts.model import Amount, Frozen, Instant

ZERO: Final = Decimal(0)


class Verdict(StrEnum):
    """What reconciliation says of an order or a refund. The first two are right, the next three explained, the rest
    wrong."""

    POSTED = "posted"
    """In Fusion once, with the shop's amount."""
    UNPOSTED = "unposted"
    """There once with the shop's amount, but not posted yet, or not applied to its invoice yet."""
    IN_REVIEW = "in_review"
    OPEN = "open"
    """Under way, or the next poll reads it."""
    SKIPPED = "skipped"
    """Not posted by a person's decision, or marked as posted by a document of another source; also where an older
    version is booked, and a person decided that it is left so."""
    LOST = "lost"
    """To be posted, and nowhere: not in the ledger, not in review, not under way."""
    DUPLICATE = "duplicate"
    DIFFERS = "differs"
    """In the ledger with another amount or currency."""
    UNEXPECTED = "unexpected"
    """In the ledger, though the shop has no such order or refund to post."""


EXPLAINED: Final = frozenset({Verdict.IN_REVIEW, Verdict.OPEN, Verdict.SKIPPED})
WRONG: Final = frozenset({Verdict.LOST, Verdict.DUPLICATE, Verdict.DIFFERS, Verdict.UNEXPECTED})


class Reconciled(Frozen):
    """One document on both sides. Amounts of refunds are positive, as of orders."""

    order_id: str
    """Of a refund its order; empty where only Fusion knows the refund."""
    connection: str
    currency: str
    source_amount: Amount
    """0 when the shop has nothing to post."""
    ledger_amount: Amount
    """Comparable with the source: all that is booked of it, in terms of what the shopper owes or got back."""
    explained: Amount = ZERO
    """The part of `source - ledger` that its verdict explains."""
    journals: tuple[str, ...] = ()
    """Names of journals, numbers of invoices and credit memos, as Fusion shows them."""
    verdict: Verdict
    reason: str = ""
    command: str = ""
    """What resolves it, for what is in review."""


class ReconciledOrder(Reconciled):
    """A cancelled order is to be worth what its refunds took back before the rest of it was reversed."""

    @property
    def name(self) -> str:
        return f"{self.connection}/{self.order_id}"


class ReconciledRefund(Reconciled):
    refund_id: str

    @property
    def name(self) -> str:
        return f"{self.connection}/{names.REFUND}/{self.refund_id}"


class CurrencyTotals(Frozen):
    """One currency of one shop: orders less refunds. `source_net - in_review - open - skipped - ledger_net ==
    difference`."""

    currency: str
    source_count: int
    source_total: Amount
    """Of orders, like `ledger_count` and `ledger_total`."""
    ledger_count: int
    ledger_total: Amount
    source_refunds: int = 0
    source_refunded: Amount = ZERO
    ledger_refunds: int = 0
    ledger_refunded: Amount = ZERO
    in_review: Amount
    """Net, like the next two: an order adds, a refund takes away."""
    open: Amount
    skipped: Amount

    @computed_field  # type: ignore[prop-decorator]
    @property
    def source_net(self) -> Decimal:
        return self.source_total - self.source_refunded

    @computed_field  # type: ignore[prop-decorator]
    @property
    def ledger_net(self) -> Decimal:
        return self.ledger_total - self.ledger_refunded

    @computed_field  # type: ignore[prop-decorator]
    @property
    def difference(self) -> Decimal:
        """What nothing explains; 0 when the books agree."""
        return self.source_net - self.in_review - self.open - self.skipped - self.ledger_net


class ReconciledStore(Frozen):
    """One integration: its shop against its ledgers."""

    tenant: str
    integration: str
    connection: str
    since: Instant
    until: Instant
    totals: tuple[CurrencyTotals, ...]
    orders: tuple[ReconciledOrder, ...]
    """Every order that is to be posted or is in Fusion, by order id."""
    refunds: tuple[ReconciledRefund, ...] = ()
    """Every refund that is to be posted or is in Fusion, by refund id."""

    @property
    def every(self) -> tuple[ReconciledOrder | ReconciledRefund, ...]:
        return (*self.orders, *self.refunds)

    def of(self, *verdicts: Verdict) -> tuple[ReconciledOrder | ReconciledRefund, ...]:
        return tuple(one for one in self.every if one.verdict in verdicts)

    @property
    def duplicates(self) -> tuple[ReconciledOrder | ReconciledRefund, ...]:
        return tuple(one for one in self.every if len(one.journals) > 1)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def agrees(self) -> bool:
        """Difference 0, nothing lost, nothing twice. What is in review or open does not count against it."""
        return not self.of(*WRONG) and not self.duplicates and all(not one.difference for one in self.totals)
