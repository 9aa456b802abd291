"""Receivables: whose credit memo it is, and by which references it and its application are known."""

from dataclasses import dataclass
from typing import Final

from contracts import names
from contracts.configuration import Integration
from mapping.credit_memo import APPLICATION, CREDIT
from mapping.deltas import REVERSAL
from store.rows import PostingKey

ORDINAL: Final = 1
"""A refund is credited once: what a shop has given back it does not change any more. So is what is left of an order
that was cancelled: an order that comes back is for a person."""


@dataclass(frozen=True)
class Credited:
    """A refund, or an order that was cancelled after it had been billed."""

    integration: Integration
    order_id: str
    refund_id: str = ""
    """Empty: the order."""

    @property
    def kind(self) -> str:
        return names.REFUND if self.refund_id else names.ORDER

    @property
    def document_id(self) -> str:
        return self.refund_id or self.order_id

    @property
    def parent_id(self) -> str:
        return self.order_id if self.refund_id else ""

    @property
    def title(self) -> str:
        """How sentences name it."""
        order = f"rder {self.order_id} ({self.integration.source})"
        return f"Refund {self.refund_id} of o{order}" if self.refund_id else f"O{order}"

    @property
    def memo(self) -> PostingKey:
        return self._key(CREDIT if self.refund_id else REVERSAL)

    @property
    def memo_reference(self) -> str:
        return reference_of(self.memo)

    @property
    def application(self) -> PostingKey:
        return self._key(APPLICATION)

    @property
    def application_reference(self) -> str:
        return reference_of(self.application)

    def _key(self, purpose: str) -> PostingKey:
        return PostingKey(
            tenant=self.integration.tenant,
            integration=self.integration.id,
            connection=self.integration.source,
            fusion=self.integration.fusion,
            kind=self.kind,
            document_id=self.document_id,
            parent_id=self.parent_id,
            purpose=purpose,
            ordinal=ORDINAL,
        )


def reference_of(key: PostingKey) -> str:
    """The business key that the document of `key` carries."""
    return names.journal_reference(key.tenant, key.connection, key.kind, key.document_id, key.purpose, key.ordinal)
