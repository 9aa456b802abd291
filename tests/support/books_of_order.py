"""The ledger of one order: its sale, its edits and its refunds, mapped and added up as the connector would."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from contracts.journal import Journal, JournalLine, Purpose
from contracts.refund import Refund, RefundSale
from contracts.sale import OrderSnapshot, Sale
from contracts.steps.documents import Mapped
from mapping.deltas import to_delta, to_reversal
from mapping.journal import to_journal
from mapping.refund_journal import to_refund_journal
from mapping.refunds import earlier_refunds, later_refunds, take_back

Account = tuple[Purpose, tuple[str, ...]]


class OrderBooks:
    """Posts whatever mapping makes of an order. `settings` are those of `company.settings`."""

    def __init__(self, company: Any, currency: str = "USD", channel: str = "1", **settings: Any) -> None:
        books = company.books(currency=currency, channel=channel, conversion_type="Corporate")
        self.settings: dict[str, Any] = {
            "tenant": "acme",
            "integration": company.integration(settings.pop("policy", None), books),
            "books": books,
            "mapping_set": company.full_set(),
            "lookups": company.lookups(),
        } | settings
        self.sale: Sale | None = None
        self.own: list[JournalLine] = []
        """Lines of the sale, its edits and reversals."""
        self.given: list[JournalLine] = []
        """Lines of its refunds."""
        self.taken: dict[str, RefundSale] = {}
        """What its refunds took back, by id."""
        self.journals: list[Journal] = []
        self.ordinal = 0
        self.reversed = False

    def sell(self, snapshot: OrderSnapshot) -> Mapped:
        self.sale = snapshot.sale
        return self._own(to_journal(snapshot, **self.settings, ordinal=self._next()))

    def edit(self, snapshot: OrderSnapshot) -> Mapped:
        before, self.sale = None if self.reversed else self.sale, snapshot.sale
        self.reversed = False
        told = {"before": before, "posted": self.own, "given": self.given, "ordinal": self._next()}
        return self._own(to_delta(snapshot, **told, **self.settings))

    def cancel(self, snapshot: OrderSnapshot) -> Mapped:
        mapped = to_reversal(snapshot, posted=self.own, given=self.given, **self.settings, ordinal=self._next())
        self.reversed = mapped.journal is not None
        return self._own(mapped)

    def refund(self, refund: Refund, *, known: Sequence[Refund] | None = None, **settings: Any) -> Mapped:
        """Post one refund; `known` are all of the order, by default those posted so far."""
        assert self.sale is not None
        earlier = tuple(self.taken.values()) if known is None else earlier_refunds(refund, known, self.sale, self.taken)
        later = later_refunds(refund, self.taken)
        mapped = to_refund_journal(
            refund,
            self.sale,
            earlier=earlier,
            later=later,
            original=self.own,
            given=self.given,
            reversed_=self.reversed,
            **(self.settings | settings),
        )
        if mapped.journal is not None:
            taken = take_back(refund, self.sale, earlier, later)
            assert isinstance(taken, RefundSale)
            self.taken[refund.refund_id] = taken
            self.given.extend(mapped.journal.lines)
            self.journals.append(mapped.journal)
        return mapped

    def balances(self, lines: Sequence[JournalLine] | None = None) -> dict[Account, Decimal]:
        """Debits less credits by purpose and account, of everything posted; what is zero is left out."""
        found: dict[Account, Decimal] = {}
        for line in [*self.own, *self.given] if lines is None else lines:
            key = (line.purpose, line.segments)
            found[key] = found.get(key, Decimal(0)) + line.debit - line.credit
        return {key: amount for key, amount in found.items() if amount}

    def balance(self, *purposes: Purpose) -> Decimal:
        return sum((amount for (purpose, _), amount in self.balances().items() if purpose in purposes), Decimal(0))

    def _own(self, mapped: Mapped) -> Mapped:
        if mapped.journal is not None:
            self.own.extend(mapped.journal.lines)
            self.journals.append(mapped.journal)
        return mapped

    def _next(self) -> int:
        self.ordinal += 1
        return self.ordinal
