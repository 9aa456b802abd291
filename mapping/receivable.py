"""From a sale to its invoice in Receivables: one per order, on the customer account that stands for the store.

Everything a journal of the same sale books, except the payments: what is left is what the payment providers owe, and
that is the invoice's total. Store credit and gift certificates redeemed are negative lines on their liability accounts.
"""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from contracts.configuration import Books, Integration, MappingSet, ReceivableBooks
from contracts.journal import Problem, Purpose, RuleReference
from contracts.names import journal_reference, short_reference
from contracts.receivable import NUMBER_LENGTH, Invoice, InvoiceLine, TaxCode
from contracts.sale import OrderSnapshot, Sale
from contracts.steps.documents import Lookups, Mapped
from mapping.accounts import Booked, sale_account
from mapping.books import needs_conversion
from mapping.dates import RECEIVABLES
from mapping.descriptions import document_description, line_description
from mapping.entries import Entry, entries
from mapping.money import quantize
from mapping.readiness import Timing, accounts, ready, timing
from mapping.rules import MappingSetError


def to_invoice(
    snapshot: OrderSnapshot,
    *,
    tenant: str,
    integration: Integration,
    books: Books,
    mapping_set: MappingSet,
    lookups: Lookups,
    ordinal: int,
    kind: str = "order",
    purpose: str = "invoice",
) -> Mapped:
    """The invoice of a sale, or exactly one of `skipped`, `problems` (all of it) and `waiting`, as `to_journal`.

    `lookups` holds the periods of Receivables. The transaction date is the recognition day also when the accounting
    date moved. An order that certificates and store credit paid in full is an invoice over nothing, so that its
    revenue is booked. Never raises for what a shop or a customer's rules can contain.
    """
    sale, policy, billing = snapshot.sale, integration.posting, books.receivable
    if billing is None:
        return Mapped(problems=(no_receivable_books(sale, books),))
    billed = tuple(entry for entry in entries(sale) if entry.purpose is not Purpose.CLEARING)
    when = timing(sale, billed, policy=policy, lookups=lookups, application=RECEIVABLES)
    if isinstance(when, Mapped):
        return when
    booked, problems = accounts(
        sale, billed, when, policy=policy, books=books, mapping_set=mapping_set, lookups=lookups
    )
    receivable, wrong = receivable_account(sale, when, books, mapping_set)
    problems += [*wrong, *_negative(sale, billed), *tax_problems(sale, billed, billing)]
    dated = ready(sale, when, problems, books=books, lookups=lookups)
    if isinstance(dated, Mapped):
        return dated
    foreign = needs_conversion(sale, lookups.ledger)
    reference = journal_reference(tenant, sale.connection, kind, sale.order_id, purpose, ordinal)
    return Mapped(
        invoice=Invoice(
            reference=reference,
            number=short_reference(reference, NUMBER_LENGTH),
            home=billing.reference_home,
            business_unit=books.business_unit,
            transaction_source=billing.transaction_source,
            transaction_type=billing.transaction_type,
            customer_account=billing.customer_account,
            bill_to_site=billing.bill_to_site,
            payment_terms=billing.payment_terms,
            ledger=books.ledger,
            transaction_date=dated.recognised_on,
            accounting_date=dated.on,
            date_reason=dated.reason,
            date_moved=dated.moved,
            currency=sale.currency,
            conversion_type=books.conversion_type if foreign else None,
            conversion_date=dated.recognised_on if foreign else None,
            order_number=sale.order_id,
            comments=document_description(
                reference, (tenant, sale.connection, kind, sale.order_id, purpose, str(ordinal)), dated.reason
            ),
            lines=lines_of(booked, sale, mapping_set, billing),
            receivable=receivable,
            mapping_set=mapping_set.id,
            mapping_version=mapping_set.version,
            suspense=any(one.rule is None for one in booked),
        )
    )


def tax_code(title: str, billing: ReceivableBooks) -> TaxCode | None:
    """Fusion's name for a tax title of the shop, compared without regard to case and outer spaces."""
    wanted = title.strip().casefold()
    return next((code for name, code in billing.tax_codes.items() if name.strip().casefold() == wanted), None)


def lines_of(
    booked: Sequence[Booked], sale: Sale, mapping_set: MappingSet, billing: ReceivableBooks
) -> tuple[InvoiceLine, ...]:
    """In the order of the sale; lines of Fusion's tax engine last, because they do not count as invoice lines."""
    engine = {one.entry.source_key for one in booked if _by_tax_engine(one.entry, billing)}
    ordered = sorted(booked, key=lambda one: one.entry.source_key in engine)
    return tuple(_line(number, one, sale, mapping_set, billing) for number, one in enumerate(ordered, start=1))


def _line(number: int, booked: Booked, sale: Sale, mapping_set: MappingSet, billing: ReceivableBooks) -> InvoiceLine:
    entry = booked.entry
    quantity, unit_price = _priced(entry, sale.minor_units)
    return InvoiceLine(
        number=number,
        purpose=entry.purpose if booked.rule else Purpose.SUSPENSE,
        description=line_description(booked, sale, mapping_set),
        quantity=quantity,
        unit_price=unit_price,
        amount=quantize(-entry.balance, sale.minor_units),
        segments=booked.segments,
        tax=tax_code(entry.title, billing) if _by_tax_engine(entry, billing) else None,
        source_key=entry.source_key,
        rule=_rule(booked, mapping_set),
    )


def _rule(booked: Booked, mapping_set: MappingSet) -> RuleReference | None:
    """What has its account from an earlier document keeps the rule of that one."""
    if booked.origin is not None:
        return booked.origin.rule
    if booked.rule is None:
        return None
    return RuleReference(mapping_set=mapping_set.id, version=mapping_set.version, rule=booked.rule)


def _priced(entry: Entry, units: int) -> tuple[Decimal, Decimal]:
    """Quantity and unit price that multiply to the amount without rounding; else one at the whole amount."""
    amount = quantize(-entry.balance, units)
    pieces = entry.quantity
    if pieces < 0 > amount:
        # Given back: pieces are counted, and the price says which way the money goes.
        pieces = -pieces
    if pieces > 0:
        price = quantize(amount / pieces, units)
        if Fraction(price) * Fraction(pieces) == Fraction(amount):
            return pieces, price
    return Decimal(1), amount


def _by_tax_engine(entry: Entry, billing: ReceivableBooks) -> bool:
    return billing.tax == "tax_lines" and entry.purpose is Purpose.TAX


def receivable_account(
    sale: Sale, when: Timing, books: Books, mapping_set: MappingSet
) -> tuple[tuple[str, ...] | None, list[Problem]]:
    """The account of the receivable distribution when a rule names one. Never suspense: Fusion has its own default."""
    try:
        found = sale_account(Purpose.RECEIVABLE, sale, books=books, mapping_set=mapping_set, on=when.rules_on)
    except MappingSetError:
        # The lines report the same set already.
        return None, []
    return (None, [found]) if isinstance(found, Problem) else (found, [])


def _negative(sale: Sale, billed: Sequence[Entry]) -> list[Problem]:
    total = -sum((entry.balance for entry in billed), start=Decimal(0))
    if total >= 0:
        return []
    return [
        Problem(
            code="negative_invoice",
            sentence=(
                f"{sale.title}: less the store credit and gift certificates redeemed, its invoice would come to"
                f" {total:f} {sale.currency}, and an invoice cannot be negative."
            ),
            remedy="Correct the order in the shop and retry, or bill it by hand and skip it with a reason.",
        )
    ]


def tax_problems(sale: Sale, billed: Sequence[Entry], billing: ReceivableBooks) -> list[Problem]:
    """Why taxes cannot be sent as lines of Fusion's tax engine."""
    order = sale.title
    found: list[Problem] = []
    taxes = [entry for entry in billed if _by_tax_engine(entry, billing)]
    for subject in dict.fromkeys(entry.subject for entry in taxes if tax_code(entry.title, billing) is None):
        found.append(
            Problem(
                code="no_tax_code",
                sentence=(
                    f"{order}: {subject} has no tax code in the"
                    f" books of its channel, and its tax is to be sent as Fusion's own tax lines."
                ),
                remedy='Name its regime and rate in tax_codes of the books, or set tax = "manual_lines", then retry.',
            )
        )
    if taxes and len(taxes) == len(billed):
        found.append(
            Problem(
                code="tax_without_line",
                sentence=f"{order}: nothing but tax is left to bill, and a tax line needs a line that it belongs to.",
                remedy='Set tax = "manual_lines" in the books of its channel, then retry.',
            )
        )
    return found


def no_receivable_books(sale: Sale, books: Books) -> Problem:
    return Problem(
        code="no_receivable_books",
        sentence=(
            f"{sale.title}: channel {books.channel} is billed in Receivables, but its"
            f" books for {books.currency} say nothing of customer, source and type."
        ),
        remedy=f"Add [integrations.books.receivable] for channel {books.channel} and {books.currency}, then retry.",
    )
