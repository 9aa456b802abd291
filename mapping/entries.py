"""How a sale is booked: one entry per line, charge, tax title and tender, before any account is chosen."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from contracts.journal import Purpose
from contracts.sale import Sale, SaleCharge, SaleLine, SaleTax, SaleTender
from mapping.rules import Facts

CUSTOM: Final = "custom"
"""Product type of a line without catalog product, for rules; beside the shop's own word."""

_CHARGE_PURPOSE: Final = {
    "shipping": Purpose.SHIPPING,
    "handling": Purpose.HANDLING,
    "wrapping": Purpose.WRAPPING,
    "fee": Purpose.FEE,
}
_CHARGE_WORD: Final = {"shipping": "Shipping", "handling": "Handling", "wrapping": "Gift wrapping", "fee": "Fee"}
_TENDER_PURPOSE: Final = {
    "payment": Purpose.CLEARING,
    "store_credit": Purpose.STORE_CREDIT,
    "gift_certificate": Purpose.GIFT_CERTIFICATE,
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One amount to book and everything that can decide its account."""

    purpose: Purpose
    balance: Decimal
    """Signed: debits positive, credits negative. Never zero."""
    facts: Facts
    source_key: str
    """`line:55`, `shipping:1`, `tax:State Tax`, `payment:Credit Card`, `rounding`."""
    text: str
    """For the journal line's description."""
    subject: str
    """What has no account, for the sentence of a problem: `product category "Gift Cards"`. No personal data."""
    quantity: Decimal = Decimal(1)
    """How many were sold, for documents that show a price each."""
    title: str = ""
    """Of a tax, as the shop shows it."""


def entries(sale: Sale) -> tuple[Entry, ...]:
    """Everything of a sale that is not zero, in the order of the sale: lines, charges, taxes, tenders, rounding.

    The balances add up to zero for every sale that keeps its own promises (see `contracts.sale`).
    """
    return tuple(entry for entry in _all(sale) if entry.balance)


def _all(sale: Sale) -> Iterator[Entry]:
    for line in sale.lines:
        yield _line(sale, line)
    for charge in sale.charges:
        yield _charge(sale, charge)
    for tax in sale.taxes:
        yield _tax(sale, tax)
    for tender in sale.tenders:
        yield _tender(sale, tender)
    yield Entry(
        purpose=Purpose.ROUNDING,
        balance=-sale.rounding,
        facts=sale_facts(sale),
        source_key="rounding",
        text="Rounding difference of the shop",
        subject="the rounding difference",
    )


def _line(sale: Sale, line: SaleLine) -> Entry:
    product_types = (line.product_type, CUSTOM) if line.kind == "custom" else (line.product_type,)
    sold_certificate = line.kind == "gift_certificate"
    article = line.name if not line.sku else f"{line.name} [{line.sku}]" if line.name else line.sku
    return Entry(
        purpose=Purpose.GIFT_CERTIFICATE if sold_certificate else Purpose.REVENUE,
        balance=-line.net,
        facts=sale_facts(sale, category=line.categories, sku=line.sku, product_type=product_types),
        source_key=f"line:{line.key}",
        text=f"Gift certificate sold: {article}" if sold_certificate else f"{plain(line.quantity)} x {article}",
        subject=_line_subject(line),
        quantity=line.quantity,
    )


def _line_subject(line: SaleLine) -> str:
    # A custom line's name is free text a shopper or clerk typed, so it is kept out of problems.
    if line.kind == "gift_certificate":
        return "the gift certificate sold"
    if line.kind == "custom":
        return f"custom line {line.key}"
    if line.categories:
        return f'product category "{line.categories[0]}"'
    return f'product "{line.sku or line.product_id or line.key}", which is in no category,'


def _charge(sale: Sale, charge: SaleCharge) -> Entry:
    facts = sale_facts(sale, fee=charge.name) if charge.kind == "fee" else sale_facts(sale)
    word = _CHARGE_WORD[charge.kind]
    return Entry(
        purpose=_CHARGE_PURPOSE[charge.kind],
        balance=-charge.net,
        facts=facts,
        source_key=f"{charge.kind}:{charge.key}",
        text=f"{word}: {charge.name}" if charge.name else word,
        subject=f'fee "{charge.name}"' if charge.kind == "fee" else f"the {word.lower()} charge",
    )


def _tax(sale: Sale, tax: SaleTax) -> Entry:
    rate = "" if tax.rate is None else f" {plain(tax.rate)} %"
    return Entry(
        purpose=Purpose.TAX,
        balance=-tax.amount,
        facts=sale_facts(sale, tax_title=tax.title, tax_class=tax.tax_class),
        source_key=f"tax:{tax.title}",
        text=f"Tax: {tax.title or 'without title'}{rate}",
        subject=f'tax title "{tax.title}"' if tax.title else "tax without a title",
        title=tax.title,
    )


def _tender(sale: Sale, tender: SaleTender) -> Entry:
    text, subject = {
        "payment": (
            f"Payment: {tender.method or 'method unknown'}",
            f'payment method "{tender.method}"' if tender.method else "a payment without a method",
        ),
        "store_credit": ("Store credit redeemed", "store credit redeemed"),
        "gift_certificate": ("Gift certificate redeemed", "the gift certificate redeemed"),
    }[tender.kind]
    return Entry(
        purpose=_TENDER_PURPOSE[tender.kind],
        balance=tender.amount,
        facts=sale_facts(sale, payment_method=tender.method),
        source_key=f"{tender.kind}:{tender.method}" if tender.method else tender.kind,
        text=text,
        subject=subject,
    )


def sale_facts(sale: Sale, **particular: str | tuple[str, ...]) -> Facts:
    """What rules can ask of a sale, with what is particular to one entry of it."""
    return Facts(
        channel=sale.channel,
        connection=sale.connection,
        ship_to_country=sale.ship_to_country,
        ship_to_state=sale.ship_to_state,
        customer_group=sale.customer_group,
        **particular,
    )


def plain(number: Decimal) -> str:
    """A number for people: no exponent, no trailing zeros, no negative zero."""
    text = f"{number:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) if number else "0"
