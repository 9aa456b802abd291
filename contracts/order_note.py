"""What an order says in its shop of its documents in Oracle Fusion: numbers, states and dates, and nobody's name."""

import datetime as dt
from typing import Final, Literal

from contracts.model import Frozen

LONGEST: Final = 100
"""Documents that a note lists; the oldest of more are only counted. A metafield holds 65,535 characters."""


class NotedDocument(Frozen):
    """One document in Fusion."""

    source: str
    """What it was made of: `order`, or `refund 77`."""
    document: Literal["journal", "invoice", "credit memo", "application"]
    reference: str
    """The business key that it carries in Fusion (`contracts.names.journal_reference`)."""
    number: str = ""
    """What people see there: the journal's name, the transaction's number."""
    state: str
    """`imported` or `posted`; `differs` where it is not as it was meant, and a person looks."""
    date: dt.date | None = None
    """Its accounting date; none where nobody knows it."""


class OrderNote(Frozen):
    """Everything that is in Fusion of one order and its refunds."""

    state: str
    """Where the order stands, as `contracts.flow.State`."""
    documents: tuple[NotedDocument, ...] = ()
    """Oldest first."""
    earlier: int = 0
    """Documents before those that are listed."""

    @classmethod
    def of(cls, state: str, documents: tuple[NotedDocument, ...]) -> "OrderNote":
        """With the newest documents, as many as a note holds."""
        left_out = max(0, len(documents) - LONGEST)
        return cls(state=state, documents=documents[left_out:], earlier=left_out)

    def text(self) -> str:
        """JSON; the same facts give the same text."""
        return self.model_dump_json(exclude_defaults=True)
