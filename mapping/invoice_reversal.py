"""From a cancelled order that was billed in Receivables to the credit memo over what is left of its invoice."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Final

from contracts.configuration import Books, Integration, MappingSet, ReceivableBooks
from contracts.credit_memo import CreditMemo
from contracts.journal import JournalLine, Problem, Purpose
from contracts.names import ORDER, journal_reference, short_reference
from contracts.receivable import NUMBER_LENGTH, Invoice, InvoiceLine
from contracts.sale import OrderSnapshot
from contracts.steps.documents import Lookups, Mapped
from contracts.steps.receivables import MappedCredit
from mapping.books import needs_conversion
from mapping.credit_memo import journal_lines, memo_problems
from mapping.dates import RECEIVABLES, Dated, Event
from mapping.deltas import NO_DIFFERENCE, OF_AMOUNTS, REVERSAL, paid_in_several_ways, reworded
from mapping.descriptions import DESCRIPTION_LENGTH, document_description
from mapping.money import quantize
from mapping.origins import standing
from mapping.readiness import accounts, ready, timing
from mapping.receivable import no_receivable_books
from mapping.standing_tenders import is_tender, left_standing

_PAYMENT: Final = "payment:invoice"
"""Source key of what the payment providers owe: the total of a document in Receivables, which has no line of it."""


def to_reversal_memo(
    snapshot: OrderSnapshot,
    *,
    tenant: str,
    integration: Integration,
    books: Books,
    mapping_set: MappingSet,
    lookups: Lookups,
    invoice: Invoice,
    given: Sequence[CreditMemo] = (),
    ordinal: int = 1,
) -> MappedCredit:
    """The memo that leaves nothing of the invoice, or exactly one of `skipped` (there is nothing left of it),
    `problems` (all of it) and `waiting`.

    `given` are the memos of the order's refunds: what they credited is not credited twice, and what they gave back
    another way than it was paid stays with the shopper (`mapping.standing_tenders`). Accounts, customer and conversion
    date are the invoice's own. The date is the day on which the shop changed the order. `lookups` holds the periods of
    Receivables. Never raises for what a shop or a customer's rules can contain.
    """
    sale, billing, policy = snapshot.sale, books.receivable, integration.posting
    if billing is None:
        return MappedCredit(problems=(no_receivable_books(sale, books),))
    stays = left_standing(_owed(invoice.lines, invoice.total), _given(given))
    if stays is None:
        return MappedCredit(problems=(paid_in_several_ways(sale),))
    kept = [line for line in stays if line.source_key != _PAYMENT]
    word = snapshot.status or "Cancelled"
    lines = _left(invoice, given, kept, word, sale.minor_units)
    if not standing(journal_lines(lines)):
        return MappedCredit(skipped=NO_DIFFERENCE, standing=True)
    event = Event(word=word.lower(), at=snapshot.modified_at)
    when = timing(sale, lines, policy=policy, lookups=lookups, application=RECEIVABLES, event=event)
    if isinstance(when, Mapped):
        return _refused(when)
    _, problems = accounts(sale, (), when, policy=policy, books=books, mapping_set=mapping_set, lookups=lookups)
    # Only what the invoice holds counts, not whether the order as it stands adds up.
    problems = [one for one in problems if one.code not in OF_AMOUNTS]
    total = -sum((line.amount for line in lines), start=Decimal(0))
    problems += [*memo_problems(sale, total, billing), *_nothing_but_tax(snapshot, lines)]
    dated = ready(sale, when, problems, books=books, lookups=lookups, rate_day=invoice.conversion_date)
    if isinstance(dated, Mapped):
        return _refused(dated)
    return MappedCredit(
        fusion=integration.fusion,
        credit_memo=_memo(
            snapshot, invoice, given, lines, dated, tenant, ordinal, books, billing, mapping_set, lookups
        ),
    )


def sold_total(memo: CreditMemo) -> Decimal:
    """What the memo takes back of what was sold, positive, whichever way that was paid."""
    sold = (line.amount for line in memo.lines if not is_tender(line.source_key))
    return -sum(sold, start=Decimal(0))


def _memo(
    snapshot: OrderSnapshot,
    invoice: Invoice,
    given: Sequence[CreditMemo],
    lines: tuple[InvoiceLine, ...],
    dated: Dated,
    tenant: str,
    ordinal: int,
    books: Books,
    billing: ReceivableBooks,
    mapping_set: MappingSet,
    lookups: Lookups,
) -> CreditMemo:
    sale = snapshot.sale
    foreign = needs_conversion(sale, lookups.ledger)
    key = (sale.connection, ORDER, sale.order_id, REVERSAL)
    reference = journal_reference(tenant, *key, ordinal)
    about = f"{dated.reason}, takes back {invoice.number}"
    told = document_description(reference, (tenant, *key, str(ordinal)), about, title=sale.title)
    return CreditMemo(
        reference=reference,
        number=short_reference(reference, NUMBER_LENGTH),
        home=billing.reference_home,
        business_unit=invoice.business_unit,
        transaction_source=billing.credit_memo_source or billing.transaction_source,
        transaction_type=billing.credit_memo_type,
        customer_account=invoice.customer_account,
        bill_to_site=invoice.bill_to_site,
        credit_reason=billing.credit_reason,
        ledger=books.ledger,
        transaction_date=dated.recognised_on,
        accounting_date=dated.on,
        date_reason=dated.reason,
        date_moved=dated.moved,
        currency=sale.currency,
        conversion_type=books.conversion_type if foreign else None,
        conversion_date=(invoice.conversion_date or dated.recognised_on) if foreign else None,
        order_number=sale.order_id,
        comments=f"{told[:DESCRIPTION_LENGTH]} | {reference}",
        lines=lines,
        receivable=invoice.receivable,
        mapping_set=mapping_set.id,
        mapping_version=mapping_set.version,
        suspense=any(line.purpose is Purpose.SUSPENSE for line in lines),
        given=tuple(one.reference for one in given),
    )


def _left(
    invoice: Invoice, given: Iterable[CreditMemo], kept: Iterable[JournalLine], word: str, units: int
) -> tuple[InvoiceLine, ...]:
    """What is left of each part of the invoice on each of its accounts, with the other sign; lines of Fusion's tax
    engine last, because they do not count as lines of the memo."""
    found: dict[tuple[str, tuple[str, ...]], tuple[Decimal, InvoiceLine]] = {}
    for line in (*invoice.lines, *(line for memo in given for line in memo.lines)):
        place = (line.source_key, line.segments)
        amount, first = found.get(place, (Decimal(0), line))
        found[place] = (amount + line.amount, first)
    for stays in kept:
        place = (stays.source_key, stays.segments)
        amount, first = found[place]
        found[place] = (amount - (stays.credit - stays.debit), first)
    left = [(amount, line) for amount, line in found.values() if amount]
    left.sort(key=lambda one: one[1].tax is not None)
    return tuple(
        line.model_copy(
            update={
                "number": number,
                "description": reworded(word, line.description),
                "quantity": line.quantity if line.amount == amount else Decimal(1),
                "unit_price": -line.unit_price if line.amount == amount else -quantize(amount, units),
                "amount": -quantize(amount, units),
            }
        )
        for number, (amount, line) in enumerate(left, start=1)
    )


def _owed(lines: Iterable[InvoiceLine], total: Decimal) -> Iterator[JournalLine]:
    """Lines of a document in Receivables, with what the payment providers owe by it."""
    yield from journal_lines(lines)
    if total:
        yield JournalLine(
            purpose=Purpose.CLEARING,
            segments=(),
            debit=max(total, Decimal(0)),
            credit=max(-total, Decimal(0)),
            description="",
            source_key=_PAYMENT,
        )


def _given(memos: Iterable[CreditMemo]) -> Iterator[JournalLine]:
    for memo in memos:
        yield from _owed(memo.lines, -memo.total)


def _nothing_but_tax(snapshot: OrderSnapshot, lines: Sequence[InvoiceLine]) -> list[Problem]:
    if any(line.tax is None for line in lines):
        return []
    return [
        Problem(
            code="tax_without_line",
            sentence=(
                f"{snapshot.sale.title}: nothing but tax is left of its invoice, and a tax line needs a line that it"
                " belongs to."
            ),
            remedy="Credit by hand in Fusion what is left of the invoice, then skip the order with a reason.",
        )
    ]


def _refused(mapped: Mapped) -> MappedCredit:
    return MappedCredit(skipped=mapped.skipped, problems=mapped.problems, waiting=mapped.waiting)
