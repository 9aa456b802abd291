"""The truth: what the twins' own books hold of a document, never what our store believes."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Protocol

from crash.report import Verdict
from support.stack import Stack

from contracts import names
from contracts.flow import State
from sandbox.bigcommerce import Truth
from sandbox.fusion.ledger import Journal
from sandbox.fusion.receivables.demo import EU_CUSTOMER, US_CUSTOMER

CUSTOMERS: Final = {"bc-us": US_CUSTOMER, "bc-eu": EU_CUSTOMER}
"""The customer account that stands for a shop."""


@dataclass(eq=False)
class Document:
    """One order of a scene, and how it must end."""

    connection: str
    number: int
    """The shop's own id of the order."""
    ends: State = State.POSTED
    """SKIPPED: nothing of it may be in the books. REVERSED: it is there, and all of it was taken back."""
    earlier: list[Decimal] = field(default_factory=list)
    """What the books would say of its earlier versions."""
    kept: bool = False
    """The books have an earlier version, and a person knows."""
    by_hand: str = ""
    """The name under which a person entered it."""
    judged: Callable[["Document"], Awaitable[dict[str, Any] | None]] | None = None
    """What a person decides about it in review, as fields of a decision, or nothing; None: what its end says."""

    @property
    def workflow_id(self) -> str:
        return names.order_to_journal_id(self.connection, str(self.number))

    def due(self, books: "Books", truths: Callable[[str], Mapping[int, Truth]]) -> tuple[str, Decimal]:
        """Currency and amount that the books must show; `truths` gives those of a shop's orders."""
        truth = truths(self.connection)[self.number]
        return truth.currency, books.expected(truth)

    def __str__(self) -> str:
        return f"order {self.number} ({self.connection})"


@dataclass(frozen=True)
class Entry:
    """One thing in the target's books."""

    currency: str
    amount: Decimal
    counts: bool
    """It is posted, complete, or whatever its kind is when nothing is left to do."""


class Books(Protocol):
    """One kind of target document in a twin."""

    def entries(self, stack: Stack, document: Document) -> Sequence[Entry]:
        """Everything in the books that is the document's, whoever wrote it."""
        ...

    def expected(self, truth: Truth) -> Decimal:
        """What the books must say of an order, in its currency."""
        ...

    def leftovers(self, stack: Stack) -> int:
        """Rows that wait in the target where a person could still post them."""
        ...


class Journals:
    """The general ledger of the Fusion twin: a posted journal for each document, and one for each later change.

    Together they are one entry, of what they leave on the debit side. A reference that is there twice is another.
    """

    def entries(self, stack: Stack, document: Document) -> Sequence[Entry]:
        ours = f"/{document.connection}/order/{document.number}/"
        once: dict[str, Journal] = {}
        others: list[Journal] = []
        for journal in stack.fusion.journals():
            if ours in journal.given_name and journal.given_name not in once:
                once[journal.given_name] = journal
            elif ours in journal.given_name or (document.by_hand and journal.given_name == document.by_hand):
                others.append(journal)
        entries = [Entry(one.currency, one.total("entered_dr"), one.batch.status == "P") for one in others]
        return [_together(list(once.values())), *entries] if once else entries

    def expected(self, truth: Truth) -> Decimal:
        return truth.total

    def leftovers(self, stack: Stack) -> int:
        return len(stack.fusion.interface())


def _together(journals: Sequence[Journal]) -> Entry:
    if len(journals) == 1:
        amount = journals[0].total("entered_dr")
    else:
        left: dict[str, Decimal] = defaultdict(Decimal)
        for line in (line for journal in journals for line in journal.lines):
            left[line.account] += (line.entered_dr or Decimal(0)) - (line.entered_cr or Decimal(0))
        amount = sum((one for one in left.values() if one > 0), start=Decimal(0))
    return Entry(journals[0].currency, amount, all(one.batch.status == "P" for one in journals))


class Invoices:
    """Receivables of the Fusion twin: one complete invoice a document, found by the shop's own order number."""

    def entries(self, stack: Stack, document: Document) -> Sequence[Entry]:
        return [
            Entry(one.currency, one.amount, one.status == "Complete")
            for one in stack.fusion.invoices()
            if one.given.get("PurchaseOrder") == str(document.number) and one.customer == CUSTOMERS[document.connection]
        ]

    def expected(self, truth: Truth) -> Decimal:
        """Nobody owes what store credit and gift certificates have settled."""
        return truth.tenders["payment"]

    def leftovers(self, stack: Stack) -> int:
        return 0


JOURNALS: Final = Journals()
INVOICES: Final = Invoices()


def count(books: Books, stack: Stack, documents: Iterable[Document]) -> Verdict:
    """Each document that must be posted has one entry of its total, to the cent, and one that was reversed of nothing;
    each other one has none."""
    verdict = Verdict(leftovers=books.leftovers(stack))
    known: dict[str, Mapping[int, Truth]] = {}

    def truths(connection: str) -> Mapping[int, Truth]:
        if connection not in known:
            known[connection] = stack.shop(connection).truth()
        return known[connection]

    for document in documents:
        verdict.documents += 1
        entries = books.entries(stack, document)
        if document.ends is State.SKIPPED:
            verdict.duplicates += len(entries)
            continue
        verdict.losses += not any(one.counts for one in entries)
        verdict.duplicates += max(0, len(entries) - 1)
        currency, due = document.due(books, truths)
        expected = Decimal(0) if document.ends is State.REVERSED else due
        _compare(verdict, entries, currency, expected, document)
    return verdict


def _compare(verdict: Verdict, entries: Sequence[Entry], currency: str, expected: Decimal, document: Document) -> None:
    amount = sum((one.amount for one in entries if one.currency == currency), start=Decimal(0))
    if not (document.kept and amount in document.earlier):
        verdict.differ(currency, amount - expected)
    for foreign in entries:
        if foreign.currency != currency:
            verdict.differ(foreign.currency, foreign.amount)
