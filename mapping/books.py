"""Which books a sale belongs to: ledger, legal entity, and how it is posted there, by channel and currency."""

from contracts.configuration import Books, Integration
from contracts.journal import LedgerFacts, Problem
from contracts.sale import Sale
from contracts.steps.documents import Target


def books_of(sale: Sale, integration: Integration) -> Books | Problem:
    """The books of the sale's channel and currency, or the problem `no_books`. Nothing is guessed: no default books."""
    order = sale.title
    if all(channel.id != sale.channel for channel in integration.channels):
        return Problem(
            code="no_books",
            sentence=f"{order}: channel {sale.channel} is not a channel of integration {integration.id}.",
            remedy=f"Add channel {sale.channel} with its revenue owner and books to the configuration, then retry.",
        )
    for books in integration.books:
        if (books.channel, books.currency) == (sale.channel, sale.currency):
            return books
    return Problem(
        code="no_books",
        sentence=f"{order}: channel {sale.channel} has no books for {sale.currency} in integration {integration.id}.",
        remedy=f"Add books for channel {sale.channel} and {sale.currency} to the configuration, then retry.",
    )


def billed_in_receivables(channel: str, integration: Integration, target: Target = "") -> bool:
    """Whether orders of this channel become invoices instead of journals; of one that is in Fusion `target` says it."""
    if target:
        return target == "receivable"
    return any(one.id == channel and one.target == "receivable" for one in integration.channels)


def books_problems(sale: Sale, books: Books, ledger: LedgerFacts) -> tuple[Problem, ...]:
    """What keeps `books` from taking this sale: another channel, currency or ledger, or no conversion type."""
    order = sale.title
    found: list[Problem] = []
    if (books.channel, books.currency) != (sale.channel, sale.currency):
        found.append(
            Problem(
                code="no_books",
                sentence=(
                    f"{order}: sold on channel {sale.channel} in {sale.currency},"
                    f" but the books are for channel {books.channel} in {books.currency}."
                ),
                remedy=f"Add books for channel {sale.channel} and {sale.currency} to the configuration, then retry.",
            )
        )
    if books.ledger != ledger.ledger:
        found.append(
            Problem(
                code="wrong_ledger",
                sentence=f'{order}: the books name ledger "{books.ledger}", Fusion answered for "{ledger.ledger}".',
                remedy="Correct the ledger's name in the books, then retry.",
            )
        )
    if needs_conversion(sale, ledger) and not books.conversion_type:
        found.append(
            Problem(
                code="no_conversion_type",
                sentence=(
                    f"{order}: sold in {sale.currency}, ledger {books.ledger} is kept in {ledger.currency},"
                    " and the books name no conversion type."
                ),
                remedy=(
                    f"Set conversion_type of the books for channel {books.channel} and {books.currency},"
                    ' e.g. "Corporate", then retry.'
                ),
            )
        )
    return tuple(found)


def needs_conversion(sale: Sale, ledger: LedgerFacts) -> bool:
    """Whether the sale's entered currency is foreign to the ledger."""
    return sale.currency != ledger.currency
