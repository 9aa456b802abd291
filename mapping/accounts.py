"""The account of each entry: by rule, or suspense where the customer configured it, or a problem."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from contracts.configuration import Books, MappingSet
from contracts.journal import JournalLine, Problem, Purpose
from contracts.sale import Sale
from mapping.entries import Entry, sale_facts
from mapping.origins import Origins
from mapping.rules import FROM_BOOKS, CompiledRule, compiled, parse_account

_PURPOSE_WORD: Final = {
    Purpose.FEE: "fee",
    Purpose.STORE_CREDIT: "store credit",
    Purpose.GIFT_CERTIFICATE: "gift certificate",
}


@dataclass(frozen=True, slots=True)
class Booked:
    """An entry with its account. `rule` is None when no rule covers it and it went to suspense."""

    entry: Entry
    segments: tuple[str, ...]
    rule: str | None
    origin: JournalLine | None = None
    """The line of an earlier journal that it has its account from; then `rule` is that line's."""


def book(
    entries: Iterable[Entry],
    sale: Sale,
    *,
    books: Books,
    mapping_set: MappingSet,
    on: dt.date,
    origins: Origins | None = None,
) -> tuple[tuple[Booked, ...], tuple[Problem, ...]]:
    """Every entry with its account on day `on`, and every problem there is, each sentence once.

    What stands in `origins` keeps the account it was booked to, whatever today's rules say.
    Problems: `unmapped_account`, and `wrong_legal_entity` when a rule's balancing segment is not the books', or when
    only a part of what is booked stands in `origins`, and with another legal entity.
    Raises `mapping.rules.MappingSetError` for a set that `ml-connector check` refuses.
    """
    rules = compiled(mapping_set)
    booked: list[Booked] = []
    problems: dict[str, Problem] = {}
    for entry in entries:
        chosen = rules.match(entry.purpose, entry.facts, on)
        origin = origins.pick(entry.source_key, _account(chosen, books, mapping_set)) if origins else None
        if origin is not None:
            booked.append(Booked(entry, origin.segments, origin.rule.rule if origin.rule else None, origin))
            continue
        if chosen is not None:
            segments, rule = chosen.segments, chosen.rule.id
        elif mapping_set.suspense is not None:
            segments, rule = parse_account(mapping_set.suspense, mapping_set), None
        else:
            problem = _unmapped(entry, sale, mapping_set, on)
            problems.setdefault(problem.sentence, problem)
            continue
        complete = _complete(segments, chosen, sale, books, mapping_set)
        if isinstance(complete, Problem):
            problems.setdefault(complete.sentence, complete)
        else:
            booked.append(Booked(entry=entry, segments=complete, rule=rule))
    if mixed := _mixed_entities(booked, sale, mapping_set):
        problems.setdefault(mixed.sentence, mixed)
    return tuple(booked), tuple(problems.values())


def sale_account(
    purpose: Purpose, sale: Sale, *, books: Books, mapping_set: MappingSet, on: dt.date
) -> tuple[str, ...] | Problem | None:
    """The account that a rule names for the sale as a whole; None when no rule does.

    Raises `mapping.rules.MappingSetError` for a set that `ml-connector check` refuses.
    """
    chosen = compiled(mapping_set).match(purpose, sale_facts(sale), on)
    return None if chosen is None else _complete(chosen.segments, chosen, sale, books, mapping_set)


def _account(chosen: CompiledRule | None, books: Books, mapping_set: MappingSet) -> tuple[str, ...] | None:
    """The account that a rule names, in the books' legal entity where the rule leaves it open."""
    if chosen is None:
        return None
    place = mapping_set.segments.index(mapping_set.balancing_segment)
    entity = books.balancing_segment if chosen.segments[place] == FROM_BOOKS else chosen.segments[place]
    return (*chosen.segments[:place], entity, *chosen.segments[place + 1 :])


def _mixed_entities(booked: list[Booked], sale: Sale, mapping_set: MappingSet) -> Problem | None:
    """Accounts of the original journal are of one legal entity, and new ones of another: no journal may hold both."""
    place = mapping_set.segments.index(mapping_set.balancing_segment)
    entities = sorted({one.segments[place] for one in booked if place < len(one.segments)})
    if len(entities) < 2:
        return None
    return Problem(
        code="wrong_legal_entity",
        sentence=(
            f"{sale.title}: its order was booked to another {mapping_set.balancing_segment} than the books of channel"
            f" {sale.channel} and {sale.currency} have today, and one journal would hold {' and '.join(entities)}."
        ),
        remedy="Book it by hand in Fusion and skip it with a reason, or restore the books and retry.",
    )


def _complete(
    segments: tuple[str, ...], chosen: CompiledRule | None, sale: Sale, books: Books, mapping_set: MappingSet
) -> tuple[str, ...] | Problem:
    """The account with the legal entity of the books, or the problem that it names another one."""
    place = mapping_set.segments.index(mapping_set.balancing_segment)
    if segments[place] not in (FROM_BOOKS, books.balancing_segment):
        return _wrong_entity(chosen, segments[place], sale, books, mapping_set)
    return (*segments[:place], books.balancing_segment, *segments[place + 1 :])


def _unmapped(entry: Entry, sale: Sale, mapping_set: MappingSet, on: dt.date) -> Problem:
    word = _PURPOSE_WORD.get(entry.purpose, entry.purpose.value)
    return Problem(
        code="unmapped_account",
        sentence=(
            f"{sale.title}: {entry.subject} has no {word} account"
            f" in mapping set {mapping_set.id} version {mapping_set.version}."
        ),
        remedy=(
            f"Add a {entry.purpose.value} rule that covers it on {on} to a new version of mapping set {mapping_set.id},"
            " then retry with that version."
        ),
    )


def _wrong_entity(
    chosen: CompiledRule | None, value: str, sale: Sale, books: Books, mapping_set: MappingSet
) -> Problem:
    source = "the suspense account" if chosen is None else f"rule {chosen.rule.id}"
    return Problem(
        code="wrong_legal_entity",
        sentence=(
            f"{sale.title}: {source} of mapping set {mapping_set.id} version"
            f" {mapping_set.version} books to {mapping_set.balancing_segment} {value},"
            f" the books of channel {books.channel} and {books.currency} to {books.balancing_segment}."
        ),
        remedy=(
            f'Write "{FROM_BOOKS}" as its {mapping_set.balancing_segment}, or add a rule for this channel,'
            " in a new version; then retry with that version."
        ),
    )
