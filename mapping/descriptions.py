"""What lines and documents say about themselves in Fusion: one line of text, cut to fit, with its reason at the end."""

from typing import Final

from contracts.configuration import MappingSet
from contracts.sale import Sale
from mapping.accounts import Booked

DESCRIPTION_LENGTH: Final = 240
"""Characters of a journal's or line's description, and of an invoice line's."""


def describe(text: str, ending: str) -> str:
    """`text` on one line, cut so that it fits with `ending` (which is kept) into 240 characters."""
    room = max(DESCRIPTION_LENGTH - len(ending), 0)
    # Product names carry line breaks and control characters, which a journal line cannot.
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    if len(line) > room:
        line = line[: max(room - 3, 0)].rstrip() + "..."
    return (line + ending)[:DESCRIPTION_LENGTH]


def line_description(booked: Booked, sale: Sale, mapping_set: MappingSet) -> str:
    """What was sold, of which order, and which rule chose the account."""
    rule = booked.origin.rule if booked.origin else None
    version = f"{rule.mapping_set} v{rule.version}" if rule else f"{mapping_set.id} v{mapping_set.version}"
    purpose = booked.entry.purpose.value
    chosen = f"{version} rule {booked.rule}" if booked.rule else f"{version} suspense, no {purpose} rule"
    return describe(booked.entry.text, f" | {sale.label} | {chosen}")


def document_description(reference: str, key: tuple[str, ...], date_reason: str, *, title: str = "") -> str:
    """Which document it is and why it has its date; the full key too where the reference is only its hash.

    `key`: tenant, connection, kind, document id, purpose, ordinal. `title` is said in place of the key's own words.
    """
    full = "/".join(key)
    text = f"{title or f'{key[2].capitalize()} {key[3]} ({key[1]})'}, {date_reason}"
    return describe(text, "" if full == reference else f" | {full}")
