"""Whether what is said of invoices in Receivables fits together: channels, books, references and taxes."""

import re
from collections.abc import Iterator
from typing import Final

from contracts.configuration import Books, Configuration, Integration, ReceivableBooks
from mapping.books import billed_in_receivables
from runtime.configuring.disagreement import Disagreement
from runtime.configuring.positions import Path

_ATTRIBUTE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_USER_RATE: Final = "User"


def channels_and_books_agree(configuration: Configuration) -> Iterator[Disagreement]:
    """A channel has one target, and every currency's books say what that target needs."""
    for here, integration, books in _all_books(configuration):
        billed = billed_in_receivables(books.channel, integration)
        if billed and books.receivable is None:
            yield Disagreement(
                path=here,
                sentence=f"Channel {books.channel} is billed in Receivables, but its books for {books.currency} do not "
                f"say how.",
                remedy="Add [integrations.books.receivable] with transaction_source, transaction_type and "
                "customer_account.",
            )
        if not billed and books.receivable is not None:
            yield Disagreement(
                path=(*here, "receivable"),
                sentence=f"These books name a customer account, but orders of channel {books.channel} become journals.",
                remedy='Set target = "receivable" for the channel, or remove these settings: a sale is posted once.',
            )
        if billed and books.conversion_type == _USER_RATE:
            yield Disagreement(
                path=(*here, "conversion_type"),
                sentence='Conversion type "User" needs a rate with every invoice, which the connector does not have.',
                remedy='Name a type with daily rates, e.g. "Corporate".',
            )


def references_have_a_home(configuration: Configuration) -> Iterator[Disagreement]:
    """A source is numbered by hand or by Fusion, never both; a flexfield is named as REST names it."""
    first: dict[tuple[str, str, str], tuple[bool, str]] = {}
    for here, integration, books, billing in _billed(configuration):
        path: Path = (*here, "receivable", "reference_home")
        by_hand = billing.reference_home == "transaction_number"
        for name in dict.fromkeys(
            (billing.transaction_source, billing.credit_memo_source or billing.transaction_source)
        ):
            source = (integration.fusion, books.business_unit, name)
            known, home = first.setdefault(source, (by_hand, billing.reference_home))
            if known != by_hand:
                yield Disagreement(
                    path=path,
                    sentence=f'Transaction source "{name}" of {books.business_unit} keeps references '
                    f"as {home} and as {billing.reference_home}: one needs numbering by hand, the other Fusion's own.",
                    remedy="Use one of the two, or another transaction source.",
                )
        if billing.reference_home != "line_flexfield":
            continue
        if not _ATTRIBUTE.fullmatch(billing.flexfield_attribute):
            yield Disagreement(
                path=(*here, "receivable", "flexfield_attribute"),
                sentence=f'"{billing.flexfield_attribute}" is not the name of a flexfield attribute in REST.',
                remedy="Take the name from the describe of receivablesInvoices: letters, digits and underscores.",
            )
        if not billing.flexfield_context.strip():
            yield Disagreement(
                path=(*here, "receivable", "flexfield_context"),
                sentence="The line flexfield needs a context.",
                remedy="Name the context code that carries the attribute.",
            )


def taxes_are_named(configuration: Configuration) -> Iterator[Disagreement]:
    """Lines of Fusion's tax engine need Fusion's names, one for each title; invoice lines have no use for them."""
    for here, _, _, billing in _billed(configuration):
        path: Path = (*here, "receivable", "tax_codes")
        if billing.tax == "tax_lines" and not billing.tax_codes:
            yield Disagreement(
                path=(*here, "receivable", "tax"),
                sentence="Taxes are to be sent as Fusion's own tax lines, but no tax title has a regime and a rate.",
                remedy='Add [integrations.books.receivable.tax_codes], or set tax = "manual_lines".',
            )
        if billing.tax == "manual_lines" and billing.tax_codes:
            yield Disagreement(
                path=path,
                sentence="Tax codes are given, but taxes are sent as invoice lines, which have none.",
                remedy='Set tax = "tax_lines", or remove tax_codes.',
            )
        seen: set[str] = set()
        for title in billing.tax_codes:
            folded = title.strip().casefold()
            if folded in seen:
                yield Disagreement(
                    path=(*path, title),
                    sentence=f'Tax title "{title}" is named twice; case and outer spaces do not count.',
                    remedy="Keep one of them.",
                )
            seen.add(folded)


def _all_books(configuration: Configuration) -> Iterator[tuple[Path, Integration, Books]]:
    for index, integration in enumerate(configuration.integrations):
        for number, books in enumerate(integration.books):
            yield ("integrations", index, "books", number), integration, books


def _billed(configuration: Configuration) -> Iterator[tuple[Path, Integration, Books, ReceivableBooks]]:
    for here, integration, books in _all_books(configuration):
        if books.receivable is not None and billed_in_receivables(books.channel, integration):
            yield here, integration, books, books.receivable
