"""From a refund to its credit memo in Receivables, and to the memo's application to the invoice of the order.

What the payment providers paid back is the memo's total, as what they owe is the invoice's; store credit and gift
certificates that were given back are lines of the other sign on their liability accounts.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Final

from contracts.configuration import Books, Integration, MappingSet, ReceivableBooks
from contracts.credit_memo import CreditApplication, CreditMemo
from contracts.journal import JournalLine, Problem, Purpose
from contracts.names import ORDER, journal_reference, short_reference
from contracts.receivable import NUMBER_LENGTH, Invoice, InvoiceLine
from contracts.refund import Refund, RefundSale
from contracts.sale import Sale
from contracts.steps.documents import Lookups, Mapped
from contracts.steps.receivables import MappedCredit
from mapping.books import needs_conversion
from mapping.dates import RECEIVABLES, Dated, Event
from mapping.descriptions import DESCRIPTION_LENGTH, describe, document_description
from mapping.entries import Entry, entries
from mapping.origins import Origins, standing
from mapping.readiness import Timing, accounts, ready, timing
from mapping.receivable import lines_of, no_receivable_books, receivable_account, tax_problems
from mapping.refund_journal import REFUND, REVERSED, declined, of_reversed, refund_rate_day
from mapping.refunds import take_back, without_parts

CREDIT: Final = "credit"
"""Purpose of a refund's credit memo."""
APPLICATION: Final = "application"
"""Purpose of its application."""


def to_credit_memo(
    refund: Refund,
    sale: Sale,
    *,
    tenant: str,
    integration: Integration,
    books: Books,
    mapping_set: MappingSet,
    lookups: Lookups,
    earlier: Sequence[RefundSale] = (),
    later: Sequence[RefundSale] = (),
    invoice: Invoice | None = None,
    given: Sequence[CreditMemo] = (),
    reversed_: bool = False,
    ordinal: int = 1,
) -> MappedCredit:
    """The credit memo of a refund, or exactly one of `skipped`, `problems` (all of it) and `waiting`.

    `sale` is its order as it stands, `earlier` and `later` as in `mapping.refunds.take_back`. `invoice` is the order's:
    its accounts, customer and conversion date are used. Without one the order is not in Receivables (placed before the
    cut-over), the rules of today are used, and the comments say so. `given` are the memos of the order's refunds so
    far: where they leave nothing of the invoice, or a memo took back the rest because the order was cancelled
    (`reversed_`), nothing is taken back once more. `lookups` holds the periods of Receivables.
    A refund that was paid back in store credit alone is a memo over nothing, so that its revenue is taken back. A
    payment that was declined is waited for. Never raises for what a shop or a customer's rules can contain.
    """
    if refund.declined:
        return MappedCredit(waiting=declined(refund))
    taken = take_back(refund, sale, earlier, later)
    if reversed_:
        return _refused(
            of_reversed(
                taken if isinstance(taken, RefundSale) else without_parts(refund, sale), sale, (*earlier, *later)
            )
        )
    if not isinstance(taken, RefundSale):
        return MappedCredit(problems=taken)
    billing = books.receivable
    if billing is None:
        return MappedCredit(problems=(no_receivable_books(taken, books),))
    original = tuple(journal_lines(invoice.lines)) if invoice else ()
    credited = (line for memo in given for line in journal_lines(memo.lines))
    if original and not standing((*original, *credited)):
        return MappedCredit(skipped=REVERSED)
    booking = tuple(entry for entry in entries(taken) if entry.purpose is not Purpose.CLEARING)
    if not booking:
        return MappedCredit(skipped="zero total: the refund has nothing to book")
    event = Event(word="refunded", at=refund.created_at)
    when = timing(taken, booking, policy=integration.posting, lookups=lookups, application=RECEIVABLES, event=event)
    if isinstance(when, Mapped):
        return _refused(when)
    booked, problems = accounts(
        taken,
        booking,
        when,
        policy=integration.posting,
        books=books,
        mapping_set=mapping_set,
        lookups=lookups,
        origins=Origins(original),
    )
    receivable, wrong = _receivable(invoice, taken, when, books, mapping_set)
    problems += [*wrong, *memo_problems(taken, _credited(booking), billing), *tax_problems(taken, booking, billing)]
    foreign = needs_conversion(taken, lookups.ledger)
    converted_on = refund_rate_day(
        refund, sale, integration.posting, invoice.conversion_date if invoice is not None else None
    )
    dated = ready(taken, when, problems, books=books, lookups=lookups, rate_day=converted_on)
    if isinstance(dated, Mapped):
        return _refused(dated)
    reference = journal_reference(tenant, refund.connection, REFUND, refund.refund_id, CREDIT, ordinal)
    return MappedCredit(
        credit_memo=CreditMemo(
            reference=reference,
            number=short_reference(reference, NUMBER_LENGTH),
            home=billing.reference_home,
            business_unit=invoice.business_unit if invoice else books.business_unit,
            transaction_source=billing.credit_memo_source or billing.transaction_source,
            transaction_type=billing.credit_memo_type,
            customer_account=invoice.customer_account if invoice else billing.customer_account,
            bill_to_site=invoice.bill_to_site if invoice else billing.bill_to_site,
            credit_reason=billing.credit_reason,
            ledger=books.ledger,
            transaction_date=dated.recognised_on,
            accounting_date=dated.on,
            date_reason=dated.reason,
            date_moved=dated.moved,
            currency=taken.currency,
            conversion_type=books.conversion_type if foreign else None,
            conversion_date=(converted_on or dated.recognised_on) if foreign else None,
            order_number=refund.order_id,
            refund_id=refund.refund_id,
            comments=_comments(reference, (tenant, *_key(refund, ordinal)), taken, dated, invoice),
            lines=lines_of(booked, taken, mapping_set, billing),
            receivable=receivable,
            mapping_set=mapping_set.id,
            mapping_version=mapping_set.version,
            suspense=any(one.rule is None for one in booked),
            taken=taken,
        )
    )


def credited_total(refund: Refund) -> Decimal:
    """What the memo of a refund comes to, whatever its order has become since: what payment providers paid back."""
    return refund.total - sum((one.amount for one in refund.tenders if one.kind != "payment"), start=Decimal(0))


def to_application(
    memo: CreditMemo,
    invoice: Invoice,
    *,
    tenant: str,
    connection: str,
    credit_memo_id: int,
    credit_memo_number: str,
    invoice_id: int,
    invoice_number: str,
    ordinal: int = 1,
    not_before: dt.date | None = None,
) -> CreditApplication | None:
    """How a memo that is in Fusion is applied to its invoice there; None when it is over nothing.

    Ids and numbers are Fusion's own. The dates are the later ones of the two documents: Fusion applies nothing before
    either exists. `not_before` moves the accounting date, when the period has closed meanwhile.
    """
    if not memo.total:
        return None
    kind, document_id = (REFUND, memo.refund_id) if memo.refund_id else (ORDER, memo.order_number)
    title = f"Refund {memo.refund_id} of order" if memo.refund_id else "Cancelled order"
    reference = journal_reference(tenant, connection, kind, document_id, APPLICATION, ordinal)
    days = [memo.accounting_date, invoice.accounting_date, *([not_before] if not_before else [])]
    return CreditApplication(
        reference=reference,
        business_unit=memo.business_unit,
        customer_account=memo.customer_account,
        credit_memo_id=credit_memo_id,
        credit_memo_number=credit_memo_number,
        invoice_id=invoice_id,
        invoice_number=invoice_number,
        currency=memo.currency,
        amount=memo.total,
        apply_date=max(memo.transaction_date, invoice.transaction_date),
        accounting_date=max(days),
        comments=describe(f"{title} {memo.order_number} ({connection})", f" | {reference}"),
    )


def _refused(mapped: Mapped) -> MappedCredit:
    return MappedCredit(skipped=mapped.skipped, problems=mapped.problems, waiting=mapped.waiting)


def journal_lines(lines: Iterable[InvoiceLine]) -> Iterator[JournalLine]:
    """Distributions as the ledger gets them: what is billed is credited, what is given back is debited."""
    for line in lines:
        if line.amount:
            yield JournalLine(
                purpose=line.purpose,
                segments=line.segments,
                debit=max(-line.amount, Decimal(0)),
                credit=max(line.amount, Decimal(0)),
                description=line.description,
                source_key=line.source_key,
                rule=line.rule,
            )


def _receivable(
    invoice: Invoice | None, taken: Sale, when: Timing, books: Books, mapping_set: MappingSet
) -> tuple[tuple[str, ...] | None, list[Problem]]:
    """The invoice's own: what is owed and what is given back of it must meet on one account."""
    if invoice is not None:
        return invoice.receivable, []
    return receivable_account(taken, when, books, mapping_set)


def _credited(booking: Iterable[Entry]) -> Decimal:
    return sum((entry.balance for entry in booking), start=Decimal(0))


def memo_problems(taken: Sale, total: Decimal, billing: ReceivableBooks) -> list[Problem]:
    """Why a memo over `total` cannot be created."""
    found: list[Problem] = []
    if not billing.credit_memo_type:
        found.append(
            Problem(
                code="no_credit_memo_type",
                sentence=(
                    f"{taken.title}: the books of channel {taken.channel} and {taken.currency} name no transaction type"
                    " for credit memos."
                ),
                remedy="Set credit_memo_type in [integrations.books.receivable] to a type of class credit memo, then"
                " retry.",
            )
        )
    if total < 0:
        found.append(
            Problem(
                code="negative_credit_memo",
                sentence=(
                    f"{taken.title}: with the store credit and gift certificates that were given back, its credit memo"
                    f" would charge {-total:f} {taken.currency}."
                ),
                remedy="Compare what was paid back with its total in the shop. Book it by hand in Fusion and skip it"
                " with a reason.",
            )
        )
    return found


def _key(refund: Refund, ordinal: int) -> tuple[str, ...]:
    return refund.connection, REFUND, refund.refund_id, CREDIT, str(ordinal)


def _comments(reference: str, key: tuple[str, ...], taken: Sale, dated: Dated, invoice: Invoice | None) -> str:
    of = f"takes back {invoice.number}" if invoice else "its order is not in Receivables: booked by the rules of today"
    told = document_description(reference, key, f"{dated.reason}, {of}", title=taken.title)
    return f"{told[:DESCRIPTION_LENGTH]} | {reference}"
