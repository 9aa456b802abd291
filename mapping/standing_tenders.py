"""What a cancellation leaves standing: money that went back another way than it came."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

from contracts.journal import JournalLine, Purpose
from contracts.refund import RefundSale
from contracts.sale import Sale

_TENDERS: Final = ("payment", "store_credit", "gift_certificate")
"""How the source keys of tenders begin (`mapping.entries`)."""
ZERO: Final = Decimal(0)

Account = tuple[Purpose, tuple[str, ...]]


def left_standing(own: Iterable[JournalLine], given: Iterable[JournalLine]) -> tuple[JournalLine, ...] | None:
    """Balanced lines that stay when an order is cancelled; none where its refunds went back the way the money came.

    `own` are the lines of the order's journals, `given` those of its refunds. Store credit that a refund granted is the
    shopper's whatever becomes of the order, and so much of what was paid is kept for it. None: the order was paid in
    several ways, and nobody can tell which of them pays for it.
    """
    ours, theirs = _tenders(own), _tenders(given)
    more: list[tuple[JournalLine, Decimal]] = []
    for account, (back, line) in theirs.items():
        paid = max(ours[account][0], ZERO) if account in ours else ZERO
        if -back > paid:
            more.append((line, -back - paid))
    if not more:
        return ()
    total = sum((amount for _, amount in more), start=ZERO)
    rest = [
        (line, left)
        for account, (paid, line) in ours.items()
        if (left := paid + (theirs[account][0] if account in theirs else ZERO)) > 0
    ]
    if len(rest) != 1 or rest[0][1] < total:
        return None
    stays = [line.model_copy(update={"debit": ZERO, "credit": amount}) for line, amount in more]
    return *stays, rest[0][0].model_copy(update={"debit": total, "credit": ZERO})


def paid_back_otherwise(taken: RefundSale, sale: Sale, others: Sequence[RefundSale]) -> str:
    """How the refund, with the order's other ones, gave back more than was paid in that way; else empty."""
    paid: dict[tuple[str, str], Decimal] = {}
    for tender in sale.tenders:
        paid[tender.kind, tender.method] = paid.get((tender.kind, tender.method), ZERO) + tender.amount
    for one in (*others, taken):
        for tender in one.tenders:
            paid[tender.kind, tender.method] = paid.get((tender.kind, tender.method), ZERO) + tender.amount
    mine = {(tender.kind, tender.method) for tender in taken.tenders}
    return next((method or kind for (kind, method), left in paid.items() if left < 0 and (kind, method) in mine), "")


def is_tender(source_key: str) -> bool:
    """Whether it is how something was paid, and not something that was sold."""
    return source_key.partition(":")[0] in _TENDERS


def _tenders(lines: Iterable[JournalLine]) -> dict[Account, tuple[Decimal, JournalLine]]:
    """Debits less credits of tenders, by account, each with a line of it."""
    found: dict[Account, tuple[Decimal, JournalLine]] = {}
    for line in lines:
        if is_tender(line.source_key):
            account = (line.purpose, line.segments)
            balance, first = found.get(account, (ZERO, line))
            found[account] = (balance + line.debit - line.credit, first)
    return found
