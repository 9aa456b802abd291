"""From a sale to its journal: one legal entity, one ledger, one currency, one accounting date, balanced."""

from decimal import Decimal

from contracts.configuration import Books, Integration, MappingSet
from contracts.journal import Journal, JournalLine, Purpose, RuleReference
from contracts.names import journal_reference
from contracts.sale import OrderSnapshot, Sale
from contracts.steps import Lookups, Mapped
from mapping.accounts import Booked
from mapping.books import needs_conversion
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
    foreign = needs_conversion(sale, lookups.ledger)
    reference = journal_reference(tenant, sale.connection, kind, sale.order_id, purpose, ordinal)
    return Mapped(
        journal=Journal(
            reference=reference,
            description=document_description(
                reference, (tenant, sale.connection, kind, sale.order_id, purpose, str(ordinal)), dated.reason
            ),
            ledger=books.ledger,
            journal_source=books.journal_source,
            journal_category=books.journal_category,
            accounting_date=dated.on,
            date_reason=dated.reason,
            date_moved=dated.moved,
            currency=sale.currency,
            conversion_type=books.conversion_type if foreign else None,
            conversion_date=dated.recognised_on if foreign else None,
            lines=tuple(_line(one, sale, mapping_set) for one in booked),
            mapping_set=mapping_set.id,
            mapping_version=mapping_set.version,
            suspense=any(one.rule is None for one in booked),
        )
    )


def _line(booked: Booked, sale: Sale, mapping_set: MappingSet) -> JournalLine:
    entry = booked.entry
    amount = quantize(abs(entry.balance), sale.minor_units)
    zero = quantize(Decimal(0), sale.minor_units)
    rule = RuleReference(mapping_set=mapping_set.id, version=mapping_set.version, rule=booked.rule or "")
    return JournalLine(
        purpose=entry.purpose if booked.rule else Purpose.SUSPENSE,
        segments=booked.segments,
        debit=amount if entry.balance > 0 else zero,
        credit=amount if entry.balance < 0 else zero,
        description=line_description(booked, sale, mapping_set),
        source_key=entry.source_key,
        rule=rule if booked.rule else None,
    )
