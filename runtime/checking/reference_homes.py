"""Where invoices may carry our reference at one pod: which homes can be asked for, and which one to set.

Fusion's pages do not say which attributes of `receivablesInvoices` can be filtered by. So each home is asked for a
reference that nobody has: an answer proves it; after a refusal every look has to read the source's invoices instead.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Protocol

from clients.errors import VendorError
from clients.oracle_fusion import Description
from clients.oracle_fusion.receivables_setup import FLEXFIELD_PATH
from contracts.configuration import Configuration, ReceivableBooks
from contracts.receivable import ReferenceHome
from mapping.books import billed_in_receivables
from runtime.checking.findings import Finding, Level, refused

_HOMES: Final[tuple[ReferenceHome, ...]] = ("transaction_number", "cross_reference", "line_flexfield")
_NUMBERED: Final[Mapping[ReferenceHome, str]] = {
    "transaction_number": "a source that is numbered by hand",
    "cross_reference": "a source that numbers by itself",
    "line_flexfield": "a source that numbers by itself and a flexfield for the reference",
}


class HomeProbe(Protocol):
    """The part of `clients.oracle_fusion.FusionClient` that this test uses."""

    async def can_be_asked_for(self, home: ReferenceHome, books: ReceivableBooks) -> bool: ...


def billings(configuration: Configuration, fusion: str) -> tuple[ReceivableBooks, ...]:
    """How the channels that are billed at this Fusion connection are billed, each way once."""
    found = [
        books.receivable
        for integration in configuration.integrations
        if integration.fusion == fusion
        for books in integration.books
        if books.receivable is not None and billed_in_receivables(books.channel, integration)
    ]
    return tuple(one for place, one in enumerate(found) if one not in found[:place])


async def try_homes(
    subject: str, pod: HomeProbe, described: Description, wanted: Sequence[ReceivableBooks]
) -> list[Finding]:
    """Each configured home, and those that would do better where it does not do. Changes nothing in Fusion."""
    found: list[Finding] = []
    for billing in _once(wanted):
        try:
            works = {home: await pod.can_be_asked_for(home, billing) for home in _HOMES}
        except VendorError as error:
            found.append(refused(error, subject))
            continue
        found.append(_judged(subject, billing, works, described))
    return found


def _once(wanted: Iterable[ReceivableBooks]) -> Iterable[ReceivableBooks]:
    """Billings that differ in where the reference is kept."""
    seen: set[tuple[str, str, str]] = set()
    for billing in wanted:
        key = (billing.reference_home, "", "")
        if billing.reference_home == "line_flexfield":
            key = (billing.reference_home, billing.flexfield_context, billing.flexfield_attribute)
        if key not in seen:
            seen.add(key)
            yield billing


def _judged(
    subject: str, billing: ReceivableBooks, works: Mapping[ReferenceHome, bool], described: Description
) -> Finding:
    home = billing.reference_home
    name = _name(home, billing)
    others = [one for one in _HOMES if one != home and works[one] and _exists(one, billing, described)]
    if not _exists(home, billing, described):
        return Finding(
            level=Level.MISTAKE,
            subject=subject,
            sentence=f"reference home {home}: invoices have no {name}, so every invoice would be refused.",
            remedy=_instead(others) or "Add the attribute to the flexfield in Fusion and deploy it.",
        )
    if works[home]:
        more = f"; so could {' and '.join(others)}" if others else ""
        return Finding(
            level=Level.OK, subject=subject, sentence=f"reference home {home}: {name} can be asked for{more}"
        )
    return Finding(
        level=Level.WARNING,
        subject=subject,
        sentence=f"reference home {home}: {name} cannot be asked for, so every look for an invoice reads all invoices "
        f"of its source since the order was placed.",
        remedy=_instead(others) or "No home can be asked for at this pod; give the connector a source of its own.",
    )


def _instead(others: Sequence[ReferenceHome]) -> str:
    """Which home to set; the numbering of the source has to fit."""
    return " Or: ".join(f'Set reference_home = "{one}", with {_NUMBERED[one]}.' for one in others)


def _exists(home: ReferenceHome, billing: ReceivableBooks, described: Description) -> bool:
    """By the description; what it does not list at all is given the benefit of the doubt."""
    if home == "line_flexfield":
        attributes = described.children.get(FLEXFIELD_PATH, ())
        return not attributes or billing.flexfield_attribute in attributes
    return not described.attributes or _name(home, billing) in described.attributes


def _name(home: ReferenceHome, billing: ReceivableBooks) -> str:
    if home == "line_flexfield":
        return f"line flexfield attribute {billing.flexfield_attribute}"
    return {"transaction_number": "TransactionNumber", "cross_reference": "CrossReference"}[home]
