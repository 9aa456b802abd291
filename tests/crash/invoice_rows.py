"""Orders that become invoices in Receivables, each created by one call that Fusion answers at once.

What a posting of a synchronous create says of itself: copy this for the next one.
"""

from dataclasses import replace
from typing import Final

from crash.books import CUSTOMERS, INVOICES
from crash.mornings import announced_morning
from crash.posting import Posting
from crash.settings import Setting, patient
from crash.strikes import AtBoundary, Call

from sandbox.fusion.receivables.demo import (
    AUTOMATIC_SOURCE,
    CREDIT_MEMO_TYPE,
    EU_UNIT,
    INVOICE_TYPE,
    MANUAL_SOURCE,
    US_UNIT,
)

WAY: Final = ("fetch_order", "lookup_cached", "lookup", "map_order", "post_invoice")

INVOICE: Final = "/receivablesInvoices$"
LOOK: Final = Call("looking for the invoice", "fusion", "GET", INVOICE, paused_at=("answering",))
"""A worker that stands still there has looked and not sent; when it goes on, another has."""
CREATE: Final = Call(
    "creating the invoice", "fusion", "POST", INVOICE, paused_at=("received", "committed", "answering")
)
AFTER_MARK: Final = "store/creation_mark/after"


def billed(home: str, source: str, toml: tuple[tuple[str, str], ...] = (), *, credits: bool = False) -> Setting:
    """Both shops are billed in Receivables, the reference in this home; `toml` as in `Setting`. `credits`: refunds are
    credited there."""
    billing = f'transaction_source = "{source}", transaction_type = "{INVOICE_TYPE}", reference_home = "{home}"'
    if credits:
        billing += f', credit_memo_type = "{CREDIT_MEMO_TYPE}"'
    units = {US_UNIT: CUSTOMERS["bc-us"], EU_UNIT: CUSTOMERS["bc-eu"]}
    return Setting(
        f"{'credit memos' if credits else 'invoices'} by {home}",
        toml,
        amended=(
            ('channels = [{ id = "1",', 'channels = [{ id = "1", target = "receivable",'),
            *(
                (
                    f'business_unit = "{unit}"',
                    f'business_unit = "{unit}"\nreceivable = {{ {billing}, customer_account = "{customer}" }}',
                )
                for unit, customer in units.items()
            ),
        ),
    )


NUMBERED: Final = Posting(
    "an order to its invoice, numbered by us",
    announced_morning,
    way=WAY,
    calls=(LOOK, CREATE),
    steps=(
        "store/creation_lease/after",
        "store/creation_mark/before",
        AFTER_MARK,
        "store/creation_confirmed/before",
    ),
    books=INVOICES,
    setting=billed("transaction_number", MANUAL_SOURCE, patient(hours=1)),
    decisions=0,
)
"""Fusion refuses a duplicate, so what was announced and never sent is sent again, and nobody is asked."""

REFERENCED: Final = replace(
    NUMBERED,
    name="an order to its invoice, numbered by Fusion",
    steps=tuple(step for step in NUMBERED.steps if step != AFTER_MARK),
    special=frozenset({"post_invoice"}),
    setting=billed("cross_reference", AUTOMATIC_SOURCE),
)

REFERENCED_NEVER_SENT: Final = replace(
    REFERENCED,
    name="an order whose invoice was announced and never sent",
    way=(),
    calls=(),
    steps=(),
    strikes=(AtBoundary(AFTER_MARK), AtBoundary(AFTER_MARK, "SIGSTOP")),
    decisions=1,
)
"""Where Fusion refuses no duplicate only a person knows that."""

INVOICE_POSTINGS: Final = (NUMBERED, REFERENCED, REFERENCED_NEVER_SENT)
