"""From a sale to its journal: one legal entity, one ledger, one currency, one accounting date, balanced."""

import datetime as dt
from decimal import Decimal

from contracts.configuration import Books, Integration, MappingSet
from contracts.journal import Journal, JournalLine, Purpose, RuleReference
from contracts.names import journal_reference
from contracts.sale import OrderSnapshot, Sale
from contracts.steps.documents import Lookups, Mapped
from mapping.accounts import Booked
from mapping.books import needs_conversion
from mapping.dates import Dated
from mapping.descriptions import document_description, line_description
from mapping.entries import entries
from mapping.money import quantize
from mapping.readiness import accounts, ready, timing


def to_journal(
    snapshot: OrderSnapshot,
    *,
    tenant: str,
    integration: Integration,
    books: Books,
    mapping_set: MappingSet,
    lookups: Lookups,
    ordinal: int,
    kind: str = "order",
    purpose: str = "sale",
) -> Mapped:
    """The journal of a sale, or exactly one of: why there is none (`skipped`), what is wrong (`problems`, all of it),
    what to wait for (`waiting`).

    Whether the order's status may be posted at all, and the cut-over date, are decided before. Rules are chosen by the
    accounting date; while there is none because of a problem, by the recognition day, so that unmapped accounts are
    listed along with it. The conversion date is the recognition day also when the accounting date moved: the rate is
    the one of the sale. Never raises for what a shop or a customer's rules can contain.
    """
    sale, policy = snapshot.sale, integration.posting
    booking = entries(sale)
    when = timing(sale, booking, policy=policy, lookups=lookups)
    if isinstance(when, Mapped):
        return when
    booked, problems = accounts(
        sale, booking, when, policy=policy, books=books, mapping_set=mapping_set, lookups=lookups
    )
    dated = ready(sale, when, problems, books=books, lookups=lookups)
    if isinstance(dated, Mapped):
        return dated
    return Mapped(
        journal=compose(
            tuple(journal_line(one, sale, mapping_set) for one in booked),
            sale,
            dated,
            key=(tenant, sale.connection, kind, sale.order_id, purpose, ordinal),
            books=books,
            mapping_set=mapping_set,
            lookups=lookups,
        )
    )


def compose(
    lines: tuple[JournalLine, ...],
    sale: Sale,
    dated: Dated,
    *,
    key: tuple[str, str, str, str, str, int],
    books: Books,
    mapping_set: MappingSet,
    lookups: Lookups,
    rate_day: dt.date | None = None,
    about: str = "",
) -> Journal:
    """The journal of balanced `lines`.

    `key` is what its reference is made of: tenant, connection, kind, document id, purpose, ordinal. `rate_day` is the
    day whose rate converts it, by default the recognition day; `about` is a clause that its description has more.
    """
    tenant, connection, kind, document_id, purpose, ordinal = key
    foreign = needs_conversion(sale, lookups.ledger)
    reference = journal_reference(tenant, connection, kind, document_id, purpose, ordinal)
    reason = f"{dated.reason}, {about}" if about else dated.reason
    return Journal(
        reference=reference,
        description=document_description(
            reference, (tenant, connection, kind, document_id, purpose, str(ordinal)), reason, title=sale.title
        ),
        ledger=books.ledger,
        journal_source=books.journal_source,
        journal_category=books.journal_category,
        accounting_date=dated.on,
        date_reason=dated.reason,
        date_moved=dated.moved,
        currency=sale.currency,
        conversion_type=books.conversion_type if foreign else None,
        conversion_date=(rate_day or dated.recognised_on) if foreign else None,
        lines=lines,
        mapping_set=mapping_set.id,
        mapping_version=mapping_set.version,
        suspense=any(line.rule is None for line in lines),
    )


def journal_line(booked: Booked, sale: Sale, mapping_set: MappingSet) -> JournalLine:
    """One line, on the side that its sign says."""
    entry = booked.entry
    amount = quantize(abs(entry.balance), sale.minor_units)
    zero = quantize(Decimal(0), sale.minor_units)
    rule: RuleReference | None = None
    if booked.origin is not None:
        rule = booked.origin.rule
    elif booked.rule:
        rule = RuleReference(mapping_set=mapping_set.id, version=mapping_set.version, rule=booked.rule)
    return JournalLine(
        purpose=entry.purpose if rule else Purpose.SUSPENSE,
        segments=booked.segments,
        debit=amount if entry.balance > 0 else zero,
        credit=amount if entry.balance < 0 else zero,
        description=line_description(booked, sale, mapping_set),
        source_key=entry.source_key,
        rule=rule,
    )
